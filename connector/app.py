"""`create_app` wires the rooms, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from flask import Flask

from connector import logs, tracing
from connector.delivery import Runner
from connector.delivery.duties import Duties
from connector.installation import Installation, duties, open_installation
from connector.running import new_runner, sole_runner
from connector.settings import Settings
from connector.web import health, metrics, problems, webhooks
from connector.web.directory import Directory
from connector.web.late import Late
from connector.web.receiving import Receiving


@dataclass(frozen=True, slots=True)
class Wired:
    """What the app holds open: `app.extensions["connector"]`. Close it when the process ends."""

    installation: Installation
    runner: Runner
    duties: Duties
    lock: IO[str] | None
    end_tracing: Callable[[], None]

    def close(self) -> None:
        self.duties.stop()
        self.runner.stop()
        self.installation.close()
        if self.lock is not None:
            self.lock.close()
        self.end_tracing()


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application, ready to serve, with its runner started.

    Raises `SettingsError`, or what `open_installation` and `Connections.put_environment` raise, each with a sentence
    that says what to do.
    """
    settings = settings or Settings.from_environment()
    logs.set_up(settings.log_format)
    installation = open_installation(settings)
    installation.connections.put_environment(settings.environment_connection)
    lock = sole_runner(settings)
    runner = new_runner(installation, sole=lock is not None)
    runner.start()
    periodic = Duties(installation.database, duties(installation))
    periodic.start()

    app = web_app(installation, runner)
    app.extensions["connector"] = Wired(installation, runner, periodic, lock, tracing.set_up())
    return app


def web_app(installation: Installation, runner: Runner) -> Flask:
    """The routes of an installation whose inbox `runner` applies.

    Those that machines call are there at once. Behind them are those that people use, made when the first is asked for.
    """
    settings = installation.settings
    app = Flask("connector", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # answers read in the order in which the docs explain them
    problems.install(app)
    receiver = webhooks.Webhooks(
        installation.database,
        Directory(installation.database, installation.vault, installation.partners, fresh=settings.cache_seconds),
        Receiving(max_body=settings.max_body, endpoint_rate=settings.endpoint_rate),
        runner,
        respond_within=settings.respond_within,
        threads=settings.threads,
    )
    app.register_blueprint(webhooks.blueprint(receiver))
    app.register_blueprint(health.blueprint(installation.database, runner.health))
    app.register_blueprint(metrics.blueprint(installation.database, runner.health, token=settings.metrics_token))

    def people() -> Flask:
        from connector.web.people import people_app  # noqa: PLC0415 - a quarter of what a start would take

        return people_app(installation, runner, receiver)

    own = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()}
    app.extensions["late"] = late = Late(app.wsgi_app, own, people)
    # As Flask's documentation of WSGI middleware advises.
    app.wsgi_app = webhooks.Shortcut(late, receiver)  # type: ignore[method-assign]
    return app
