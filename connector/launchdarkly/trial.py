"""What a key may do, found out by trying it: whose it is, which projects it sees, whether it may write metrics.

LaunchDarkly tells nobody what a role allows, so the last is tried with a metric that is deleted again at once. It must
never store anything, nor know who asks.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from connector.launchdarkly.client import LaunchDarkly
from connector.launchdarkly.errors import Forbidden, LaunchDarklyError, NotFound
from connector.launchdarkly.expiry import expiry_of


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose key it is, as LaunchDarkly names it, and when it ends (unix seconds), where it does."""

    name: str
    service: bool
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Project:
    key: str
    name: str


def whose(client: LaunchDarkly) -> Holder:
    """Raises a `LaunchDarklyError`: `Unauthorized` where LaunchDarkly does not know the key."""
    identity = client.caller_identity()
    name = identity.get("tokenName") or identity.get("clientName") or "a key without a name"
    expires_at = expiry_of(identity, now=time.time())
    return Holder(str(name)[:200], identity.get("serviceToken") is True, expires_at)


def projects(client: LaunchDarkly) -> list[Project]:
    """Those that the key may see, by name; empty where it may not list them. Raises a `LaunchDarklyError`."""
    try:
        found = client.list_projects()
    except (Forbidden, NotFound):
        return []
    named = [Project(str(each["key"]), str(each.get("name") or each["key"])[:200]) for each in found]
    return sorted(named, key=lambda project: project.name.casefold())


def write_a_metric(client: LaunchDarkly, project: str) -> str | None:
    """Create a metric and delete it again; the key of the metric where it could be created but not deleted.

    Raises a `LaunchDarklyError`: `NotFound` where there is no such project, `Forbidden` where the key may not write.
    """
    key = f"connection-check-{secrets.token_hex(6)}"
    client.create_metric(
        project,
        {
            "key": key,
            "kind": "custom",
            "name": "Connection check (can be deleted)",
            "description": "Made to see whether an API key may write metrics.",
            "isNumeric": False,
            "eventKey": key,
            "successCriteria": "HigherThanBaseline",
        },
    )
    try:
        client.delete_metric(project, key)
    except LaunchDarklyError:
        return key
    return None
