"""What every partner's webhook must do, whatever its dialect: a class per partner inherits all of it.

The cases speak of requests and metrics only. They must never know a particular partner: what one cannot do stands in
the flags of its class, and must stand among its documented weaknesses too.
"""

from __future__ import annotations

import json
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from werkzeug.test import TestResponse

from connector.event_types import ChangeKind
from connector.partners import Partner, PayloadRefused, Reading, Webhook
from connector.partners.payload import decode
from connector.settings import MAX_BODY
from connector.signatures import Scheme, SignatureRefused, public_half

from . import damage
from .damage import Damaged
from .wired import Customer, House, Metric

MAPPINGS = Path(__file__).parents[2] / "config" / "mappings"
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
SLACK = 60
"""Seconds between what a test signs and the limit, so that a slow machine does not cross it."""

NOT_JSON = {
    "empty": b"",
    "a form": b"type=event_type.defined",
    "cut short": b'{"type":',
    "two values": b"{} {}",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "a key twice": b'{"a":1,"a":1}',
    "not UTF-8": b'{"a":"\xff"}',
    "half a surrogate pair in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a NUL": b'{"a":"\x00"}',
    "a number of too many digits": b'{"a":' + b"9" * 5000 + b"}",
}
HEADER_DAMAGES: dict[str, Callable[[str], str | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: "",
    "cut": lambda value: value[:-1],
    "doubled": lambda value: f"{value},{value}",
    "not ASCII": lambda value: f"{value}é",
}


class Contract(ABC):
    """Who sends, and how a test speaks for them.

    `partner` is its name. `story` are changes of one event type, in order, and the metric that LaunchDarkly must
    hold after each, and no other.

    The flags say what a dialect cannot do: `tolerance` is None where it signs no time (else seconds, both ways),
    `body_is_signed` False where anybody who sees a request can send another body with it, `sender_has_ids` False
    where a delivery is known again only by its bytes. `unsigned_headers` are sent but not covered, in lower case.
    `ambiguous` are fields (with dots) that have another type in other messages of the partner.
    """

    partner: ClassVar[str]
    story: ClassVar[tuple[tuple[ChangeKind, Metric], ...]]
    tolerance: ClassVar[float | None] = 300
    body_is_signed: ClassVar[bool] = True
    sender_has_ids: ClassVar[bool] = True
    unsigned_headers: ClassVar[frozenset[str]] = frozenset()
    ambiguous: ClassVar[frozenset[str]] = frozenset()

    house: House
    about: Partner
    webhook: Webhook
    customer: Customer

    @abstractmethod
    def sample(self, kind: ChangeKind) -> Any:
        """The payload by which the partner says that this happened to the event type of the story."""

    @abstractmethod
    def unknown(self) -> Any:
        """A payload of something else that the partner announces and that is none of our business."""

    def moment(self, kind: ChangeKind) -> datetime:
        """When the change happened at the partner: later for each kind."""
        return FIRST + timedelta(minutes=list(ChangeKind).index(kind))

    def signer(self) -> Scheme:
        """By which of the schemes that the partner may use the sender signs."""
        return self.webhook.scheme

    def secrets(self) -> tuple[str, str]:
        """What the sender signs with, before and after a rotation."""
        return _secrets(self.signer())  # type: ignore[arg-type]  # a frozen value, as all schemes

    @pytest.fixture(autouse=True)
    def _connected(self, house: House) -> None:
        self.house = house
        self.about = house.partner(self.partner)
        assert self.about.webhook is not None
        self.webhook = self.about.webhook
        self.customer = self.connect()

    def connect(self) -> Customer:
        return self.house.connect(self.partner, self.secrets()[0])

    def sign(
        self, body: bytes, *, secret: str | None = None, message_id: str | None = None, at: float | None = None
    ) -> dict[str, str]:
        return self.signer().sign(
            body,
            secret or self.secrets()[0],
            message_id or f"msg_{secrets.token_hex(12)}",
            time.time() if at is None else at,
        )

    def send(self, payload: Any, *, to: Customer | None = None, **signing: Any) -> TestResponse:
        body = encode(payload)
        return (to or self.customer).post(body, self.sign(body, **signing))

    def read(self, payload: Any) -> Reading:
        return self.webhook.read(decode(encode(payload)), {})

    def is_named(self, damaged: Damaged, errors: Mapping[str, Any]) -> bool:
        return damaged.is_named_in(errors)

    def is_tolerable(self, damaged: Damaged, reading: Reading) -> bool:
        """Whether a body with a value of a wrong type may be accepted and read as this, which is not what it meant."""
        return damaged.where in self.ambiguous

    def typical(self) -> Any:
        """The payload that the story begins with."""
        return self.sample(self.story[0][0])

    def accepted(self, answer: TestResponse) -> None:
        right = {self.webhook.answer} if self.webhook.answer else {200, 201, 202}
        assert answer.status_code in right, answer.text
        assert all(change.get("code") != "internal_error" for change in answer.get_json()["changes"]), answer.text

    def skipped(self, answer: TestResponse) -> None:
        assert answer.status_code == (self.webhook.answer or 200), answer.text
        assert [change["outcome"] for change in answer.get_json()["changes"]] == ["skipped"]
        assert self.customer.metrics() == set()

    def refused(self, answer: TestResponse, status: int, code: str) -> None:
        assert answer.content_type == "application/problem+json", answer.text
        assert (answer.status_code, answer.get_json()["code"]) == (status, code), answer.text

    def refused_as_unsigned(self, answer: TestResponse) -> None:
        """With one text for all reasons: the answer to a forger says nothing but that."""
        self.refused(answer, 401, "signature_refused")
        assert answer.data == self.customer.post(encode(self.typical()), {}).data


class SignatureContract(Contract):
    """What must hold by whatever scheme the sender signs: for each that the partner offers."""

    def test_a_good_signature_is_accepted(self) -> None:
        self.accepted(self.send(self.typical()))

    def test_a_wrong_secret_is_refused(self) -> None:
        self.refused_as_unsigned(self.send(self.typical(), secret=self.secrets()[1]))

    @pytest.mark.parametrize("how", HEADER_DAMAGES)
    def test_a_damaged_signature_header_is_refused(self, how: str) -> None:
        body = encode(self.typical())
        signed = self.sign(body)
        covered = [name for name in signed if name.lower() not in self.unsigned_headers]
        assert covered
        for name in covered:
            damaged = {**signed, name: HEADER_DAMAGES[how](signed[name])}
            headers = {name: value for name, value in damaged.items() if value is not None}
            self.refused_as_unsigned(self.customer.post(body, headers))

    def test_an_unsigned_header_does_not_make_a_delivery_new(self) -> None:
        body = encode(self.typical())
        signed = self.sign(body)
        self.accepted(self.customer.post(body, signed))
        for name in [name for name in signed if name.lower() in self.unsigned_headers]:
            assert self.customer.post(body, {**signed, name: "another"}).get_json()["duplicate"]
            assert self.customer.post(body, {**signed, name: ""}).get_json()["duplicate"]

    def test_a_body_with_a_byte_altered_is_refused(self) -> None:
        body = encode(self.typical())
        refused, believed = self.altered(body)
        if not self.body_is_signed:
            assert refused == []
            return
        assert believed == []
        signed = self.sign(body)
        for each in refused[:: len(refused) // 3]:
            self.refused_as_unsigned(self.customer.post(each, signed))

    def altered(self, body: bytes) -> tuple[list[bytes], list[bytes]]:
        """The body with each of its bytes altered, and cut or extended by one: what is refused, and what is believed.

        Where only a part of it is signed, what leaves that part as it is and is otherwise ignored is neither.
        """
        now, secret = time.time(), self.secrets()[0]
        headers = {name.lower(): value for name, value in self.sign(body, secret=secret, at=now).items()}
        verify = partial(self.webhook.scheme.verify, headers=headers, secrets=[public_half(secret)], now=now)
        trusted = verify(body).body
        refused, believed = [], []
        for each in [*(damage.flipped(body, position) for position in range(len(body))), body[:-1], body + b" "]:
            try:
                verified = verify(each)
            except SignatureRefused:
                refused.append(each)
            else:
                believed += [each] if verified.body != trusted else []
        return refused, believed

    def test_a_request_from_another_time_is_refused(self) -> None:
        """Or, where no time is signed, accepted for ever: only that it is a duplicate keeps a replay harmless."""
        limit = (self.tolerance or 10 * 365 * 24 * 3600) - SLACK
        payload, now = self.typical(), time.time()
        self.accepted(self.send(payload, at=now - limit))
        self.accepted(self.send(payload, at=now + limit))
        if self.tolerance is not None:
            self.refused_as_unsigned(self.send(payload, at=now - self.tolerance - SLACK))
            self.refused_as_unsigned(self.send(payload, at=now + self.tolerance + SLACK))

    def test_both_secrets_are_good_while_they_overlap(self) -> None:
        old, new = self.secrets()
        self.customer.rotate_secret(new)
        for secret in (old, new):
            self.accepted(self.send(self.typical(), secret=secret))

    def test_the_old_secret_is_refused_after_the_overlap(self) -> None:
        old, new = self.secrets()
        self.customer.rotate_secret(new, long_ago=True)
        self.refused_as_unsigned(self.send(self.typical(), secret=old))
        self.accepted(self.send(self.typical(), secret=new))

    def test_what_the_dialect_cannot_do_is_among_its_weaknesses(self) -> None:
        weak = [self.tolerance is None, not self.body_is_signed, not self.sender_has_ids]
        assert len(self.about.weaknesses) >= sum(weak)

    def test_a_replay_is_a_duplicate_with_the_same_outcome_and_no_call(self) -> None:
        payload = self.typical()
        first = self.send(payload, message_id="msg_1")
        calls = self.customer.calls()
        again = self.send(payload, message_id="msg_1")
        assert again.status_code == (self.webhook.answer or 200)
        assert again.get_json() == {**first.get_json(), "duplicate": True}
        assert self.customer.calls() == calls

    def test_a_message_id_with_other_bytes_conflicts(self) -> None:
        """Where the partner has no ids, other bytes are another delivery."""
        payload = self.typical()
        self.accepted(self.send(payload, message_id="msg_1"))
        body = json.dumps(payload, indent=1).encode()
        answer = self.customer.post(body, self.sign(body, message_id="msg_1"))
        if self.sender_has_ids:
            self.refused(answer, 409, "message_id_reused")
        else:
            assert not answer.get_json()["duplicate"]

    def test_its_event_type_ends_in_the_right_metric(self) -> None:
        for kind, metric in self.story:
            self.accepted(self.send(self.sample(kind)))
            assert self.customer.metrics() == {metric}
        assert {ChangeKind.DEFINED, ChangeKind.ARCHIVED} & set(self.webhook.kinds) <= {kind for kind, _ in self.story}

    def test_what_it_announces_beside_event_types_is_acknowledged_and_skipped(self) -> None:
        self.skipped(self.send(self.unknown()))


class PartnerContract(SignatureContract):
    """What must hold for every partner: all of the above, and what its schema makes of a body."""

    def test_every_kind_of_change_that_it_claims_is_read(self) -> None:
        for kind in self.webhook.kinds:
            reading = self.read(self.sample(kind))
            # A catalogue tells kinds only by what was known before, and a refresh by what it will find.
            if reading.catalogue is None and reading.refresh is None:
                assert kind in [change.kind for change in reading.changes]

    @pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "json"])
    def test_another_content_type_is_refused(self, content_type: str | None) -> None:
        body = encode(self.typical())
        answer = self.customer.post(body, self.sign(body), content_type)
        self.refused(answer, 415, "content_type_not_json")

    @pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
    def test_what_is_not_strictly_json_is_refused(self, body: bytes) -> None:
        self.refused(self.customer.post(body, self.sign(body)), 400, "body_not_json")

    def test_a_deeply_nested_body_is_refused(self) -> None:
        """By its depth or, where the interpreter bears more, by its shape."""
        body = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        assert self.customer.post(body, self.sign(body)).status_code in {400, 422}

    @pytest.mark.parametrize("payload", [None, True, 7, "text", {}])
    def test_json_of_another_shape_is_refused_or_skipped(self, payload: Any) -> None:
        answer = self.send(payload)
        if answer.status_code == 422:
            self.refused(answer, 422, "payload_refused")
        else:
            self.skipped(answer)

    def test_a_huge_body_is_refused_before_it_is_verified(self) -> None:
        body = b" " * (max(MAX_BODY, self.webhook.max_body or 0) + 1)
        self.refused(self.customer.post(body, {}), 413, "body_too_large")

    def test_a_wrong_type_is_refused_with_its_field_named(self) -> None:
        """Unless the partner's schema does not know the field: then the body means what it meant."""
        payload = self.typical()
        meant = self.read(payload)
        refused, wrong = [], []
        for damaged in damage.wrong_types(payload):
            try:
                reading = self.read(damaged.payload)
            except PayloadRefused:
                answer = self.send(damaged.payload)
                self.refused(answer, 422, "payload_refused")
                refused.append(damaged)
                if not self.is_named(damaged, answer.get_json()["errors"]):
                    wrong.append(f"{damaged}: refused for {answer.get_json()['errors']}")
                continue
            if reading != meant:
                self.accepted(self.send(damaged.payload, to=self.connect()))
                if not self.is_tolerable(damaged, reading):
                    wrong.append(f"{damaged}: accepted, and read as something else")
        assert not wrong, "\n".join(wrong)
        assert refused

    def test_a_hostile_value_is_refused_with_its_field_named_or_harmless(self) -> None:
        payload = self.typical()
        meant = self.read(payload)
        harmless: dict[str, Any] = {}
        wrong = []
        for damaged in damage.hostile_values(payload):
            try:
                reading = self.read(damaged.payload)
            except PayloadRefused as refused:
                if not self.is_named(damaged, refused.errors):
                    wrong.append(f"{damaged}: refused for {refused.errors}")
                continue
            wrong += [f"{damaged}: cannot be stored as {text!r}" for text in damage.unstorable(reading)]
            if reading != meant:
                harmless[damaged.where] = damaged.payload
        assert not wrong, "\n".join(wrong)
        for each in harmless.values():
            self.accepted(self.send(each, to=self.connect()))


def encode(payload: Any) -> bytes:
    return json.dumps(payload, separators=(",", ":")).encode()


@cache
def _secrets(scheme: Scheme) -> tuple[str, str]:
    return scheme.generate_secret(), scheme.generate_secret()
