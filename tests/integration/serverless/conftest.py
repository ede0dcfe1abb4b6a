"""A function as its cloud calls it: events in, answers out, and the sandbox as LaunchDarkly."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector import serverless
from connector.sandbox.faults import Fault, FaultKind
from connector.signatures import STANDARD_WEBHOOKS
from tests.integration.delivery.world import LoopbackSandbox

EVENTS = Path(__file__).parents[2] / "fixtures" / "serverless"
SECRET = STANDARD_WEBHOOKS.generate_secret()


@dataclass
class Answer:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def outcomes(self) -> list[str]:
        return [change["outcome"] for change in self.body["changes"]]


def signed(body: bytes) -> dict[str, str]:
    signature = STANDARD_WEBHOOKS.sign(body, SECRET, f"msg_{secrets.token_hex(8)}", time.time())
    return {"content-type": "application/json", **signature}


def payload(kind: str, data: Mapping[str, Any], at: str | None = None) -> bytes:
    stated = {"type": f"event_type.{kind}", "data": data} | ({"timestamp": at} if at else {})
    return json.dumps(stated, ensure_ascii=False).encode()


def event(recorded: str, body: bytes, headers: Mapping[str, str], *, encoded: bool = False) -> dict[str, Any]:
    """A recorded event with this body and these headers, as its source would hand them over."""
    made: dict[str, Any] = json.loads((EVENTS / f"{recorded}.json").read_text())
    if "headers" in made:
        made["headers"] |= headers
    if "multiValueHeaders" in made:
        made["multiValueHeaders"] |= {name: [value] for name, value in headers.items()}
    made["body"] = base64.b64encode(body).decode() if encoded else body.decode()
    made["isBase64Encoded"] = encoded
    return made


def answered(made: Mapping[str, Any]) -> Answer:
    headers = made.get("headers") or {name: values[-1] for name, values in made["multiValueHeaders"].items()}
    body = base64.b64decode(made["body"]) if made["isBase64Encoded"] else made["body"]
    return Answer(made["statusCode"], json.loads(body), {name.lower(): value for name, value in headers.items()})


class Function:
    """The function of this process: its environment is read by the first call."""

    def __init__(self, sandbox: LoopbackSandbox) -> None:
        self.sandbox = sandbox

    def send(self, kind: str, data: Mapping[str, Any], at: str | None = None) -> Answer:
        body = payload(kind, data, at)
        return answered(serverless.lambda_handler(event("http-api", body, signed(body)), None))

    def metrics(self) -> dict[str, dict[str, Any]]:
        return {metric["key"]: metric for metric in self.sandbox.state.book("demo").all()}

    def calls(self) -> list[str]:
        """The methods of the calls that LaunchDarkly has seen since this was asked last."""
        seen, _ = self.sandbox.state.requests.since(0)
        self.sandbox.state.requests.clear()
        return [call.to_dict()["method"] for call in seen]

    def play(self, kind: str, **fault: Any) -> None:
        self.sandbox.state.faults.set([Fault(FaultKind(kind), **{"count": 1} | fault)])


@pytest.fixture(scope="session")
def sandbox() -> Iterator[LoopbackSandbox]:
    sandbox = LoopbackSandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def environment(sandbox: LoopbackSandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a function without a database."""
    sandbox.reset()
    given = {
        "CONNECTOR_WEBHOOK_SECRET": SECRET,
        "LAUNCHDARKLY_API_KEY": "api-demo",
        "LAUNCHDARKLY_PROJECT_KEY": "demo",
        "LAUNCHDARKLY_BASE_URL": sandbox.url,
    }
    monkeypatch.delenv("CONNECTOR_DATABASE_URL", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


@pytest.fixture
def function(environment: dict[str, str], sandbox: LoopbackSandbox) -> Iterator[Function]:
    serverless.function.cache_clear()
    yield Function(sandbox)
    serverless.function.cache_clear()
