"""What several processes count: a receiver answers for all of its processes, a worker for itself."""

from __future__ import annotations

import sys

import pytest
import requests

from connector import instruments
from connector.cli import main
from connector.cli.worker import _counted
from tests.integration.celery.conftest import Machines
from tests.integration.web.conftest import free_port
from tests.integration.web.test_metrics import Samples, parsed, value

PATIENCE = 60.0
"""Seconds that no test comes near to, unless it fails."""


def scraped(url: str) -> Samples:
    answer = requests.get(f"{url}/metrics", timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return parsed(answer.text)


def test_a_receiver_of_two_processes_counts_as_one(machines: Machines) -> None:
    counted = "connector_webhooks_total"
    labels = {"partner": "unknown", "status": "404"}
    before = value(scraped(machines.url), counted, **labels)
    for _ in range(20):  # each over a connection of its own, so that both processes have their share
        assert requests.post(f"{machines.url}/webhooks/nobody", timeout=PATIENCE).status_code == 404
    assert {value(scraped(machines.url), counted, **labels) - before for _ in range(10)} == {20.0}


def test_a_worker_serves_what_it_counts_where_it_is_told() -> None:
    port = free_port()
    labels = {"partner": "standard", "outcome": "created"}
    with _counted(("127.0.0.1", port)):
        before = value(scraped(f"http://127.0.0.1:{port}"), "connector_changes_total", **labels)
        instruments.CHANGES.labels("standard", "created").inc()
        after = value(scraped(f"http://127.0.0.1:{port}"), "connector_changes_total", **labels)
        assert after - before == 1
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE)


@pytest.mark.parametrize("given", ["9464", ":9464", "localhost", "localhost:", "localhost:0", "localhost:65536"])
def test_a_place_that_is_none_is_misuse(
    given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["connector", "worker", "--metrics", given])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "Give HOST:PORT, such as 127.0.0.1:9464." in capsys.readouterr().err
