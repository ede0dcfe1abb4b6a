"""`connector sync` and `connector import`, as a person or a script calls them."""

from __future__ import annotations

import csv
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connector.app import create_app
from connector.catalogue.plans import Plan
from connector.catalogue.reports import Report
from connector.catalogue.syncing import Syncer
from connector.cli import plans
from connector.installation import open_installation, syncer
from connector.launchdarkly import Unauthorized
from connector.running import sole_runner
from connector.settings import Settings
from connector.store import reconciles
from connector.store.connections import Connection, Options
from connector.store.database import Database
from tests.integration.cli.conftest import Said

Run = Callable[..., Said]


@pytest.fixture
def acme(connect: Callable[..., Connection], launchdarkly: str) -> Connection:
    return connect(base_url=launchdarkly)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a catalogue file with event types of these keys."""

    def write(*keys: str, complete: bool = True) -> str:
        path = tmp_path / "catalogue.json"
        stated = [{"id": f"evt_{key}", "key": key, "name": key.capitalize()} for key in keys]
        path.write_text(json.dumps({"complete": complete, "event_types": stated}))
        return str(path)

    return write


def metrics(launchdarkly: str) -> dict[str, dict[str, Any]]:
    with urllib.request.urlopen(f"{launchdarkly}/sandbox/metrics/demo") as answer:  # noqa: S310 - a stand-in on loopback
        return {metric["key"]: metric for metric in json.load(answer)}


def edit(launchdarkly: str, key: str, **fields: Any) -> None:
    address = f"{launchdarkly}/sandbox/metrics/demo/{key}"
    request = urllib.request.Request(address, json.dumps(fields).encode(), method="PATCH")  # noqa: S310
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request).close()  # noqa: S310


class TestImport:
    def test_makes_the_metrics_of_a_file_and_tells(
        self, connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str]
    ) -> None:
        said = connector("import", "Acme", write("signup", "order"))
        assert said.exit_code == 0
        assert "+ create   evt_signup  (Has no metric yet.)" in said.out
        assert "Plan: 2 create." in said.out
        assert "created" in said.out
        assert metrics(launchdarkly).keys() == {"signup", "order"}

    def test_again_there_is_nothing_to_do(self, connector: Run, acme: Connection, write: Callable[..., str]) -> None:
        connector("import", "Acme", write("signup"))
        said = connector("import", "Acme", write("signup"))
        assert (said.exit_code, "Nothing to do." in said.out) == (0, True)

    def test_a_dry_run_changes_nothing(
        self, connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str]
    ) -> None:
        said = connector("import", "Acme", write("signup"), "--dry-run", "--json")
        assert (said.exit_code, said.json["counts"]) == (0, {"create": 1})
        assert metrics(launchdarkly) == {}

    def test_only_some_and_not_too_many(
        self, connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str]
    ) -> None:
        file = write("checkout_begun", "checkout_done", "signup")
        said = connector("import", "Acme", file, "--only", "checkout_*", "--limit", "1")
        assert "1 more are left out by --limit." in said.out
        assert metrics(launchdarkly).keys() == {"checkout-begun"}

    def test_never_archives_what_a_second_file_lacks(
        self, connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str]
    ) -> None:
        connector("import", "Acme", write("signup"))
        connector("import", "Acme", write("order"))
        assert [metric["archived"] for metric in metrics(launchdarkly).values()] == [False, False]

    def test_saves_a_report_for_a_spreadsheet_or_a_program(
        self, connector: Run, acme: Connection, write: Callable[..., str], tmp_path: Path
    ) -> None:
        table, document = tmp_path / "report.csv", tmp_path / "report.json"
        connector("import", "Acme", write("signup"), "--report", str(table))
        with table.open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert row["event_type"] == "evt_signup"
        assert (row["action"], row["outcome"], row["metrics"]) == ("create", "created", "signup")
        said = connector("import", "Acme", write("order"), "--report", str(document), "--json")
        assert json.loads(document.read_text()) == said.json
        assert said.json["counts"] == {"created": 1, "unchanged": 1}

    def test_a_file_that_is_none_is_one_clear_error(self, connector: Run, acme: Connection, tmp_path: Path) -> None:
        (tmp_path / "broken.json").write_text('{"event_types": 7}')
        said = connector("import", "Acme", str(tmp_path / "broken.json"))
        assert said.exit_code == 1
        assert said.err.startswith("Error: ")
        assert "Traceback" not in said.err

    def test_from_a_partner_without_a_credential_says_what_to_do(self, connector: Run, acme: Connection) -> None:
        said = connector("import", "Acme", "--from-partner")
        assert (said.exit_code, "set-source" in said.err) == (1, True)

    @pytest.mark.parametrize("arguments", [[], ["FILE", "--from-partner"]])
    def test_needs_exactly_one_source(
        self, connector: Run, acme: Connection, write: Callable[..., str], arguments: list[str]
    ) -> None:
        given = [write("signup") if each == "FILE" else each for each in arguments]
        assert connector("import", "Acme", *given).exit_code == 2


class TestPlan:
    def test_exit_codes_tell_a_script_what_a_person_reads(
        self, connector: Run, acme: Connection, write: Callable[..., str]
    ) -> None:
        assert connector("sync", "Acme", "--plan", "--file", write("signup")).exit_code == 2
        connector("sync", "Acme", "--apply", "--file", write("signup"))
        assert connector("sync", "Acme", "--plan", "--file", write("signup")).exit_code == 0
        assert connector("sync", "Nobody", "--plan").exit_code == 1

    def test_a_failure_is_never_taken_for_changes(
        self, connector: Run, connect: Callable[..., Connection], write: Callable[..., str], tmp_path: Path
    ) -> None:
        (tmp_path / "list.json").write_text("[7]")
        connect("Nowhere", base_url="http://127.0.0.1:1")
        assert connector("sync", "Nowhere", "--plan", "--file", str(tmp_path / "list.json")).exit_code == 1

    def test_shows_a_rename_as_a_diff(
        self, connector: Run, acme: Connection, tmp_path: Path, write: Callable[..., str]
    ) -> None:
        connector("import", "Acme", write("signup"))
        renamed = {"complete": True, "event_types": [{"id": "evt_signup", "key": "joined", "name": "Joined"}]}
        (tmp_path / "now.json").write_text(json.dumps(renamed))
        said = connector("sync", "Acme", "--plan", "--file", str(tmp_path / "now.json"))
        assert said.out.splitlines()[1:] == [
            "~ rename   evt_signup  (Was renamed at the source.)",
            "    update   signup  occurrence",
            '             name: "Signup" → "Joined"',
            '             eventKey: "signup" → "joined"',
            "Plan: 1 rename.",
        ]


class TestApply:
    def test_a_saved_plan_does_what_was_looked_at(
        self, connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str], tmp_path: Path
    ) -> None:
        plan = tmp_path / "plan.json"
        connector("sync", "Acme", "--plan", "--file", write("signup"), "--out", str(plan))
        said = connector("sync", "Acme", "--apply", "--plan-file", str(plan))
        assert said.exit_code == 0
        assert metrics(launchdarkly).keys() == {"signup"}
        assert connector("sync", "Acme", "--apply", "--plan-file", str(plan)).exit_code == 0

    def test_a_saved_plan_is_refused_where_the_world_has_moved(
        self, connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str], tmp_path: Path
    ) -> None:
        plan = tmp_path / "plan.json"
        connector("import", "Acme", write("signup"))
        edit(launchdarkly, "signup", archived=True)
        connector("sync", "Acme", "--plan", "--out", str(plan))
        edit(launchdarkly, "signup", name="Edited")
        said = connector("sync", "Acme", "--apply", "--plan-file", str(plan))
        assert (said.exit_code, "[world_moved]" in said.err) == (1, True)
        assert metrics(launchdarkly)["signup"]["archived"] is True

    def test_a_file_that_is_no_plan_or_of_another_connection_is_refused(
        self, connector: Run, connect: Callable[..., Connection], acme: Connection, launchdarkly: str,
        write: Callable[..., str], tmp_path: Path,
    ) -> None:  # fmt: skip
        said = connector("sync", "Acme", "--apply", "--plan-file", write("signup"))
        assert (said.exit_code, "[plan_malformed]" in said.err) == (1, True)
        connector("sync", "Acme", "--plan", "--file", write("signup"), "--out", str(tmp_path / "plan.json"))
        connect("Other", base_url=launchdarkly)
        said = connector("sync", "Other", "--apply", "--plan-file", str(tmp_path / "plan.json"))
        assert (said.exit_code, acme.id in said.err) == (1, True)

    def test_many_archives_need_to_be_allowed(
        self, connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str]
    ) -> None:
        connector("import", "Acme", write(*(f"event{number}" for number in range(12))))
        said = connector("sync", "Acme", "--apply", "--file", write("event0"))
        assert (said.exit_code, "--allow-archive 11" in said.err) == (1, True)
        assert not any(metric["archived"] for metric in metrics(launchdarkly).values())
        said = connector("sync", "Acme", "--apply", "--file", write("event0"), "--allow-archive", "11")
        assert said.exit_code == 0
        assert sum(metric["archived"] for metric in metrics(launchdarkly).values()) == 11

    def test_what_does_not_go_is_told_with_its_code_and_is_exit_code_1(
        self, connector: Run, connect: Callable[..., Connection], launchdarkly: str, write: Callable[..., str]
    ) -> None:
        connect("Odd", base_url=launchdarkly, options=Options(analysis_units=("device",)))
        said = connector("sync", "Odd", "--apply", "--file", write("signup"), "--json")
        assert (said.exit_code, said.json["counts"]) == (1, {"parked": 1})
        (row,) = said.json["rows"]
        assert (row["code"], "device" in row["reason"], "analysis units" in row["next_step"]) == (
            "launchdarkly_invalid",
            True,
            True,
        )

    def test_an_earlier_run_that_was_cut_off_is_finished_first(
        self, connector: Run, acme: Connection, launchdarkly: str, database: Database, write: Callable[..., str],
        tmp_path: Path,
    ) -> None:  # fmt: skip
        plan = tmp_path / "plan.json"
        connector("sync", "Acme", "--plan", "--file", write("signup"), "--out", str(plan))
        installation = open_installation(Settings.from_environment())
        syncer(installation).apply(Plan.from_dict(json.loads(plan.read_text())))
        installation.close()
        said = connector("import", "Acme", write("signup", "order"))
        assert (said.exit_code, "Going on with an earlier run" in said.err) == (0, True)
        assert "Plan: 1 create, 1 unchanged." in said.out
        assert metrics(launchdarkly).keys() == {"signup", "order"}


class TestEvery:
    def test_says_how_often_the_server_compares(self, connector: Run, acme: Connection, database: Database) -> None:
        assert "every 6 hours" in connector("sync", "Acme", "--every", "6").out
        with database.read() as tx:
            assert reconciles.every(tx, acme.id) == 6 * 3600
        assert "only when somebody asks" in connector("sync", "Acme", "--every", "0").out

    @pytest.mark.parametrize(
        "arguments", [[], ["--every", "0.1"], ["--plan", "--every", "6"], ["--plan", "--plan-file", "FILE"]]
    )
    def test_one_thing_at_a_time(
        self, connector: Run, acme: Connection, write: Callable[..., str], arguments: list[str]
    ) -> None:
        given = [write("signup") if each == "FILE" else each for each in arguments]
        assert connector("sync", "Acme", *given).exit_code == 2


def test_a_running_server_does_the_work_and_the_command_waits_for_it(
    connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str]
) -> None:
    app = create_app()
    wired = app.extensions["connector"]
    try:
        assert wired.lock is not None
        assert sole_runner(Settings.from_environment()) is None
        said = connector("import", "Acme", write("signup"))
        assert said.exit_code == 0
        assert metrics(launchdarkly).keys() == {"signup"}
    finally:
        wired.close()


def test_ctrl_c_loses_nothing(
    connector: Run, acme: Connection, launchdarkly: str, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(plans, "_runner", interrupt)
        said = connector("import", "Acme", write("signup"))
    assert said.exit_code == 1
    assert "Stopped. 0 of 1 are done" in said.err
    said = connector("import", "Acme", write("signup"))
    assert said.exit_code == 0
    assert metrics(launchdarkly).keys() == {"signup"}


def test_what_was_done_is_told_even_where_launchdarkly_answers_no_more(
    connector: Run, acme: Connection, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(self: Syncer, delivery_id: str, *, look: bool = False) -> Report:
        if look:
            raise Unauthorized("LaunchDarkly answered HTTP 401.")
        return told(self, delivery_id)

    told = Syncer.report
    monkeypatch.setattr(Syncer, "report", report)
    said = connector("import", "Acme", write("signup"))
    assert (said.exit_code, "cannot be told now" in said.err, "created" in said.out) == (0, True, True)
