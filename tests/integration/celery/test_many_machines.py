"""Receivers and workers on PostgreSQL and a broker: what is fast when all is well, and what survives when it is not."""

from __future__ import annotations

import signal
import time

import requests
from sqlalchemy import text

from connector.delivery.celery_runner import ENOUGH
from tests.integration.celery.conftest import LONG, TAKE_OVER_AFTER, Machines, eventually
from tests.integration.web.conftest import free_port, running

SIGNUP = {"id": "evt_1", "key": "signup", "name": "Signup"}


def test_a_definition_becomes_a_metric_and_a_rename_renames_it(machines: Machines) -> None:
    endpoint = machines.endpoint()

    assert endpoint.send("event_type.defined", SIGNUP).status == 201
    assert endpoint.send("event_type.renamed", SIGNUP | {"name": "Signed up"}).status == 200

    assert {key: metric["name"] for key, metric in machines.sandbox.metrics().items()} == {"signup": "Signed up"}


def test_doubled_deliveries_and_doubled_bells_have_one_effect(machines: Machines) -> None:
    endpoint = machines.endpoint()

    assert endpoint.send("event_type.defined", SIGNUP, message_id="msg_1").status == 201
    for _ in range(8):
        machines.bell.publish()
    assert endpoint.send("event_type.defined", SIGNUP, message_id="msg_1").status == 200

    assert len(machines.sandbox.calls("POST")) == 1


def test_a_receiver_whose_broker_is_down_stores_at_once_and_a_sweep_finds_it(machines: Machines) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    broker = machines.settings.broker_url or ""
    dead = {
        "CONNECTOR_BROKER_URL": f"{broker.partition('://')[0]}://127.0.0.1:{free_port()}",
        "CONNECTOR_RESPOND_WITHIN": "0",
        "CONNECTOR_WORKERS": "1",
    }
    with running(machines.environment | dead, url + "/readyz", "serve", "--bind", url.removeprefix("http://")):
        endpoint = machines.endpoint(url)
        began = time.monotonic()
        answer = endpoint.send("event_type.defined", SIGNUP)

        assert answer.status == 202
        assert time.monotonic() - began < 1, "the answer does not wait for the broker"
        assert machines.settled(answer.body["delivery"]).outcome == "created"


def test_what_a_killed_worker_had_is_taken_over_by_another_and_makes_one_metric(machines: Machines) -> None:
    machines.sandbox.play({"kind": "hold", "method": "POST", "seconds": LONG, "count": 1})
    answer = machines.endpoint().send("event_type.defined", SIGNUP)
    assert answer.status == 202

    eventually(machines.sandbox.metrics)
    killed = machines.at_work()
    killed.kill()
    killed.wait()
    began = time.monotonic()
    record = machines.settled(answer.body["delivery"])

    assert time.monotonic() - began < TAKE_OVER_AFTER + 3
    assert (record.outcome, record.attempts) == ("created", 2)
    assert list(machines.sandbox.metrics()) == ["signup"]
    assert len(machines.sandbox.calls("POST")) == 1
    assert killed.pid not in machines.seen()


def test_a_worker_told_to_stop_finishes_what_is_under_way_even_if_that_outlasts_the_take_over(
    machines: Machines,
) -> None:
    machines.sandbox.play({"kind": "latency", "method": "POST", "seconds": TAKE_OVER_AFTER + 2, "count": 1})
    answer = machines.endpoint().send("event_type.defined", SIGNUP)
    stopped = machines.at_work()

    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(LONG) == 0

    record = machines.settled(answer.body["delivery"])
    assert (record.outcome, record.attempts) == ("created", 1)
    assert stopped.pid not in machines.seen()


def test_connections_that_the_database_ends_are_made_again(machines: Machines) -> None:
    endpoint = machines.endpoint()
    with machines.database.read() as tx:
        ended = tx.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND application_name = current_setting('application_name') AND datname = current_database() "
                "AND state = 'idle'"
            )
        ).scalar_one()
    assert ended > 0

    answer = endpoint.send("event_type.defined", SIGNUP)

    assert answer.status in {201, 202}
    assert machines.settled(answer.body["delivery"]).outcome == "created"


def test_a_receiver_is_ready_while_there_is_a_worker(machines: Machines) -> None:
    def ready() -> requests.Response:
        return requests.get(f"{machines.url}/readyz", timeout=5)

    assert ready().json() == {"status": "ok", "checks": {"database": "ok", "runner": "ok"}}
    machines.dismiss()

    eventually(lambda: ready().status_code == 503)
    assert ready().json()["checks"] == {
        "database": "ok",
        "runner": f"no worker was seen for {TAKE_OVER_AFTER:g} seconds; run: connector worker",
    }


def test_bells_do_not_pile_up_while_there_is_no_worker(installed: Machines) -> None:
    installed.dismiss()

    for _ in range(10 * ENOUGH):
        installed.bell.publish()

    assert 0 < installed.bells() <= 2 * ENOUGH, "a broker may count a message a moment after it took it"


def test_a_bell_is_enough_for_workers_that_do_not_sweep(installed: Machines) -> None:
    requests.post(f"{installed.sandbox.url}/sandbox/reset", timeout=5).raise_for_status()
    installed.dismiss()
    installed.staff("--no-beat")
    endpoint = installed.endpoint()

    sent = [endpoint.send("event_type.defined", SIGNUP | {"name": f"Signup {number}"}) for number in range(4)]

    assert [installed.settled(answer.body["delivery"]).outcome for answer in sent] == ["created", *["renamed"] * 3]
