"""Plan, look, apply: through the inbox, into LaunchDarkly, and a second time to no effect."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connector.catalogue import syncing
from connector.catalogue.looking import PATIENCE
from connector.catalogue.plans import Plan
from connector.catalogue.syncing import SyncRefused, TooManyArchives, WorldMoved, without_archives
from connector.event_types import Change, ChangeKind, EventType, Outcome, Value
from connector.launchdarkly import RateLimited, Unauthorized
from tests.integration.syncing.room import Room, complete, event_types

SIGNUP = EventType(id="1", key="signup", name="Sign up")
ORDER = EventType(id="2", key="order", name="Order", value=Value("total", unit="USD"))


def by_a_person(room: Room, key: str, event_key: str = "signup", **fields: Any) -> None:
    body = {"key": key, "kind": "custom", "eventKey": event_key, "isNumeric": False, "name": "Theirs"}
    room.world.sandbox.state.book("demo").create({**body, **fields})


class TestPlan:
    def test_it_changes_nothing_and_reads_each_page_once(self, room: Room) -> None:
        room.sync(complete(*event_types(50)))
        room.calls()
        plan = room.plan(complete(*event_types(50), SIGNUP))
        assert plan.counts == {"create": 1, "unchanged": 50}
        assert room.calls() == ["GET demo"]
        room.sync(complete(*event_types(50), SIGNUP))
        room.calls()
        assert room.plan(complete(*event_types(50), SIGNUP)).pending == ()
        assert room.calls() == ["GET demo", "GET demo"]

    def test_of_a_new_connection_and_an_empty_catalogue_nothing_is_read(self, room: Room) -> None:
        assert room.plan(complete()).actions == ()
        assert room.calls() == []

    def test_a_wrong_key_is_the_error_that_it_is_and_changes_nothing(self, room: Room) -> None:
        room.world.sandbox.state.keys.clear()
        with pytest.raises(Unauthorized):
            room.plan(complete(SIGNUP))

    def test_where_launchdarkly_asks_to_wait_it_waits_and_reads_on(self, sqlite_room: Room) -> None:
        sqlite_room.world.play("rate-limit-ip", seconds=7)
        assert sqlite_room.plan(complete(SIGNUP)).counts == {"create": 1}
        assert len(sqlite_room.waits) == 1

    def test_it_does_not_wait_for_ever(self, sqlite_room: Room) -> None:
        sqlite_room.world.play("rate-limit-ip", seconds=50, count=None)
        with pytest.raises(RateLimited):
            sqlite_room.plan(complete(SIGNUP))
        assert sum(sqlite_room.waits) <= PATIENCE

    def test_a_connection_that_was_removed_has_none(self, room: Room) -> None:
        room.world.connections.remove(room.world.connection)
        with pytest.raises(SyncRefused, match="connections list"):
            room.plan(complete(SIGNUP))

    def test_the_list_api_of_a_connection_without_its_credential_cannot_be_asked(self, room: Room) -> None:
        with pytest.raises(SyncRefused, match="set-source"):
            room.syncer.listed(room.id)


class TestApply:
    def test_makes_what_the_plan_says_and_a_second_time_nothing(self, room: Room) -> None:
        report = room.sync(complete(SIGNUP, ORDER))
        assert report.counts == {"created": 2}
        assert room.world.metrics().keys() == {"signup", "order", "order-average"}
        assert [(row.event_type, row.action, row.metrics) for row in report.rows] == [
            ("1", "create", ("signup",)),
            ("2", "create", ("order", "order-average")),
        ]
        room.calls()
        again = room.plan(complete(SIGNUP, ORDER))
        assert (again.pending, again.unchanged) == ((), 2)
        assert room.calls() == ["GET demo"]

    def test_renames_updates_archives_and_restores(self, room: Room) -> None:
        room.sync(complete(SIGNUP, ORDER, EventType(id="3", key="bye")))
        renamed = replace(SIGNUP, key="joined", name="Joined")
        report = room.sync(complete(renamed, replace(ORDER, description="Paid.")))
        assert report.counts == {"archived": 1, "renamed": 1, "updated": 1}
        metrics = room.world.metrics()
        assert (metrics["signup"]["eventKey"], metrics["signup"]["name"]) == ("joined", "Joined")
        assert metrics["order"]["description"].startswith("Paid.")
        assert metrics["bye"]["archived"] is True
        assert room.sync(complete(renamed, ORDER, EventType(id="3", key="bye"))).counts["restored"] == 1
        assert room.world.metrics()["bye"]["archived"] is False

    def test_the_same_plan_again_is_the_same_delivery(self, room: Room) -> None:
        plan = room.plan(complete(SIGNUP))
        delivery_id = room.syncer.apply(plan)
        room.work()
        assert room.syncer.apply(Plan.from_dict(json.loads(json.dumps(plan.to_dict())))) == delivery_id

    def test_a_plan_whose_connection_moved_on_is_refused(self, room: Room) -> None:
        plan = room.plan(complete(SIGNUP))
        room.world.deliver(Change(ChangeKind.DEFINED, ORDER))
        with pytest.raises(WorldMoved, match="make the plan again"):
            room.syncer.apply(plan)

    def test_a_plan_whose_metrics_moved_on_is_refused(self, room: Room) -> None:
        room.sync(complete(SIGNUP))
        plan = room.plan(complete(replace(SIGNUP, name="Joined")))
        room.world.edit("signup", name="Ours")
        with pytest.raises(WorldMoved):
            room.syncer.apply(plan)

    def test_what_colleagues_do_to_other_metrics_does_not_matter(self, room: Room) -> None:
        plan = room.plan(complete(SIGNUP))
        by_a_person(room, "theirs", "another")
        room.syncer.apply(plan)
        room.work()
        assert "signup" in room.world.metrics()

    def test_a_list_that_was_cut_short_empties_no_project(self, room: Room) -> None:
        room.sync(complete(*event_types(12)))
        plan = room.plan(complete(*event_types(1)))
        with pytest.raises(TooManyArchives, match="--allow-archive 11") as refused:
            room.syncer.apply(plan)
        assert refused.value.archives == 11
        with pytest.raises(TooManyArchives):
            room.syncer.apply(plan, allow_archive=10)
        assert without_archives(plan).pending == ()
        room.syncer.apply(plan, allow_archive=11)
        room.work()
        assert sum(metric["archived"] for metric in room.world.metrics().values()) == 11

    def test_a_webhook_that_came_in_between_is_not_undone(self, room: Room) -> None:
        room.sync(complete(SIGNUP))
        plan = room.plan(complete(replace(SIGNUP, name="Joined", description="By list.")))
        room.world.deliver(Change(ChangeKind.RENAMED, replace(SIGNUP, name="Newest")))
        room.syncer.apply(plan, check=False)
        room.work()
        metric = room.world.metrics()["signup"]
        assert (metric["name"], metric["description"].split("\n")[0]) == ("Newest", "By list.")

    def test_a_list_is_as_old_as_the_moment_before_its_first_page(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room.sync(complete(SIGNUP))
        asked_at = room.ask_for_lists(monkeypatch)

        def while_it_is_read() -> tuple[EventType, ...]:
            room.world.deliver(Change(ChangeKind.RENAMED, replace(SIGNUP, name="Newest")))
            return (replace(SIGNUP, name="Read before"), ORDER)

        asked_at(while_it_is_read)
        assert room.plan(None).counts == {"create": 1, "keep": 1}
        room.sync(None)
        assert room.world.metrics()["signup"]["name"] == "Newest"
        assert room.syncer.listed(room.id).occurred_at is not None

    def test_what_cannot_be_done_is_reported_with_its_code_and_next_step(self, room: Room) -> None:
        room.world.play("error-500", count=None, method="POST")
        plan = room.plan(complete(SIGNUP))
        delivery_id = room.syncer.apply(plan)
        room.work()
        (row,) = room.syncer.report(delivery_id).left
        assert (row.outcome, row.code) == ("pending", "launchdarkly_server_error")
        assert row.next_step

    def test_progress_counts_and_never_loads(self, room: Room) -> None:
        delivery_id = room.syncer.apply(room.plan(complete(*event_types(5))))
        tally = room.syncer.progress(delivery_id)
        assert (tally.total, tally.pending, tally.unpacked) == (0, 0, False)
        assert room.syncer.unfinished(room.id) == delivery_id
        (work,) = room.world.claim()
        room.syncer.unpack(work)
        tally = room.syncer.progress(delivery_id)
        assert (tally.total, tally.pending, tally.done, tally.unpacked) == (5, 5, 0, True)
        room.work()
        tally = room.syncer.progress(delivery_id)
        assert (tally.done, tally.parked, tally.pending, tally.due_at) == (5, 0, 0, None)
        assert room.syncer.unfinished(room.id) is None

    def test_held_changes_of_a_paused_connection_are_told_apart(self, room: Room) -> None:
        delivery_id = room.syncer.apply(room.plan(complete(SIGNUP)))
        room.world.sandbox.state.keys.clear()
        room.work()
        tally = room.syncer.progress(delivery_id)
        assert (tally.pending, tally.held) == (1, 1)


class TestBeingCutOff:
    def test_while_the_plan_is_unpacked_nothing_is_lost_or_doubled(
        self, room: Room, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(syncing, "CHUNK", 4)
        delivery_id = room.syncer.apply(room.plan(complete(*event_types(10))))
        (work,) = room.world.claim()

        def cut_off(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(syncing.leases, "settle", cut_off)
            with pytest.raises(KeyboardInterrupt):
                room.syncer.unpack(work)
        room.world.time.now += 301  # the lease of the process that died
        room.work()
        assert room.syncer.report(delivery_id).counts == {"created": 10}
        assert len(room.world.metrics()) == 10

    def test_one_that_was_taken_over_puts_nothing_in(self, room: Room) -> None:
        room.syncer.apply(room.plan(complete(*event_types(3))))
        (work,) = room.world.claim()
        room.world.time.now += 301
        room.work()
        room.syncer.unpack(work)
        assert room.world.claim() == []
        assert len(room.world.metrics()) == 3


class TestAdopt:
    def test_only_where_a_person_says_so_and_then_as_it_is(self, room: Room) -> None:
        by_a_person(room, "their-signup")
        report = room.sync(complete(SIGNUP))
        assert [(row.outcome, row.code) for row in report.left] == [("conflict", "metric_exists")]
        assert room.world.metrics().keys() == {"their-signup"}
        room.calls()

        report = room.sync(complete(SIGNUP), adopt=True)
        assert report.counts == {Outcome.ADOPTED: 1}
        assert room.calls() == ["GET demo", "GET demo/their-signup"]
        assert room.world.metrics()["their-signup"]["name"] == "Theirs"
        room.sync(complete(replace(SIGNUP, name="Joined")))
        assert room.world.metrics().keys() == {"their-signup"}
        assert room.world.metrics()["their-signup"]["name"] == "Joined"

    def test_where_a_webhook_was_faster_its_metric_stays(self, room: Room) -> None:
        by_a_person(room, "their-signup")
        room.syncer.apply(room.plan(complete(SIGNUP), adopt=True))
        (work,) = room.world.claim()
        room.world.deliver(Change(ChangeKind.DEFINED, SIGNUP))
        room.syncer.unpack(work)
        room.work()
        assert [link.metric_key for link in room.world.links(Change(ChangeKind.DEFINED, SIGNUP))] == ["signup"]

    def test_one_that_changed_before_it_was_taken_over_is_left_and_ours_is_made(self, room: Room) -> None:
        by_a_person(room, "their-signup")
        room.syncer.apply(room.plan(complete(SIGNUP), adopt=True))
        room.world.edit("their-signup", eventKey="another")
        room.work()
        assert room.world.metrics().keys() == {"their-signup", "signup"}


class TestDrift:
    def test_each_kind_is_repaired_or_kept(self, room: Room) -> None:
        room.sync(complete(*event_types(6)))
        room.world.edit("event-0", name="Theirs", tags=["mine"])
        room.world.edit("event-1", archived=True)
        room.world.edit("event-2", eventKey="another")
        room.world.edit("event-3", unitAggregationType="sum", description="Theirs")
        room.world.sandbox.state.book("demo").delete("event-4")
        before = room.world.metrics()["event-0"]
        plan = room.plan(None)
        assert plan.counts == {"repair": 4, "keep": 1, "unchanged": 1}
        report = room.sync(None)
        assert report.counts == {"created": 1, "kept": 1, "renamed": 1, "restored": 1, "updated": 1, "unchanged": 1}
        metrics = room.world.metrics()
        assert metrics["event-0"] == before
        assert metrics["event-1"]["archived"] is False
        assert metrics["event-2"]["eventKey"] == "event_2"
        assert metrics["event-3"]["unitAggregationType"] == "average"
        assert metrics["event-3"]["description"] == "Theirs"
        assert metrics["event-4"]["eventKey"] == "event_4"
        assert room.plan(None).counts == {"keep": 2, "unchanged": 4}

    def test_a_metric_that_is_made_again_after_a_rename_keeps_its_key(self, room: Room) -> None:
        room.sync(complete(SIGNUP))
        room.sync(complete(replace(SIGNUP, key="joined", name="Joined")))
        room.world.sandbox.state.book("demo").delete("signup")
        assert room.plan(None).actions[0].metrics[0].key == "signup"
        room.sync(None)
        assert room.world.metrics()["signup"]["eventKey"] == "joined"

    def test_a_metric_that_somebody_repaired_before_is_not_touched(self, room: Room) -> None:
        room.sync(complete(SIGNUP))
        room.world.edit("signup", archived=True)
        delivery_id = room.syncer.apply(room.plan(None))
        room.world.edit("signup", archived=False)
        room.calls()
        room.work()
        assert room.calls() == ["GET demo/signup"]
        assert room.syncer.report(delivery_id).counts == {"unchanged": 1}

    def test_a_metric_that_became_another_one_is_left_alone(self, room: Room) -> None:
        room.sync(complete(SIGNUP))
        room.world.sandbox.state.book("demo").delete("signup")
        urls = [{"kind": "exact", "url": "https://example.com"}]
        room.world.sandbox.state.book("demo").create({"key": "signup", "kind": "pageview", "urls": urls})
        assert room.plan(None).actions[0].code == "replaced_in_launchdarkly"
        assert room.sync(None).counts == {"conflict": 1}


class TestWhatTheyAreGoodFor:
    def test_the_report_tells_what_never_came_and_what_runs(self, room: Room) -> None:
        room.sync(complete(SIGNUP, ORDER))
        room.world.edit("signup", lastSeen=1_700_000_000_000, activeExperimentCount=1)
        delivery_id = room.syncer.apply(room.plan(complete(replace(SIGNUP, name="Joined"), ORDER)), check=False)
        room.work()
        good_for = room.syncer.report(delivery_id, look=True).usefulness
        assert good_for is not None
        assert (good_for.never_seen, good_for.in_use) == (("order",), ("signup",))

    def test_where_launchdarkly_tells_nothing_nothing_is_said(self, room: Room) -> None:
        room.sync(complete(SIGNUP))
        assert room.plan(None).usefulness.never_seen is None
