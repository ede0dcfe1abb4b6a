"""A partner without a contract class, or with a dialect that nothing else proves, is not finished."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeGuard

from connector.partners import built_in
from connector.signatures import (
    AnyOf,
    HmacScheme,
    JwtBearer,
    JwtBody,
    Scheme,
    StandardWebhooks,
    TimestampSignature,
)

from .contract import PartnerContract
from .wired import House

VECTORS = Path(__file__).parents[1] / "vectors"
SCHEMES: dict[str, Callable[..., Scheme]] = {
    "hmac": HmacScheme,
    "standard_webhooks": StandardWebhooks,
    "jwt_bearer": JwtBearer,
    "jwt_body": JwtBody,
    "timestamp_signature": TimestampSignature,
}


def test_every_partner_with_a_webhook_has_a_contract(house: House) -> None:
    assert set(built_in()) <= set(house.partners())
    assert {name for name in house.partners() if house.partner(name).webhook is not None} <= covered()


def test_every_dialect_of_a_built_in_partner_is_proven_by_vectors(house: House) -> None:
    """In a contract test the partner's own scheme signs and verifies, so that wrong parameters would go unseen."""
    known = proven()
    for name in built_in():
        webhook = house.partner(name).webhook
        if webhook is not None:
            schemes = webhook.scheme.schemes if isinstance(webhook.scheme, AnyOf) else (webhook.scheme,)
            assert [scheme for scheme in schemes if scheme not in known] == [], name


def covered() -> set[str]:
    package = __name__.rpartition(".")[0]
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        module = importlib.import_module(f"{package}.{path.stem}")
        found |= {each.partner for each in vars(module).values() if _is_contract(each)}
    return found


def _is_contract(value: object) -> TypeGuard[type[PartnerContract]]:
    return isinstance(value, type) and issubclass(value, PartnerContract) and value.__name__.startswith("Test")


def proven() -> list[Scheme]:
    found = []
    for path in VECTORS.glob("*.json"):
        parameters = json.loads(path.read_text())["scheme"]
        kind = parameters.pop("type")
        parameters.pop("issuer", None)  # each installation's own
        if kind in SCHEMES:
            found.append(SCHEMES[kind](**parameters))
    return found
