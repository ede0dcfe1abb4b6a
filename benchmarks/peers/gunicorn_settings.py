"""The connector's own settings of gunicorn, for the receivers that it is compared with."""

from __future__ import annotations

from connector.web.gunicorn_settings import *  # noqa: F403


def worker_exit(_server: object, _worker: object) -> None:  # type: ignore[no-redef]
    """These have nothing to finish."""
