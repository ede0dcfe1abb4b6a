"""`connector connections setup-link`: for a connection that is there, or one that is made for it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator

import pytest

from connector.cli import main
from connector.store.vault import Vault, generate_key
from tests.integration.cli.conftest import Said


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, sqlite_url: str) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(("CONNECTOR_", "LAUNCHDARKLY_")) and not name.startswith("CONNECTOR_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("CONNECTOR_ENCRYPTION_KEYS", generate_key())
    monkeypatch.setenv("CONNECTOR_BASE_URL", "https://connector.example.com")
    root, own = logging.getLogger(), logging.getLogger("connector")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], root.level, own.level = before


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["connector", "connections", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Said(int(ended.value.code or 0), captured.out, captured.err)

    return run


def test_a_new_connection_gets_url_secret_and_link(connector: Callable[..., Said]) -> None:
    said = connector("setup-link", "--new", "Acme", "--json")
    assert said.exit_code == 0, said.err
    made = json.loads(said.out)
    assert made["webhook_url"].startswith("https://connector.example.com/webhooks/ep_")
    assert made["setup_link"].startswith("https://connector.example.com/setup/")
    assert made["secret"].startswith("whsec_")
    assert made["expires_in"] == 7 * 24 * 3600
    said = connector("list", "--json")
    assert [(each["name"], each["state_code"]) for each in json.loads(said.out)] == [("Acme", "waiting_for_key")]


def test_one_that_is_there_gets_a_link_alone(connector: Callable[..., Said]) -> None:
    connector("setup-link", "--new", "Acme")
    said = connector("setup-link", "Acme", "--expires", "1")
    assert said.exit_code == 0, said.err
    assert "Secret" not in said.out
    assert "within 1 hours" in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "Name a connection, or give --new NAME."),
        (("Acme", "--new", "Acme"), 2, "Name a connection, or give --new NAME."),
        (("nobody",), 1, "There is no connection 'nobody'"),
        (("--new", "Acme", "--expires", "0"), 2, "works for 60 to"),
        (("--new", "Acme", "--partner", "nobody"), 2, "There is no partner"),
        (("--new", " "), 2, "needs a name"),
    ],
)
def test_what_cannot_be_is_said(
    connector: Callable[..., Said], arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    said = connector("setup-link", *arguments)
    assert (said.exit_code, sentence in said.err) == (code, True), said.err


def test_what_signs_is_not_what_encrypts() -> None:
    old, new = generate_key(), generate_key()
    (signing,) = Vault([new]).derive("set-up link")
    assert signing.hex() not in new
    assert len(signing) == 32
    assert Vault([new]).derive("session") != [signing]
    assert Vault([new, old]).derive("set-up link") == [*Vault([old]).derive("set-up link"), signing], "the newest signs"
