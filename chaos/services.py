"""The processes of a run: the receiver that dies, LaunchDarkly's stand-in, a PostgreSQL of the run's own.

Every process is started here, is known by its id, and is ended here. It must never know what is sent or expected.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import requests

_START = 60.0
"""Seconds that a process may take to be ready on a busy machine."""


_ORPHANED = 0.5
"""Seconds that workers live on without their master."""

CONNECTOR = (sys.executable, "-m", "connector")

# As LaunchDarkly does, every answer tells a limit; these are too high to be reached, so that only faults refuse.
_LIMITS = ("--global-limit", "1000", "--route-limit", "1000", "--token-limit", "1000")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LAUNCHDARKLY_"))}
    return kept | dict(extra)


def command(environment: Mapping[str, str], *arguments: str) -> str:
    """What a command of the connector prints. Raises `CalledProcessError`."""
    return subprocess.run(
        [*CONNECTOR, *arguments],
        env=_environment(environment),
        check=True,
        capture_output=True,
        text=True,
        timeout=_START,
    ).stdout


class Service:
    """A command in a process group of its own, which writes to `log`; it is `ready` when that page says so."""

    def __init__(self, environment: Mapping[str, str], log: Path, ready: str | None, *command: str) -> None:
        self._environment = _environment(environment)
        self._log: IO[bytes] = log.open("ab")
        self._ready = ready
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: list[int] = []

    def ensure(self) -> None:
        """Start it where it does not run."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
            self._groups.append(self._process.pid)

    def wait(self) -> None:
        """Wait until it answers. Raises `TimeoutError`."""
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            self.ensure()
            if self._ready is None:
                return
            with suppress(requests.RequestException):
                if requests.get(self._ready, timeout=5).ok:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"{self._ready} did not answer with success; see {self._log.name}")

    def workers(self) -> list[int]:
        if self._process is None or self._process.poll() is not None:
            return []
        try:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        except OSError:
            return []
        return [int(pid) for pid in children.split()]

    def kill(self, whom: str) -> int:
        """Kill -9 the `worker` processes, `all` at once, or the `master` and then, as a supervisor does, what it left.

        Returns how many processes were killed.
        """
        if self._process is None or self._process.poll() is not None:
            return 0
        workers = self.workers()
        if whom == "worker":
            for pid in workers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return len(workers)
        if whom == "master":
            self._process.kill()
            time.sleep(_ORPHANED)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return 1 + len(workers)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(40)
        for group in self._groups:  # a worker whose master was killed may be left
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        self._log.close()


class FullDisk:
    """No file of these processes can grow while it is entered: what writes gets EFBIG, as it gets ENOSPC when full."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids

    def _limit(self, size: int) -> None:
        for pid in self._pids:
            with suppress(ProcessLookupError):
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    def __enter__(self) -> None:
        self._limit(1)

    def __exit__(self, *_: object) -> None:
        self._limit(resource.RLIM_INFINITY)


class Sandbox:
    """LaunchDarkly's stand-in, with a project for each connection."""

    def __init__(self, directory: Path, projects: Sequence[str], seed: int) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = [option for project in projects for option in ("--project", project)]
        self.service = Service(
            {},
            directory / "sandbox.log",
            f"{self.url}/sandbox/",
            *(*CONNECTOR, "sandbox", "--port", str(port), "--seed", str(seed), *_LIMITS, *options),
        )

    def play(self, faults: Sequence[Mapping[str, Any]]) -> None:
        requests.put(f"{self.url}/sandbox/faults", json=list(faults), timeout=30).raise_for_status()

    def struck(self) -> dict[str, int]:
        """How often each fault struck."""
        return {fault["kind"]: fault["struck"] for fault in self._get("faults").json()}

    def calls(self) -> int:
        return int(self._get("requests?since=999999999").headers["X-Sandbox-Next"])

    def metrics(self, project: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(f"metrics/{project}").json()
        return found

    def _get(self, page: str) -> requests.Response:
        answer = requests.get(f"{self.url}/sandbox/{page}", timeout=60)
        answer.raise_for_status()
        return answer


class Postgres:
    """A PostgreSQL cluster of the run's own, on a port of its own. It refuses root, so root lends it a user."""

    def __init__(self, directory: Path) -> None:
        found = shutil.which("pg_ctl") or next(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))), None)
        if found is None:
            raise FileNotFoundError("pg_ctl is not installed: install PostgreSQL, or run with --store sqlite")
        self._bin = Path(found).parent
        self._data = directory / "postgres"
        self._data.mkdir()
        self._port = free_port()
        self._as: list[str] = []
        if os.geteuid() == 0:
            directory.chmod(0o755)
            shutil.chown(self._data, "postgres", "postgres")
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self._run("initdb", "--auth=trust", "--username=chaos", "--encoding=UTF8")
        self._run("pg_ctl", "--wait", "--log", str(self._data / "log"), "--options", self._options(), "start")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://chaos@127.0.0.1:{self._port}/postgres"

    def restart(self) -> None:
        """As after a crash: no connection is closed properly, and it has to recover."""
        self._run("pg_ctl", "--wait", "--mode", "immediate", "--log", str(self._data / "log"), "restart")

    def stop(self) -> None:
        self._run("pg_ctl", "--wait", "--mode", "immediate", "stop")

    def _options(self) -> str:
        return f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._data}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / program), "--pgdata", str(self._data), *arguments]
        # Its output goes nowhere: the server would inherit a pipe and keep it open.
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_START, cwd=self._data
        )


class Redis:
    """A Redis of the run's own, on a port of its own, that keeps nothing over a restart."""

    def __init__(self, directory: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        command = ("redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(directory))
        self.service = Service({}, directory / "redis.log", None, *command)
        self.service.ensure()
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        raise TimeoutError("redis-server did not start")

    def restart(self) -> None:
        """Kill it, and start it again a while after."""
        self.service.kill("all")
        time.sleep(2.0)
        self.service.ensure()


def connect(environment: Mapping[str, str], sandbox: str, project: str) -> tuple[str, str]:
    """Add a connection as an operator does; its webhook URL and secret."""
    options = ("--name", project, "--project", project, "--base-url", sandbox, "--api-key", "api-demo", "--json")
    added = json.loads(command(environment, "connections", "add", *options))
    return added["webhook_url"], added["secret"]
