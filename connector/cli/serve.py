"""`connector serve`: gunicorn with the connector's settings."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

_APP = "connector.app"
"""What is served. It wires the rooms, this one among them, which therefore knows its name only."""


@click.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A gunicorn configuration file instead.")
def serve(bind: str, config: str | None) -> None:
    """Serve the webhooks: one process with threads, stopped by SIGTERM once it has finished what is under way."""
    with _uncollected():
        from connector.cli.output import opened

        # What is wrong with the settings is said here, before gunicorn wraps it into a traceback of its own.
        with opened() as installation:
            settings = installation.settings
            installation.connections.put_environment(settings.environment_connection)
        arguments = [
            "--config",
            config or "python:connector.web.gunicorn_settings",
            "--bind",
            bind,
            f"{_APP}:create_app()",
        ]
        if config is not None or settings.workers > 1:
            # A file of one's own may say what has to be said before anything is imported, and so does
            # `gunicorn_settings` where several processes count together.
            os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *arguments])  # noqa: S606 - signals reach it
        from gunicorn.app.wsgiapp import run  # type: ignore[import-untyped]

        importlib.import_module(_APP)  # once, for the master and for the worker that it forks
        gc.freeze()  # the worker's collections then leave alone what it shares with the master
    sys.argv[1:] = arguments
    run(prog="gunicorn")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Imports make much that stays: to look for garbage among it takes a tenth of the start, and finds none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
