"""What is published is complete, works where nothing else is, and brings nothing along that nobody looked at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from docs.generators import licences

ROOT = Path(__file__).parents[2]
DEADLINE = 580.0
"""Seconds: it builds, and fills an environment."""

FREE = re.compile(r"Apache|BSD|ISC|LGPL|MIT|MPL|Mozilla|Python Software|PSF|Unlicense|Artistic|Zlib|0BSD")


@dataclass(frozen=True)
class Packaged:
    said: str
    dist: Path
    python: Path

    @property
    def wheel(self) -> Path:
        (found,) = self.dist.glob("*.whl")
        return found


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """`make package`, with this environment's tools."""
    directory = tmp_path_factory.mktemp("package")
    dist, empty = directory / "dist", directory / "empty"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "CONNECTOR_"))
    }
    made = subprocess.run(
        ["make", "--no-print-directory", "package", f"DIST={dist}", f"PACKAGED={empty}", f"VENV={sys.prefix}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return Packaged(made.stdout, dist, empty / "bin/python")


def test_the_wheel_holds_every_file_of_the_package(packaged: Packaged) -> None:
    tree = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "connector").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(packaged.wheel) as wheel:
        inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == tree
    assert "connector/py.typed" in inside


def test_the_source_has_what_it_takes_to_build_and_no_more(packaged: Packaged) -> None:
    (path,) = packaged.dist.glob("*.tar.gz")
    with tarfile.open(path) as source:
        top = {name.split("/")[1] for name in source.getnames() if "/" in name}
    assert top == {
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "connector",
        "metric_connector.egg-info",
        "pyproject.toml",
        "setup.cfg",
    }


def test_it_runs_the_main_job_in_an_empty_environment(packaged: Packaged) -> None:
    assert "Every answer and every metric is as it must be." in packaged.said
    assert packaged.said.count("No broken requirements found.") == 2


def test_it_is_the_installed_package_that_ran(packaged: Packaged) -> None:
    where = subprocess.run(
        [packaged.python, "-c", "import connector; print(connector.__file__)"],
        cwd=packaged.dist,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    ).stdout
    assert Path(where).is_relative_to(packaged.python.parents[1])


def test_the_bill_of_materials_names_all_that_the_docs_name(packaged: Packaged) -> None:
    bill = json.loads((packaged.dist / "sbom.cdx.json").read_text())
    named = {each["name"].lower().replace("_", "-").replace(".", "-") for each in bill["components"]}
    assert {"metric-connector", *licences.dependencies()} <= named


def test_every_dependency_has_a_licence_that_lets_anybody_use_it() -> None:
    assert {name: licence for name, licence in licences.licences().items() if not FREE.search(licence)} == {}
