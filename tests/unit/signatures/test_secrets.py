from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.signatures import (
    STANDARD_WEBHOOKS,
    AnyOf,
    HmacScheme,
    JwtBearer,
    JwtBody,
    SecretCode,
    SecretRefused,
    TimestampSignature,
    public_half,
)

LITERAL = (HmacScheme(header="X-Signature"), JwtBearer(), TimestampSignature())
SEED = bytes(range(32))
WHSK = "whsk_" + base64.b64encode(SEED).decode()
PEM = JwtBody(header="X-Signature").generate_secret()


def pem(key: Any) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def refusal(scheme: Any, secret: str) -> str:
    with pytest.raises(SecretRefused) as refused:
        scheme.check_secret(secret)
    assert not secret or secret not in str(refused.value)
    return refused.value.code


@pytest.mark.parametrize("scheme", LITERAL)
@pytest.mark.parametrize(
    ("secret", "code"),
    [
        ("", SecretCode.EMPTY),
        ("s" * 23, SecretCode.TOO_SHORT),
        (" " * 30, SecretCode.MALFORMED),
        ("s" * 30 + "\n", SecretCode.MALFORMED),
        ("s" * 30 + "\ud800", SecretCode.MALFORMED),
        (public_half(WHSK), SecretCode.MALFORMED),
        (WHSK, SecretCode.MALFORMED),
        (public_half(PEM), SecretCode.MALFORMED),
    ],
)
def test_a_literal_secret_is_refused_with_its_code(scheme: Any, secret: str, code: SecretCode) -> None:
    assert refusal(scheme, secret) == code


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        ("", SecretCode.EMPTY),
        ("whsec_", SecretCode.EMPTY),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), SecretCode.TOO_SHORT),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", SecretCode.MALFORMED),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwé", SecretCode.MALFORMED),
        ("whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", SecretCode.MALFORMED),
        ("whsec_" + base64.b64encode(bytes(25)).decode()[:-3] + "B==", SecretCode.MALFORMED),
        ("whpk_AAAA", SecretCode.MALFORMED),
        (WHSK, SecretCode.PRIVATE),
    ],
)
def test_a_standard_secret_is_refused_with_its_code(secret: str, code: SecretCode) -> None:
    assert refusal(STANDARD_WEBHOOKS, secret) == code


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        ("", SecretCode.EMPTY),
        ("s" * 40, SecretCode.MALFORMED),
        ("é" * 40, SecretCode.MALFORMED),
        (pem(ec.generate_private_key(ec.SECP256R1()).public_key()), SecretCode.MALFORMED),
        (pem(rsa.generate_private_key(65537, 1024).public_key()), SecretCode.TOO_SHORT),  # noqa: S505 - refused for it
        (PEM, SecretCode.PRIVATE),
    ],
)
def test_a_public_key_is_refused_with_its_code(secret: str, code: SecretCode) -> None:
    assert refusal(JwtBody(header="X-Signature"), secret) == code


@pytest.mark.parametrize("secret", ["ssh-rsa " + "A" * 40, '{"kty":"RSA","n":"AAAAAAAA","e":"AQAB"}'])
def test_a_key_of_a_pair_in_another_format_is_no_secret_of_a_bearer_token(secret: str) -> None:
    assert refusal(JwtBearer(), secret) == SecretCode.MALFORMED


@pytest.mark.parametrize("bytes_", [24, 25, 26, 64])
def test_a_standard_secret_may_lack_its_prefix_and_its_padding(bytes_: int) -> None:
    secret = base64.b64encode(bytes(bytes_)).decode()
    for spelling in (secret, secret.rstrip("="), f"whsec_{secret}"):
        assert STANDARD_WEBHOOKS.check_secret(spelling) is None


def test_a_private_key_signs_as_seed_alone_and_with_its_public_key() -> None:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    long = "whsk_" + base64.b64encode(SEED + public).decode()
    headers = STANDARD_WEBHOOKS.sign(b"{}", long, "msg_1", 0)
    assert headers == STANDARD_WEBHOOKS.sign(b"{}", WHSK, "msg_1", 0)
    assert STANDARD_WEBHOOKS.verify(b"{}", headers, [public_half(long)], 0).message_id == "msg_1"


@pytest.mark.parametrize("raw", [SEED[:31], SEED + SEED, SEED + b"\0"])
def test_a_private_key_of_another_length_or_with_a_foreign_public_key_is_refused(raw: bytes) -> None:
    with pytest.raises(SecretRefused, match="32 or 64 bytes"):
        STANDARD_WEBHOOKS.sign(b"{}", "whsk_" + base64.b64encode(raw).decode(), "msg_1", 0)


@pytest.mark.parametrize("message_id", ["", "a.b", "a b"])
def test_an_id_that_could_not_be_verified_is_not_signed(message_id: str) -> None:
    with pytest.raises(ValueError, match="message_id"):
        STANDARD_WEBHOOKS.sign(b"{}", WHSK, message_id, 0)
    with pytest.raises(ValueError, match="message_id"):
        JwtBody(header="X-Signature", uncovered_id_header="X-Id").sign(b"{}", PEM, message_id.replace(".", " "), 0)


def test_a_token_of_the_body_is_not_signed_with_a_public_key() -> None:
    with pytest.raises(SecretRefused, match="private key"):
        JwtBody(header="X-Signature").sign(b"{}", public_half(PEM), "unused", 0)


def test_a_shared_secret_is_its_own_public_half() -> None:
    assert public_half("whsec_abc") == "whsec_abc"


def test_any_of_takes_a_secret_that_fits_one_scheme_and_refuses_one_that_fits_none() -> None:
    native = AnyOf((STANDARD_WEBHOOKS, TimestampSignature()))
    assert native.check_secret(native.generate_secret()) is None
    assert native.check_secret("no base64, but long enough for the other") is None
    assert refusal(native, "") == SecretCode.EMPTY
    with pytest.raises(ValueError, match="schemes"):
        AnyOf(())


def test_no_two_generated_secrets_are_equal() -> None:
    assert len({STANDARD_WEBHOOKS.generate_secret() for _ in range(100)}) == 100
