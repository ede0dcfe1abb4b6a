"""All that a running sandbox remembers, and how it forgets it. It must never know HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from connector.sandbox.config import SandboxConfig
from connector.sandbox.errors import NotFoundError
from connector.sandbox.faults import FaultPlan
from connector.sandbox.granting import GrantBook
from connector.sandbox.limits import RateLimiter
from connector.sandbox.metrics import MetricBook
from connector.sandbox.request_log import RequestLog


class SandboxState:
    """One sandbox."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.keys = {key.token: key for key in config.api_keys}
        self.requests = RequestLog(config.record_limit)
        self.faults = FaultPlan()
        self.limiter = RateLimiter(config.clock)
        self.books: dict[str, MetricBook] = {}
        self.grants = GrantBook(config.oauth, config.clock)
        self.expiries: Mapping[str, int] = {}
        """When access tokens end, in epoch milliseconds, as the API tells it."""
        self.reset()

    def reset(self) -> None:
        """Back to how it was started: no metrics, no consents, no log, the configured faults and limits."""
        config = self.config
        self.books = {
            project: MetricBook(project, config.randomization_units, config.clock) for project in config.projects
        }
        self.grants = GrantBook(config.oauth, config.clock)
        lifetime = config.key_lifetime
        self.expiries = {} if lifetime is None else dict.fromkeys(self.keys, int((config.clock() + lifetime) * 1000))
        self.faults.set(config.faults, config.seed)
        self.limiter.set(config.limits)
        self.requests.clear()

    def expired(self, token: str) -> bool:
        ends = self.expiries.get(token)
        return ends is not None and ends <= self.config.clock() * 1000

    def book(self, project: str) -> MetricBook:
        """Raises `NotFoundError`."""
        try:
            return self.books[project]
        except KeyError:
            raise NotFoundError(f'Unknown project key "{project}"') from None
