"""The page of the licences of all that is installed with the connector; its tests' and tools' own are not."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("celery", "otel", "postgres", "serverless")

_HEAD = """\
# Licences of the dependencies

Metric Connector is under the Apache License 2.0. It is installed with these packages, which stand under licences of
their own; *with* names the extra that brings a package, where it is not always installed.

*Written from the installed packages' own metadata by `make docs`.*

| package | licence | with |
|---|---|---|
"""


def page() -> str:
    found = licences()
    rows = (f"| {name} | {found[name]} | {', '.join(extras)} |\n" for name, extras in sorted(dependencies().items()))
    return _HEAD + "".join(rows)


def licences() -> dict[str, str]:
    """Canonical name of every dependency → its licence, as `pip-licenses` finds it."""
    told = subprocess.run(  # noqa: S603 - our own tool
        [
            sys.executable,
            "-m",
            "piplicenses",
            "--format=json",
            "--from=mixed",
            "--with-system",
            "--packages",
            *dependencies(),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {canonicalize_name(each["Name"]): " ".join(each["License"].split()) for each in json.loads(told)}


def dependencies() -> dict[str, list[str]]:
    """Canonical name of all that the connector and its extras need → the extras; empty where it is always needed."""
    always = _closure("")
    found: dict[str, list[str]] = {name: [] for name in always}
    for extra in EXTRAS:
        for name in sorted(_closure(extra) - always):
            found.setdefault(name, []).append(extra)
    return found


def _closure(extra: str) -> set[str]:
    found: set[str] = set()
    waiting = [("metric-connector", extra)]
    seen = set(waiting)
    while waiting:
        name, its_extra = waiting.pop()
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": its_extra}):
                continue
            needed = canonicalize_name(requirement.name)
            found.add(needed)
            fresh = {(needed, each) for each in ("", *requirement.extras)} - seen
            seen |= fresh
            waiting.extend(sorted(fresh))
    return found
