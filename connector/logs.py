"""How log lines look: one line each, as text for people or JSON for machines, with the fields that `extra` gives."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from time import gmtime, strftime
from typing import Any

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up(log_format: str, *, quiet: bool = False) -> None:
    """Send the connector's log to standard error; other libraries', and with `quiet` ours, only from WARNING on."""
    # What the lines do not say need not be found out: https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    vars(logging)["_srcfile"] = None
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("connector").setLevel(logging.WARNING if quiet else logging.INFO)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = strftime("%H:%M:%S", gmtime(record.created))
        fields = "".join(f" {name}={value!s}" for name, value in _fields(record).items())
        line = f"{time} {record.levelname.lower():7} {record.getMessage()}{fields}"
        # A foreign text must not start a line of its own, nor drive the terminal that shows it.
        line = line.replace("\\", "\\\\")
        if not line.isprintable():
            line = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
