"""What it costs to refuse a forged 1 KiB webhook: our own code, and the whole request beside an empty Flask route.

    python benchmarks/refusal.py

Every figure is the median of several runs, taken in turn.
"""

from __future__ import annotations

import io
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable

from flask import Flask
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from connector.app import create_app
from connector.connections import NewConnection
from connector.settings import Settings
from connector.web.problems import Problem
from connector.web.receiving import Receiving

RUNS, CALLS = 9, 2000


def per_call(act: Callable[[], object]) -> float:
    """Microseconds."""
    started = time.perf_counter()
    for _ in range(CALLS):
        act()
    return (time.perf_counter() - started) / CALLS * 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        app = create_app(Settings(database_url=f"sqlite:///{directory}/connector.db"))
        logging.getLogger("connector").setLevel(logging.ERROR)
        wired = app.extensions["connector"]
        added = wired.installation.connections.add(
            NewConnection("acme", "standard", "demo", "api-demo", base_url="http://127.0.0.1:9")
        )
        scheme = wired.installation.partners.get("standard").webhook.scheme
        body = json.dumps({"type": "event_type.defined", "data": {"id": "1", "key": "k" * 900}}).encode().ljust(1024)
        headers = scheme.sign(body, scheme.generate_secret(), "msg_1", time.time())
        path = f"/webhooks/{added.connection.endpoint_id}"

        empty = Flask("empty")
        empty.post("/webhooks/<endpoint>")(lambda **_: ({}, 401))
        environ = EnvironBuilder(path, method="POST", data=body, headers=headers, content_type="application/json")

        def call(target: Flask) -> Callable[[], object]:
            wsgi = environ.get_environ()

            def act() -> None:
                wsgi["wsgi.input"] = io.BytesIO(body)
                b"".join(target.wsgi_app(wsgi, lambda *_: lambda _: None))

            return act

        receiving = Receiving(max_body=262144, endpoint_rate=1000)
        view = app.view_functions["webhooks.receive"]
        directory_of = next(
            cell.cell_contents for cell in view.__closure__ or () if hasattr(cell.cell_contents, "receive")
        )._directory  # the very object that serves

        def own() -> None:
            request = Request(environ.get_environ())
            try:
                receiving.receive(directory_of.find(added.connection.endpoint_id).sender, request)
            except Problem:
                return
            raise SystemExit("a forged request was accepted")

        def bare() -> None:
            Request(environ.get_environ()).get_data()

        rows: dict[str, list[float]] = {"own": [], "bare": [], "refused": [], "empty": []}
        for _ in range(RUNS):
            rows["own"].append(per_call(own))
            rows["bare"].append(per_call(bare))
            rows["refused"].append(per_call(call(app)))
            rows["empty"].append(per_call(call(empty)))
        wired.close()
    median = {name: statistics.median(values) for name, values in rows.items()}
    print(f"own code (find, read, verify, refuse), without making the request: {median['own'] - median['bare']:.1f} µs")
    print(f"whole refusal through Flask: {median['refused']:.1f} µs; an empty Flask route: {median['empty']:.1f} µs")
    print(f"ratio to the empty route: {median['refused'] / median['empty']:.2f}")


if __name__ == "__main__":
    main()
