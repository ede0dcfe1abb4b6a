"""A really wired app with one customer per test, and the stand-in of LaunchDarkly that the customer's metrics reach.

It must never know a particular partner.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from flask import Flask
from werkzeug.test import TestResponse

from connector.app import Wired
from connector.connections import OVERLAP, Connections, NewConnection
from connector.installation import Installation
from connector.partners import Partner
from connector.sandbox.state import SandboxState
from connector.signatures import public_half
from connector.store.connections import Connection

PROJECT = "demo"
API_KEY = "api-demo"


class Metric(NamedTuple):
    """What must be right of a metric in LaunchDarkly."""

    key: str
    name: str
    event_key: str
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Customer:
    """A connection with an endpoint of its own."""

    app: Flask
    sandbox: SandboxState
    connection: Connection

    def post(
        self, body: bytes, headers: Mapping[str, str], content_type: str | None = "application/json"
    ) -> TestResponse:
        path = f"/webhooks/{self.connection.endpoint_id}"
        return self.app.test_client().post(path, data=body, headers=dict(headers), content_type=content_type)

    def rotate_secret(self, secret: str, *, long_ago: bool = False) -> None:
        """`long_ago`: so that the overlap, in which the secret before still verifies, has just ended."""
        installation = _installation(self.app)
        at = time.time() - (OVERLAP + 1 if long_ago else 0)
        connections = Connections(installation.database, installation.vault, installation.partners, clock=lambda: at)
        connections.rotate_secret(self.connection, public_half(secret))

    def calls(self) -> int:
        """How many calls LaunchDarkly has seen."""
        return self.sandbox.requests.since(0)[1]

    def metrics(self) -> set[Metric]:
        """All metrics of the customer's LaunchDarkly project."""
        return {
            Metric(metric["key"], metric["name"], metric["eventKey"], metric.get("archived", False))
            for metric in self.sandbox.book(PROJECT).all()
        }


@dataclass(frozen=True, slots=True)
class House:
    """The product as it runs, once for all tests. `url` is where it finds LaunchDarkly."""

    app: Flask
    sandbox: SandboxState
    url: str

    def partner(self, name: str) -> Partner:
        return _installation(self.app).partners.get(name)

    def partners(self) -> tuple[str, ...]:
        return _installation(self.app).partners.names()

    def connect(self, partner: str, secret: str) -> Customer:
        new = NewConnection(
            name="customer",
            partner=partner,
            project_key=PROJECT,
            credential=API_KEY,
            base_url=self.url,
            secret=public_half(secret),
        )
        return Customer(self.app, self.sandbox, _installation(self.app).connections.add(new).connection)


def _installation(app: Flask) -> Installation:
    wired: Wired = app.extensions["connector"]
    return wired.installation
