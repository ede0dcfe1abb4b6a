"""The three targets: one hostile input each, and what must be true of its outcome.

A target takes its choices and counts the outcome; whatever is not declared is a `Finding`. This module must never know
where the choices come from.
"""

from __future__ import annotations

import base64
import json
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from connector.event_types import Change, EventType
from connector.partners import Page, PayloadRefused, Reading, Request
from connector.partners.fields import KEY_LENGTH
from connector.partners.payload import NotJson, decode
from connector.policy import Measure, Rules, Source, plan_metrics
from connector.signatures import SignatureRefused
from fuzz.choices import Choices, one_of
from fuzz.dialects import Dialect, Signer, dialects
from fuzz.payloads import hostile_body
from fuzz.readers import listers, readers
from fuzz.requests import hostile_request, odd_token, unsigned
from fuzz.seals import SignedRequest, carried, is_sound

VERIFIED = "verified"
ALTERED = "verified (altered only where nothing is covered)"
READ = "read"
LISTED = "listed"
PLANNED = "metric bodies planned"

FORGERIES = "forgeries accepted"
EXCEPTIONS = "undeclared exceptions"
UNTRUE = "untrue outcomes"
FAULTS = "faults of the fuzzer itself"

_SOURCE = Source("fuzz", "Fuzzed partner", key_prefix="f-", tags=("mine",))
_RULES = (Rules(), Rules.parse(f'[[rules]]\nmatch = "*"\nmeasures = {[measure.value for measure in Measure]}'))
_SELDOM = 2000  # one in so many is newly signed where signing takes a thousand times longer than judging
# NUL and half a surrogate pair, as `repr` writes them: not every database holds these.
_UNSTORABLE = re.compile(r"(?<!\\)(?:\\\\)*\\(?:x00|ud[89a-f])")

Tally = dict[str, int]
Result = TypeVar("Result")


class Finding(Exception):
    """A defect: of which kind, what happened, of what, and everything that is needed to see it again."""

    def __init__(self, kind: str, what: str, subject: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{subject}: {what}")
        self.kind, self.what, self.subject, self.details = kind, what, subject, details


def verify(choices: Choices, tally: Tally) -> None:
    """A request of one dialect: accepted only if it carries, untouched, all that a genuine signature covers."""
    dialect = one_of(dialects(), choices)
    start, must_verify = _start(dialect, choices)
    request = hostile_request(dialect, start, choices)
    scheme = dialect.scheme

    def details() -> Mapping[str, Any]:
        body = base64.b64encode(request.body).decode()
        return {"headers": request.headers, "body": body, "secrets": request.secrets, "now": request.now}

    verified = _outcome(
        lambda: scheme.verify(request.body, request.headers, request.secrets, request.now),
        (SignatureRefused,),
        dialect.name,
        details,
    )
    if isinstance(verified, str):
        if must_verify and request == start:
            raise Finding(UNTRUE, f"refused a genuine request as {verified}", dialect.name, details())
        _count(tally, verified)
    elif is_sound(scheme, request, verified, dialect.seals.union(each.seal for each in carried(scheme, start))):
        _count(tally, VERIFIED if request == start else ALTERED)
    else:
        raise Finding(FORGERIES, "accepted a forgery", dialect.name, {**details(), "verified": repr(verified)})


def read(choices: Choices, tally: Tally) -> None:
    """A body of one partner: read, not JSON, or refused; and what is read can be stored and gives metrics."""
    reader = one_of(readers(), choices)
    body = hostile_body(one_of(reader.payloads, choices), choices)

    def reading() -> Reading:
        got = reader.webhook.read(decode(body), {})
        _must_be(isinstance(got, Reading), "is no Reading")
        return got

    def used(got: Reading) -> int:
        _must_be(not _UNSTORABLE.search(repr(got)), "holds a text that cannot be stored")
        event_types = [change.event_type for change in got.changes]
        event_types += got.catalogue.event_types if got.catalogue else ()
        looked_up = [got.message_id, *(each.workspace for each in (*got.changes, got.refresh, got.catalogue) if each)]
        looked_up += [change.previous_key for change in got.changes]
        _check_event_types(event_types, looked_up)
        for change in got.changes:
            _must_be(Change.from_dict(json.loads(json.dumps(change.to_dict()))) == change, "changes by being stored")
        # One of them: the hundreds of a catalogue would be of the same kinds.
        return _planned(one_of(event_types, choices), one_of(_RULES, choices)) if event_types else 0

    _judge_body(reader.partner.name, body, reading, used, READ, tally)


def listed(choices: Choices, tally: Tally) -> None:
    """An answer of a list API: a page, not JSON, or refused; and the credential never goes to another place."""
    lister = one_of(listers(), choices)
    body = hostile_body(one_of(lister.answers, choices), choices)

    def page() -> Page:
        got = lister.api.parse(decode(body), lister.asked, lister.credential)
        _must_be(isinstance(got, Page), "is no Page")
        return got

    def used(got: Page) -> int:
        _must_be(not _UNSTORABLE.search(repr(got.event_types)), "holds a text that cannot be stored")
        _check_event_types(got.event_types, ())
        _must_be(got.next is None or _is_same_place(got.next, lister.asked), "leads away from the API address")
        return 0

    _judge_body(lister.partner.name, body, page, used, LISTED, tally)


TARGETS: Mapping[str, Callable[[Choices, Tally], None]] = {"verify": verify, "read": read, "list": listed}


def _start(dialect: Dialect, choices: Choices) -> tuple[SignedRequest, bool]:
    """A genuine request, and whether it must be accepted as it is: mostly a known one, else one that is signed now."""
    start = one_of(dialect.requests, choices)
    how = choices.below(8)
    signer = one_of(dialect.signers, choices)
    if how < 6 or (signer.is_slow and choices.below(_SELDOM)):
        return start, True
    new = _signed(dialect, signer, start, choices) if how == 6 else odd_token(signer, start, choices)
    # A token with anything in it may be refused; a request that the dialect agreed to sign may not.
    return (start, True) if new is None else (new, how == 6 and _is_ordinary(new))


def _signed(dialect: Dialect, signer: Signer, start: SignedRequest, choices: Choices) -> SignedRequest | None:
    """A new genuine request; None where the dialect says that it cannot carry it."""
    body, message_id, now = unsigned(start, choices)

    def signed() -> SignedRequest | None:
        try:
            return signer.signed(body, message_id, now)
        except ValueError:
            return None

    def details() -> Mapping[str, Any]:
        return {"body": base64.b64encode(body).decode(), "message_id": message_id, "now": now}

    new = _outcome(signed, (), dialect.name, details)
    return new if isinstance(new, SignedRequest) else None


def _is_ordinary(request: SignedRequest) -> bool:
    """Whether no bound on sizes can be a reason to refuse it."""
    return all(len(value) < 4096 for value in request.headers.values()) and len(request.body) < 4096


def _judge_body(
    subject: str,
    body: bytes,
    reading: Callable[[], Result],
    used: Callable[[Result], int],
    success: str,
    tally: Tally,
) -> None:
    def details() -> Mapping[str, Any]:
        return {"body": base64.b64encode(body).decode()}

    got = _outcome(reading, (NotJson, PayloadRefused), subject, details)
    if isinstance(got, str):
        _count(tally, got)
        return
    bodies = _outcome(lambda: used(got), (), subject, details)
    _count(tally, success)
    if bodies:
        _count(tally, PLANNED, int(bodies))


def _outcome(
    call: Callable[[], Result],
    declared: tuple[type[Exception], ...],
    subject: str,
    details: Callable[[], Mapping[str, Any]],
) -> Result | str:
    """What the call gives, or the code of its declared error."""
    try:
        return call()
    except declared as refused:
        code: str = refused.code  # type: ignore[attr-defined]  # all declared errors have one
        return code
    except KeyboardInterrupt:
        raise
    except _Untrue as untrue:
        raise Finding(UNTRUE, str(untrue), subject, details()) from None
    except BaseException as error:  # noqa: BLE001 - a panic of Rust code is no Exception
        at = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
        told = {"traceback": "".join(traceback.format_exception(error))}
        raise Finding(EXCEPTIONS, what, subject, {**details(), **told}) from None


class _Untrue(Exception):
    """Something that must be true of an outcome is not."""


def _must_be(true: bool, otherwise: str) -> None:  # noqa: FBT001 - as of `assert`
    if not true:
        raise _Untrue(otherwise)


def _check_event_types(event_types: Sequence[EventType], looked_up: Iterable[str | None]) -> None:
    texts = [*looked_up, *(text for each in event_types for text in (each.id, each.key))]
    _must_be(all(len(text) <= KEY_LENGTH for text in texts if text), "holds an id or key that cannot be looked up")
    for each in event_types:
        _must_be(EventType.from_dict(json.loads(json.dumps(each.to_dict()))) == each, "changes by being stored")


def _planned(event_type: EventType, rules: Rules) -> int:
    """How many bodies policy makes. An error of policy would be a defect: the settings are right, any text must do."""
    bodies = [metric.body for metric in plan_metrics(event_type, _SOURCE, rules).metrics]
    json.dumps(bodies, ensure_ascii=False, allow_nan=False).encode()
    _must_be(bool(bodies), "has no metric")
    return len(bodies)


def _is_same_place(request: Request, asked: Request) -> bool:
    """To the library that will make the call, which may read an address in another way than the partner's module."""
    try:
        there, here = parse_url(request.url), parse_url(asked.url)
    except LocationParseError:
        return True  # nothing will be sent anywhere
    return (there.scheme, there.auth, there.host, there.port) == (here.scheme, here.auth, here.host, here.port)


def _count(tally: Tally, outcome: str, times: int = 1) -> None:
    tally[outcome] = tally.get(outcome, 0) + times
