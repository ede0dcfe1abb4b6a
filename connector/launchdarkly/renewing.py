"""A client whose access token is renewed: before it ends, and where LaunchDarkly says that it has ended.

It must never know where tokens are stored. A call that was refused for its token had no effect, so it is made again.
"""

from __future__ import annotations

from typing import Any, Protocol

from connector.launchdarkly.client import LaunchDarkly
from connector.launchdarkly.errors import Unauthorized
from connector.launchdarkly.transport import Authorization


class Bearer(Protocol):
    """The access token of one connection. Both methods raise a `LaunchDarklyError`."""

    def usable(self) -> str:
        """One that has not ended, renewed where it had to be."""

    def renewed(self, rejected: str) -> str | None:
        """Another one than LaunchDarkly rejected; None where there is none to be had."""


class Renewing(LaunchDarkly):
    """As `LaunchDarkly`, for OAuth; it asks `bearer` at its first call, and again after a 401."""

    def __init__(self, token: str, bearer: Bearer, **options: Any) -> None:
        super().__init__(token, oauth=True, **options)
        self._bearer = bearer
        self._token: str | None = None

    def _call(
        self, method: str, *segments: str, params: dict[str, Any] | None = None, payload: Any = None
    ) -> dict[str, Any]:
        if self._token is None:
            self._bear(self._bearer.usable())
        token = self._token or ""
        try:
            return super()._call(method, *segments, params=params, payload=payload)
        except Unauthorized:
            fresh = self._bearer.renewed(token)
            if fresh is None:
                raise
        self._bear(fresh)
        return super()._call(method, *segments, params=params, payload=payload)

    def _bear(self, token: str) -> None:
        self._token = token
        self._authorization = Authorization(token, oauth=True)
