"""Declared errors become one sentence on standard error and exit code 1; wrong usage is exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def explained() -> Iterator[None]:
    """Ends the process where a declared error reaches it."""
    try:
        yield
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        click.echo(f"Error: {error}", err=True)
        sys.exit(code)


def _exit_code(error: Exception) -> int | None:
    """None where nobody declared it. Imported here, so that a command that succeeds imports only what it needs."""
    from connector.connections import ConnectionRefused
    from connector.delivery.celery_runner import BrokerUnavailable
    from connector.launchdarkly import CredentialRefused, LaunchDarklyError
    from connector.partners import MappingRefused, UnknownPartner
    from connector.policy import PolicyError
    from connector.settings import SettingsError
    from connector.signatures import SecretRefused
    from connector.store.database import StoreUnavailable
    from connector.store.schema import SchemaOutdated
    from connector.store.vault import VaultError

    misused = (
        ConnectionRefused,
        CredentialRefused,
        MappingRefused,
        UnknownPartner,
        PolicyError,
        SettingsError,
        SecretRefused,
    )
    if isinstance(error, misused):
        return 2
    failed = (BrokerUnavailable, LaunchDarklyError, StoreUnavailable, SchemaOutdated, VaultError)
    return 1 if isinstance(error, failed) else None
