"""How gunicorn serves the app; `connector serve` and `config/gunicorn.conf.py` both take it from here.

One process with threads: SQLite has one writer, and the embedded runner one owner. Where workers apply the changes
(CONNECTOR_BROKER_URL), CONNECTOR_WORKERS makes it several processes.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from typing import Any

from connector.settings import Settings

_settings = Settings.from_environment()

bind = "127.0.0.1:8000"
wsgi_app = "connector.app:create_app()"
worker_class = "gthread"
workers = _settings.workers if _settings.broker_url else 1
threads = _settings.threads
timeout = 60
graceful_timeout = 30
keepalive = 75
# Bodies are capped by the app; these cap what comes before it.
limit_request_line = 4094
limit_request_fields = 60
limit_request_field_size = 8190
proc_name = "metric-connector"
# gunicorn's own control socket would stand in the home directory, shared by all that runs there.
control_socket_disable = True


_M_ARENA_MAX = -8
_ARENAS = 2


def on_starting(_server: Any) -> None:
    """What the workers have from the master."""
    _share_memory()
    if workers > 1:  # they count together: prometheus-client reads this when a worker imports it
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="connector-metrics-")


def on_exit(_server: Any) -> None:
    """Leave nothing behind."""
    if workers > 1:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def _share_memory() -> None:
    """Keep the C library from giving each thread a heap of its own.

    What one thread gave back is none to the others then, and what a process holds creeps up for hours. Python's lock
    lets few threads ask for memory at once: two heaps serve all. MALLOC_ARENA_MAX, where it is set, stands.
    Source: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, musl has not
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, _ARENAS)


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish what is under way before the process goes."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["connector"].close()
