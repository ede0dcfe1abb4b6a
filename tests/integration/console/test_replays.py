"""What a search finds is replayed as a whole: asked about first, then watched, and cancelled."""

from __future__ import annotations

import pytest

from connector.event_types import Outcome
from connector.store import history, replays
from connector.store.history import ChangeRecord, Filter
from tests.integration.console.conftest import House
from tests.integration.console.visitor import Visitor


@pytest.fixture
def operator(signed_in: Visitor) -> Visitor:
    return signed_in


def change_of(house: House, event_type: str) -> ChangeRecord:
    with house.installation.database.read() as tx:
        (delivery,) = history.search(tx, Filter(event_type=event_type)).deliveries
    return delivery.changes[0]


def test_what_a_search_finds_is_replayed_after_a_question(house: House, operator: Visitor) -> None:
    added = house.add("Replays <b>")
    for number in range(3):
        house.send(added, {"id": f"r{number}", "key": f"replayed_{number}", "name": f"Replayed {number}"})
    search = operator.submit(operator.get("/console/deliveries").form("/deliveries"), connection=added.connection.id)
    asked = operator.get(search.links["Replay all that match"])
    assert "Replays <b>" in asked.text
    assert "3 changes are queued again." in asked.text
    assert change_of(house, "r0").replays == 0, "to look is not to do"
    page = operator.submit(asked.form("/replays"))
    assert page.status == 200
    assert page.path.startswith("/console/replays/rpl_")
    replay_id = page.path.rpartition("/")[2]
    for number in range(3):
        house.app.extensions["connector"].runner.wait(change_delivery(house, f"r{number}"), 60)
    done = operator.get(page.path)
    assert "Done" in done.text
    assert "3 of 3" in done.text
    assert "3 unchanged" in done.text
    assert not [form for form in done.forms if form.action.endswith("/cancel")]
    with house.installation.database.read() as tx:
        replay = replays.get(tx, replay_id)
    assert replay is not None
    assert (replay.changes, replay.filter) == (3, Filter(connection_id=added.connection.id))
    assert [change_of(house, f"r{number}").replays for number in range(3)] == [1, 1, 1]


def change_delivery(house: House, event_type: str) -> str:
    with house.installation.database.read() as tx:
        (delivery,) = history.search(tx, Filter(event_type=event_type)).deliveries
    return delivery.id


def test_only_a_search_can_be_replayed(house: House, operator: Visitor) -> None:
    house.send(house.add("Any"), {"id": "any", "key": "any_event", "name": "Any"})
    everything = operator.get("/console/deliveries")
    assert "Replay all that match" not in everything.links
    assert operator.get("/console/replays/new").path == "/console/deliveries"
    form = operator.get("/console/replays/new?event_type=any").form("/replays")
    assert operator.submit(form, event_type="").path == "/console/deliveries"
    assert change_of(house, "any").replays == 0


def test_a_search_that_cannot_be_is_told_where_searches_are_made(house: House, operator: Visitor) -> None:
    page = operator.get("/console/replays/new?since=tomorrow")
    assert (page.status, "is no time" in page.text) == (422, True)
    house.send(house.add("Wrong"), {"id": "wrong", "key": "wrong_event", "name": "Wrong"})
    form = operator.get("/console/replays/new?event_type=wrong").form("/replays")
    assert operator.submit(form, state="nowhere").status == 422
    assert change_of(house, "wrong").replays == 0


def test_more_than_can_be_replayed_at_once_is_said(
    house: House, operator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.web.console.replays.MOST", 2)
    added = house.add("Many")
    for number in range(3):
        house.send(added, {"id": f"m{number}", "key": f"many_{number}", "name": f"Many {number}"})
    asked = operator.get(f"/console/replays/new?connection={added.connection.id}")
    assert "More than 2 changes match." in asked.text
    assert "Replay 2 changes" in asked.text
    page = operator.submit(asked.form("/replays"))
    assert "of 2" in page.text
    assert "Others match as well" in page.text


def test_what_is_under_way_or_of_nobody_is_not_replayed(house: House, operator: Visitor) -> None:
    added = house.add("Paused for now")
    house.installation.connections.pause(added.connection)
    house.send(added, {"id": "held", "key": "held_event", "name": "Held"})
    asked = operator.get("/console/replays/new?event_type=held")
    assert "There is nothing to replay" in asked.text
    assert not [form for form in asked.forms if form.action.endswith("/replays")]
    assert "There is nothing to replay" in operator.get("/console/replays/new?connection=nobody").text


def test_a_replay_is_cancelled(house: House, operator: Visitor) -> None:
    added = house.add("Cancels")
    house.send(added, {"id": "taken-back", "key": "taken_back", "name": "Taken Back"})
    house.installation.connections.pause(added.connection)  # so that the replay waits
    asked = operator.get("/console/replays/new?event_type=taken-back")
    page = operator.submit(asked.form("/replays"))
    assert "Under way" in page.text
    assert 'http-equiv="refresh"' in page.html
    assert 'data-live="1000"' in page.html
    cancelled = operator.submit(page.form("/cancel"))
    assert "what still waited is as it was before" in cancelled.text
    assert "http-equiv" not in cancelled.html
    assert "data-live" not in cancelled.html
    assert change_of(house, "taken-back").outcome == Outcome.CREATED
    again = operator.submit(page.form("/cancel"))
    assert (again.status, "Cancelled" in again.text) == (200, True)


def test_a_form_of_another_site_replays_and_cancels_nothing(house: House, operator: Visitor) -> None:
    house.send(house.add("Guarded"), {"id": "guarded", "key": "guarded_event", "name": "Guarded"})
    form = operator.get("/console/replays/new?event_type=guarded").form("/replays")
    assert operator.submit(form, form_token="forged").status == 403
    assert operator.submit(form, form_token=None).status == 403
    assert change_of(house, "guarded").replays == 0


def test_a_replay_that_is_not_there_is_said(operator: Visitor) -> None:
    assert operator.get("/console/replays/rpl_none").status == 404
    form = operator.get("/console/connections/new").form("/new")
    assert operator.post("/console/replays/rpl_none/cancel", {"form_token": form.values["form_token"]}).status == 404
