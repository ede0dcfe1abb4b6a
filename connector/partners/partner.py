"""What a partner is to the other rooms: how its webhooks are verified and read, and how its list API is asked.

Values and declared errors only; the modules beside this one fill them in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.event_types import Catalogue, Change, ChangeKind, EventType
from connector.signatures import Scheme


class PayloadRefused(Exception):
    """The body is JSON, but not what the partner's schema says. `errors` maps fields to sentences."""

    code = "payload_refused"

    def __init__(self, errors: Mapping[str, Any]) -> None:
        super().__init__("the partner's schema refuses the payload")
        self.errors = errors


class MappingRefused(ValueError):
    """A mapping file does not say what it may: the text names file, table and key, and what is allowed there."""

    code = "mapping_refused"


@dataclass(frozen=True, slots=True)
class Skip:
    """Something in a delivery that is none of our business: acknowledged, shown, and left."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """The webhook says that something changed, but not all of it: the rest is in the partner's list API.

    `missing` says, for people, what the body did not tell; `workspace` picks the connection as a change's does.
    """

    missing: str
    workspace: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a verified body says. `message_id` is set where the body, not a header, carries the idempotency key."""

    changes: tuple[Change, ...] = ()
    catalogue: Catalogue | None = None
    refresh: Refresh | None = None
    skips: tuple[Skip, ...] = ()
    message_id: str | None = None


def _as_it_is(_type: str, data: Any, _now: datetime) -> Any:
    return data


@dataclass(frozen=True, slots=True)
class Webhook:
    """`read` takes decoded JSON and the request's headers (lower-case names) and raises `PayloadRefused`.

    `answer` is the one status that the partner takes for success, where it does not take every 2xx. `max_body`
    (bytes) raises the installation's limit for partners that send whole plans. `compose` makes the payload that
    `connector send` sends from an event name and data; without it the data is the payload. `kinds` are the changes
    that the partner can announce, for the feature matrix.
    """

    scheme: Scheme
    read: Callable[[Any, Mapping[str, str]], Reading]
    kinds: tuple[ChangeKind, ...]
    answer: int | None = None
    max_body: int | None = None
    compose: Callable[[str, Any, datetime], Any] = _as_it_is


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One thing that a person enters so that the list API can be asked; `secret` ones go into the vault unseen."""

    name: str
    label: str
    secret: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a list API. `headers` may hold the credential."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer gave, and where to go on; `next` is None after the last page.

    `total` is how long the source says that the list is, where it does: if it becomes shorter from page to page,
    something may have moved to a page that was read before.
    """

    event_types: tuple[EventType, ...]
    next: Request | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """The call that comes before the first page where a list API takes no key, but a token that lives for a while.

    `ask` makes the request from what the person entered. `read` gives, from the decoded JSON answer, what is to be
    added to that for `first` and `parse` (field name → value, never stored), and raises `PayloadRefused`.
    """

    ask: Callable[[Mapping[str, str]], Request]
    read: Callable[[Any], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class ListApi:
    """A partner's list API as pure steps; `catalogue` makes the calls.

    `exchange`, where there is one, comes before everything else. `first` makes the first request from what the person
    entered (`credential`: field name → value). `parse` reads the decoded JSON answer of a request, and raises
    `PayloadRefused` for anything that is not as documented: half a list must never pass for a whole one. `per_second`
    is the pace that the partner documents. `verified` says, for the feature matrix, what of this was confirmed and by
    what.
    """

    credential: tuple[CredentialField, ...]
    first: Callable[[Mapping[str, str]], Request]
    parse: Callable[[Any, Request, Mapping[str, str]], Page]
    verified: str
    per_second: float | None = None
    exchange: TokenExchange | None = None


@dataclass(frozen=True, slots=True)
class Partner:
    """`weaknesses` are sentences that its users should know, `verified` is how sure we are of the dialect."""

    name: str
    title: str
    webhook: Webhook | None = None
    list_api: ListApi | None = None
    weaknesses: tuple[str, ...] = ()
    verified: str = ""
