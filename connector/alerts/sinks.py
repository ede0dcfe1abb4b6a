"""Where alerts go: a webhook signed with Standard Webhooks, a Slack-compatible URL, or e-mail.

Each sends one message or raises `SinkFailed`. It must never repeat a sink's URL, secret or password.
"""

from __future__ import annotations

import ipaddress
import json
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import requests

from connector.settings import Settings, SettingsError
from connector.signatures import STANDARD_WEBHOOKS, SecretRefused

TIMEOUT = (5.0, 10.0)
"""Seconds to connect, and between two bytes of the answer."""

Content = Mapping[str, Any]


class SinkFailed(Exception):
    """The message was not taken; it is tried again."""

    code = "alert_sink_failed"


class Sink(Protocol):
    def send(self, message_id: str, content: Content, now: float) -> None:
        """Send one message. `message_id` is the same each time it is tried. Raises `SinkFailed`."""


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """https://www.standardwebhooks.com: `type` is `alert.raised` or `alert.solved`, `data` is the content."""

    url: str = field(repr=False)
    secret: str = field(repr=False)

    def send(self, message_id: str, content: Content, now: float) -> None:
        envelope = {"type": f"alert.{content['state']}", "timestamp": content["at"], "data": dict(content)}
        body = json.dumps(envelope, ensure_ascii=False).encode()
        _post(self.url, body, STANDARD_WEBHOOKS.sign(body, self.secret, message_id, now))


@dataclass(frozen=True, slots=True)
class SlackSink:
    """An incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

    url: str = field(repr=False)

    def send(self, message_id: str, content: Content, now: float) -> None:  # noqa: ARG002 - Slack knows no ids
        text = "\n".join((f"*{_title(content)}*", *_paragraphs(content)))
        for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(character, entity)
        _post(self.url, json.dumps({"text": text}).encode(), {})


@dataclass(frozen=True, slots=True)
class EmailSink:
    """`url` is smtp:// (STARTTLS where it is offered) or smtps://, with user, password and `?from=` as needed."""

    url: str = field(repr=False)
    to: str

    def send(self, message_id: str, content: Content, now: float) -> None:  # noqa: ARG002 - the message has its time
        server = urlsplit(self.url)
        host = server.hostname or ""
        message = EmailMessage()
        message["Subject"] = _title(content)
        message["From"] = sender_of(self.url)
        message["To"] = self.to
        message["Message-ID"] = make_msgid(message_id, domain=message["From"].rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n\n".join((_title(content), *_paragraphs(content), content["at"], content["connector"])))
        try:
            with _connected(server.scheme, host, server.port) as client:
                if server.username is not None:
                    _log_in(client, host, unquote(server.username), unquote(server.password or ""))
                client.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            # A server may repeat what it was told, so only the kind of failure is.
            raise SinkFailed(f"The mail server did not take it ({type(error).__name__}).") from None


def _connected(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    """Raises `OSError` or `SMTPException`, and leaves no socket behind."""
    tls = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT[1], context=tls)
    client = smtplib.SMTP(host, port or 25, timeout=TIMEOUT[1])
    try:
        client.ehlo()
        if client.has_extn("starttls"):
            client.starttls(context=tls)
            client.ehlo()
    except BaseException:
        client.close()
        raise
    return client


def _log_in(client: smtplib.SMTP, host: str, user: str, password: str) -> None:
    if not isinstance(client.sock, ssl.SSLSocket) and not _is_loopback(host):
        raise SinkFailed("The mail server offers no STARTTLS: the password would travel in the clear.")
    client.login(user, password)


def sender_of(url: str) -> str:
    """The address that mail comes from: `?from=` of the URL, else one at the mail server's host."""
    server = urlsplit(url)
    given = parse_qs(server.query).get("from")
    return given[0] if given else f"metric-connector@{server.hostname}"


def configured(settings: Settings) -> dict[str, Sink]:
    """The sinks that the settings name. Raises `SettingsError`."""
    sinks: dict[str, Sink] = {}
    if settings.alert_webhook_url is not None and settings.alert_webhook_secret is not None:
        try:
            STANDARD_WEBHOOKS.check_secret(settings.alert_webhook_secret)
        except SecretRefused as refused:
            raise SettingsError([f"CONNECTOR_ALERT_WEBHOOK_SECRET cannot sign. {refused}"]) from None
        sinks["webhook"] = WebhookSink(settings.alert_webhook_url, settings.alert_webhook_secret)
    if settings.alert_slack_url is not None:
        sinks["slack"] = SlackSink(settings.alert_slack_url)
    if settings.alert_email_to is not None and settings.smtp_url is not None:
        sinks["email"] = EmailSink(settings.smtp_url, settings.alert_email_to)
    return sinks


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    try:
        with requests.post(
            url,
            data=body,
            headers={"Content-Type": "application/json", **headers},
            auth=_leave_as_it_is,
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,  # whatever it answers, nobody reads it
        ) as response:
            status = response.status_code
    except requests.RequestException as error:
        raise SinkFailed(f"The receiver did not answer ({type(error).__name__}).") from None
    if not 200 <= status < 300:
        raise SinkFailed(f"The receiver answered HTTP {status}.")


def _leave_as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an `auth`, requests would add an entry of `.netrc`."""
    return request


def _title(content: Content) -> str:
    return _line(f"{'Solved: ' if content['state'] == 'solved' else ''}{content['summary']}")


def _paragraphs(content: Content) -> list[str]:
    return [line for line in (_line(content["detail"]), _line(content["next_step"])) if line]


def _line(text: str) -> str:
    """A foreign text on one line: a header ends at a line break, and so does a quotation."""
    return "".join(character if character.isprintable() else " " for character in text)[:1000]


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
