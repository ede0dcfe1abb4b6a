"""`connector worker` starts, or says in one sentence why not and what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.cli import main
from connector.store.vault import generate_key
from tests.conftest import _postgres_schema
from tests.integration.web.conftest import free_port

Worker = Callable[..., tuple[int, str]]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Worker:
    """Runs `connector worker` with these settings; its exit code and what it said on standard error."""

    def run(**environment: str) -> tuple[int, str]:
        for name, value in {"ENCRYPTION_KEYS": generate_key(), **environment}.items():
            monkeypatch.setenv(f"CONNECTOR_{name}", value)
        monkeypatch.setattr(sys, "argv", ["connector", "worker"])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


@pytest.fixture
def without_schema(postgres_server: str) -> Iterator[str]:
    with _postgres_schema(postgres_server) as url:
        yield url


def test_without_a_broker_there_is_no_worker(worker: Worker, tmp_path: Path) -> None:
    code, said = worker(DATABASE_URL=f"sqlite:///{tmp_path}/connector.db")
    assert (code, said.startswith("Error: CONNECTOR_BROKER_URL is not set. Set it, or run no worker")) == (2, True)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_not_there_is_named_and_its_password_is_not(
    worker: Worker, postgres_url: str, scheme: str
) -> None:
    code, said = worker(DATABASE_URL=postgres_url, BROKER_URL=f"{scheme}://user:canary@127.0.0.1:{free_port()}")
    assert code == 1
    assert said.startswith("Error: The broker does not answer: ")
    assert said.endswith("Check CONNECTOR_BROKER_URL, and that the broker runs.\n")
    assert "canary" not in said


def test_a_database_without_a_schema_waits_for_a_person(worker: Worker, without_schema: str) -> None:
    code, said = worker(DATABASE_URL=without_schema, BROKER_URL="redis://127.0.0.1")
    assert (code, said) == (1, "Error: The database has no schema yet. Run: connector db upgrade\n")


def test_a_database_that_is_not_there_is_declared_with_what_to_do(worker: Worker) -> None:
    code, said = worker(
        DATABASE_URL=f"postgresql://u:canary@127.0.0.1:{free_port()}/db", BROKER_URL="redis://127.0.0.1"
    )
    assert code == 1
    assert "Connection refused" in said
    assert said.endswith("Check CONNECTOR_DATABASE_URL, and that its server runs.\n")
    assert "canary" not in said
