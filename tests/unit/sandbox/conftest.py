"""A sandbox without a socket, whose time stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.sandbox import ApiKey, Role, SandboxConfig, create_sandbox

DEMO = "api-demo"
MEMBER = "5f00000000000000000000aa"
KEYS = (
    ApiKey(DEMO),
    ApiKey("api-reader", Role.READER),
    ApiKey("api-person", member_id=MEMBER),
    ApiKey("api-other", account="5f0000000000000000000002", projects=("other",)),
    ApiKey("oauth-token", oauth=True),
)


@dataclass
class Time:
    """Epoch seconds as the sandbox reads them, and the sleeps it asked for."""

    now: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.now


@dataclass
class Caller:
    """Calls the sandbox as the holder of a token does."""

    client: FlaskClient

    def __call__(
        self, method: str, path: str, body: Any = None, token: str | None = DEMO, **options: Any
    ) -> TestResponse:
        headers = {} if token is None else {"Authorization": token}
        if body is not None:
            options["json"] = body
        return self.client.open(path, method=method, headers=headers, **options)

    def create(self, key: str = "orders", **fields: Any) -> TestResponse:
        body = {"key": key, "kind": "custom", "isNumeric": False, "eventKey": "Order Completed", **fields}
        return self("POST", "/api/v2/metrics/demo", body)

    def patch(self, *operations: dict[str, Any], key: str = "orders") -> TestResponse:
        return self("PATCH", f"/api/v2/metrics/demo/{key}", list(operations))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def start(time: Time) -> Iterator[Callable[..., Caller]]:
    """Starts a sandbox with these settings beside the tokens, the clock and two projects."""

    def start_sandbox(**settings: Any) -> Caller:
        config = SandboxConfig(
            projects=("demo", "other"), api_keys=KEYS, clock=time.read, sleep=time.slept.append, **settings
        )
        return Caller(create_sandbox(config).test_client())

    return start_sandbox


@pytest.fixture
def call(start: Callable[..., Caller]) -> Caller:
    return start()
