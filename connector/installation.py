"""One installation, opened: its database with the right schema, its vault with the right keys, its rules.

What `web` and `cli` need alike before they do anything. It must never know which of them asks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from connector import __version__
from connector.catalogue.refreshing import Refresher
from connector.connections import Connections
from connector.delivery.applying import Applier, Clients
from connector.delivery.celery_runner import require_celery
from connector.launchdarkly import Call, LaunchDarkly, pooled_session
from connector.partners import Partners
from connector.policy import Rules
from connector.settings import Settings
from connector.store import schema
from connector.store.connections import Connection
from connector.store.database import Database, StoreUnavailable
from connector.store.inbox import REFRESH, Settled, Work
from connector.store.vault import Vault, key_file

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Installation:
    settings: Settings
    database: Database
    vault: Vault
    rules: Rules
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
    rules = open_rules(settings)
    partners = open_partners(settings)
    vault = open_vault(settings)
    # A thread uses one connection at a time; half as many apply here as serve, unless workers do. One is the runner's.
    threads = settings.threads if settings.broker_url else settings.threads + settings.threads // 2
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
    return Installation(settings, database, vault, rules, partners, Connections(database, vault, partners))


def open_rules(settings: Settings) -> Rules:
    """The rules of the installation, where it has any. Raises `PolicyError`."""
    return Rules() if settings.rules is None else Rules.parse(settings.rules.read_text(), str(settings.rules))


def open_partners(settings: Settings) -> Partners:
    """The partners built in and those of the mapping files. Raises `MappingRefused`."""
    if settings.mappings is None:
        return Partners()
    from connector.partners.mapping import parse_mapping  # noqa: PLC0415 - JMESPath is for those who map

    return Partners(parse_mapping(path.read_text(), str(path)) for path in sorted(settings.mappings.glob("*.toml")))


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


def clients(settings: Settings) -> Clients:
    """Makes the LaunchDarkly client of a connection; all clients share one pool of open connections."""
    session = pooled_session(settings.threads)

    def client(
        connection: Connection,
        partner: str,
        credential: str,
        *,
        observe: Callable[[Call], None] | None = None,
        gate: Callable[[str, str], None] | None = None,
    ) -> LaunchDarkly:
        return LaunchDarkly(
            credential,
            base_url=connection.base_url,
            user_agent=user_agent(settings.product, partner),
            oauth=connection.options.oauth,
            session=session,
            observe=observe,
            gate=gate,
        )

    return client


def applying(installation: Installation) -> Callable[[Work], Settled]:
    """What a runner does with claimed work: apply a change, or ask the partner what changed."""
    partners = installation.partners
    applier = Applier(
        installation.database,
        installation.vault,
        clients=clients(installation.settings),
        rules=installation.rules,
        title=lambda name: partners.get(name).title,
    )
    refresher = Refresher(installation.database, installation.vault, partners)

    def apply(work: Work) -> Settled:
        return refresher.apply(work) if work.kind == REFRESH else applier.apply(work)

    return apply
