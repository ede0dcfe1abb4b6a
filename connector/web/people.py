"""What people and their programs use: the console, the set-up page, the management API, the pages of the errors.

An app of its own, behind the one that takes the webhooks. It wires, nothing else.
"""

from __future__ import annotations

from flask import Flask

from connector.delivery import Runner
from connector.installation import Installation, clients, oauth_client
from connector.oauth_flows import OAuthFlows
from connector.setup_links import SetupLinks
from connector.web import api, console, errors, pages, problems, setup
from connector.web.console.desk import Desk
from connector.web.console.session import Sessions
from connector.web.pages.forms import Forms
from connector.web.setup import SetupPage
from connector.web.setup.consent import Consent
from connector.web.webhooks import Webhooks


def people_app(installation: Installation, runner: Runner, receiver: Webhooks) -> Flask:
    """The routes beside the webhooks of `receiver`."""
    app = Flask("connector", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # answers read in the order in which the docs explain them
    problems.install(app)
    app.register_blueprint(errors.blueprint())
    _install_pages(app, installation, runner, receiver)
    api.install(app, installation, runner)
    return app


def _install_pages(app: Flask, installation: Installation, runner: Runner, receiver: Webhooks) -> None:
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
