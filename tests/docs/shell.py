"""A page's commands in a shell of their own, as a reader would type them one after the other."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from tests.docs.blocks import Command

DEADLINE = 60.0
"""Seconds that nothing comes near to, unless it fails."""

_ID = re.compile(r"\b(ep|con|dlv|whsec|chg)_[A-Za-z0-9+/=]{8,}")
_STANDS_FOR = re.compile(r"\b(ep|con|dlv|whsec|chg)_…")


class Shell:
    """`standing` is what stands in a page for what is another thing here, such as a port."""

    def __init__(self, directory: Path, environment: Mapping[str, str], standing: Mapping[str, str]) -> None:
        self._standing = standing
        self._seen: dict[str, str] = {}
        self._directory = directory
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
        )

    def run(self, command: Command) -> None:
        """Raises `AssertionError` where it fails, or says something else than the page shows."""
        text = self._here(command.text)
        if text.endswith("&"):
            log = self._directory / "background.log"
            self._say(f"{text[:-1]} >>{log} 2>&1 &\n")
            self._await(text, log)
            return
        self._say(f"{{ {text}\n}} </dev/null\n")  # else a command that reads would read the next ones
        code, said = self._answer()
        for found in _ID.finditer(said):
            self._seen[found[1]] = found[0]
        for word, here in self._standing.items():
            said = said.replace(here, word)
        refused = command.says is not None and re.search(r"^([45]\d\d |Error|Refused)", command.says, re.MULTILINE)
        assert refused or code == 0, f"{command.where}\nended with {code} and said\n{said}\n\nit was\n{text}"
        if command.says is not None:
            assert re.fullmatch(_pattern(command.says), _level(said), re.DOTALL), (
                f"{command.where}\nsaid\n{said}\nand not\n{command.says}"
            )

    def close(self) -> None:
        """End the shell and all that it started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._say("kill $(jobs -p) 2>/dev/null; wait; exit\n")
            self._process.wait(DEADLINE / 2)
        except (OSError, subprocess.TimeoutExpired):
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(DEADLINE)
            self._process.stdin.close()
            self._process.stdout.close()

    def _here(self, text: str) -> str:
        """The command with this run's ports and the ids that the page has shown so far."""
        text = _STANDS_FOR.sub(lambda found: self._seen.get(found[1], found[0]), text)
        for word, here in self._standing.items():
            text = text.replace(word, here)
        return text

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def _answer(self) -> tuple[int, str]:
        assert self._process.stdout is not None
        end = f"end-{time.monotonic_ns()}"
        self._say(f'printf "\\n{end} %d\\n" $?\n')
        said, until = b"", time.monotonic() + DEADLINE
        while not (found := re.search(rf"\n{end} (\d+)\n".encode(), said)):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
            more = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            assert more, f"the shell said no more than\n{said.decode()}"
            said += more
        return int(found[1]), said[: found.start()].decode()

    def _await(self, text: str, log: Path) -> None:
        """A server is there once it answers; a worker once it says so."""
        address = re.search(r"(--bind \S+:|--port )(\d+)", text)
        if address is None:
            return
        until = time.monotonic() + DEADLINE
        while True:
            try:
                requests.get(f"http://127.0.0.1:{address[2]}/healthz", timeout=5)
            except requests.RequestException:
                time.sleep(0.02)
            else:
                return
            assert time.monotonic() < until, f"{text} did not come up:\n{log.read_text()}"


def _level(text: str) -> str:
    """Without the log, and what depends on lengths: runs of blanks and of a table's lines."""
    text = re.sub(r'^(\d\d:\d\d:\d\d (info|warning) |{"time": ).*\n', "", text, flags=re.MULTILINE)
    return re.sub(r"([━─])\1+", r"\1", re.sub(r"[ \t]+", " ", text)).strip()


def _pattern(text: str) -> str:
    """`…` stands for anything within a line, and a line of it alone for any lines."""
    lines = re.split(r"(?:^|\n)[ \t]*…[ \t]*(?:\n|$)", _level(text))
    return r"(?:.*\n|.*)".join("[^\n]*".join(re.escape(part) for part in each.split("…")) for each in lines)


def shim(directory: Path, socket: Path) -> None:
    """Write the `connector` that the pages' shells find first: short commands go to the warm process."""
    warm = Path(__file__).with_name("warm.py")
    path = directory / "connector"
    path.write_text(
        "#!/bin/sh\n"
        f'case "$1" in serve|worker|sandbox|demo) exec {sys.executable} -m connector "$@";; esac\n'
        f'exec {sys.executable} -I -S {warm} {socket} "$@"\n'
    )
    path.chmod(0o755)
