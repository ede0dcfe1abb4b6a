"""Checks of the database: whether it is there, writes durably, has the schema, and can be opened with the keys."""

from __future__ import annotations

import time

from sqlalchemy import Connection as Tx
from sqlalchemy import text

from connector.doctor.findings import Finding, Skipped, Verdict, failure, ok, warning
from connector.doctor.premises import Premises
from connector.store import checkup, duties, rekey, schema
from connector.store.database import StoreUnavailable
from connector.store.inbox import KEEP_SECONDS
from connector.store.vault import Vault, VaultError

OLDEST_POSTGRES = 130000
"""13: the oldest that the tests have seen in use; as `server_version_num` tells it."""

SKEW = 2.0
"""Seconds between two clocks that matter: leases and waits are compared with both."""

LARGEST_CHECKED = 2 * 1024**3
"""Bytes of a SQLite file that is read through."""

LATE = 3 * 86400.0
"""Seconds past its time after which a delivery should have been forgotten."""


class _Undo(Exception):
    """Ends a transaction that was to be tried only."""


def database(premises: Premises) -> Finding:
    opened = premises.settings and premises.opened_database
    if isinstance(opened, StoreUnavailable):
        return failure(
            str(opened), "Check CONNECTOR_DATABASE_URL, and that its server runs; connector db upgrade makes a new one."
        )
    return ok("SQLite" if opened.sqlite else "PostgreSQL")


def schema_revision(premises: Premises) -> Finding:
    revision, head = schema.current(premises.any_database), schema.head()
    if revision != head:
        return failure(
            f"The schema is {revision or 'not there yet'}, this version needs {head}.", "Run: connector db upgrade"
        )
    return ok(f"The schema is {head}.")


def writable(premises: Premises) -> Finding:
    def write(tx: Tx) -> None:
        duties.claim(tx, "doctor", every=1.0, now=premises.clock())
        raise _Undo

    try:
        premises.database.write(write)
    except StoreUnavailable as error:
        return failure(
            f"Nothing can be written: {error}", "Check the disk, the file's owner and mode, or the role's rights."
        )
    except _Undo:
        pass
    return ok("A write was tried, and undone.")


def durability(premises: Premises) -> Finding:
    """That what was answered with 2xx survives a power cut depends on these."""
    found = premises.any_database
    wanted = (
        {"PRAGMA journal_mode": "wal", "PRAGMA synchronous": "2", "PRAGMA foreign_keys": "1"}
        if found.sqlite
        else {"SHOW fsync": "on", "SHOW full_page_writes": "on"}
    )
    with found.read() as tx:
        wrong = [
            f"{question.split()[1]} is {answer}"
            for question, expected in wanted.items()
            if (answer := str(tx.execute(text(question)).scalar_one())) != expected
        ]
        if not found.sqlite and (commit := str(tx.execute(text("SHOW synchronous_commit")).scalar_one())) == "off":
            wrong.append(f"synchronous_commit is {commit}")
    if wrong:
        return failure(
            f"An accepted webhook may be lost in a power cut: {', '.join(wrong)}.",
            "Set it back to the default, for the database and for the role.",
        )
    return ok("What is committed survives a power cut.")


def server_version(premises: Premises) -> Finding:
    if premises.settings.sqlite:
        raise Skipped("The database is SQLite.")
    with premises.any_database.read() as tx:
        number = int(tx.execute(text("SHOW server_version_num")).scalar_one())
    if number < OLDEST_POSTGRES:
        return failure(f"PostgreSQL {number // 10000} is no longer maintained.", "Upgrade it to 13 or newer.")
    return ok(f"PostgreSQL {number // 10000}")


def integrity(premises: Premises) -> Finding:
    path = premises.database_file
    found = premises.any_database
    if path.stat().st_size > LARGEST_CHECKED:
        raise Skipped("The file is too large to be read through here; run PRAGMA quick_check yourself.")
    with found.read() as tx:
        said = [str(row[0]) for row in tx.execute(text("PRAGMA quick_check(3)"))]
    if said != ["ok"]:
        return failure(f"The file is damaged: {'; '.join(said)}", "Stop the connector and restore a backup.")
    return ok("The file is sound.")


def clock_of_database(premises: Premises) -> Finding:
    if premises.settings.sqlite:
        raise Skipped("SQLite has no clock of its own.")
    with premises.any_database.read() as tx:
        before = premises.clock()
        theirs = float(tx.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
        after = premises.clock()
    skew = max(before - theirs, theirs - after, 0.0)
    if skew > SKEW:
        return warning(f"This machine's clock and the database's differ by {skew:.0f} seconds.", "Let NTP set both.")
    return ok("This machine's clock and the database's agree.")


def stored_secrets(premises: Premises) -> Finding:
    """Every one of them, or the rest would be found when a webhook comes."""
    vault = premises.vault
    with premises.database.read() as tx:
        opened = [_opens(vault, sealed) for sealed in rekey.sealed(tx)]
    number, closed = len(opened), opened.count(False)
    if closed:
        return failure(
            f"No key opens {closed} of {number} stored secrets.",
            "Add the key they were stored with behind the others in CONNECTOR_ENCRYPTION_KEYS; without it enter the "
            "API keys again and rotate the webhook secrets.",
        )
    return ok(f"All {number} stored secrets can be opened.")


def rekeyed(premises: Premises) -> Finding:
    """An old key may go only when nothing needs it."""
    if len(premises.keys) == 1:
        return ok("There is one key.")
    first = Vault(premises.keys[:1])
    with premises.database.read() as tx:
        old = sum(not _opens(first, sealed) for sealed in rekey.sealed(tx))
    if old:
        return warning(f"{old} stored secrets still need an older key.", "Run: connector keys rotate")
    return ok("The first key opens everything; the others may go.")


def retention(premises: Premises) -> Finding:
    now = premises.clock()
    with premises.database.read() as tx:
        oldest = checkup.oldest_forgettable(tx, now=now)
    days = KEEP_SECONDS / 86400
    if oldest is not None and oldest < now - KEEP_SECONDS - LATE:
        return warning(
            f"A finished delivery is {(now - oldest) / 86400:.0f} days old; it should be forgotten after {days:.0f}.",
            "Keep connector serve (or a worker) running: it forgets some every hour.",
        )
    return ok(f"Finished deliveries are forgotten after {days:.0f} days.")


def answer_time(premises: Premises) -> Finding:
    started = time.perf_counter()
    with premises.any_database.read() as tx:
        tx.execute(text("SELECT 1"))
    took = time.perf_counter() - started
    if took > 1.0:
        return Finding(Verdict.WARNING, f"The database took {took:.1f} s for nothing.", "Look at its load and network.")
    return ok(f"The database answers in {took * 1000:.0f} ms.")


def _opens(vault: Vault, sealed: bytes) -> bool:
    try:
        vault.decrypt(sealed)
    except VaultError:
        return False
    return True


CHECKS = (
    database,
    schema_revision,
    writable,
    durability,
    server_version,
    integrity,
    clock_of_database,
    stored_secrets,
    rekeyed,
    retention,
    answer_time,
)
