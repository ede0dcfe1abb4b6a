"""Declared errors become one sentence on standard error and exit code 1; wrong usage is exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

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

_MISUSED = (
    ConnectionRefused,
    CredentialRefused,
    MappingRefused,
    UnknownPartner,
    PolicyError,
    SettingsError,
    SecretRefused,
)
_FAILED = (BrokerUnavailable, LaunchDarklyError, StoreUnavailable, SchemaOutdated, VaultError)


@contextmanager
def explained() -> Iterator[None]:
    """Ends the process where a declared error reaches it."""
    try:
        yield
    except _MISUSED as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except _FAILED as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
