"""A list API that behaves, and one that does not: the whole catalogue or one declared error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import responses

from connector.catalogue import fetching
from connector.catalogue.fetching import (
    SourceMalformed,
    SourceRefused,
    SourceThrottled,
    SourceUnavailable,
    fetch,
)
from connector.event_types import EventType
from connector.partners import CredentialField, ListApi, Page, PayloadRefused, Request

URL = "https://partner.example/events"


def _request(page: int, credential: Mapping[str, str]) -> Request:
    return Request(f"{URL}?page={page}", {"Authorization": f"Bearer {credential['token']}"})


def _parse(answer: Any, _request_: Request, credential: Mapping[str, str]) -> Page:
    if not isinstance(answer, dict) or "items" not in answer:
        raise PayloadRefused({"items": ["Missing data for required field."]})
    following = answer.get("next")
    event_types = tuple(EventType(key=key) for key in answer["items"])
    return Page(event_types, None if following is None else _request(following, credential))


LIST_API = ListApi(
    credential=(CredentialField("token", "API token", secret=True),),
    first=lambda credential: _request(1, credential),
    parse=_parse,
    verified="a list API of this test's own",
    per_second=2,
)


def _fetch(slept: list[float] | None = None):
    return fetch(LIST_API, {"token": "t-1"}, clock=lambda: 1000.0, sleep=(slept if slept is not None else []).append)


@responses.activate
def test_every_page_is_read_with_the_credential_and_at_the_documented_pace():
    for page, following in ((1, 2), (2, 3), (3, None)):
        responses.get(f"{URL}?page={page}", json={"items": [f"event_{page}"], "next": following})
    slept: list[float] = []
    catalogue = _fetch(slept)
    assert [each.key for each in catalogue.event_types] == ["event_1", "event_2", "event_3"]
    assert catalogue.complete is True
    assert slept == [0.5, 0.5]
    assert {call.request.headers["Authorization"] for call in responses.calls} == {"Bearer t-1"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 401}, SourceRefused),
        ({"status": 403}, SourceRefused),
        ({"status": 500}, SourceUnavailable),
        ({"status": 404}, SourceMalformed),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, SourceMalformed),
        ({"body": b"<html>"}, SourceMalformed),
        ({"body": b'{"items": ["a"'}, SourceMalformed),
        ({"body": b"[" * 100_000}, SourceMalformed),
        ({"json": ["not", "documented"]}, SourceMalformed),
        ({"json": {"items": ["a"], "next": 1}}, SourceMalformed),
        ({"body": ConnectionError()}, SourceUnavailable),
    ],
)
@responses.activate
def test_anything_else_is_one_declared_error(answer, error):
    if isinstance(answer.get("body"), ConnectionError):
        import requests  # noqa: PLC0415

        answer = {"body": requests.ConnectionError()}
    responses.get(f"{URL}?page=1", **answer)
    with pytest.raises(error):
        _fetch()


@responses.activate
def test_a_throttled_source_says_when_to_come_back():
    responses.get(f"{URL}?page=1", status=429, headers={"Retry-After": "30"})
    with pytest.raises(SourceThrottled) as refused:
        _fetch()
    assert refused.value.not_before == 1030.0


def test_a_credential_never_travels_in_the_clear():
    plain = ListApi(LIST_API.credential, lambda _: Request("http://partner.example/events"), _parse, "")
    with pytest.raises(SourceMalformed, match="https"):
        fetch(plain, {"token": "t-1"})


@responses.activate
def test_half_a_list_is_no_list():
    responses.get(f"{URL}?page=1", json={"items": ["event_1"], "next": 2})
    responses.get(f"{URL}?page=2", status=500)
    with pytest.raises(SourceUnavailable):
        _fetch()


@responses.activate
def test_a_page_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(fetching, "LARGEST_PAGE", 100_000)
    responses.get(f"{URL}?page=1", body=json.dumps({"items": ["x" * 200_000]}))
    with pytest.raises(SourceMalformed, match="more than 100000 bytes"):
        _fetch()
