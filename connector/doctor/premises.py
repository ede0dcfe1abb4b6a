"""What the checks look at, opened one by one: what cannot be opened skips the checks that need it, and stops no other.

It must never make anything: no file, no key, no schema.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import requests
from sqlalchemy import make_url

from connector.delivery.tokens import Tokens
from connector.doctor.findings import Skipped
from connector.installation import clients, oauth_client, open_partners
from connector.launchdarkly import CredentialRefused, LaunchDarkly, LaunchDarklyError
from connector.partners import MappingRefused, Partner, Partners, UnknownPartner
from connector.settings import Settings, SettingsError
from connector.store import connections, endpoints, schema
from connector.store.connections import Connection
from connector.store.database import Database, StoreUnavailable
from connector.store.endpoints import Endpoint
from connector.store.vault import Vault, VaultError

TIMEOUT = (3.05, 5.0)
"""Seconds to connect, and between two bytes of an answer."""


@dataclass
class Premises:
    """An installation as its environment describes it. Properties raise `Skipped` where something is not there."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.time

    @cached_property
    def read_settings(self) -> Settings | SettingsError:
        try:
            return Settings.from_environment(self.environment)
        except SettingsError as error:
            return error

    @property
    def settings(self) -> Settings:
        if isinstance(self.read_settings, SettingsError):
            raise Skipped("The settings are wrong.")
        return self.read_settings

    @cached_property
    def database_file(self) -> Path:
        """SQLite's file, which need not exist."""
        if not self.settings.sqlite:
            raise Skipped("The database is PostgreSQL.")
        return Path(make_url(self.settings.database_url).database or "")

    @cached_property
    def opened_database(self) -> Database | StoreUnavailable:
        if self.settings.sqlite and not self.database_file.is_file():
            return StoreUnavailable(f"There is no file {self.database_file} yet.")
        try:
            database = Database(self.settings.database_url, pool_size=4)
        except StoreUnavailable as error:
            return error
        try:
            with database.read() as tx:
                tx.exec_driver_sql("SELECT 1")
        except (StoreUnavailable, sqlite3.Error) as error:
            database.close()
            return StoreUnavailable(str(error))
        return database

    @property
    def any_database(self) -> Database:
        """Whatever schema it has."""
        if isinstance(self.opened_database, StoreUnavailable):
            raise Skipped("The database cannot be read.")
        return self.opened_database

    @cached_property
    def database(self) -> Database:
        if schema.current(self.any_database) != schema.head():
            raise Skipped("The database's schema is not this version's.")
        return self.any_database

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The encryption keys, the first one first."""
        if self.settings.encryption_keys:
            return self.settings.encryption_keys
        try:
            return (self.key_file.read_text().strip(),)
        except OSError:
            raise Skipped("There is no encryption key yet.") from None

    @property
    def key_file(self) -> Path:
        return self.settings.instance / "encryption.key"

    @cached_property
    def vault(self) -> Vault:
        try:
            return Vault(self.keys)
        except VaultError:
            raise Skipped("The encryption keys are malformed.") from None

    @cached_property
    def partners(self) -> Partners:
        try:
            return open_partners(self.settings)
        except (MappingRefused, OSError, UnicodeDecodeError):
            return Partners()

    def connected(self, name_or_id: str | None) -> list[Customer]:
        """The connections to look at: the one that is named, or all. Raises `Skipped`."""
        with self.database.read() as tx:
            named = None if name_or_id is None else connections.find(tx, name_or_id)
            found = connections.listing(tx) if name_or_id is None else [] if named is None else [named]
            ends = {each.endpoint_id: endpoints.get(tx, each.endpoint_id) for each in found}
        return [Customer(self, each, end) for each in found if (end := ends[each.endpoint_id]) is not None]

    def close(self) -> None:
        if isinstance(self.__dict__.get("opened_database"), Database):
            self.any_database.close()


@dataclass
class Customer:
    """One connection, with what its checks look at."""

    premises: Premises
    connection: Connection
    endpoint: Endpoint

    @cached_property
    def partner(self) -> Partner:
        try:
            return self.premises.partners.get(self.endpoint.partner)
        except UnknownPartner:
            raise Skipped(f"There is no partner {self.endpoint.partner!r}.") from None

    @cached_property
    def key(self) -> str:
        with self.premises.database.read() as tx:
            stored = connections.stored_credential(tx, self.connection.id)
        try:
            key = self.premises.vault.decrypt(stored)
        except VaultError:
            raise Skipped("The stored key cannot be opened.") from None
        if not key:
            raise Skipped("There is no key yet.")
        return key

    @cached_property
    def client(self) -> LaunchDarkly:
        try:
            tokens = Tokens(self.premises.database, self.premises.vault, oauth_client(self.premises.settings))
            return clients(self.premises.settings, tokens)(self.connection, self.endpoint.partner, self.key)
        except CredentialRefused:
            raise Skipped("The stored key is no API key.") from None

    @cached_property
    def greeting(self) -> requests.Response | requests.RequestException:
        """What LaunchDarkly says to a stranger: no key goes along."""
        try:
            with requests.get(
                f"{self.connection.base_url}/api/v2/caller-identity",
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
                auth=lambda request: request,
            ) as response:
                return response
        except requests.RequestException as error:
            return error

    @property
    def reached(self) -> requests.Response:
        if isinstance(self.greeting, requests.RequestException):
            raise Skipped("LaunchDarkly cannot be reached.")
        return self.greeting

    @cached_property
    def asked_who(self) -> dict[str, object] | LaunchDarklyError:
        try:
            return self.client.caller_identity()
        except LaunchDarklyError as error:
            return error

    @property
    def identity(self) -> dict[str, object]:
        if isinstance(self.asked_who, LaunchDarklyError):
            raise Skipped("LaunchDarkly does not say whose the key is.")
        return self.asked_who
