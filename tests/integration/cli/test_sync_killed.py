"""An import whose process is killed goes on where it was: nothing is lost, and nothing is made twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from connector.store.connections import Connection
from tests.integration.cli.conftest import Said
from tests.integration.cli.test_sync import metrics

MANY, MADE = 80, 20


def test_killed_when_some_metrics_are_made_the_next_run_makes_the_others(
    connector: Callable[..., Said],
    connect: Callable[..., Connection],
    launchdarkly: str,
    tmp_path: Path,
) -> None:
    connect(base_url=launchdarkly)
    stated = [{"id": f"evt_{number}", "key": f"event_{number}"} for number in range(MANY)]
    (tmp_path / "catalogue.json").write_text(json.dumps({"complete": True, "event_types": stated}))
    command = [sys.executable, "-m", "connector", "import", "Acme", str(tmp_path / "catalogue.json")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(metrics(launchdarkly)) < MADE and process.poll() is None and time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
    finally:
        process.kill()
        process.wait()
    assert len(metrics(launchdarkly)) >= MADE
    said = connector("import", "Acme", str(tmp_path / "catalogue.json"))
    assert said.exit_code == 0, said.err
    event_keys = Counter(metric["eventKey"] for metric in metrics(launchdarkly).values())
    assert event_keys == dict.fromkeys((each["key"] for each in stated), 1)
