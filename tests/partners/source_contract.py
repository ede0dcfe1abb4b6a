"""What every partner's list API must do, whatever its dialect: a class per partner inherits all of it.

The partner's stand-in speaks HTTP, the refresh that asks it is the product's own, and the store is looked at before and
after. The cases must never know a particular partner.
"""

from __future__ import annotations

import json
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from sqlalchemy import Connection as Tx
from sqlalchemy import select

from connector.catalogue.fetching import SourceError, fetch
from connector.catalogue.refreshing import Refresher
from connector.delivery.merging import Clock, merge
from connector.event_types import Catalogue, Change, ChangeKind, EventType, Outcome
from connector.partners import ListApi, Page, Partner, Partners, PayloadRefused, Reading, Request
from connector.policy import Rules, Source, plan_metrics
from connector.store import connections, endpoints, event_types, inbox, leases
from connector.store.connections import Connection
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.inbox import REFRESH, NewChange, Settled
from connector.store.rows import new_id
from connector.store.tables import changes as changes_table
from connector.store.tables import connections as connections_table
from connector.store.tables import event_types as event_types_table
from connector.store.vault import Vault

from . import damage
from .command import Command
from .stand_in import Answer, Asked, StandIn
from .wired import API_KEY, PROJECT, House

FIXTURES = Path(__file__).parents[1] / "fixtures" / "partners"
NOW = 1_800_000_000.0
LATER = format_datetime(datetime.fromtimestamp(NOW + 3000, UTC), usegmt=True)
KNOWN = EventType(id="known", key="known_event", name="Known before")
"""What the connection already has, and must have afterwards, as it was."""

SHAPES: tuple[Any, ...] = (None, True, 7, "text", {}, [1], {"data": 7}, {"data": [7]}, {"error": "no"}, [[]])


@dataclass(frozen=True, slots=True)
class Fault:
    """What an API does instead of its documented answer, and what of it a person reads.

    `again` is the least of seconds until it is asked again; None where a person has to look first.
    """

    makes: Callable[[Answer], Answer]
    code: str
    sentence: str
    again: float | None = None


def _status(status: int, **headers: str) -> Callable[[Answer], Answer]:
    answer = Answer(status, b'{"error":"no"}', {name.replace("_", "-"): value for name, value in headers.items()})
    return lambda _: answer


FAULTS = {
    "a connection that is cut": Fault(
        lambda right: replace(right, cut=True), "source_unavailable", "does not answer, or not whole", again=1
    ),
    "401": Fault(_status(401), "source_refused", r"refuses the credential \(HTTP 401\): set a new one"),
    "403": Fault(_status(403), "source_refused", r"refuses the credential \(HTTP 403\): set a new one"),
    "429": Fault(_status(429), "source_throttled", "come back later", again=1),
    "429 with seconds": Fault(_status(429, Retry_After="3000"), "source_throttled", "come back later", again=3000),
    "429 with a date": Fault(_status(429, Retry_After=LATER), "source_throttled", "come back later", again=3000),
    "429 with nonsense": Fault(_status(429, Retry_After="²"), "source_throttled", "come back later", again=1),
    "500": Fault(_status(500), "source_unavailable", r"failed \(HTTP 500\)", again=1),
    "404": Fault(_status(404), "source_malformed", "HTTP 404, which is not documented"),
    "a redirect": Fault(_status(302, Location="/elsewhere"), "source_malformed", "HTTP 302, which is not documented"),
    "no JSON": Fault(lambda _: Answer(body=b"<html>"), "source_malformed", "not JSON"),
    "nothing": Fault(lambda _: Answer(body=b""), "source_malformed", "not JSON"),
    "half of the JSON": Fault(
        lambda right: replace(right, body=right.body[: len(right.body) // 2]), "source_malformed", "not JSON"
    ),
    "another shape": Fault(lambda _: Answer.json({"error": "no"}), "source_malformed", "is not as documented: "),
}


def _by_key(body: Mapping[str, Any]) -> str:
    return str(body["key"])


def filled_in(**fields: str) -> Mapping[str, str]:
    """What a person entered."""
    return MappingProxyType(fields)


class SourceContract(ABC):
    """How the partner's documented API behaves, and what its sample is worth.

    `partner` is its name. `credential` is what a person enters, beside the addresses: those are the stand-in's.
    `event_types` is what the sample says, in its order, `calls` how many calls it takes to be told. What metrics it
    gives stands in the partner's fixtures: `expected_metrics.json`. `ambiguous` are the fields of an answer (with dots)
    that may be of another type, and mean something else then.
    """

    partner: ClassVar[str]
    credential: ClassVar[Mapping[str, str]]
    event_types: ClassVar[tuple[EventType, ...]]
    calls: ClassVar[int] = 1
    ambiguous: ClassVar[frozenset[str]] = frozenset()

    stand_in: StandIn
    about: Partner
    list_api: ListApi

    @abstractmethod
    def items(self) -> Sequence[Any]:
        """What the sample lists, each as the vendor documents it."""

    @abstractmethod
    def answer(self, asked: Asked, items: Sequence[Any]) -> Any:
        """What the documented API answers when it has these items. Raises `Unauthorised`."""

    def sample(self, name: str) -> Any:
        return json.loads((FIXTURES / self.partner / f"{name}.json").read_text())

    @pytest.fixture(autouse=True)
    def _served(self, stand_in: StandIn) -> None:
        about = Partners().get(self.partner)
        assert about.list_api is not None
        # The pace is a test of its own; the others need not wait for it.
        self.list_api = replace(about.list_api, per_second=None)
        self.about = replace(about, list_api=self.list_api)
        self.stand_in = stand_in
        self.serve(self.items())

    def serve(self, items: Sequence[Any]) -> None:
        self.stand_in.serve(lambda asked: self.answer(asked, items))

    def entered(self, **other: str) -> dict[str, str]:
        """The whole credential, with every address that of the stand-in."""
        addresses = {each.name: self.stand_in.root for each in self.list_api.credential if each.default is not None}
        return {**addresses, **self.credential, **other}

    def fetch(self, **other: str) -> Catalogue:
        return fetch(self.list_api, self.entered(**other), clock=lambda: NOW)

    def secrets(self) -> list[str]:
        return [self.credential[each.name] for each in self.list_api.credential if each.secret]

    def pages(self) -> list[tuple[Any, Request, Page]]:
        """Every answer of the list, with what was asked and what it says."""
        found: list[tuple[Any, Request, Page]] = []

        def parse(answer: Any, asked: Request, credential: Mapping[str, str]) -> Page:
            page = self.list_api.parse(answer, asked, credential)
            found.append((answer, asked, page))
            return page

        fetch(replace(self.list_api, parse=parse), self.entered(), clock=lambda: NOW)
        return found

    def test_its_documented_sample_becomes_the_right_event_types(self) -> None:
        assert self.fetch() == Catalogue(self.event_types, complete=True)
        assert len(self.stand_in.asked) == self.calls

    def test_these_become_the_right_metrics(self) -> None:
        source = Source(partner=self.partner, partner_title=self.about.title)
        planned = [plan_metrics(each, source, Rules()).metrics for each in self.event_types]
        assert [dict(metric.body) for metrics in planned for metric in metrics] == self.sample("expected_metrics")

    def test_an_empty_list_is_an_empty_catalogue(self) -> None:
        self.serve([])
        assert self.fetch() == Catalogue((), complete=True)

    def test_a_person_enters_what_has_no_default_and_the_secret_is_marked(self) -> None:
        fields = self.list_api.credential
        assert {each.name for each in fields if each.default is None} == set(self.credential)
        assert self.secrets()
        assert "base_url" in {each.name for each in fields}
        assert all(each.label for each in fields)
        assert self.list_api.verified

    def test_another_secret_opens_nothing(self) -> None:
        for name in [each.name for each in self.list_api.credential if each.secret]:
            with pytest.raises(SourceError, match="refuses the credential") as refused:
                self.fetch(**{name: "another"})
            assert refused.value.code == "source_refused"

    def test_the_documented_pace_is_kept(self) -> None:
        list_api = Partners().get(self.partner).list_api
        assert list_api is not None
        slept: list[float] = []
        fetch(list_api, self.entered(), sleep=slept.append)
        pauses = len(self.pages()) - 1
        assert slept == ([] if list_api.per_second is None else [1 / list_api.per_second] * pauses)

    def test_a_list_that_gives_one_page_for_ever_is_one_error(self) -> None:
        first, *others = self.pages()
        if not others:
            assert first[2].next is None  # there is nothing to go round in
            return
        tokens = len(self.stand_in.asked) - 1 - len(others)
        self.serve(self.items())
        answers = iter([None] * tokens + [Answer.json(first[0])] * 50)
        self.stand_in.serve(lambda asked: next(answers) or self.answer(asked, self.items()))
        with pytest.raises(SourceError, match=r"page|not as documented") as malformed:
            self.fetch()
        assert malformed.value.code == "source_malformed"
        assert len(self.stand_in.asked) < 5

    def test_a_list_that_becomes_shorter_meanwhile_is_one_error_where_it_tells_its_length(self) -> None:
        """What moved to a page that was read before would be taken for gone."""
        first, *others = self.pages()
        if first[2].total is None or not others:
            return
        items = list(self.items())
        before = len(self.stand_in.asked) - len(others)
        self.stand_in.serve(lambda asked: self.answer(asked, items[len(self.stand_in.asked) > before :]))
        with pytest.raises(SourceError, match="became shorter") as moved:
            self.fetch()
        assert (moved.value.code, moved.value.retryable) == ("source_unavailable", True)

    @pytest.mark.parametrize("shape", SHAPES, ids=repr)
    def test_json_of_another_shape_is_no_page(self, shape: Any) -> None:
        _, asked, _ = self.pages()[0]
        with pytest.raises(PayloadRefused):
            self.list_api.parse(shape, asked, self.entered(token="t"))

    def test_a_spoilt_answer_is_refused_or_harmless(self) -> None:
        unstorable, believed = [], set()
        for answer, asked, right in self.pages():
            for damaged in [*damage.wrong_types(answer), *damage.hostile_values(answer)]:
                try:
                    page = self.list_api.parse(damaged.payload, asked, self.entered(token="t"))
                except PayloadRefused:
                    continue
                told = Reading(changes=tuple(Change(ChangeKind.DEFINED, each) for each in page.event_types))
                unstorable += [f"{damaged}: {text!r}" for text in damage.unstorable(told)]
                if damaged.value in damage.WRONG_TYPES and page != right:
                    believed.add(damaged.where)
        assert unstorable == []
        assert believed == self.ambiguous

    def test_a_refresh_brings_it_into_the_inbox(self, database: Database, vault: Vault) -> None:
        world = World(database, vault, self.about)
        world.connect(self.entered())
        settled = world.refresh()
        assert (settled.outcome, settled.result) == (Outcome.UPDATED, {"event_types": len(self.event_types)})
        defined = [Change(ChangeKind.DEFINED, each) for each in self.event_types]
        assert world.found() == [*defined, Change(ChangeKind.ARCHIVED, EventType(id=KNOWN.id))]

    def test_an_import_makes_its_metrics_and_no_other(self, house: House, command: Command) -> None:
        """From the connection to LaunchDarkly, as a person does it."""
        add = ("connections", "add", "--name", "acme", "--partner", self.partner, "--project", PROJECT)
        said = command(*add, "--base-url", house.url, stdin=API_KEY)
        assert ("Webhook URL" in said) == (self.about.webhook is not None)
        assert ("sends no webhooks" in said) == ("connections set-source" in said) == (self.about.webhook is None)
        secret = {each.name for each in self.list_api.credential if each.secret}
        fields = [f"{name}={'-' if name in secret else value}" for name, value in self.entered().items()]
        command("connections", "set-source", "acme", *fields, stdin="\n".join(self.secrets()))
        command("import", "acme", "--from-partner")
        calls = [call.to_dict() for call in house.sandbox.requests.since(0)[0]]
        made = [call["body"] for call in calls if call["method"] != "GET"]
        assert sorted(made, key=_by_key) == sorted(self.sample("expected_metrics"), key=_by_key)
        assert len(house.sandbox.book(PROJECT).all()) == len(made)

    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    def test_whatever_else_it_answers_is_one_error_and_changes_nothing(
        self, fault: Fault, sources_database: Database, vault: Vault, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        world = World(sources_database, vault, self.about)
        world.connect(self.entered())
        before = world.stored()
        for number in dict.fromkeys((1, self.calls)):
            self.stand_in.fail(number, fault.makes)
            settled = world.refresh()
            assert settled.result["code"] == fault.code
            assert re.search(fault.sentence, settled.result["reason"]), settled.result["reason"]
            assert len(self.stand_in.asked) == number
            if fault.again is None:
                assert (settled.outcome, settled.due_at) == (Outcome.PARKED, None)
                assert settled.result["next_step"]
            else:
                assert settled.outcome is None
                assert settled.due_at is not None
                assert settled.due_at >= NOW + fault.again
            assert world.found() == []
            assert world.stored() == before
            told = f"{settled.result} {caplog.text}"
            assert not [secret for secret in self.secrets() if secret in told]


class World:
    """A connection of the partner, with one event type that it already knows, and the product's own refresh."""

    def __init__(self, database: Database, vault: Vault, partner: Partner) -> None:
        self._database = database
        self._vault = vault
        self._partner = partner
        self._refresher = Refresher(database, vault, Partners([partner]), clock=lambda: NOW, chance=lambda: 0.5)
        self._deliveries: list[str] = []
        self._endpoint, self._connection = new_id("ep", NOW), new_id("con", NOW)

    def connect(self, credential: Mapping[str, str]) -> None:
        connection = Connection(self._connection, self._endpoint, "Acme", "demo", "https://app.launchdarkly.com")
        known = Change(ChangeKind.DEFINED, KNOWN)

        def write(tx: Tx) -> None:
            endpoints.add(tx, Endpoint(self._endpoint, self._partner.name), now=NOW)
            connections.add(tx, self._vault, connection, "api-canary", now=NOW)
            connections.set_source(tx, self._vault, self._connection, credential)
            row = event_types.resolve(tx, self._connection, known, now=NOW)
            clock = Clock.of(known, received_at=NOW, message_id="msg_0", position=0)
            event_types.save_state(tx, row, merge({}, known, clock).registers)

        self._database.write(write)

    def refresh(self) -> Settled:
        """A thin webhook's work, done once."""
        number = len(self._deliveries)

        def accept(tx: Tx) -> str:
            return inbox.accept(
                tx,
                endpoint_id=self._endpoint,
                message_id=f"msg_{number}",
                body=b"{}",
                headers={},
                new_changes=[NewChange("", REFRESH, connection_id=self._connection)],
                now=NOW,
            ).delivery_id

        delivery = self._database.write(accept)
        self._deliveries.append(delivery)
        claimed = self._database.write(lambda tx: leases.claim(tx, owner="test", now=NOW, lease=60, limit=9))
        (work,) = [each for each in claimed if each.delivery_id == delivery]
        return self._refresher.apply(work)

    def found(self) -> list[Change]:
        """The changes that the refreshes have found so far, in their order."""
        query = (
            select(changes_table.c.change)
            .where(changes_table.c.delivery_id.in_(self._deliveries), changes_table.c.kind != REFRESH)
            .order_by(changes_table.c.id)
        )
        with self._database.read() as tx:
            return [Change.from_dict(row.change) for row in tx.execute(query)]

    def stored(self) -> list[tuple[Any, ...]]:
        """What a failed refresh must leave as it is: of this connection, and of every other."""
        with self._database.read() as tx:
            rows = [
                tuple(row)
                for table in (event_types_table, connections_table)
                for row in tx.execute(select(table).order_by(table.c.id))
            ]
        assert rows
        return rows
