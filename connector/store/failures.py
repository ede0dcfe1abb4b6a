"""What the store says when it cannot store, in our words: a driver's own may repeat values, and those may be secret."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError


class StoreUnavailable(Exception):
    """Nothing can be stored or read durably now: the disk is full, the database is down. Trying again may help."""

    code = "store_unavailable"


@contextmanager
def declared_errors() -> Iterator[None]:
    """What the database or its driver raises inside becomes `StoreUnavailable`."""
    try:
        yield
    except DBAPIError as error:
        # The driver's first line says what is wrong; the statement and its values are left out, they may hold secrets.
        reason = str(error.orig).splitlines()[0] if error.orig is not None and str(error.orig) else "no reason given"
        raise StoreUnavailable(f"The database refused: {reason}") from None
    except sqlite3.Error as error:  # past SQLAlchemy, see `sqlite.Opened`
        raise StoreUnavailable(f"The database refused: {error}") from None
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"The database is not usable: {type(error).__name__}") from None
