"""The HTTP client: one method per call of LaunchDarkly's API, each made exactly once.

It must never retry, wait, follow a redirect, or let the token out of the `Authorization` header.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from connector.launchdarkly.credentials import DEFAULT_BASE_URL, check_api_key, check_base_url, check_oauth_token
from connector.launchdarkly.errors import (
    AnswerLost,
    ArchiveNotApplied,
    Invalid,
    LaunchDarklyError,
    UnexpectedAnswer,
    refusal,
)
from connector.launchdarkly.limits import Limits, parse_limits
from connector.launchdarkly.transport import Authorization, pooled_session, read_object, send

# Pinned, as LaunchDarkly advises, so that the version that a token was created with does not matter:
# https://launchdarkly.com/docs/api#versioning
API_VERSION = "20240415"

_LARGEST_PAGE = 50
_MOST_PAGES = 2000
_MOST_PROJECTS = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One finished call, as an observer sees it: nothing in it is secret.

    `path` has no host and no query. `code` and `request_id` are LaunchDarkly's own, of an error answer; `error` is the
    class name of what was raised. `started` is unix seconds. `status` and `limits` are `None` without an answer.
    """

    method: str
    path: str
    status: int | None
    code: str | None
    started: float
    seconds: float
    request_id: str | None
    error: str | None
    limits: Limits | None


def metric_url(base_url: str, project: str, key: str) -> str:
    """A link for people to the metric in LaunchDarkly.

    Unverified: LaunchDarkly documents no such address. It follows the one that it uses for flags.
    """
    return f"{base_url}/projects/{quote(project, safe='')}/metrics/{quote(key, safe='')}"


class LaunchDarkly:
    """One customer's LaunchDarkly, seen through one token; may be shared by threads.

    `timeout` is seconds to connect and seconds between two bytes of the answer. `observe` sees every call once, on the
    calling thread, and must not raise. `gate` is asked with the method and path before every call, and prevents it by
    raising a `LaunchDarklyError`. Every call raises a `LaunchDarklyError`, and nothing else, when it fails; the
    constructor raises `CredentialRefused`. Source: https://launchdarkly.com/docs/api/metrics
    """

    def __init__(
        self,
        token: str,
        *,
        base_url: str = DEFAULT_BASE_URL,
        user_agent: str,
        oauth: bool = False,
        session: requests.Session | None = None,
        timeout: tuple[float, float] = (3.05, 10.0),
        observe: Callable[[Call], None] | None = None,
        gate: Callable[[str, str], None] | None = None,
    ) -> None:
        (check_oauth_token if oauth else check_api_key)(token)
        if not (user_agent.isascii() and user_agent.isprintable()):
            raise ValueError("a User-Agent is printable ASCII")
        self.base_url = check_base_url(base_url)
        self._authorization = Authorization(token, oauth=oauth)
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", "LD-API-Version": API_VERSION}
        self._session = session or pooled_session(1)
        self._timeout = timeout
        self._observe = observe
        self._gate = gate

    def __repr__(self) -> str:
        return f"LaunchDarkly({self.base_url!r})"

    def create_metric(self, project: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create a metric and return it as LaunchDarkly made it; `KeyExists` where its key is taken."""
        return self._call("POST", "metrics", project, payload=body)

    def get_metric(self, project: str, key: str, *, expand: Sequence[str] = ()) -> dict[str, Any]:
        return self._call("GET", "metrics", project, key, params={"expand": ",".join(expand)} if expand else None)

    def list_metrics(
        self,
        project: str,
        *,
        filter: str | None = None,  # noqa: A002 - LaunchDarkly's own word
        sort: str | None = "createdAt",
        page_size: int = _LARGEST_PAGE,
        expand: Sequence[str] = (),
    ) -> Iterator[dict[str, Any]]:
        """Every metric of the project, each key once; a page is fetched when its first metric is asked for.

        Oldest first unless told otherwise, so that a metric created meanwhile does not shift the pages. Pages by
        offset and never by `_links`, which could lead the token elsewhere. Raises `UnexpectedAnswer` on a list that
        would never end. Filters: https://launchdarkly.com/docs/api/metrics/get-metrics
        """
        wanted = {"filter": filter, "sort": sort, "expand": ",".join(expand) or None}
        limit = min(max(page_size, 1), _LARGEST_PAGE)
        seen: set[str] = set()
        offset = 0
        for _page in range(_MOST_PAGES):
            page = self._call("GET", "metrics", project, params={**wanted, "limit": limit, "offset": offset})
            metrics = _keyed(page, "metrics")
            fresh = {key: metric for key, metric in metrics.items() if key not in seen}
            yield from fresh.values()
            seen.update(fresh)
            offset += len(page["items"])
            total = page.get("totalCount")
            complete = offset >= total if isinstance(total, int) else len(page["items"]) < limit
            if complete or not page["items"]:
                return
            if not fresh:
                break
        raise UnexpectedAnswer("LaunchDarkly's list of metrics repeats itself or does not end.")

    def patch_metric(
        self, project: str, key: str, operations: list[dict[str, Any]], comment: str | None = None
    ) -> dict[str, Any]:
        """Apply a JSON Patch (RFC 6902) and return the metric; `comment` shows in its history."""
        payload = operations if comment is None else {"comment": comment, "patch": operations}
        return self._call("PATCH", "metrics", project, key, payload=payload)

    def archive_metric(self, project: str, key: str, comment: str | None = None) -> dict[str, Any]:
        """Archive a metric; `ArchiveNotApplied` where LaunchDarkly accepts the patch but leaves the metric as it is."""
        return self._set_archived(project, key, comment, archived=True)

    def restore_metric(self, project: str, key: str, comment: str | None = None) -> dict[str, Any]:
        """Undo `archive_metric`, with the same error."""
        return self._set_archived(project, key, comment, archived=False)

    def delete_metric(self, project: str, key: str) -> None:
        self._call("DELETE", "metrics", project, key)

    def caller_identity(self) -> dict[str, Any]:
        """Whose token this is: account, scopes, whether it is a service token."""
        return self._call("GET", "caller-identity")

    def project(self, key: str) -> dict[str, Any]:
        return self._call("GET", "projects", key)

    def list_projects(self) -> list[dict[str, Any]]:
        """The projects that the token may see, at most 1,000. Raises `UnexpectedAnswer` for what is no list of them."""
        found: dict[str, dict[str, Any]] = {}
        while len(found) < _MOST_PROJECTS:
            page = self._call("GET", "projects", params={"limit": _LARGEST_PAGE, "offset": len(found)})
            fresh = {key: each for key, each in _keyed(page, "projects").items() if key not in found}
            found |= fresh
            if len(fresh) < _LARGEST_PAGE:
                break
        return list(found.values())

    def metric_url(self, project: str, key: str) -> str:
        return metric_url(self.base_url, project, key)

    def _set_archived(self, project: str, key: str, comment: str | None, *, archived: bool) -> dict[str, Any]:
        metric = self.patch_metric(project, key, [{"op": "replace", "path": "/archived", "value": archived}], comment)
        # A 2xx does not prove that a field was applied: https://launchdarkly.com/docs/api#representations
        if metric.get("archived", False) is not archived:
            raise ArchiveNotApplied(f'LaunchDarkly left the metric "{key}" {"active" if archived else "archived"}.')
        return metric

    def _call(
        self, method: str, *segments: str, params: dict[str, Any] | None = None, payload: Any = None
    ) -> dict[str, Any]:
        if any(segment in {"", ".", ".."} for segment in segments):
            # Such a segment would be folded away, and the call would hit another resource.
            raise Invalid("A project or metric key is empty or made of dots.")
        path = "/api/v2/" + "/".join(quote(segment, safe="") for segment in segments)
        if self._gate:
            self._gate(method, path)
        started, clock = time.time(), time.perf_counter()
        status, limits, answer = None, None, None
        response = send(
            self._session,
            method,
            self.base_url + path,
            authorization=self._authorization,
            headers=self._headers,
            timeout=self._timeout,
            params=params,
            payload=payload,
        )
        error: LaunchDarklyError | None
        if isinstance(response, LaunchDarklyError):
            error = response
        else:
            status, limits = response.status_code, parse_limits(response.headers, time.time())
            answer = read_object(response)
            error = self._judge(method, segments, status, limits, answer)
        if self._observe:
            seconds = time.perf_counter() - clock
            code, request_id = (error.ld_code, error.ld_id) if error else (None, None)
            name = type(error).__name__ if error else None
            self._observe(Call(method, path, status, code, started, seconds, request_id, name, limits))
        if error:
            raise error
        return answer or {}

    def _judge(
        self, method: str, segments: tuple[str, ...], status: int, limits: Limits, answer: dict[str, Any] | None
    ) -> LaunchDarklyError | None:
        if not 200 <= status < 300:
            _resource, project, metric = (*segments, None, None)[:3]
            return refusal(status, self._authorization.redact(answer or {}), limits, project=project, metric=metric)
        if answer is None and method != "DELETE":
            error = AnswerLost(f"LaunchDarkly answered HTTP {status}, but not with a whole JSON object.")
            error.status = status
            return error
        return None


def _keyed(page: dict[str, Any], what: str) -> dict[str, dict[str, Any]]:
    items = page.get("items")
    if isinstance(items, list) and all(isinstance(item, dict) and isinstance(item.get("key"), str) for item in items):
        return {item["key"]: item for item in items}
    raise UnexpectedAnswer(f"LaunchDarkly answered with something that is no list of {what}.")
