"""What a sandbox is started with: its projects, its access tokens, its limits and its faults.

It must never read the environment or a file: a sandbox has no settings but these.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from connector.sandbox.faults import Fault
from connector.sandbox.limits import Limits

DEFAULT_ACCOUNT = "5f0000000000000000000001"


class Role(StrEnum):
    """What a token may do: a reader's writes are answered with 403."""

    READER = "reader"
    WRITER = "writer"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An access token.

    `account` owns the global and route limits. `member_id` (24 hex) makes it a personal token, whose member maintains
    the metrics it creates; without one it is a service token. `oauth` tokens go as `Bearer`, the others raw.
    `projects` are those of the token's account; `None` means all of the sandbox. SDK and mobile keys are refused with
    `ValueError`, as LaunchDarkly's REST API does not take them: https://launchdarkly.com/docs/api#authentication
    """

    token: str
    role: Role = Role.WRITER
    account: str = DEFAULT_ACCOUNT
    member_id: str | None = None
    oauth: bool = False
    projects: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.token.startswith(("sdk-", "mob-")):
            raise ValueError("the REST API takes no SDK or mobile key: use an access token, such as api-demo")


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """The one OAuth client that is registered. `lifetime` is an access token's, in seconds."""

    client_id: str = "oauth-demo"
    client_secret: str = field(default="oauth-demo-secret", repr=False)
    lifetime: float = 3600.0


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """A sandbox.

    `randomization_units` are the context kinds that experiments of every project may use. `key_lifetime` is how many
    seconds its access tokens last from the start; without one they have no end. `record_limit` bounds the request log,
    whose oldest entries go first. `seed` makes the faults' dice repeatable. `clock` returns epoch seconds;
    `sleep` takes seconds: tests pass their own.
    """

    projects: tuple[str, ...] = ("demo",)
    api_keys: tuple[ApiKey, ...] = (ApiKey("api-demo"),)
    key_lifetime: float | None = None
    oauth: OAuthApp = field(default_factory=OAuthApp)
    randomization_units: tuple[str, ...] = ("user",)
    limits: Limits = field(default_factory=Limits)
    faults: tuple[Fault, ...] = ()
    record_limit: int = 100_000
    seed: int | None = None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
