"""What our own code costs a webhook, in one thread and without commit and framework; what a forged one costs."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request

from benchmarks.figures import Figure, Given
from benchmarks.load import Load, requests_of
from connector.partners import Partners, Reading
from connector.partners.payload import decode
from connector.policy import Rules, Source, plan_metrics
from connector.signatures import STANDARD_WEBHOOKS
from connector.web.problems import Problem
from connector.web.receiving import Receiving, Sender

_SECTION = "Own code, one thread"


def run(given: Given, _directory: Path) -> Iterator[Figure]:
    """Processor time, so that other work on the machine does not count."""
    partner = Partners().get("standard")
    webhook = partner.webhook
    assert webhook is not None
    secret = STANDARD_WEBHOOKS.generate_secret()
    sender = Sender("ep_bench", partner, webhook, [secret])
    receiving = Receiving(max_body=256 * 1024, endpoint_rate=1e9)
    source, rules = Source("standard", "Standard Webhooks"), Rules()
    load = Load("http://127.0.0.1/webhooks/ep_bench", secret, 1, 1.0)
    other = replace(load, secret=STANDARD_WEBHOOKS.generate_secret())
    raw = [_parts(each) for each in islice(requests_of(load), given.calls)]
    forged = [_parts(each) for each in islice(requests_of(other), given.calls)]
    readings = [webhook.read(decode(body), {}) for _, body in raw]

    def refuse(request: Request) -> None:
        try:
            receiving.receive(sender, request)
        except Problem:
            return
        raise SystemExit("a forged webhook was accepted")

    def plan(reading: Reading) -> None:
        plan_metrics(reading.changes[0].event_type, source, rules)

    with _quiet():
        costs: dict[str, list[float]] = {"whole": [], "verify": [], "parse": [], "plan": [], "forged": []}
        for _ in range(given.rounds):
            verify = [(body, _lower(headers)) for headers, body in raw]
            costs["whole"].append(_each([_request(*each) for each in raw], lambda it: receiving.receive(sender, it)))
            costs["verify"].append(_each(verify, lambda it: webhook.scheme.verify(it[0], it[1], [secret], time.time())))
            costs["parse"].append(_each([body for _, body in raw], lambda it: webhook.read(decode(it), {})))
            costs["plan"].append(_each(readings, plan))
            costs["forged"].append(_each([_request(*each) for each in forged], refuse))
    yield Figure(
        _SECTION,
        "read, verify, parse, schema: all of a request",
        "µs",
        costs["whole"],
        goal=150,
        at_most=True,
    )
    yield Figure(_SECTION, "of that: verify", "µs", costs["verify"])
    yield Figure(_SECTION, "of that: parse and schema", "µs", costs["parse"])
    yield Figure(_SECTION, "plan the metrics of an event type", "µs", costs["plan"])
    yield Figure(_SECTION, "read and refuse a forged request", "µs", costs["forged"])


def _each(items: Sequence[Any], act: Callable[[Any], object]) -> float:
    """Microseconds of processor time for each."""
    started = time.thread_time()
    for item in items:
        act(item)
    return (time.thread_time() - started) / len(items) * 1e6


def _parts(raw: bytes) -> tuple[Mapping[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    pairs = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return {pair[0]: pair[1] for pair in pairs}, body


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _request(headers: Mapping[str, str], body: bytes) -> Request:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_TYPE": headers["Content-Type"],
        "CONTENT_LENGTH": headers["Content-Length"],
    }
    return Request(environ | {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()})


@contextmanager
def _quiet() -> Iterator[None]:
    """Refusals are logged, at most a few a second; here they would only be in the way."""
    log = logging.getLogger("connector")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
