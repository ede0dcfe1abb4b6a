"""The crash and fault harness in its short form: real processes, killed while a partner sends. See chaos/."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chaos.run import Plan, run


@pytest.mark.skipif(sys.platform != "linux", reason="the harness finds the processes to kill in Linux's /proc")
def test_nothing_accepted_is_lost_doubled_or_stuck_while_processes_are_killed_and_calls_fail(tmp_path: Path) -> None:
    plan = Plan(changes=300, kills=10, connections=2, limit=180.0, drain=150.0)

    report = run(plan, tmp_path)

    said = "\n".join(report.lines())
    assert report.accepted == plan.changes, said
    assert (report.verdict.lost, report.verdict.doubled, report.verdict.stuck) == ([], [], []), said
    assert sum(report.kills.values()) >= plan.kills, said
    assert report.faulty > plan.faults / 2, said
    assert report.answers["503"] > 0, said  # of the full disk
