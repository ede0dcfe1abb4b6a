"""`create_app` wires the rooms, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from flask import Flask

from connector import logs, tracing
from connector.delivery import Runner
from connector.delivery.duties import Duties
from connector.installation import Installation, clients, duties, oauth_client, open_installation
from connector.oauth_flows import OAuthFlows
from connector.running import new_runner, sole_runner
from connector.settings import Settings
from connector.setup_links import SetupLinks
from connector.web import api, console, errors, health, metrics, pages, problems, setup, webhooks
from connector.web.console.desk import Desk
from connector.web.console.session import Sessions
from connector.web.directory import Directory
from connector.web.pages.forms import Forms
from connector.web.receiving import Receiving
from connector.web.setup import SetupPage
from connector.web.setup.consent import Consent


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
    """The routes of an installation whose inbox `runner` applies."""
    settings = installation.settings
    app = Flask("connector", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # answers read in the order in which the docs explain them
    problems.install(app)
    app.register_blueprint(health.blueprint(installation.database, runner.health))
    app.register_blueprint(metrics.blueprint(installation.database, runner.health, token=settings.metrics_token))
    receiver = webhooks.Webhooks(
        installation.database,
        Directory(installation.database, installation.vault, installation.partners, fresh=settings.cache_seconds),
        Receiving(max_body=settings.max_body, endpoint_rate=settings.endpoint_rate),
        runner,
        respond_within=settings.respond_within,
        threads=settings.threads,
    )
    app.register_blueprint(webhooks.blueprint(receiver))
    app.wsgi_app = webhooks.Shortcut(app.wsgi_app, receiver)  # type: ignore[method-assign]
    app.register_blueprint(errors.blueprint())
    _install_pages(app, installation, runner, receiver)
    api.install(app, installation, runner)
    return app


def _install_pages(app: Flask, installation: Installation, runner: Runner, receiver: webhooks.Webhooks) -> None:
    """The pages for people: the operator's console and the customers' set-up page."""
    settings, database, vault = installation.settings, installation.database, installation.vault
    secure = settings.base_url.startswith("https://")
    forms, calling = Forms(vault, secure=secure), clients(settings)
    links = SetupLinks(database, vault, base_url=settings.base_url)
    sessions = Sessions(database, vault, settings.admin_token, secure=secure)
    pages.install(app)
    app.register_blueprint(console.blueprint(Desk(installation, runner, receiver, links, calling), sessions, forms))
    oauth = oauth_client(settings)
    consent = None if oauth is None else Consent(oauth, OAuthFlows(database, vault, links), secure=secure)
    page = SetupPage(links, calling, installation.partners, runner, consent, title=settings.title)
    app.register_blueprint(setup.blueprint(page, forms))
