"""Who applies the inbox of an installation: threads of this process, one that runs already, or workers elsewhere.

The server and the commands that wait for their own changes decide it alike. It must never know what is applied.
"""

from __future__ import annotations

import fcntl
from typing import IO

from connector.delivery import EmbeddedRunner, Runner
from connector.delivery.celery_runner import Bell, CeleryRunner, celery_app
from connector.installation import Installation, applying
from connector.settings import Settings


def new_runner(installation: Installation, *, sole: bool) -> Runner:
    """Threads of this process apply the changes, or, where there is a broker, workers elsewhere."""
    settings, database = installation.settings, installation.database
    if settings.broker_url is not None:
        bell = Bell(celery_app(settings.broker_url, settings.broker_queue))
        return CeleryRunner(database, bell, seen_within=settings.take_over_after)
    return EmbeddedRunner(
        database,
        applying(installation),
        threads=max(2, settings.threads),
        sole=sole,
        take_over_after=None if settings.sqlite else settings.take_over_after,
    )


def sole_runner(settings: Settings) -> IO[str] | None:
    """A lock that only one process on a SQLite file can hold; it falls with the process, however that ends."""
    if not settings.sqlite:
        return None
    lock = (settings.instance / "runner.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
