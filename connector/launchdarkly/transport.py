"""One exchange over HTTP: a request goes out at most once, and a bounded JSON object or a declared error comes back.

It must never know what the request means, retry it, follow a redirect, or show the token to anything but LaunchDarkly.
"""

from __future__ import annotations

import json
import ssl
import traceback
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationValueError, NewConnectionError

from connector.launchdarkly.errors import AnswerLost, Invalid, LaunchDarklyError, Unreachable

LARGEST_ANSWER = 10 * 1024 * 1024  # bytes, after decompression

_ACCEPTED = {"Accept-Encoding": "gzip, deflate", "Connection": "keep-alive"}

_NEVER_CONNECTED = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.ProxyError,
    LocationValueError,
)


class Authorization(AuthBase):
    """Sets the header itself: an `auth` of its own keeps requests from replacing it by an entry of `.netrc`."""

    def __init__(self, token: str, *, oauth: bool) -> None:
        self._token = token
        self._header = f"Bearer {token}" if oauth else token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request

    def redact(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer's own texts without the token, which a server or a proxy may have echoed."""
        return {
            name: text.replace(self._token, "[token]") if isinstance(text, str) else text
            for name, text in answer.items()
        }


class Whole:
    """Sends a request's head and body in one piece: two would be two packets, and twice the work on either side."""

    _held: list[bytes] | None = None

    def request(self, *given: Any, **named: Any) -> None:
        self._held = []
        try:
            super().request(*given, **named)  # type: ignore[misc]
            whole = b"".join(self._held)
        finally:
            self._held = None
        super().send(whole)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._held.append(data)


class _HTTPConnection(Whole, HTTPConnection):
    pass


class _HTTPSConnection(Whole, HTTPSConnection):
    pass


class _Adapter(HTTPAdapter):
    """Finds the connections of a host once: to find them for every call costs as much as a quarter of the call."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pools: dict[tuple[str, str], Any] = {}

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_minimum_version=ssl.TLSVersion.TLSv1_2)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, ssl_minimum_version=ssl.TLSVersion.TLSv1_2)

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *given: Any, **named: Any) -> Any:
        host = urlsplit(str(request.url))[:2]
        pool = self._pools.get(host)  # `send` gives the same settings for all of a host
        if pool is None or pool.pool is None:  # of many hosts, urllib3 closes the pool that was used least lately
            found: Any = super().get_connection_with_tls_context(request, *given, **named)
            found.ConnectionCls = _HTTPSConnection if host[0] == "https" else _HTTPConnection
            pool = self._pools[host] = found
        return pool

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Without cookies, which nobody keeps here: they would travel with another customer's call."""
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw, response.request, response.url = resp, req, str(req.url)
        return response


class _Session(requests.Session):
    """Asks the environment for proxies and certificates once a host: they stay, and are a tenth of a call's cost."""

    def __init__(self) -> None:
        super().__init__()
        self._merged: dict[tuple[str, str], Any] = {}

    def merge_environment_settings(self, url: Any, *given: Any, **named: Any) -> Any:
        host = urlsplit(url)[:2]
        if host not in self._merged:  # `send` gives the same for all of a host
            self._merged[host] = super().merge_environment_settings(url, *given, **named)
        return self._merged[host]


def pooled_session(pool_size: int) -> requests.Session:
    """A session that may serve many customers and threads and keeps up to `pool_size` connections open.

    TLS is 1.2 at least, as LaunchDarkly requires. `HTTPS_PROXY` and `REQUESTS_CA_BUNDLE` of the environment apply.
    """
    session = _Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(pool_maxsize=pool_size))
    return session


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    authorization: AuthBase,
    headers: dict[str, str],
    timeout: tuple[float, float],
    params: dict[str, Any] | None = None,
    payload: Any = None,
    form: dict[str, str] | None = None,
) -> requests.Response | LaunchDarklyError:
    """The answer's head, with its body unread, or why there is none.

    The error is returned, so that it is raised outside of an `except` block: the exception that it stands for carries
    the whole request, token and all, and must not be found in a traceback's context.
    """
    try:
        request = _prepared(method, url, authorization, headers, params=params, payload=payload, form=form)
        # Plain http is for this very machine only: a proxy would see the token in the clear.
        settings: dict[str, Any] = {
            **session.merge_environment_settings(url, {"http": ""}, stream=True, verify=None, cert=None)
        }
        # Past `Session.send`, which would read a redirect's body without bound, and parse its target even when told not
        # to follow it.
        return session.get_adapter(url).send(request, timeout=timeout, **settings)
    except (requests.RequestException, HTTPError) as exception:
        return _failure(exception)


def _prepared(
    method: str,
    url: str,
    authorization: AuthBase,
    headers: Mapping[str, str],
    *,
    params: Mapping[str, Any] | None,
    payload: Any,
    form: Mapping[str, str] | None,
) -> requests.PreparedRequest:
    """As `Session.prepare_request` would, which takes longer than the call: what it cleans is clean here.

    Raises `InvalidJSONError`.
    """
    request = requests.PreparedRequest()
    stated = {name: value for name, value in (params or {}).items() if value is not None}
    request.method, request.url = method, f"{url}?{urlencode(stated)}" if stated else url
    request.headers = CaseInsensitiveDict(_ACCEPTED)
    request.headers.update(headers)
    body: str | bytes | None = None
    if form is not None:
        body, request.headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
    elif payload is not None:
        try:
            body, request.headers["Content-Type"] = json.dumps(payload, allow_nan=False).encode(), "application/json"
        except ValueError as error:
            raise requests.exceptions.InvalidJSONError(error) from None
    request.body = body
    if body is not None or method not in {"GET", "HEAD"}:
        request.headers["Content-Length"] = str(len(body or b""))
    return authorization(request)


def read_object(response: requests.Response) -> dict[str, Any] | None:
    """The body's JSON object; `None` where it is cut off, over `LARGEST_ANSWER`, or anything else."""
    body = bytearray()
    try:
        with response:
            while chunk := response.raw.read(65536, decode_content=True):
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    return None
        answer = json.loads(body)
    except (requests.RequestException, HTTPError, ValueError, OverflowError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _failure(exception: requests.RequestException | HTTPError) -> LaunchDarklyError:
    name = type(exception).__name__
    if isinstance(exception, requests.exceptions.InvalidJSONError):
        return Invalid("The request cannot be written as JSON.")
    if _surely_unsent(exception):
        return Unreachable(f"LaunchDarkly cannot be reached ({name}).")
    return AnswerLost(f"The call may have reached LaunchDarkly, but its answer was lost ({name}).")


def _surely_unsent(exception: requests.RequestException | HTTPError) -> bool:
    if isinstance(exception, _NEVER_CONNECTED):
        return True
    wrapped = exception.args[0] if exception.args else None
    reason = getattr(wrapped, "reason", wrapped)
    if isinstance(exception, requests.exceptions.SSLError):
        fault = reason.args[0] if isinstance(reason, Exception) and reason.args else None
        return isinstance(fault, ssl.SSLError) and _in_handshake(fault)
    return isinstance(reason, NewConnectionError)


def _in_handshake(fault: ssl.SSLError) -> bool:
    # OpenSSL's reasons do not tell: a broken record after the request reads as WRONG_VERSION_NUMBER too.
    return any(frame.f_code.co_name == "do_handshake" for frame, _line in traceback.walk_tb(fault.__traceback__))
