"""Asks a partner's list API, page after page, and gives the whole catalogue or one declared error: never half of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from connector.event_types import Catalogue, EventType
from connector.launchdarkly import CredentialRefused, check_base_url
from connector.partners import ListApi, PayloadRefused, Request

MOST_PAGES = 2000
LARGEST_PAGE = 64 * 1024 * 1024
TIMEOUT = (5.0, 30.0)


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
    """No answer, half an answer, or 5xx."""

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
    """The whole catalogue, as a complete one. Raises a `SourceError`."""
    event_types: list[EventType] = []
    request: Request | None = list_api.first(credential)
    asked: set[tuple[str, bytes | None]] = set()
    with requests.Session() as session:
        while request is not None:
            if (request.url, request.body) in asked or len(asked) == MOST_PAGES:
                raise SourceMalformed("The list leads back to a page that was read before, or does not end.")
            if asked and list_api.per_second:
                sleep(1 / list_api.per_second)
            asked.add((request.url, request.body))
            answer = _ask(session, request, clock)
            try:
                page = list_api.parse(answer, request, credential)
            except PayloadRefused as refused:
                raise SourceMalformed(f"The list is not as documented: {json.dumps(refused.errors)[:500]}") from None
            event_types.extend(page.event_types)
            request = page.next
    return Catalogue(tuple(event_types), complete=True)


def _ask(session: requests.Session, request: Request, clock: Callable[[], float]) -> Any:
    address = urlsplit(request.url)
    try:
        check_base_url(f"{address.scheme}://{address.netloc}")
    except CredentialRefused as refused:
        raise SourceMalformed(f"The list API's address cannot be used. {refused}") from None
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
    except requests.RequestException as error:
        raise SourceUnavailable(f"The list API does not answer, or not whole ({type(error).__name__}).") from None
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
        wait = response.headers.get("Retry-After", "")
        error.not_before = clock() + min(float(wait), 86400.0) if wait.isdigit() else None
        raise error
    if status >= 500:
        raise SourceUnavailable(f"The list API failed (HTTP {status}).")
    if status != 200:
        raise SourceMalformed(f"The list API answered HTTP {status}, which is not documented.")
