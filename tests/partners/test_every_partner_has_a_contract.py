"""A partner without a contract class, or with a dialect that nothing else proves, is not finished."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

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
from .source_contract import SourceContract
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
    assert {name for name in house.partners() if house.partner(name).webhook is not None} <= covered(PartnerContract)


def test_every_partner_with_a_list_api_has_a_contract_for_it(house: House) -> None:
    assert {name for name in house.partners() if house.partner(name).list_api is not None} <= covered(SourceContract)


def test_every_partner_has_one_or_the_other(house: House) -> None:
    for name in house.partners():
        partner = house.partner(name)
        assert partner.webhook is not None or partner.list_api is not None


def test_every_dialect_of_a_built_in_partner_is_proven_by_vectors(house: House) -> None:
    """In a contract test the partner's own scheme signs and verifies, so that wrong parameters would go unseen."""
    known = proven()
    for name in built_in():
        webhook = house.partner(name).webhook
        if webhook is not None:
            schemes = webhook.scheme.schemes if isinstance(webhook.scheme, AnyOf) else (webhook.scheme,)
            assert [scheme for scheme in schemes if scheme not in known] == [], name


def covered(contract: type[PartnerContract | SourceContract]) -> set[str]:
    """The partners of which a test class inherits the contract."""
    package = __name__.rpartition(".")[0]
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for value in vars(importlib.import_module(f"{package}.{path.stem}")).values():
            if isinstance(value, type) and issubclass(value, contract) and value.__name__.startswith("Test"):
                found.add(value.partner)
    return found


def proven() -> list[Scheme]:
    found = []
    for path in VECTORS.glob("*.json"):
        parameters = json.loads(path.read_text())["scheme"]
        kind = parameters.pop("type")
        parameters.pop("issuer", None)  # each installation's own
        if kind in SCHEMES:
            found.append(SCHEMES[kind](**parameters))
    return found
