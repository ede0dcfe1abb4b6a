"""What holds for every source, whoever it is: tokens, pages, addresses; and a partner that is only a source."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from connector.app import Wired, create_app
from connector.catalogue.fetching import SourceError, SourceMalformed, SourceRefused, fetch
from connector.connections import ConnectionRefused, NewConnection
from connector.event_types import EventType
from connector.partners import ListApi, Page, PayloadRefused, Request, TokenExchange
from connector.settings import Settings

URL = "https://partner.example/events"
TOKEN_URL = "https://token.example/token"


def _read_token(answer: Any) -> Mapping[str, str]:
    if "token" not in answer:
        raise PayloadRefused({"token": ["Missing data for required field."]})
    return {"token": answer["token"]}


def _first(credential: Mapping[str, str]) -> Request:
    return Request(f"{URL}?page=1", {"Authorization": f"Bearer {credential['token']}"})


def _parse(answer: Any, asked: Request, _credential: Mapping[str, str]) -> Page:
    event_types = tuple(EventType(key=key, name=name) for key, name in answer["items"])
    following = None if answer["next"] is None else Request(f"{URL}?page={answer['next']}", asked.headers)
    return Page(event_types, following)


LIST_API = ListApi(credential=(), first=_first, parse=_parse, verified="")
EXCHANGING = ListApi(
    credential=(),
    exchange=TokenExchange(
        ask=lambda credential: Request(TOKEN_URL, method="POST", body=json.dumps(dict(credential)).encode()),
        read=_read_token,
    ),
    first=_first,
    parse=_parse,
    verified="",
)


def _page(number: int, items: list[list[str]], following: int | None = None) -> None:
    responses.get(f"{URL}?page={number}", json={"items": items, "next": following})


@responses.activate
def test_a_token_is_asked_for_once_and_opens_every_page() -> None:
    responses.post(TOKEN_URL, json={"token": "short-lived"})
    _page(1, [["a", "A"]], 2)
    _page(2, [["b", "B"]])
    catalogue = fetch(EXCHANGING, {"key": "k-1"})
    assert [each.key for each in catalogue.event_types] == ["a", "b"]
    first, *pages = [call.request for call in responses.calls]
    assert json.loads(first.body) == {"key": "k-1"}
    assert [page.headers["Authorization"] for page in pages] == ["Bearer short-lived"] * 2


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        ({"status": 401}, SourceRefused, "refuses the credential"),
        ({"json": {"no": "token"}}, SourceMalformed, r"^The answer with the token is not as documented: \{\"token\""),
        ({"body": b"<html>"}, SourceMalformed, "not JSON"),
    ],
)
@responses.activate
def test_without_a_token_nothing_is_listed(answer: Any, error: type[SourceError], sentence: str) -> None:
    responses.post(TOKEN_URL, **answer)
    with pytest.raises(error, match=sentence):
        fetch(EXCHANGING, {"key": "k-1"})
    assert len(responses.calls) == 1


@responses.activate
def test_what_is_listed_twice_counts_as_it_is_listed_first() -> None:
    """Else the two would take turns with every sync."""
    _page(1, [["a", "First"], ["b", "B"], ["a", "Second"]], 2)
    _page(2, [["a", "Third"]])
    names = [(each.key, each.name) for each in fetch(LIST_API, {"token": "t"}).event_types]
    assert names == [("a", "First"), ("b", "B")]


@responses.activate
def test_a_server_that_does_not_heed_the_page_is_one_error() -> None:
    """Each page is asked for under another address, and each is the same."""
    numbers = iter(range(2, 100))

    def parse(answer: Any, asked: Request, _credential: Mapping[str, str]) -> Page:
        return Page((EventType(key="a"),), Request(f"{URL}?page={next(numbers)}", asked.headers))

    for number in range(1, 4):
        responses.get(f"{URL}?page={number}", json={"items": []})
    with pytest.raises(SourceMalformed, match="the same page again"):
        fetch(ListApi((), _first, parse, ""), {"token": "t"})
    assert len(responses.calls) == 2


@pytest.mark.parametrize(
    "address", ["http://partner.example", "https://[::1", f"https://{'a' * 70}.example", "https://a..b", "ftp://x", ""]
)
def test_an_address_that_cannot_be_is_one_error(address: str) -> None:
    source = ListApi((), lambda _: Request(f"{address}/events"), _parse, "")
    with pytest.raises(SourceMalformed, match="set one that starts with https://"):
        fetch(source, {})


@pytest.mark.parametrize("token", ["two\nlines", "canary-€"])
def test_a_credential_that_no_header_can_carry_is_one_error(token: str, listening: str) -> None:
    source = ListApi((), lambda c: Request(f"{listening}/", {"Authorization": c["token"]}), _parse, "")
    with pytest.raises(SourceRefused, match="set it again") as refused:
        fetch(source, {"token": token})
    assert token not in str(refused.value)


@pytest.fixture
def listening() -> Iterator[str]:
    """A server that takes the call, and never gets to read it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class TestAPartnerThatOnlyLists:
    @pytest.fixture
    def wired(self, tmp_path: Path) -> Iterator[Wired]:
        app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/connector.db", cache_seconds=0))
        wired: Wired = app.extensions["connector"]
        self.client: FlaskClient = app.test_client()
        yield wired
        wired.close()

    def test_it_is_connected_without_a_secret_and_its_webhook_route_says_why(self, wired: Wired) -> None:
        connections = wired.installation.connections
        added = connections.add(NewConnection("acme", "amplitude", "demo", "api-demo"))
        assert added.secret is None
        answer = self.client.post(f"/webhooks/{added.connection.endpoint_id}", json={})
        assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
        assert answer.get_json()["code"] == "endpoint_unknown"
        assert "Amplitude sends no webhooks" in answer.get_json()["detail"]

    def test_its_list_api_wants_what_it_documents(self, wired: Wired) -> None:
        connections = wired.installation.connections
        added = connections.add(NewConnection("acme", "snowplow", "demo", "api-demo"))
        with pytest.raises(ConnectionRefused, match=r"api_key \(API key\) is missing"):
            connections.set_source(added.connection, {"organization_id": "o", "api_key_id": "i"})
        connections.set_source(added.connection, {"organization_id": "o", "api_key_id": "i", "api_key": "canary"})

    def test_it_has_no_secret_to_rotate(self, wired: Wired) -> None:
        connections = wired.installation.connections
        added = connections.add(NewConnection("acme", "mixpanel", "demo", "api-demo"))
        with pytest.raises(ConnectionRefused, match="sends no webhooks"):
            connections.rotate_secret(added.connection)
