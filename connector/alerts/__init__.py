"""Alerts: what a person should know without looking, said once, and once more when it is over.

The store remembers what was said, so that any number of processes may watch. A sink that fails is tried again later
and delays no delivery. This room must never show a secret, and a sink's URL may be one.
"""

from connector.alerts.keys import KeyCheck
from connector.alerts.sinks import Sink, SinkFailed, configured
from connector.alerts.watching import Watch

__all__ = ["KeyCheck", "Sink", "SinkFailed", "Watch", "configured"]
