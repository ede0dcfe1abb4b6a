"""What a check says. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """`seen` is what was found, `fix` what to do about it. `check` and `connection` say what was looked at."""

    verdict: Verdict
    seen: str
    fix: str = ""
    check: str = ""
    connection: str | None = None


def ok(seen: str) -> Finding:
    return Finding(Verdict.OK, seen)


def warning(seen: str, fix: str) -> Finding:
    return Finding(Verdict.WARNING, seen, fix)


def failure(seen: str, fix: str) -> Finding:
    return Finding(Verdict.FAILURE, seen, fix)


class Skipped(Exception):
    """What a check needs is not there; the check that looks for that very thing says so. It never leaves the room."""
