"""When an API key ends, as far as LaunchDarkly says. Pure: it must never call anybody."""

from __future__ import annotations

from collections.abc import Mapping

LONGEST = 100 * 365 * 86400.0
"""Seconds from now beyond which a number is no time that LaunchDarkly means."""


def expiry_of(identity: Mapping[str, object], *, now: float) -> float | None:
    """When the key that asked ends (unix seconds); None where it has no end, or one that cannot be understood.

    `expiresAt` of https://launchdarkly.com/docs/api/other/get-caller-identity is an optional whole number. Its unit is
    not documented; LaunchDarkly's times are epoch milliseconds. What, read so, is not to come cannot be the end of a
    key that was accepted just now, so it is passed over, as is what is no time at all.
    """
    said = identity.get("expiresAt")
    if not isinstance(said, int) or isinstance(said, bool):
        return None
    return said / 1000 if now * 1000 < said < (now + LONGEST) * 1000 else None
