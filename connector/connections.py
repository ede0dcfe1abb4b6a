"""How a customer is connected: every value judged before it is stored, the secrets shown once.

The one place where an endpoint and a connection come to be, whether from the CLI, the API or the environment.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection as Tx

from connector.launchdarkly import DEFAULT_BASE_URL, check_api_key, check_base_url, check_oauth_token
from connector.partners import Partners, Webhook
from connector.policy import Rules, Source
from connector.settings import EnvironmentConnection, SettingsError
from connector.store import connections, endpoints, grants, idempotency, linked, reconciles
from connector.store.connections import Connection, ConnectionState, Options
from connector.store.database import Database
from connector.store.endpoints import Endpoint
from connector.store.idempotency import Once
from connector.store.rows import new_id
from connector.store.vault import Vault

DEFAULT = "default"
"""The id of the endpoint and the connection that live in the environment."""

LONGEST_RULES = 30_000
"""Characters of a connection's own rules that may be entered."""

OVERLAP = 24 * 3600.0
"""Seconds that the secret before a rotation still verifies."""


WAITING = "waiting_for_key"
"""The `state_code` of a paused connection that has no key yet: what arrives is kept until its customer gives one."""


class ConnectionRefused(ValueError):
    """A value that no connection can have; the sentence says what to do."""

    code = "connection_refused"


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection to be. Without `endpoint` it gets its own, without `secret` one that is made for it.

    Without `credential` it waits for one, and may do without a project key until then: see `setup_links`.
    """

    name: str
    partner: str
    project_key: str = ""
    credential: str | None = field(default=None, repr=False)
    base_url: str = DEFAULT_BASE_URL
    endpoint: str | None = None
    workspace: str | None = None
    shared: bool = False
    secret: str | None = field(default=None, repr=False)
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Added:
    """`secret` is shown to a person once and is not to be had again.

    None where the endpoint was there before, or where the partner sends no webhooks.
    """

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

    def add(self, new: NewConnection, once: Once | None = None) -> Added:
        """Raises `UnknownPartner`, `SecretRefused`, `CredentialRefused`, `PolicyError` or `ConnectionRefused`."""
        webhook = self._partners.get(new.partner).webhook
        _check_new(new, webhook)
        now = self._clock()
        made = Endpoint(id=new_id("ep", now), partner=new.partner, shared=new.shared)
        secret = None if webhook is None else new.secret or webhook.scheme.generate_secret()
        if webhook is not None and secret is not None:
            webhook.scheme.check_secret(secret)
        connection = Connection(
            id=new_id("con", now),
            endpoint_id=new.endpoint or made.id,
            name=new.name.strip(),
            project_key=new.project_key,
            base_url=check_base_url(new.base_url),
            workspace=new.workspace,
            options=new.options,
        )
        if new.credential is None:
            reason = "The customer has not given a LaunchDarkly API key yet: send them a set-up link."
            connection = replace(connection, state=ConnectionState.PAUSED, state_code=WAITING, state_reason=reason)

        def write(tx: Tx) -> Added:
            earlier = None if once is None else idempotency.earlier(tx, self._vault, once, now=now)
            if earlier is not None:
                return self._added_before(tx, earlier, own_endpoint=new.endpoint is None, now=now)
            endpoint = _usable(made if new.endpoint is None else endpoints.get(tx, new.endpoint), new)
            if new.endpoint is None:
                endpoints.add(tx, endpoint, now=now)
            if new.endpoint is None and secret is not None:
                endpoints.add_secret(tx, self._vault, endpoint.id, secret, now=now)
            connections.add(tx, self._vault, connection, new.credential or "", now=now)
            connections.set_state(
                tx, connection.id, connection.state, code=connection.state_code, reason=connection.state_reason
            )
            if once is not None:
                idempotency.remember(tx, self._vault, once, connection.id, now=now)
            return Added(connection, secret if new.endpoint is None else None)

        return self._database.write(write)

    def _added_before(self, tx: Tx, connection_id: str, *, own_endpoint: bool, now: float) -> Added:
        connection = connections.get(tx, connection_id)
        if connection is None:
            raise LookupError(f"the connection {connection_id} is gone")
        found = endpoints.secrets(tx, self._vault, connection.endpoint_id, now=now) if own_endpoint else ()
        return Added(connection, next(iter(found), None))

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

    def set_key(self, connection: Connection, credential: str, *, expires_at: float | None = None) -> None:
        """Store another credential, and resume the connection with all that waited.

        What a customer connected by OAuth becomes a connection by API key. `expires_at` (unix seconds) is when the key
        ends, where that is known already; else the daily check of keys finds it.
        """
        _check_not_removed(connection)
        check_project(connection.project_key)
        with self._database.read() as tx:
            consented = grants.get(tx, connection.id) is not None
        options = replace(connection.options, oauth=connection.options.oauth and not consented)
        (check_oauth_token if options.oauth else check_api_key)(credential)

        def write(tx: Tx) -> None:
            expiry = None if options.oauth else expires_at
            connections.set_credential(tx, self._vault, connection.id, credential, expires_at=expiry)
            if consented:
                connections.save(tx, replace(connection, options=options))
            connections.set_state(tx, connection.id, ConnectionState.ACTIVE)
            reconciles.due_now(tx, connection.id, now=self._clock())  # the new key may see another LaunchDarkly

        self._database.write(write)

    def change(
        self,
        connection: Connection,
        *,
        name: str | None = None,
        project_key: str | None = None,
        base_url: str | None = None,
        workspace: str | None = None,
        options: Options | None = None,
    ) -> Connection:
        """Change what is given; an empty `workspace` takes it away. Raises `PolicyError` or `ConnectionRefused`.

        Another project or LaunchDarkly instance is refused once there are metrics: theirs would be left behind.
        """
        _check_not_removed(connection)
        changed = replace(
            connection,
            name=connection.name if name is None else name.strip(),
            project_key=connection.project_key if project_key is None else project_key,
            base_url=connection.base_url if base_url is None else check_base_url(base_url),
            workspace=connection.workspace if workspace is None else workspace or None,
            options=connection.options if options is None else replace(options, oauth=connection.options.oauth),
        )
        _check_name(changed.name)
        _check_text("workspace", changed.workspace or "")
        if changed.project_key or connection.project_key:
            check_project(changed.project_key)

        def write(tx: Tx) -> Connection:
            endpoint = endpoints.get(tx, connection.endpoint_id)
            if endpoint is None or endpoint.origin == "environment":
                raise ConnectionRefused("The connection `default` is of the environment: change it there and restart.")
            _check_options(endpoint.partner, changed.options)
            if endpoint.shared and not changed.workspace:
                raise ConnectionRefused("On a shared endpoint a connection needs its workspace at the partner.")
            elsewhere = (changed.project_key, changed.base_url) != (connection.project_key, connection.base_url)
            if elsewhere and linked.any_link(tx, connection.id):
                raise ConnectionRefused(
                    f"{connection.name!r} has metrics in the project {connection.project_key!r}: add another "
                    "connection for another project, and remove this one."
                )
            connections.save(tx, changed)
            return changed

        return self._database.write(write)

    def pause(self, connection: Connection, reason: str = "A person paused it.") -> None:
        """Let everything wait until `resume`; webhooks are still accepted."""
        _check_not_removed(connection)
        _check_text("reason", reason)
        self._database.write(
            lambda tx: connections.set_state(
                tx, connection.id, ConnectionState.PAUSED, code="paused_by_person", reason=reason
            )
        )

    def resume(self, connection: Connection) -> None:
        """Go on with all that waited, whatever the connection was paused for."""
        _check_not_removed(connection)

        def write(tx: Tx) -> None:
            if not self._vault.decrypt(connections.stored_credential(tx, connection.id)):
                raise ConnectionRefused(f"{connection.name!r} has no LaunchDarkly API key yet: set one to resume it.")
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
        "LAUNCHDARKLY_PROJECT_KEY": lambda: check_project(environment.project_key),
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


def _check_new(new: NewConnection, webhook: Webhook | None) -> None:
    if new.credential is not None or new.project_key:
        check_project(new.project_key)
    _check_options(new.partner, new.options)
    _check_name(new.name)
    _check_text("workspace", new.workspace or "")
    if new.endpoint is not None and new.secret is not None:
        raise ConnectionRefused(f"The endpoint {new.endpoint} has its secret; leave it out, or rotate it.")
    if webhook is None and (new.secret is not None or new.shared):
        raise ConnectionRefused(f"{new.partner} sends no webhooks: there is no secret, and no endpoint to share.")
    if new.credential is not None:
        (check_oauth_token if new.options.oauth else check_api_key)(new.credential)


def _usable(endpoint: Endpoint | None, new: NewConnection) -> Endpoint:
    if endpoint is None or endpoint.removed:
        raise ConnectionRefused(f"There is no endpoint {new.endpoint!r}; leave it out to make a new one.")
    if endpoint.partner != new.partner:
        raise ConnectionRefused(f"The endpoint {endpoint.id} is for {endpoint.partner}, not {new.partner}.")
    if endpoint.shared and not new.workspace:
        raise ConnectionRefused("On a shared endpoint a connection needs its workspace at the partner.")
    return endpoint


def _check_name(name: str) -> None:
    if not name.strip():
        raise ConnectionRefused("A connection needs a name, such as the customer's.")
    _check_text("name", name)


def _check_text(what: str, text: str) -> None:
    # PostgreSQL stores no NUL, UTF-8 no half of a surrogate pair, and a terminal obeys the rest.
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ConnectionRefused(f"The {what} contains control characters: enter it again, without any.")


def _check_not_removed(connection: Connection) -> None:
    if connection.state is ConnectionState.REMOVED:
        raise ConnectionRefused(f"The connection {connection.name!r} is removed; add it again.")


def check_project(key: str) -> None:
    """Raises `ConnectionRefused` for what cannot be the key of a LaunchDarkly project."""
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
