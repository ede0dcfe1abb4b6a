"""What arrives at a webhook, at Slack and in a mailbox, and what never does: a secret in an error."""

from __future__ import annotations

import email
import email.policy
import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from standardwebhooks import Webhook

from connector.alerts import SinkFailed, configured
from connector.settings import Settings, SettingsError
from connector.signatures import STANDARD_WEBHOOKS
from tests.integration.alerts.conftest import Receiver

SECRET = STANDARD_WEBHOOKS.generate_secret()
HOSTILE = "Acme <script>&\r\nBcc: everybody@example.com\u202e"
CONTENT = {
    "kind": "key_refused",
    "state": "raised",
    "connection": "con_1",
    "level": None,
    "summary": f"{HOSTILE} is paused: no key.",
    "detail": "It is gone.",
    "next_step": "Set a key.",
    "at": "2027-01-15T08:00:00+00:00",
    "raised_at": "2027-01-15T08:00:00+00:00",
    "connector": "https://hooks.example.com",
}


def sink(name: str, **settings: Any) -> Any:
    return configured(Settings(**settings))[name]


def test_a_webhook_verifies_with_any_library_of_standard_webhooks(receiver: Receiver) -> None:
    import time  # noqa: PLC0415 - the library reads the clock by itself

    sink("webhook", alert_webhook_url=receiver.url, alert_webhook_secret=SECRET).send("alert_7", CONTENT, time.time())
    ((headers, body),) = receiver.requests
    assert headers["webhook-id"] == "alert_7"
    assert Webhook(SECRET).verify(body, headers) == {
        "type": "alert.raised",
        "timestamp": CONTENT["at"],
        "data": CONTENT,
    }


def test_slack_gets_a_text_that_cannot_mention_or_link(receiver: Receiver) -> None:
    sink("slack", alert_slack_url=receiver.url).send("alert_7", CONTENT, 0.0)
    ((_, body),) = receiver.requests
    text = json.loads(body)["text"]
    assert text.startswith("*Acme &lt;script&gt;&amp;  Bcc: everybody@example.com  is paused: no key.*\n")
    assert text.endswith("\nIt is gone.\nSet a key.")


@pytest.mark.parametrize("status", [302, 400, 404, 500, 503])
def test_a_refusal_is_told_without_the_url(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(SinkFailed, match=f"^The receiver answered HTTP {status}\\.$") as failed:
        sink("slack", alert_slack_url=receiver.url).send("alert_7", CONTENT, 0.0)
    assert failed.value.code == "alert_sink_failed"
    assert len(receiver.requests) == 1


def test_a_receiver_that_is_not_there_is_told_without_the_url() -> None:
    with pytest.raises(SinkFailed) as failed:
        sink("slack", alert_slack_url="http://127.0.0.1:9/canary").send("alert_7", CONTENT, 0.0)
    assert "canary" not in str(failed.value)
    assert "127.0.0.1" not in str(failed.value)


class Mailbox:
    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.got.append(envelope)
        return "250 OK"


def _authenticated(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"user", b"canary password"), handled=False)


class _MailServer(Controller):
    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # the one that the system picked
        super()._trigger_server()


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mail_server(mailbox: Mailbox) -> Iterator[str]:
    server = _MailServer(
        mailbox, hostname="127.0.0.1", port=0, authenticator=_authenticated, auth_require_tls=False, ready_timeout=60
    )
    server.start()
    yield f"127.0.0.1:{server.port}"
    server.stop()


def test_a_mail_has_one_recipient_whatever_a_name_tries(mailbox: Mailbox, mail_server: str) -> None:
    url = f"smtp://{mail_server}?from=connector@example.com"
    sink("email", alert_email_to="oncall@example.com", smtp_url=url).send("alert_7", CONTENT, 0.0)
    (envelope,) = mailbox.got
    assert envelope.rcpt_tos == ["oncall@example.com"]
    assert envelope.mail_from == "connector@example.com"
    assert isinstance(envelope.content, bytes)
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["Subject"] == "Acme <script>&  Bcc: everybody@example.com  is paused: no key."
    assert message["Bcc"] is None
    assert "Set a key." in message.get_content()


def test_a_mail_server_may_want_a_password(mailbox: Mailbox, mail_server: str) -> None:
    url = f"smtp://user:canary%20password@{mail_server}"
    sink("email", alert_email_to="oncall@example.com", smtp_url=url).send("alert_7", CONTENT, 0.0)
    assert len(mailbox.got) == 1


def test_a_wrong_password_is_told_without_it(mailbox: Mailbox, mail_server: str) -> None:
    url = f"smtp://user:canary@{mail_server}"
    with pytest.raises(SinkFailed, match=r"^The mail server did not take it \(SMTPAuthenticationError\)\.$"):
        sink("email", alert_email_to="oncall@example.com", smtp_url=url).send("alert_7", CONTENT, 0.0)
    assert mailbox.got == []


def test_a_mail_server_that_speaks_no_tls_gets_no_smtps(mail_server: str) -> None:
    with pytest.raises(SinkFailed) as failed:
        sink("email", alert_email_to="oncall@example.com", smtp_url=f"smtps://{mail_server}").send("a", CONTENT, 0.0)
    assert issubclass(ssl.SSLError, OSError)
    assert "SSL" in str(failed.value)


def test_a_secret_that_cannot_sign_is_refused_at_start_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="CONNECTOR_ALERT_WEBHOOK_SECRET") as refused:
        configured(Settings(alert_webhook_url="https://example.com", alert_webhook_secret="canary"))
    assert "canary" not in str(refused.value)


def test_nothing_is_configured_by_default() -> None:
    assert configured(Settings()) == {}
