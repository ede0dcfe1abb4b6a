"""`connector serve`: gunicorn with the connector's settings."""

from __future__ import annotations

import os
import sys

import click

from connector.cli.output import opened


@click.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A gunicorn configuration file instead.")
def serve(bind: str, config: str | None) -> None:
    """Serve the webhooks: one process with threads, stopped by SIGTERM once it has finished what is under way."""
    # What is wrong with the settings is said here, before gunicorn wraps it into a traceback of its own.
    with opened() as installation:
        installation.connections.put_environment(installation.settings.environment_connection)
    os.execv(  # noqa: S606 - gunicorn replaces this process, so that signals reach it
        sys.executable,
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            config or "python:connector.web.gunicorn_settings",
            "--bind",
            bind,
            "connector.app:create_app()",
        ],
    )
