"""The template of CONTRIBUTING.md makes a partner that passes the contract, by no more than copying its files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "config/partner-template"


def test_a_copy_of_the_template_passes_the_contract(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", ".*_cache")
    for room in ("connector", "config", "tests"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(TEMPLATE / "acme.py", tmp_path / "connector/partners")
    shutil.copy(TEMPLATE / "test_acme.py", tmp_path / "tests/partners")
    judged = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("tests/partners/test_acme.py", "tests/partners/test_every_partner_has_a_contract.py"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-4000:] + judged.stderr[-2000:]
