"""What every command owes its caller: help, an exit code that says what happened, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from connector import __version__
from connector.cli import cli

Run = Callable[..., Any]


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found, (*path, name))


COMMANDS = list(_commands(cli))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) or "connector" for path, _ in COMMANDS])
def test_every_command_explains_itself(connector: Run, path: tuple[str, ...], command: click.Command) -> None:
    said = connector(*path, "--help")
    assert (said.exit_code, said.err) == (0, "")
    assert said.out.startswith(f"Usage: {' '.join(('connector', *path))} ")
    assert command.help is not None
    assert command.help.splitlines()[0] in " ".join(said.out.split())
    assert all(option.help or option.required or option.type for option in command.params if option.name != "help")


def test_the_overview_names_every_command_with_what_it_does(connector: Run) -> None:
    said = connector("--help")
    for name in cli.list_commands(click.Context(cli)):
        assert f"\n  {name} " in said.out


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS if path[-1:] == ("list",)])
def test_every_list_is_json_for_programs_even_where_it_is_empty(connector: Run, path: tuple[str, ...]) -> None:
    said = connector(*path, "--json")
    assert (said.exit_code, said.err) == (0, "")
    assert isinstance(said.json, list)


class TestExitCodes:
    def test_the_version_is_said(self, connector: Run) -> None:
        said = connector("--version")
        assert (said.exit_code, said.out) == (0, f"connector, version {__version__}\n")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("nonsense",),
            ("connections", "nonsense"),
            ("connections", "add"),
            ("connections", "show"),
            ("deliveries", "list", "--limit", "0"),
            ("deliveries", "list", "--state", "lost"),
            ("deliveries", "replay"),
            ("deliveries", "replay", "dlv_1", "--parked"),
            ("send", "http://127.0.0.1", "--secret", "whsec_x", "--data", "{"),
        ],
    )
    def test_misuse_is_2(self, connector: Run, arguments: tuple[str, ...]) -> None:
        said = connector(*arguments)
        assert (said.exit_code, said.out) == (2, "")
        assert "Error: " in said.err

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("connections", "show", "Acme"), "There is no connection 'Acme'. See: connector connections list"),
            (("connections", "test", "Acme"), "There is no connection 'Acme'. See: connector connections list"),
            (("connections", "rotate-secret", "Acme"), "There is no connection 'Acme'."),
            (("connections", "remove", "Acme", "--yes"), "There is no connection 'Acme'."),
            (("deliveries", "list", "--connection", "Acme"), "There is no connection 'Acme'."),
            (("deliveries", "show", "dlv_1"), "There is no delivery 'dlv_1'. See: connector deliveries list"),
            (("deliveries", "replay", "dlv_1"), "Nothing to replay"),
            (("deliveries", "replay", "--parked", "--connection", "Acme"), "There is no connection 'Acme'."),
        ],
    )
    def test_what_is_not_there_is_1(self, connector: Run, arguments: tuple[str, ...], sentence: str) -> None:
        said = connector(*arguments)
        assert (said.exit_code, said.out) == (1, "")
        assert sentence in said.err

    def test_wrong_settings_are_2_and_all_named(self, connector: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CONNECTOR_THREADS", "many")
        monkeypatch.setenv("CONNECTOR_LOG_FORMAT", "xml")
        said = connector("connections", "list")
        assert said.exit_code == 2
        assert "CONNECTOR_THREADS must be" in said.err
        assert "CONNECTOR_LOG_FORMAT must be" in said.err

    def test_wrong_rules_are_2(self, connector: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        rules = tmp_path / "rules.toml"
        rules.write_text("[[rules]")
        monkeypatch.setenv("CONNECTOR_RULES", str(rules))
        said = connector("connections", "list")
        assert said.exit_code == 2
        assert str(rules) in said.err

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("CONNECTOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "The database refused: "),
            ("CONNECTOR_DATABASE_URL", "postgresql://user:p@ss@host:canary/db", "percent-encoded"),
            ("CONNECTOR_DATABASE_URL", "sqlite:////dev/null/connector.db", "Cannot write /dev/null/connector.db"),
            ("CONNECTOR_DATABASE_URL", "sqlite://///dev/null", "The database refused: "),
            ("CONNECTOR_ENCRYPTION_KEYS", "canary", "Encryption key 1 of 1 is not"),
        ],
    )
    def test_an_installation_that_cannot_be_opened_is_1_with_the_way_out(
        self, connector: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
    ) -> None:
        monkeypatch.setenv(name, value)
        said = connector("connections", "list")
        assert (said.exit_code, said.out) == (1, "")
        assert said.err.startswith("Error: ")
        assert sentence in said.err
        assert "canary" not in said.err


class TestProcess:
    """As a shell starts it."""

    def run(self, directory: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        clean = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "connector", *arguments],
            cwd=directory,
            env=clean | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def test_two_that_start_together_on_an_empty_directory_end_with_one_installation(self, tmp_path: Path) -> None:
        directory = tmp_path / "fresh"
        directory.mkdir()
        first, second = [self.run(directory, "connections", "list", "--json") for _ in range(2)]
        ends = [(process, *process.communicate(timeout=30)) for process in (first, second)]

        assert [(process.returncode, out) for process, out, _ in ends] == [(0, "[]\n")] * 2, ends
        assert sum("made an encryption key in instance/encryption.key: back it up" in err for _, _, err in ends) == 1
        kept = {path.name for path in (directory / "instance").iterdir()}
        assert kept - {"connector.db-wal", "connector.db-shm"} == {"connector.db", "encryption.key"}

    def test_misuse_is_2_and_has_no_traceback(self, tmp_path: Path) -> None:
        process = self.run(tmp_path, "keys", "rotate", CONNECTOR_ENCRYPTION_KEYS="x", CONNECTOR_THREADS="many")
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (2, "")
        assert err == "Error: CONNECTOR_THREADS must be a number of threads from 2 to 512, not 'many'.\n"
