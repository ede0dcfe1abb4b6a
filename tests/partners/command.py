"""`connector` as a person runs it, within the test's own process, on an installation of its own."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from connector.cli import main
from connector.store.vault import generate_key


class Command:
    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capsys = capsys

    def __call__(self, *arguments: str, stdin: str = "", exits: int = 0) -> str:
        """What the command prints on standard output; it must end as `exits` says."""
        self._patch.setattr(sys, "argv", ["connector", *arguments])
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        assert (ended.value.code or 0) == exits, f"{arguments}: {out}{err}"
        return out


@contextmanager
def installed(database_url: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Whatever this machine's environment and logging say, they are as they were afterwards."""
    root, own = logging.getLogger(), logging.getLogger("connector")
    before = root.handlers[:], root.level, own.level
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("CONNECTOR_", "LAUNCHDARKLY_")) and not name.startswith("CONNECTOR_TEST_"):
                patch.delenv(name)
        patch.setenv("CONNECTOR_DATABASE_URL", database_url)
        patch.setenv("CONNECTOR_ENCRYPTION_KEYS", generate_key())
        try:
            yield Command(patch, capsys)
        finally:
            root.handlers[:], root.level, own.level = before
