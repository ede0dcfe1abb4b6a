"""What the deployment files say is to be started, read from the files themselves."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "config/deploy"


@dataclass(frozen=True)
class Process:
    """A command as it stands in a file, and what the file puts into its environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def of_compose() -> dict[str, Process]:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return {
        name: Process(tuple(service["command"]), service["environment"])
        for name, service in services.items()
        if service["image"] == "metric-connector"
    }


def of_systemd() -> dict[str, Process]:
    units = {path.stem: path.read_text() for path in (DEPLOY / "systemd").glob("*.service")}
    roles = {"metric-connector": "receiver", "metric-connector-worker": "worker"}
    assert units.keys() == roles.keys()
    return {roles[name]: Process(tuple(shlex.split(_only("ExecStart", unit)))) for name, unit in units.items()}


def of_procfile() -> dict[str, Process]:
    lines = (line.partition(": ") for line in (DEPLOY / "Procfile").read_text().splitlines())
    roles = {"release": "upgrade", "web": "receiver", "worker": "worker"}
    return {roles[name]: Process(tuple(shlex.split(command))) for name, _, command in lines}


def of_kubernetes() -> dict[str, Process]:
    found = {}
    for document in kubernetes():
        if document["kind"] in {"Deployment", "Job"}:
            (container,) = document["spec"]["template"]["spec"]["containers"]
            found[container["name"]] = Process(tuple(container["command"]))
    return found


def kubernetes() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def cloud_run() -> dict[str, Any]:
    (container,) = yaml.safe_load((DEPLOY / "cloud-run.yaml").read_text())["spec"]["template"]["spec"]["containers"]
    return dict(container)


def _only(key: str, unit: str) -> str:
    (value,) = re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)
    return str(value)
