"""Schemes and requests that the tests of this room share, read from the vectors."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector.signatures import (
    AnyOf,
    HmacScheme,
    JwtBearer,
    JwtBody,
    Scheme,
    SignatureRefused,
    StandardWebhooks,
    TimestampSignature,
    Verified,
)

VECTORS = Path(__file__).parents[2] / "vectors"
TYPES: dict[str, Callable[..., Scheme]] = {
    "hmac": HmacScheme,
    "standard_webhooks": StandardWebhooks,
    "jwt_bearer": JwtBearer,
    "jwt_body": JwtBody,
    "timestamp_signature": TimestampSignature,
}


def build(parameters: dict[str, Any]) -> Scheme:
    parameters = dict(parameters)
    kind = parameters.pop("type")
    if kind == "any_of":
        return AnyOf(tuple(build(scheme) for scheme in parameters["schemes"]))
    return TYPES[kind](**parameters)


@dataclass(frozen=True)
class Vector:
    """One request and what must be said of it."""

    dialect: str
    name: str
    scheme: Scheme
    secrets: list[str]
    headers: dict[str, str]
    body: bytes
    now: float
    expect: dict[str, Any]

    def verify(self) -> Verified:
        return self.scheme.verify(self.body, self.headers, self.secrets, self.now)

    def answer(self) -> Verified | str:
        try:
            return self.verify()
        except SignatureRefused as refused:
            return refused.code


def read(path: Path) -> list[Vector]:
    content = json.loads(path.read_text())
    scheme = build(content["scheme"])
    return [
        Vector(
            path.stem,
            v["name"],
            scheme,
            v["secrets"],
            v["headers"],
            base64.b64decode(v["body_base64"]) if "body_base64" in v else v["body"].encode(),
            v["now"],
            v["expect"],
        )
        for v in content["vectors"]
    ]


ALL = [vector for path in sorted(VECTORS.glob("*.json")) for vector in read(path)]
GENUINE = {vector.dialect: vector for vector in reversed(ALL) if vector.expect.get("verified")}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" in metafunc.fixturenames:
        metafunc.parametrize("vector", ALL, ids=lambda v: f"{v.dialect}: {v.name}")
    if "genuine" in metafunc.fixturenames:
        metafunc.parametrize("genuine", GENUINE.values(), ids=list(GENUINE))


@pytest.fixture(scope="session")
def vectors() -> list[Vector]:
    return ALL


@pytest.fixture(scope="session")
def schemes() -> dict[str, Scheme]:
    return {vector.dialect: vector.scheme for vector in ALL}
