"""Each fault as a client on the other side of a connection meets it."""

from __future__ import annotations

import pytest
import requests

NOW = {"count": 1, "seconds": 0.3}


@pytest.mark.parametrize(
    ("kind", "status", "header"),
    [
        ("rate-limit-global", 429, "X-Ratelimit-Global-Remaining"),
        ("rate-limit-route", 429, "X-Ratelimit-Route-Remaining"),
        ("rate-limit-token", 429, "X-Ratelimit-Auth-Token-Reset"),
        ("rate-limit-ip", 429, "Retry-After"),
        ("conflict", 409, "Content-Type"),
        ("error-500", 500, "Content-Type"),
        ("error-503", 503, "Content-Type"),
    ],
)
def test_a_refusal_is_answered_once_and_has_no_effect(sandbox, kind, status, header):
    sandbox.play({"kind": kind, **NOW})
    refused = sandbox.create("orders")
    assert (refused.status_code, header in refused.headers) == (status, True)
    assert refused.json().keys() == {"code", "message", "id"}
    assert sandbox.create("orders").status_code == 201


def test_a_reset_connection_has_no_effect(sandbox):
    sandbox.play({"kind": "reset", **NOW})
    with pytest.raises(requests.ConnectionError) as caught:
        sandbox.create("orders")
    assert "Connection reset by peer" in str(caught.value)
    assert sandbox.create("orders").status_code == 201


def test_a_lost_answer_is_a_reset_connection_after_the_effect(sandbox):
    sandbox.play({"kind": "answer-lost", **NOW})
    with pytest.raises(requests.ConnectionError) as caught:
        sandbox.create("orders")
    assert "Connection reset by peer" in str(caught.value)
    assert sandbox.create("orders").json()["code"] == "key_exists"
    assert [entry["status"] for entry in sandbox("GET", "/sandbox/requests").json()] == [201, 409]


def test_a_held_answer_times_out_after_the_effect(sandbox):
    sandbox.play({"kind": "hold", **NOW})
    with pytest.raises(requests.ReadTimeout):
        sandbox.create("orders", timeout=0.1)
    assert sandbox.create("orders").status_code == 409
    assert [entry["status"] for entry in sandbox("GET", "/sandbox/requests").json()] == [201, 409]


def test_a_slow_body_starts_at_once_and_ends_too_late_for_the_impatient(sandbox):
    sandbox.play({"kind": "slow-body", "count": 1, "seconds": 1})
    with sandbox.create("orders", stream=True, timeout=0.5) as answer:
        assert answer.status_code == 201
        with pytest.raises(requests.ConnectionError, match="timed out"):
            answer.json()


def test_a_slow_body_arrives_whole_for_the_patient(sandbox):
    sandbox.play({"kind": "slow-body", **NOW})
    assert sandbox.create("orders").json()["key"] == "orders"


def test_latency_delays_the_answer(sandbox):
    sandbox.play({"kind": "latency", **NOW})
    assert sandbox.create("orders").elapsed.total_seconds() >= 0.3


def test_garbage_is_no_json(sandbox):
    sandbox.play({"kind": "garbage", **NOW})
    with pytest.raises(requests.JSONDecodeError):
        sandbox.create("orders").json()


def test_a_wrong_content_type_is_told(sandbox):
    sandbox.play({"kind": "content-type", **NOW})
    assert sandbox.create("orders").headers["Content-Type"].startswith("text/html")
