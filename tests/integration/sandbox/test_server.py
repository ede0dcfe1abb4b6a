"""The sandbox as a process: how it starts, serves many callers at once and stops."""

from __future__ import annotations

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_promptly_though_a_connection_is_kept_open(serve, stop):
    with serve() as served:
        assert served("GET", "/api/v2/projects/demo").ok
        served.process.send_signal(stop)
        assert served.process.wait(3) == 0
        assert served.process.stdout.read() == ""


def test_it_stops_promptly_though_an_answer_is_held(serve):
    with serve("--fault", "hold:1") as served:
        served.play({"kind": "hold", "seconds": 60})
        with pytest.raises(requests.ReadTimeout):
            served.create("orders", timeout=0.2)
        assert served.stop() == 0


def test_one_of_many_creates_of_a_key_wins(sandbox):
    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(lambda _: sandbox.create("orders").status_code, range(64)))
    assert Counter(answers) == {201: 1, 409: 63}
    seen = sandbox("GET", "/sandbox/requests").json()
    assert Counter(entry["status"] for entry in seen) == {201: 1, 409: 63}


def test_limits_and_projects_come_from_flags(serve):
    with serve("--project", "shop", "--api-key", "api-shop", "--token-limit", "1") as served:
        served.session.headers["Authorization"] = "api-shop"
        statuses = [served("GET", "/api/v2/projects/shop").status_code for _ in range(3)]
        assert statuses[0] == 200
        assert 429 in statuses
