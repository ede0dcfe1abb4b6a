"""Asks a partner's list API, page after page, and gives the whole catalogue or one declared error: never half of it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.exceptions import InvalidHeader
from urllib3.exceptions import LocationParseError

from connector.event_types import Catalogue, EventType
from connector.launchdarkly import check_base_url
from connector.partners import ListApi, Page, PayloadRefused, Request

MOST_PAGES = 2000
LARGEST_PAGE = 64 * 1024 * 1024
TIMEOUT = (5.0, 30.0)
LONGEST_WAIT = 86400.0

_NO_ADDRESS = "The list API's address cannot be used: set one that starts with https:// and has no user name."


class SourceError(Exception):
    """The partner's list API did not give its whole catalogue; nothing was changed."""

    code = "source_error"
    retryable = False
    not_before: float | None = None


class SourceRefused(SourceError):
    """401 or 403: the credential is wrong, expired, or may not list."""

    code = "source_refused"


class SourceThrottled(SourceError):
    """429: `not_before` is when to come back (unix seconds), where the partner says it."""

    code = "source_throttled"
    retryable = True


class SourceUnavailable(SourceError):
    """No answer, half an answer, 5xx, or a list that became shorter meanwhile."""

    code = "source_unavailable"
    retryable = True


class SourceMalformed(SourceError):
    """An answer that is not what the partner documents: garbage, a redirect, another shape."""

    code = "source_malformed"


def fetch(
    list_api: ListApi,
    credential: Mapping[str, str],
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Catalogue:
    """The whole catalogue, as a complete one, in the order in which it is listed. Raises a `SourceError`."""
    asked: set[tuple[str, bytes | None]] = set()
    read = _Read()
    with requests.Session() as session:
        credential = {**credential, **_exchanged(session, list_api, credential, clock)}
        request: Request | None = list_api.first(credential)
        while request is not None:
            if (request.url, request.body) in asked or len(asked) == MOST_PAGES:
                raise SourceMalformed("The list leads back to a page that was read before, or does not end.")
            if asked and list_api.per_second:
                sleep(1 / list_api.per_second)
            asked.add((request.url, request.body))
            body = _ask(session, request, clock)
            with _as_documented("list"):
                page = list_api.parse(_decoded(body), request, credential)
            read.add(page, body)
            request = page.next
    return Catalogue(tuple(read.event_types.values()), complete=True)


@dataclass(slots=True)
class _Read:
    """What was read of a list so far.

    What is listed twice counts once, as it is listed first: else the two would take turns with every sync.
    """

    event_types: dict[tuple[str | None, str | None], EventType] = field(default_factory=dict)
    _bodies: set[bytes] = field(default_factory=set)
    _total: int = 0

    def add(self, page: Page, body: bytes) -> None:
        digest = hashlib.sha256(body).digest()
        if digest in self._bodies and page.event_types:
            raise SourceMalformed("The list gives the same page again instead of the next one.")
        self._bodies.add(digest)
        if page.total is not None:
            if page.total < self._total:
                raise SourceUnavailable("The list became shorter while it was read: it may lack something.")
            self._total = page.total
        for event_type in page.event_types:
            self.event_types.setdefault((event_type.id, None if event_type.id else event_type.key), event_type)


def _exchanged(
    session: requests.Session, list_api: ListApi, credential: Mapping[str, str], clock: Callable[[], float]
) -> Mapping[str, str]:
    if list_api.exchange is None:
        return {}
    answer = _decoded(_ask(session, list_api.exchange.ask(credential), clock))
    with _as_documented("answer with the token"):
        return list_api.exchange.read(answer)


@contextmanager
def _as_documented(what: str) -> Iterator[None]:
    try:
        yield
    except PayloadRefused as refused:
        raise SourceMalformed(f"The {what} is not as documented: {json.dumps(refused.errors)[:500]}") from None


def _ask(session: requests.Session, request: Request, clock: Callable[[], float]) -> bytes:
    try:
        address = urlsplit(request.url)
        check_base_url(f"{address.scheme}://{address.netloc}")
    except ValueError:  # `CredentialRefused` among them, whose sentence is about LaunchDarkly
        raise SourceMalformed(_NO_ADDRESS) from None
    try:
        response = session.request(
            request.method,
            request.url,
            headers=dict(request.headers),
            data=request.body,
            auth=_leave_as_it_is,
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
        )
        body = bytearray()
        with response:
            _judge(response, clock)
            for chunk in response.iter_content(65536):
                body += chunk
                if len(body) > LARGEST_PAGE:
                    raise SourceMalformed(f"The list API answered with more than {LARGEST_PAGE} bytes.")
    except (InvalidHeader, UnicodeError):
        raise SourceRefused("The credential has characters that no header can carry: set it again.") from None
    except LocationParseError:
        raise SourceMalformed(_NO_ADDRESS) from None
    except requests.RequestException as error:
        raise SourceUnavailable(f"The list API does not answer, or not whole ({type(error).__name__}).") from None
    return bytes(body)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise SourceMalformed("The list API answered with something that is not JSON.") from None


def _leave_as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an `auth`, requests would put an entry of `.netrc` in place of the credential."""
    return request


def _judge(response: requests.Response, clock: Callable[[], float]) -> None:
    status = response.status_code
    if status in {401, 403}:
        raise SourceRefused(f"The list API refuses the credential (HTTP {status}): set a new one.")
    if status == 429:
        error = SourceThrottled("The list API asks to come back later (HTTP 429).")
        error.not_before = _not_before(response.headers.get("Retry-After", ""), clock())
        raise error
    if status >= 500:
        raise SourceUnavailable(f"The list API failed (HTTP {status}).")
    if status != 200:
        raise SourceMalformed(f"The list API answered HTTP {status}, which is not documented.")


def _not_before(retry_after: str, now: float) -> float | None:
    """Unix seconds, at most a day ahead; None where it does not say. Seconds or a date: RFC 9110, section 10.2.3."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return now + min(float(retry_after), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(retry_after).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(at, now), now + LONGEST_WAIT)
