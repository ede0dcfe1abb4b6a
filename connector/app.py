"""`create_app` wires the rooms, nothing else."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from typing import IO

from flask import Flask

from connector import logs
from connector.delivery import EmbeddedRunner, Runner
from connector.delivery.celery_runner import Bell, CeleryRunner, celery_app
from connector.installation import Installation, applying, open_installation
from connector.settings import Settings
from connector.web import health, problems, webhooks
from connector.web.directory import Directory
from connector.web.receiving import Receiving


@dataclass(frozen=True, slots=True)
class Wired:
    """What the app holds open: `app.extensions["connector"]`. Close it when the process ends."""

    installation: Installation
    runner: Runner
    lock: IO[str] | None

    def close(self) -> None:
        self.runner.stop()
        self.installation.close()
        if self.lock is not None:
            self.lock.close()


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application, ready to serve, with its runner started.

    Raises `SettingsError`, or what `open_installation` and `Connections.put_environment` raise, each with a sentence
    that says what to do.
    """
    settings = settings or Settings.from_environment()
    logs.set_up(settings.log_format)
    installation = open_installation(settings)
    installation.connections.put_environment(settings.environment_connection)
    lock = _sole_runner(settings)
    runner = _runner(installation, sole=lock is not None)
    runner.start()

    app = web_app(installation, runner)
    app.extensions["connector"] = Wired(installation, runner, lock)
    return app


def web_app(installation: Installation, runner: Runner) -> Flask:
    """The routes of an installation whose inbox `runner` applies."""
    settings = installation.settings
    app = Flask("connector", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # answers read in the order in which the docs explain them
    problems.install(app)
    app.register_blueprint(health.blueprint(installation.database, runner.health))
    app.register_blueprint(
        webhooks.blueprint(
            webhooks.Webhooks(
                installation.database,
                Directory(
                    installation.database, installation.vault, installation.partners, fresh=settings.cache_seconds
                ),
                Receiving(max_body=settings.max_body, endpoint_rate=settings.endpoint_rate),
                runner,
                respond_within=settings.respond_within,
                threads=settings.threads,
            )
        )
    )
    return app


def _runner(installation: Installation, *, sole: bool) -> Runner:
    """Threads of this process apply the changes, or, where there is a broker, workers elsewhere."""
    settings, database = installation.settings, installation.database
    if settings.broker_url is not None:
        bell = Bell(celery_app(settings.broker_url, settings.broker_queue))
        return CeleryRunner(database, bell, seen_within=settings.take_over_after)
    return EmbeddedRunner(
        database,
        applying(installation),
        threads=max(2, settings.threads // 2),
        sole=sole,
        take_over_after=None if settings.sqlite else settings.take_over_after,
    )


def _sole_runner(settings: Settings) -> IO[str] | None:
    """A lock that only one process on a SQLite file can hold; it falls with the process, however that ends."""
    if not settings.sqlite:
        return None
    lock = (settings.instance / "runner.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
