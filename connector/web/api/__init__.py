"""The management API under `/api/v1`: all that the command line can do, for a partner's own back end.

Every route is behind the operator's token; its document is open to everybody, as it says nothing of an installation.
"""

from __future__ import annotations

from flask import Flask

from connector.delivery import Runner
from connector.installation import Installation
from connector.web.api import connections, deliveries, document, event_types, pages, partners, replays, rules, syncs
from connector.web.api.access import Access


def install(app: Flask, installation: Installation, runner: Runner) -> None:
    access = Access(installation.settings.admin_token)
    api = document.api(app, installation.settings.base_url)
    for resource in (
        connections.resource(installation, access),
        event_types.resource(installation, access),
        rules.resource(installation, access),
        deliveries.resource(installation, runner, access),
        replays.resource(installation, runner, access),
        syncs.resource(installation, runner, access),
        partners.resource(installation, access),
    ):
        api.register_blueprint(resource)
    app.register_blueprint(pages.blueprint(document.complete(api.spec)))
