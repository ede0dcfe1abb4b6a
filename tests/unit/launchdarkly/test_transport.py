from __future__ import annotations

import gzip
import os
import socket
import ssl
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from connector.launchdarkly.client import Call, LaunchDarkly
from connector.launchdarkly.errors import (
    AnswerLost,
    LaunchDarklyError,
    NotFound,
    ServerError,
    UnexpectedAnswer,
    Unreachable,
)
from connector.launchdarkly.transport import LARGEST_ANSWER, pooled_session

TOKEN = "api-7b2e90c1-secret"
Start = Callable[..., Any]


def connect(url: str, observe: Callable[[Call], None] | None = None, read_timeout: float = 5) -> LaunchDarkly:
    return LaunchDarkly(
        TOKEN, base_url=url, user_agent="metrics-acme-int/1.0", timeout=(1, read_timeout), observe=observe
    )


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_whole_answer_arrives(peer: Start) -> None:
    assert connect(peer(answer(b'{"key":"shop"}')).url).project("shop") == {"key": "shop"}


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(None, id="reset"),
        pytest.param(answer(b'{"key":', length=100), id="cut off"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", id="broken chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{", id="cut off chunk"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-" + b"9" * 30 + b"\r\n", id="absurd chunk"
        ),
        pytest.param(answer(b"no gzip", "Content-Encoding: gzip"), id="broken compression"),
        pytest.param(answer(b"{}", "Content-Length: 3"), id="two lengths"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n", id="too many headers"),
        pytest.param(answer(b'{"a":"' + b" " * LARGEST_ANSWER + b'"}'), id="too large"),
        pytest.param(
            answer(gzip.compress(b'{"a":"' + b" " * LARGEST_ANSWER + b'"}'), "Content-Encoding: gzip"), id="bomb"
        ),
    ],
)
def test_an_answer_that_is_lost_on_the_way_is_ambiguous(peer: Start, calls: list[Call], lost: bytes | None) -> None:
    with pytest.raises(AnswerLost):
        connect(peer(lost).url, calls.append).create_metric("shop", {"key": "signup"})
    assert [call.error for call in calls] == ["AnswerLost"]


def test_a_request_is_one_piece(peer: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    sending = HTTPConnection.send
    monkeypatch.setattr(HTTPConnection, "send", lambda line, data: (sent.append(data), sending(line, data)))

    connect(peer(answer(b"{}")).url).create_metric("shop", {"key": "signup"})

    (whole,) = sent
    assert whole.startswith(b"POST /api/v2/metrics/shop HTTP/1.1")
    assert whole.endswith(b'{"key": "signup"}')


def test_more_hosts_than_are_kept_open_are_all_reached_again(peer: Start) -> None:
    session = pooled_session(1)
    servers = [peer(*[answer(b"{}", "Connection: close")] * 2) for _ in range(12)]
    for server in servers * 2:
        LaunchDarkly(TOKEN, base_url=server.url, user_agent="a", session=session).project("shop")
    assert [len(server.requests) for server in servers] == [2] * 12


def test_a_read_time_out_is_ambiguous(peer: Start) -> None:
    with pytest.raises(AnswerLost, match="ReadTimeout"):
        connect(peer(b"").url, read_timeout=0.05).create_metric("shop", {"key": "signup"})


def test_a_request_is_sent_once_even_where_it_fails(peer: Start) -> None:
    server = peer(None, answer(b"{}"))
    with pytest.raises(AnswerLost):
        connect(server.url).delete_metric("shop", "signup")
    assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "kind"), [("503 Unavailable", ServerError), ("404 Not Found", NotFound)])
def test_a_refusal_counts_though_its_body_is_cut_off(peer: Start, status: str, kind: type[LaunchDarklyError]) -> None:
    with pytest.raises(kind):
        connect(peer(answer(b'{"code":', status=status, length=100)).url).project("shop")


@pytest.mark.parametrize("target", ["/elsewhere", "http://[", "https://evil.example/", "\x7f"])
def test_a_redirect_is_an_error_and_is_not_followed(peer: Start, target: str) -> None:
    server = peer(answer(b"", f"Location: {target}", status="307 Temporary Redirect"), answer(b"{}"))
    with pytest.raises(UnexpectedAnswer, match="HTTP 307") as redirected:
        connect(server.url).create_metric("shop", {"key": "signup"})
    assert redirected.value.status == 307
    assert len(server.requests) == 1


def test_a_cookie_is_not_sent_with_another_customers_call(peer: Start) -> None:
    server = peer(answer(b"{}", "Set-Cookie: ldso=customer-1", "Connection: close"), answer(b"{}"))
    session = pooled_session(2)
    for _customer in range(2):
        LaunchDarkly(TOKEN, base_url=server.url, user_agent="a", session=session).project("shop")
    assert b"cookie" not in server.requests[1].lower()


def test_netrc_does_not_replace_the_token(peer: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = peer(answer(b"{}"))
    connect(server.url).project("shop")
    assert f"Authorization: {TOKEN}\r\n".encode() in server.requests[0]
    assert b"Basic" not in server.requests[0]


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_a_proxy_never_sees_a_token_in_the_clear(peer: Start, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    proxy, server = peer(answer(b"{}")), peer(answer(b'{"key":"shop"}'))
    monkeypatch.setenv(variable, proxy.url)
    monkeypatch.setenv("no_proxy", "")
    assert connect(server.url).project("shop") == {"key": "shop"}
    assert proxy.requests == []


def test_https_goes_through_the_environments_proxy(peer: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = peer(answer(b"", status="407 Proxy Authentication Required"))
    monkeypatch.setenv("https_proxy", proxy.url)
    with pytest.raises(Unreachable, match="ProxyError"):
        connect("https://app.launchdarkly.com").project("shop")
    assert proxy.requests[0].startswith(b"CONNECT app.launchdarkly.com:443")
    assert TOKEN.encode() not in proxy.requests[0]


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_is_surely_unsent(calls: list[Call], scheme: str) -> None:
    with pytest.raises(Unreachable):
        connect(f"{scheme}://127.0.0.1:{unused_port()}", calls.append).create_metric("shop", {"key": "signup"})
    (call,) = calls
    assert (call.status, call.limits, call.error) == (None, None, "Unreachable")


def test_an_unknown_host_is_surely_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable):
        connect("https://nowhere.invalid").project("shop")


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example"])
def test_a_host_that_no_resolver_takes_is_surely_unsent(host: str) -> None:
    with pytest.raises(Unreachable):
        connect(f"https://{host}").project("shop")


def test_a_server_that_speaks_no_tls_is_surely_unsent(peer: Start) -> None:
    server = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(Unreachable, match="SSLError"):
        connect(server.url.replace("http:", "https:")).project("shop")
    assert TOKEN.encode() not in server.requests[0]


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


def speak_tls(chain: Path, listener: socket.socket, answer: bytes) -> None:
    """Reads one request over TLS, then writes `answer` past the encryption."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    connection, _ = listener.accept()
    with suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as encrypted:
        asked = b""
        while not asked.endswith(b"}"):  # head and body may come apart; what is left unread resets the connection
            asked += (more := encrypted.recv(65536))
            if not more:
                return
        os.write(encrypted.fileno(), answer)


def call_over_tls(chain: Path, *, trusted: bool) -> None:
    session = pooled_session(1)
    session.trust_env = False
    session.verify = str(chain) if trusted else True
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=speak_tls, args=(chain, listener, b"no TLS record"), daemon=True)
        server.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        try:
            LaunchDarkly(TOKEN, base_url=url, user_agent="a", session=session).create_metric("shop", {"key": "signup"})
        finally:
            server.join(5)


def test_a_certificate_that_nobody_vouches_for_is_surely_unsent(chain: Path) -> None:
    with pytest.raises(Unreachable, match="SSLError"):
        call_over_tls(chain, trusted=False)


def test_a_tls_connection_that_breaks_after_the_request_is_ambiguous(chain: Path) -> None:
    with pytest.raises(AnswerLost, match="SSLError"):
        call_over_tls(chain, trusted=True)


def self_signed(folder: Path) -> Path:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    chain = folder / "chain.pem"
    chain.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate)
    return chain


def test_a_pooled_session_keeps_its_connections_never_retries_and_speaks_tls_1_2_at_least() -> None:
    adapter = pooled_session(7).get_adapter("https://app.launchdarkly.com")
    assert isinstance(adapter, HTTPAdapter)
    assert adapter.max_retries.total == 0
    for pools in (adapter.poolmanager, adapter.proxy_manager_for("http://proxy.example:3128")):
        assert pools.connection_pool_kw["maxsize"] == 7
        assert pools.connection_pool_kw["ssl_minimum_version"] is ssl.TLSVersion.TLSv1_2


def test_an_error_carries_no_exception_that_carries_the_token(peer: Start) -> None:
    with pytest.raises(AnswerLost) as lost:
        connect(peer(None).url).project("shop")
    shown = "".join(traceback.TracebackException.from_exception(lost.value, capture_locals=True).format())
    assert "_call" in shown
    assert TOKEN not in shown
    assert lost.value.__context__ is None
