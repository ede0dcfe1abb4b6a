"""Plans and syncs by the API: make one, look at it, apply it, watch it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from connector.catalogue.plans import Plan
from connector.event_types import Outcome
from connector.installation import applying
from connector.store import leases

METRICS = "https://app.launchdarkly.com/api/v2/metrics/demo"
CATALOGUE = {"complete": True, "event_types": [{"id": "evt_1", "key": "order_completed", "name": "Order Completed"}]}


@pytest.fixture(autouse=True)
def project(no_network: Any) -> None:
    no_network.get(METRICS, json={"items": [], "totalCount": 0})


def work_off(served: Any) -> None:
    """What a runner would do, here and now."""
    installation = served.installation
    begin = applying(installation)
    while work := installation.database.write(
        lambda tx: leases.claim(tx, owner="test", now=time.time(), lease=60, limit=10)
    ):
        for each in work:
            installation.database.write(lambda tx, each=each: begin(tx, each))()


def test_a_plan_is_made_shown_applied_and_watched(served: Any, no_network: Any) -> None:
    acme = served.connect()
    plan = served.post(f"/connections/{acme['id']}/plans", {"catalogue": CATALOGUE}, status=201)
    assert (plan["counts"], plan["archives_too_many"]) == ({"create": 1}, False)
    (action,) = plan["actions"]
    assert (action["kind"], action["event_type"], action["metrics"][0]["step"]) == ("create", "evt_1", "create")
    assert served.get(f"/connections/{acme['id']}/plans/{plan['id']}") == plan
    assert served.get("/deliveries")["deliveries"] == []

    sync = served.post(f"/connections/{acme['id']}/plans/{plan['id']}/apply", status=202)["sync"]
    assert served.post(f"/connections/{acme['id']}/plans/{plan['id']}/apply", status=202) == {"sync": sync}
    assert served.runner.rung > 0
    path = f"/connections/{acme['id']}/syncs/{sync}"
    assert served.get(path)["state"] == "starting"
    no_network.post(METRICS, json={"key": "order-completed", "_id": "1"}, status=201)
    work_off(served)
    done = served.get(path)
    assert (done["state"], done["counts"], done["progress"]["done"]) == ("done", {"created": 1}, 1)
    assert done["rows"][0]["metrics"] == ["order-completed"]


def test_a_plan_of_a_world_that_moved_is_refused(served: Any) -> None:
    acme = served.connect()
    plan = served.post(f"/connections/{acme['id']}/plans", {"catalogue": CATALOGUE}, status=201)
    served.deliver(acme, "evt_2", Outcome.CREATED)
    answer = served.post(f"/connections/{acme['id']}/plans/{plan['id']}/apply", status=409)
    assert answer["code"] == "world_moved"


def test_too_many_archives_have_to_be_allowed(on_sqlite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    acme = on_sqlite.connect()
    plan = on_sqlite.post(f"/connections/{acme['id']}/plans", {"catalogue": CATALOGUE}, status=201)
    monkeypatch.setattr(Plan, "archives", property(lambda _: 42))
    path = f"/connections/{acme['id']}/plans/{plan['id']}/apply"
    refused = on_sqlite.post(path, status=409)
    assert refused["code"] == "too_many_archives"
    assert '{"allow_archive": 42}' in refused["detail"]
    assert on_sqlite.post(path, {"allow_archive": 42}, status=202)["sync"]


def test_what_cannot_be_planned_says_why(served: Any, no_network: Any) -> None:
    acme = served.connect()
    path = f"/connections/{acme['id']}/plans"
    assert served.call("GET", f"/api/v1{path}/plan_none").json["code"] == "plan_unknown"
    assert served.post(f"{path}/plan_none/apply", status=404)["code"] == "plan_unknown"
    assert served.call("GET", f"/api/v1/connections/{acme['id']}/syncs/dlv_none").json["code"] == "sync_unknown"
    delivery = served.deliver(acme)
    assert served.call("GET", f"/api/v1/connections/{acme['id']}/syncs/{delivery}").json["code"] == "sync_unknown"
    problem = served.post(path, {"catalogue": {"complete": True, "event_types": [{}]}}, status=422)
    assert problem["code"] == "request_refused"
    no_network.replace("GET", METRICS, json={"message": "no"}, status=401)
    assert served.post(path, {"catalogue": CATALOGUE}, status=502)["code"] == "launchdarkly_unauthorized"
