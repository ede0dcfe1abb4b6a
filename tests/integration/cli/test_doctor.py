"""`connector doctor` as a script and a person call it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.store.connections import Connection
from tests.integration.cli.conftest import Said
from tests.integration.web.conftest import free_port

Run = Callable[..., Said]


def test_a_failure_is_exit_code_1_and_has_its_fix(connector: Run) -> None:
    said = connector("doctor")
    assert said.exit_code == 1
    assert "Nobody applies changes: connector serve does not run." in said.out
    assert said.out.splitlines()[-1].endswith(" skipped")
    assert said.err == ""


def test_json_is_for_programs(connector: Run, connect: Callable[..., Connection], launchdarkly: str) -> None:
    connect(base_url=launchdarkly)
    said = connector("doctor", "Acme", "--json")
    found: dict[str, Any] = said.json
    assert found["ok"] is False
    assert sum(found["counts"].values()) == len(found["checks"]) >= 25
    assert {"check": "key_accepted", "verdict": "ok", "connection": "Acme"}.items() <= next(
        each for each in found["checks"] if each["check"] == "key_accepted"
    ).items()


def test_warnings_alone_are_no_failure(connector: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.doctor.work._held", lambda _premises: True)
    monkeypatch.setenv("CONNECTOR_BASE_URL", f"http://127.0.0.1:{free_port()}")
    assert connector("doctor").exit_code == 0


def test_nothing_at_all_is_there_and_nothing_is_made(
    connector: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CONNECTOR_DATABASE_URL", "CONNECTOR_ENCRYPTION_KEYS"):
        monkeypatch.delenv(name)
    before = sorted(tmp_path.rglob("*"))
    assert connector("doctor").exit_code == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_wrong_settings_are_a_finding_like_any_other(connector: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", "mysql://user:canary@host/db")
    said = connector("doctor", "--json")
    assert said.exit_code == 1
    assert said.json["checks"][0]["verdict"] == "failure"
    assert "canary" not in said.out + said.err
