"""One installation, opened: its database with the right schema, its vault with the right keys, its rules.

What `web` and `cli` need alike before they do anything. It must never know which of them asks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as Tx

from connector import __version__, alerts, observing
from connector.alerts import keys, watching
from connector.catalogue import reconciling
from connector.catalogue.reconciling import Reconciler
from connector.catalogue.refreshing import Refresher
from connector.catalogue.syncing import Syncer
from connector.connections import Connections
from connector.delivery import tokens
from connector.delivery.applying import Applier, Clients
from connector.delivery.celery_runner import require_celery
from connector.delivery.duties import Duty
from connector.delivery.tokens import Tokens
from connector.launchdarkly import Call, LaunchDarkly, OAuthClient, Renewing, pooled_session
from connector.partners import MappingRefused, Partner, Partners, built_in
from connector.policy import Rules, RulesError
from connector.settings import Settings
from connector.store import connections, endpoints, schema
from connector.store.connections import Connection
from connector.store.database import Database, StoreUnavailable
from connector.store.inbox import REFRESH, Begin, Settled, Work
from connector.store.reconciles import RECONCILE
from connector.store.syncs import SYNC
from connector.store.vault import Vault, key_file

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Installation:
    settings: Settings
    database: Database
    vault: Vault
    rules: Rules
    rules_text: str | None
    """What `rules` were read from, for people; None where the installation has none."""

    partners: Partners
    connections: Connections

    def close(self) -> None:
        self.database.close()


def open_installation(settings: Settings) -> Installation:
    """Raises `StoreUnavailable`, `SchemaOutdated`, `BrokerUnavailable`, `VaultError` or `PolicyError`.

    Each says what to do.
    """
    if settings.broker_url is not None:
        require_celery(settings.broker_url)
    text = rules_text(settings)
    rules = parsed_rules(settings, text)
    alerts.configured(settings)
    partners = open_partners(settings)
    vault = open_vault(settings)
    # A thread uses one connection at a time; as many apply here as serve, unless workers do. One is the runner's.
    threads = settings.threads if settings.broker_url else 2 * settings.threads
    database = Database(settings.database_url, pool_size=threads + 1)
    try:
        schema.ensure(database)
    except StoreUnavailable as error:
        database.close()
        if settings.sqlite:
            raise
        raise StoreUnavailable(f"{error}. Check CONNECTOR_DATABASE_URL, and that its server runs.") from None
    except Exception:
        database.close()
        raise
    return Installation(settings, database, vault, rules, text, partners, Connections(database, vault, partners))


def open_rules(settings: Settings) -> Rules:
    """The rules of the installation, where it has any. Raises `PolicyError`."""
    return parsed_rules(settings, rules_text(settings))


def rules_text(settings: Settings) -> str | None:
    """What the file of the installation's rules says now. Raises `RulesError`."""
    return None if settings.rules is None else text_of(settings.rules, RulesError)


def parsed_rules(settings: Settings, text: str | None) -> Rules:
    """Raises `PolicyError`."""
    return Rules() if text is None else Rules.parse(text, str(settings.rules))


def open_partners(settings: Settings) -> Partners:
    """The partners built in and those of the mapping files. Raises `MappingRefused`."""
    if settings.mappings is None:
        return Partners()
    from connector.partners.mapping import parse_mapping  # noqa: PLC0415 - JMESPath is for those who map

    mapped: list[Partner] = []
    known = dict.fromkeys(built_in(), "a partner that is built in")
    for path in sorted(settings.mappings.glob("*.toml")):
        partner = parse_mapping(text_of(path, MappingRefused), str(path))
        if partner.name in known:
            raise MappingRefused(f"{path}, name: {partner.name} is {known[partner.name]}: give this one another name.")
        known[partner.name] = f"described in {path.name} already"
        mapped.append(partner)
    return Partners(mapped)


def text_of(path: Path, refused: type[RulesError | MappingRefused]) -> str:
    """What stands in a file that a person wrote. Raises `refused`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused(f"{path} is not UTF-8 (byte {error.start + 1}): save it in UTF-8.") from None
    except OSError as error:
        raise refused(f"{path} cannot be read: {error.strerror}. Let the connector's user read it.") from None


def open_vault(settings: Settings) -> Vault:
    if settings.encryption_keys:
        return Vault(settings.encryption_keys)
    key, made = key_file(settings.instance)
    if made:
        log.warning(
            "made an encryption key in %s/encryption.key: back it up, without it the stored API keys are lost "
            "(or set CONNECTOR_ENCRYPTION_KEYS)",
            settings.instance,
        )
    return Vault([key])


def user_agent(product: str, partner: str) -> str:
    """As LaunchDarkly's guide asks: `{launchdarkly product}-{source product}-int/{version}`."""
    return f"{product}-{partner}-int/{__version__}"


OAUTH_CALLBACK = "/setup/oauth/callback"
"""Where LaunchDarkly sends a customer back to, behind the public address."""


def oauth_client(settings: Settings) -> OAuthClient | None:
    """The installation's OAuth client at LaunchDarkly, where it has one."""
    if settings.oauth_client_id is None or settings.oauth_client_secret is None:
        return None
    return OAuthClient(
        settings.oauth_client_id,
        settings.oauth_client_secret,
        redirect_uri=settings.base_url + OAUTH_CALLBACK,
        user_agent=user_agent(settings.product, "oauth"),
    )


def oauth_tokens(installation: Installation) -> Tokens:
    """What renews the access tokens of the customers who connected by OAuth."""
    return Tokens(installation.database, installation.vault, oauth_client(installation.settings))


def client_of(installation: Installation, connection: Connection) -> LaunchDarkly:
    """The client of a stored connection, for whoever wants to try it. Raises `CredentialRefused` or `VaultError`."""
    with installation.database.read() as tx:
        partner = endpoints.partner_of(tx, connection.id)
        encrypted = connections.stored_credential(tx, connection.id)
    make = clients(installation.settings, oauth_tokens(installation))
    return make(connection, partner, installation.vault.decrypt(encrypted))


def clients(settings: Settings, tokens: Tokens | None = None) -> Clients:
    """Makes the LaunchDarkly client of a connection; all clients share one pool of open connections.

    With `tokens` it is for stored connections: an access token that has ended is renewed. Without, the credential is
    used as it is.
    """
    session = pooled_session(settings.threads)

    def client(
        connection: Connection,
        partner: str,
        credential: str,
        *,
        observe: Callable[[Call], None] | None = None,
        gate: Callable[[str, str], None] | None = None,
    ) -> LaunchDarkly:
        options: dict[str, Any] = {
            "base_url": connection.base_url,
            "user_agent": user_agent(settings.product, partner),
            "session": session,
            "observe": observing.calls(partner, observe),
            "gate": gate,
        }
        if connection.options.oauth and tokens is not None:
            return Renewing(credential, tokens.bearer(connection.id), **options)
        return LaunchDarkly(credential, oauth=connection.options.oauth, **options)

    return client


def applying(installation: Installation) -> Begin:
    """What a runner does with leased work: apply a change, or ask the partner what changed."""
    partners = installation.partners
    applier = Applier(
        installation.database,
        installation.vault,
        clients=clients(installation.settings, oauth_tokens(installation)),
        rules=installation.rules,
        title=lambda name: partners.get(name).title,
    )
    syncing = syncer(installation)
    others = {
        REFRESH: Refresher(installation.database, installation.vault, partners).apply,
        SYNC: syncing.unpack,
        RECONCILE: Reconciler(installation.database, syncing).apply,
    }

    def begin(tx: Tx, work: Work) -> Callable[[], Settled]:
        other = others.get(work.kind)
        return applier.begin(tx, work) if other is None else partial(other, work)

    return observing.attempts(begin, _partner_of(installation.database))


def syncer(installation: Installation) -> Syncer:
    """Makes and applies plans for the connections of the installation."""
    return Syncer(
        installation.database,
        installation.vault,
        installation.partners,
        clients=clients(installation.settings, oauth_tokens(installation)),
        rules=installation.rules,
    )


def _partner_of(database: Database) -> Callable[[str], str]:
    """Names a connection's partner, which never changes while the process lives."""

    @lru_cache(maxsize=10_000)
    def partner_of(connection_id: str) -> str:
        with database.read() as tx:
            return endpoints.partner_of(tx, connection_id)

    return partner_of


def duties(installation: Installation) -> list[Duty]:
    """What some process of the installation does every so often, beside the deliveries."""
    settings = installation.settings
    watch = alerts.Watch(
        installation.database,
        alerts.configured(settings),
        base_url=settings.base_url,
        backlog=settings.alert_backlog,
    )
    renewing = oauth_tokens(installation)
    check = alerts.KeyCheck(installation.database, installation.vault, clients(settings, renewing))
    reconciler = Reconciler(installation.database, syncer(installation))
    return [
        Duty("alerts", watching.EVERY, watch.run),
        Duty("keys", keys.EVERY, check.run, at_once=False),
        Duty("oauth tokens", tokens.EVERY, renewing.renew_due),
        Duty("reconcile", reconciling.LOOK, reconciler.queue_due),
    ]
