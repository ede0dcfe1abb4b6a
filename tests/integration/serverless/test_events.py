"""Every way in which AWS hands a request to a function."""

from __future__ import annotations

import pytest

from connector import serverless
from tests.integration.serverless.conftest import EVENTS, Function, answered, event, payload, signed

BODY = payload("defined", {"id": "evt_1", "key": "order_completed", "name": "Bestellung für Köln"})
SOURCES = sorted(path.stem for path in EVENTS.glob("*.json"))


@pytest.mark.parametrize("encoded", [False, True], ids=["plain", "base64"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_signed_webhook_makes_a_metric_whatever_brings_it(function: Function, source: str, encoded: bool) -> None:
    answer = answered(serverless.lambda_handler(event(source, BODY, signed(BODY), encoded=encoded), None))
    assert (answer.status, answer.outcomes) == (201, ["created"])
    assert function.metrics()["order-completed"]["name"] == "Bestellung für Köln"


@pytest.mark.parametrize("source", SOURCES)
def test_a_body_that_is_one_byte_off_is_refused(function: Function, source: str) -> None:
    answer = answered(serverless.lambda_handler(event(source, BODY + b" ", signed(BODY), encoded=True), None))
    assert (answer.status, answer.body["code"]) == (401, "signature_refused")
    assert function.calls() == []


def test_a_header_that_comes_twice_disturbs_nothing(function: Function) -> None:
    made = event("rest-api", BODY, signed(BODY))
    made["multiValueHeaders"]["X-Forwarded-For"] = ["203.0.113.7", "198.51.100.1"]
    made["multiValueHeaders"]["Accept"] = ["application/json", "*/*"]
    answer = serverless.lambda_handler(made, None)
    assert answer["statusCode"] == 201
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/webhooks/other", 404), ("GET", "/webhooks/default", 405)]
)
def test_an_address_that_is_none_is_a_problem(function: Function, method: str, path: str, status: int) -> None:
    made = event("http-api", BODY, signed(BODY))
    made["rawPath"] = made["requestContext"]["http"]["path"] = path
    made["requestContext"]["http"]["method"] = method
    answer = answered(serverless.lambda_handler(made, None))
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
