"""How a customer is connected: every value judged before it is stored, the secrets shown once.

The one place where an endpoint and a connection come to be, whether from the CLI, the API or the environment.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection as Tx

from connector.launchdarkly import DEFAULT_BASE_URL, check_api_key, check_base_url, check_oauth_token
from connector.partners import Partners, Webhook
from connector.policy import Rules, Source
from connector.settings import EnvironmentConnection, SettingsError
from connector.store import connections, endpoints
from connector.store.connections import Connection, ConnectionState, Options
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.rows import new_id
from connector.store.vault import Vault

DEFAULT = "default"
"""The id of the endpoint and the connection that live in the environment."""

OVERLAP = 24 * 3600.0
"""Seconds that the secret before a rotation still verifies."""


class ConnectionRefused(ValueError):
    """A value that no connection can have; the sentence says what to do."""

    code = "connection_refused"


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection to be. Without `endpoint` it gets its own, without `secret` one that is made for it."""

    name: str
    partner: str
    project_key: str
    credential: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL
    endpoint: str | None = None
    workspace: str | None = None
    shared: bool = False
    secret: str | None = field(default=None, repr=False)
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Added:
    """`secret` is shown to a person once and is not to be had again; None where the endpoint was there before."""

    connection: Connection
    secret: str | None = field(repr=False)


class Connections:
    """Adds, changes and removes connections. Every method is one durable transaction."""

    def __init__(
        self, database: Database, vault: Vault, partners: Partners, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._vault = vault
        self._partners = partners
        self._clock = clock

    def add(self, new: NewConnection) -> Added:
        """Raises `UnknownPartner`, `SecretRefused`, `CredentialRefused`, `PolicyError` or `ConnectionRefused`."""
        scheme = self._webhook(new.partner).scheme
        _check_project(new.project_key)
        _check_options(new.partner, new.options)
        if not new.name.strip():
            raise ConnectionRefused("A connection needs a name, such as the customer's.")
        _check_text("name", new.name)
        _check_text("workspace", new.workspace or "")
        if new.endpoint is not None and new.secret is not None:
            raise ConnectionRefused(f"The endpoint {new.endpoint} has its secret; leave it out, or rotate it.")
        (check_oauth_token if new.options.oauth else check_api_key)(new.credential)
        now = self._clock()
        made = Endpoint(id=new_id("ep", now), partner=new.partner, shared=new.shared)
        secret = new.secret or scheme.generate_secret()
        scheme.check_secret(secret)
        connection = Connection(
            id=new_id("con", now),
            endpoint_id=new.endpoint or made.id,
            name=new.name.strip(),
            project_key=new.project_key,
            base_url=check_base_url(new.base_url),
            workspace=new.workspace,
            options=new.options,
        )

        def write(tx: Tx) -> Added:
            endpoint = made if new.endpoint is None else endpoints.get(tx, new.endpoint)
            if endpoint is None or endpoint.removed:
                raise ConnectionRefused(f"There is no endpoint {new.endpoint!r}; leave it out to make a new one.")
            if endpoint.partner != new.partner:
                raise ConnectionRefused(f"The endpoint {endpoint.id} is for {endpoint.partner}, not {new.partner}.")
            if endpoint.shared and not new.workspace:
                raise ConnectionRefused("On a shared endpoint a connection needs its workspace at the partner.")
            if new.endpoint is None:
                endpoints.add(tx, endpoint, now=now)
                endpoints.add_secret(tx, self._vault, endpoint.id, secret, now=now)
            connections.add(tx, self._vault, connection, new.credential, now=now)
            return Added(connection, secret if new.endpoint is None else None)

        return self._database.write(write)

    def put_environment(self, environment: EnvironmentConnection | None) -> None:
        """Make `default` what the environment says, or remove it where the environment says nothing.

        Raises `SettingsError` that names every wrong value.
        """
        if environment is None:
            self._database.write(self._remove_environment)
            return
        connection = environment_connection(environment, self._partners)
        now = self._clock()

        def write(tx: Tx) -> None:
            endpoint = Endpoint(id=DEFAULT, partner=environment.partner, origin="environment")
            endpoints.put_environment(tx, endpoint, now=now)
            endpoints.add_secret(tx, self._vault, DEFAULT, environment.webhook_secret, now=now)
            connections.put_environment(tx, self._vault, connection, environment.api_key, now=now)

        self._database.write(write)

    def _webhook(self, name: str) -> Webhook:
        return _webhook(self._partners, name)

    def _remove_environment(self, tx: Tx) -> None:
        endpoint = endpoints.get(tx, DEFAULT)
        if endpoint is not None and endpoint.origin == "environment" and not endpoint.removed:
            endpoints.remove(tx, DEFAULT, now=self._clock())
            connections.remove(tx, self._vault, DEFAULT, now=self._clock())

    def set_key(self, connection: Connection, credential: str) -> None:
        """Store another credential, and resume the connection with all that waited."""
        _check_not_removed(connection)
        (check_oauth_token if connection.options.oauth else check_api_key)(credential)

        def write(tx: Tx) -> None:
            connections.set_credential(tx, self._vault, connection.id, credential)
            connections.set_state(tx, connection.id, ConnectionState.ACTIVE)

        self._database.write(write)

    def set_source(self, connection: Connection, credential: Mapping[str, str]) -> None:
        """Store what opens the partner's list API. Raises `ConnectionRefused` for a field too many or too few."""
        _check_not_removed(connection)
        with self._database.read() as tx:
            endpoint = endpoints.get(tx, connection.endpoint_id)
        list_api = None if endpoint is None else self._partners.get(endpoint.partner).list_api
        if list_api is None:
            raise ConnectionRefused(f"The partner of {connection.name!r} has no list API that we can ask.")
        wanted = {field.name: field for field in list_api.credential}
        complete = {name: field.default for name, field in wanted.items() if field.default is not None} | dict(
            credential
        )
        wrong = [f"{name} is not one of them" for name in complete if name not in wanted]
        wrong += [f"{name} ({field.label}) is missing" for name, field in wanted.items() if not complete.get(name)]
        if wrong:
            raise ConnectionRefused(f"The list API wants {', '.join(wanted)}: {'; '.join(wrong)}.")
        self._database.write(lambda tx: connections.set_source(tx, self._vault, connection.id, complete))

    def rotate_secret(self, connection: Connection, secret: str | None = None, *, overlap: float = OVERLAP) -> str:
        """A new webhook secret for the connection's endpoint; the one before verifies for `overlap` more seconds."""
        now = self._clock()
        with self._database.read() as tx:
            endpoint = endpoints.get(tx, connection.endpoint_id)
        if endpoint is None or endpoint.removed:
            raise ConnectionRefused(f"The endpoint of {connection.name!r} is removed.")
        if endpoint.origin == "environment":
            raise ConnectionRefused("The secret of `default` is CONNECTOR_WEBHOOK_SECRET: change it there and restart.")
        scheme = self._webhook(endpoint.partner).scheme
        fresh = secret or scheme.generate_secret()
        scheme.check_secret(fresh)
        self._database.write(
            lambda tx: endpoints.add_secret(tx, self._vault, endpoint.id, fresh, now=now, overlap=overlap)
        )
        return fresh

    def remove(self, connection: Connection) -> None:
        """Forget the credential; an endpoint that nobody uses any more answers 410 from now on."""
        now = self._clock()

        def write(tx: Tx) -> None:
            connections.remove(tx, self._vault, connection.id, now=now)
            if not connections.of_endpoint(tx, connection.endpoint_id):
                endpoints.remove(tx, connection.endpoint_id, now=now)

        self._database.write(write)


def environment_connection(environment: EnvironmentConnection, partners: Partners) -> Connection:
    """The connection of the environment, judged. Raises `SettingsError` that names every wrong value."""
    judges: dict[str, Callable[[], object]] = {
        "CONNECTOR_PARTNER": lambda: _webhook(partners, environment.partner),
        "CONNECTOR_WEBHOOK_SECRET": lambda: _webhook(partners, environment.partner).scheme.check_secret(
            environment.webhook_secret
        ),
        "LAUNCHDARKLY_API_KEY": lambda: check_api_key(environment.api_key),
        "LAUNCHDARKLY_PROJECT_KEY": lambda: _check_project(environment.project_key),
        "LAUNCHDARKLY_BASE_URL": lambda: check_base_url(environment.base_url or DEFAULT_BASE_URL),
    }
    problems = []
    for name, judge in judges.items():
        try:
            judge()
        except ValueError as refused:
            problems.append(f"{name}: {refused}")
    if problems:
        raise SettingsError(list(dict.fromkeys(problems)))
    return Connection(
        id=DEFAULT,
        endpoint_id=DEFAULT,
        name=DEFAULT,
        project_key=environment.project_key,
        base_url=check_base_url(environment.base_url or DEFAULT_BASE_URL),
    )


def _webhook(partners: Partners, name: str) -> Webhook:
    webhook = partners.get(name).webhook
    if webhook is None:
        raise ConnectionRefused(f"{name} sends no webhooks: import its catalogue instead.")
    return webhook


def _check_text(what: str, text: str) -> None:
    # PostgreSQL stores no NUL, UTF-8 no half of a surrogate pair, and a terminal obeys the rest.
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ConnectionRefused(f"The {what} contains control characters: enter it again, without any.")


def _check_not_removed(connection: Connection) -> None:
    if connection.state is ConnectionState.REMOVED:
        raise ConnectionRefused(f"The connection {connection.name!r} is removed; add it again.")


def _check_project(key: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", key):
        raise ConnectionRefused(
            "The LaunchDarkly project key is empty or malformed; find it in LaunchDarkly under Project settings."
        )


def _check_options(partner_name: str, options: Options) -> None:
    Source(
        partner=partner_name,
        partner_title=partner_name,
        key_prefix=options.key_prefix,
        tags=options.tags,
        maintainer_id=options.maintainer_id,
        analysis_units=options.analysis_units,
    )
    if options.rules:
        Rules.parse(options.rules, "the connection's rules")
    if options.on_delete not in {"archive", "delete"}:
        raise ConnectionRefused(f"on_delete is archive or delete, not {options.on_delete!r}.")
