"""How the requests of list APIs are put together, where several partners do it alike.

It must never know a particular partner, nor make a call.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import quote


def address(credential: Mapping[str, str], field: str, default: str) -> str:
    """The address that a person entered for the API, without a slash behind, or the vendor's own."""
    return (credential.get(field) or default).rstrip("/")


def segment(value: str) -> str:
    """What a person entered, as one segment of a path."""
    return quote(value, safe="")


def basic(user: str, password: str) -> dict[str, str]:
    """The header of the Basic scheme (RFC 7617)."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return {"Authorization": f"Basic {token}"}


def bearer(token: str) -> dict[str, str]:
    """The header of a bearer token (RFC 6750)."""
    return {"Authorization": f"Bearer {token}"}
