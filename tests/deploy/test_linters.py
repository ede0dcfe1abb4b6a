"""Each deployment file passes the linter or the schema of those who read it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.processes import DEPLOY

ROOT = DEPLOY.parents[1]
BIN = Path(sys.executable).parent
SCHEMAS = {
    "vendor.compose-spec": [DEPLOY / "compose.yaml"],
    "vendor.github-workflows": sorted((ROOT / ".github/workflows").glob("*.yml")),
    "vendor.github-issue-forms": sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")),
    "vendor.github-issue-config": [ROOT / ".github/ISSUE_TEMPLATE/config.yml"],
}


def passes(*command: str | Path) -> None:
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_the_dockerfile_passes_hadolint() -> None:
    passes(BIN / "hadolint", "--failure-threshold", "style", "Dockerfile")


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_file_is_as_its_schema_says(schema: str) -> None:
    assert SCHEMAS[schema]
    passes(BIN / "check-jsonschema", "--builtin-schema", schema, *SCHEMAS[schema])


def test_the_kubernetes_manifests_are_as_their_schemas_say() -> None:
    passes(BIN / "kubernetes-validate", "--strict", DEPLOY / "kubernetes.yaml")


def test_the_lambda_template_passes_cfn_lint() -> None:
    passes(BIN / "cfn-lint", DEPLOY / "aws-lambda/template.yaml")


def test_the_units_pass_systemds_own_check(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("There is no systemd-analyze on this machine to check the units with.")
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for name in ("sysinit", "basic", "shutdown", "network-online", "multi-user"):
        (units / f"{name}.target").write_text(f"[Unit]\nDescription={name}\n")
    for name in ("system.slice", "-.mount"):
        (units / name).write_text(
            "[Unit]\nDescription=x\n" + ("[Mount]\nWhat=none\nWhere=/\n" if "mount" in name else "")
        )
    program = tmp_path / "opt/metric-connector/bin/connector"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    ours = sorted((DEPLOY / "systemd").glob("*.service"))
    for unit in ours:
        shutil.copy(unit, units)
    said = subprocess.run(
        ["systemd-analyze", "verify", f"--root={tmp_path}", *(unit.name for unit in ours)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    about = [line for line in said.stderr.splitlines() if "metric-connector" in line]
    assert (said.returncode, about) == (0, [])
