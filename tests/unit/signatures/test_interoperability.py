"""Both directions with the packages that partners use: they sign and we verify, we sign and they verify."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import standardwebhooks
import stripe
import svix.webhooks
from itsdangerous import SignatureExpired, TimestampSigner

from connector.signatures import STANDARD_WEBHOOKS, HmacScheme, JwtBearer, SignatureRefused, public_half
from connector.signatures.tokens import JwtBody

BODY = '{"object":"event","id":"evt_1","name":"注文 ✓"}'
STRIPE = HmacScheme(
    header="Stripe-Signature", prefix="v1=", separator=",", template="{ts}.{body}", timestamp_prefix="t="
)


@pytest.fixture
def now() -> datetime:
    """The packages read the clock themselves, so these tests live in the present."""
    return datetime.now(tz=UTC)


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize(("package", "family"), [(standardwebhooks, "webhook"), (svix.webhooks, "svix")])
def test_we_verify_what_standard_webhooks_and_svix_sign(package: Any, family: str, now: datetime) -> None:
    secret = STANDARD_WEBHOOKS.generate_secret()
    headers = {
        f"{family}-id": "msg_1",
        f"{family}-timestamp": str(int(now.timestamp())),
        f"{family}-signature": package.Webhook(secret).sign("msg_1", now, BODY),
    }
    verified = STANDARD_WEBHOOKS.verify(BODY.encode(), headers, [secret], now.timestamp())
    assert verified.message_id == "msg_1"
    assert verified.signed_at == int(now.timestamp())


@pytest.mark.parametrize("package", [standardwebhooks, svix.webhooks])
def test_standard_webhooks_and_svix_verify_what_we_sign(package: Any, now: datetime) -> None:
    secret = STANDARD_WEBHOOKS.generate_secret()
    headers = STANDARD_WEBHOOKS.sign(BODY.encode(), secret, "msg_1", now.timestamp())
    package.Webhook(secret).verify(BODY, headers)
    with pytest.raises(package.WebhookVerificationError):
        package.Webhook(secret).verify(BODY + " ", headers)


def test_we_verify_what_stripe_signs(now: datetime) -> None:
    secret = STRIPE.generate_secret()
    header = stripe.WebhookSignature.generate_signature_header(BODY, secret, int(now.timestamp()))
    verified = STRIPE.verify(BODY.encode(), {"stripe-signature": header}, [secret], now.timestamp())
    assert verified.signed_at == int(now.timestamp())


def test_stripe_verifies_what_we_sign(now: datetime) -> None:
    secret = STRIPE.generate_secret()
    header = STRIPE.sign(BODY.encode(), secret, "unused", now.timestamp())["Stripe-Signature"]
    assert stripe.Webhook.construct_event(BODY, header, secret, api_key="sk_test")["id"] == "evt_1"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(BODY + " ", header, secret, api_key="sk_test")


def test_we_verify_the_bearer_token_of_pyjwt_with_any_spelling_of_its_type(now: datetime) -> None:
    scheme = JwtBearer()
    secret = scheme.generate_secret()
    issued = int(now.timestamp())
    token = jwt.encode({"iat": issued}, secret, algorithm="HS256", headers={"typ": "Jwt"})
    verified = scheme.verify(b"{}", {"authorization": f"Bearer {token}"}, [secret], now.timestamp())
    assert verified.signed_at == issued


def test_pyjwt_verifies_the_bearer_token_that_we_sign(now: datetime) -> None:
    scheme = JwtBearer()
    secret = scheme.generate_secret()
    token = scheme.sign(b"{}", secret, "unused", now.timestamp())["Authorization"].removeprefix("Bearer ")
    assert jwt.decode(token, secret, algorithms=["HS256"]) == {"iat": int(now.timestamp())}


def test_a_secret_of_24_bytes_verifies_without_a_warning() -> None:
    scheme = JwtBearer()
    headers = lower(scheme.sign(b"{}", "s" * 24, "unused", 1000))
    assert scheme.verify(b"{}", headers, ["s" * 24], 1000).signed_at == 1000


def test_body_tokens_go_both_ways_with_pyjwt() -> None:
    scheme = JwtBody(header="X-Signature", issuer="https://api.example.com")
    secret = scheme.generate_secret()
    key = public_half(secret)
    claims = {"data": BODY, "iss": "https://api.example.com"}
    theirs = {"x-signature": jwt.encode(claims, secret, algorithm="RS256")}
    assert scheme.verify(BODY.encode(), theirs, [key], 0).body == BODY.encode()
    ours = scheme.sign(BODY.encode(), secret, "unused", 0)["X-Signature"]
    assert jwt.decode(ours, key, algorithms=["RS256"]) == claims


def test_we_verify_the_two_lines_of_a_python_partner(schemes: Any, now: datetime) -> None:
    scheme = schemes["timestamp-signature"]
    secret, body = scheme.generate_secret(), BODY.encode()
    signed = TimestampSigner(secret).sign(body)
    headers = {"X-Connector-Signature": signed[len(body) + 1 :].decode()}
    assert scheme.verify(body, lower(headers), [secret], now.timestamp()).body == body


def test_itsdangerous_verifies_what_we_sign(schemes: Any, now: datetime) -> None:
    scheme = schemes["timestamp-signature"]
    secret, body = scheme.generate_secret(), BODY.encode()
    ours = scheme.sign(body, secret, "unused", now.timestamp())["X-Connector-Signature"]
    assert TimestampSigner(secret).unsign(body + b"." + ours.encode(), max_age=300) == body
    old = scheme.sign(body, secret, "unused", now.timestamp() - 400)["X-Connector-Signature"]
    with pytest.raises(SignatureExpired):
        TimestampSigner(secret).unsign(body + b"." + old.encode(), max_age=300)


def test_every_dialect_verifies_what_it_signs(genuine: Any) -> None:
    scheme = genuine.scheme
    secret = scheme.generate_secret()
    stored = public_half(secret)
    scheme.check_secret(stored)
    headers = lower(scheme.sign(genuine.body, secret, "msg_7", genuine.now))
    verified = scheme.verify(genuine.body, headers, [stored], genuine.now)
    assert verified.body == genuine.body
    assert "msg_7" in {verified.message_id, verified.uncovered_id} or "msg_7" not in headers.values()
    with pytest.raises(SignatureRefused, match=r"none of the endpoint's secrets"):
        scheme.verify(genuine.body, headers, [public_half(scheme.generate_secret())], genuine.now)


def test_a_batch_is_signed_by_its_first_element(schemes: Any) -> None:
    batch = json.dumps([{"event": "A"}, {"event": "B"}]).encode()
    headers = lower(schemes["segment"].sign(batch, "s" * 24, "unused", 0))
    assert schemes["segment"].verify(batch, headers, ["s" * 24], 0).body == b'{"event": "A"}'
