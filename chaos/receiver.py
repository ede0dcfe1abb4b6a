"""The gunicorn configuration of the receiver that is to die: the product's own, a wrong clock, and mortal workers."""

from __future__ import annotations

import os
from typing import Any

from chaos.mortality import APPLYING, RECEIVING, Fate, install, shift_clock

shift_clock()

import connector.app  # noqa: E402, F401 - imported once in the master, so that a new worker is there at once
from connector.web.gunicorn_settings import *  # noqa: E402, F403

_points = RECEIVING if os.environ.get("CONNECTOR_BROKER_URL") else RECEIVING + APPLYING


def post_fork(_server: Any, _worker: Any) -> None:
    install(Fate(_points))
