"""Serves a sandbox over HTTP with gunicorn, in the foreground. It must never know what a sandbox answers."""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from connector.sandbox.app import create_sandbox
from connector.sandbox.config import SandboxConfig


def serve(config: SandboxConfig, host: str, port: int, *, threads: int = 32) -> None:
    """Serve until SIGTERM or SIGINT, which let a call under way finish within a second.

    Prints one line with the URL once it accepts calls; port 0 takes a free port. A held or slow answer occupies one of
    `threads`. A port in use ends the process with exit status 1.
    """
    _Server(config, host, port, threads).run()


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, config: SandboxConfig, host: str, port: int, threads: int) -> None:
        self._config = config
        self._options = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            # All that a sandbox remembers is in its one process, which must therefore not be restarted for slowness.
            "workers": 1,
            "timeout": 0,
            "worker_class": "gthread",
            "threads": threads,
            "keepalive": 75,
            "graceful_timeout": 1,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": _announce,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_sandbox(self._config)


def _announce(worker: Any) -> None:
    host, port = worker.sockets[0].getsockname()[:2]
    sys.stdout.write(f"sandbox ready at http://{f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stdout.flush()
