"""`connector send`: what it sends verifies as the partner's, and its exit code is the answer's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from connector.partners import Partners
from connector.signatures import SignatureRefused

URL = "http://127.0.0.1:8000/webhooks/ep_1"
SECRET = "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5"
SCHEME = Partners().get("standard").webhook.scheme

Run = Callable[..., Any]


@pytest.fixture
def answer() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def sent(answer: responses.RequestsMock) -> tuple[bytes, dict[str, str]]:
    request = answer.calls[-1].request
    return request.body, {name.lower(): value for name, value in request.headers.items()}


def test_it_is_signed_as_the_partner_signs(connector: Run, answer: responses.RequestsMock) -> None:
    answer.post(URL, json={"delivery": "dlv_1", "name": "Été"}, status=201)
    said = connector(
        "send", URL, "--secret", SECRET, "--type", "event_type.renamed", "--data", '{"key": "é"}',
        "--message-id", "msg_1", "--timestamp", "2026-11-22T10:00:00Z",
    )  # fmt: skip

    body, headers = sent(answer)
    verified = SCHEME.verify(body, headers, [SECRET], time.time())
    assert verified.message_id == "msg_1"
    assert headers["content-type"] == "application/json"
    payload = json.loads(body)
    assert (payload["type"], payload["data"]) == ("event_type.renamed", {"key": "é"})
    assert payload["timestamp"].startswith("2026-11-22T10:00:00")
    assert (said.exit_code, said.err) == (0, "")
    assert said.out == '201 Created\n{\n  "delivery": "dlv_1",\n  "name": "Été"\n}\n'


@pytest.mark.parametrize("how", ["file", "pipe"])
def test_the_data_can_come_from_a_file_or_a_pipe(
    connector: Run, answer: responses.RequestsMock, tmp_path: Path, how: str
) -> None:
    answer.post(URL, json={})
    path = tmp_path / "data.json"
    path.write_text('{"key": "order"}')
    data = f"@{path}" if how == "file" else "-"
    assert connector("send", URL, "--secret", SECRET, "--data", data, stdin=path.read_text()).exit_code == 0
    assert json.loads(sent(answer)[0])["data"] == {"key": "order"}


def test_a_forged_one_does_not_verify(connector: Run, answer: responses.RequestsMock) -> None:
    answer.post(URL, json={"code": "signature_refused"}, status=401)
    said = connector("send", URL, "--secret", SECRET, "--data", "{}", "--forge")
    assert (said.exit_code, said.out.splitlines()[0]) == (1, "401 Unauthorized")
    body, headers = sent(answer)
    with pytest.raises(SignatureRefused):
        SCHEME.verify(body, headers, [SECRET], time.time())


def test_an_answer_that_is_no_json_is_shown_as_it_is(connector: Run, answer: responses.RequestsMock) -> None:
    answer.post(URL, body="Bad Gateway", status=502)
    said = connector("send", URL, "--secret", SECRET, "--data", "{}")
    assert (said.exit_code, said.out) == (1, "502 Bad Gateway\nBad Gateway\n")


def test_where_nobody_answers_it_says_so(connector: Run, answer: responses.RequestsMock) -> None:
    answer.post(URL, body=requests.ConnectionError("canary"))
    said = connector("send", URL, "--secret", SECRET, "--data", "{}")
    assert said.exit_code == 1
    assert said.err == f"Error: {URL} does not answer (ConnectionError). Is the connector running?\n"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--data", "{"), "--data: is not JSON"),
        (("--data", "@/nowhere/data.json"), "--data: cannot be read: No such file"),
        (("--data", "{}", "--partner", "acme"), "There is no partner 'acme'"),
        (("--data", "{}", "--partner", "stripe"), "put a key into the data"),
        (("--data", "{}", "--secret", "canary"), "secret"),
        (("--data", "{}", "--message-id", "a b"), "message"),
    ],
)
def test_misuse_is_2_and_sends_nothing(connector: Run, more: tuple[str, ...], sentence: str) -> None:
    said = connector("send", URL, "--secret", SECRET, *more)
    assert (said.exit_code, said.out) == (2, "")
    assert sentence in said.err
    assert "canary" not in said.err
