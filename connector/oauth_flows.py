"""A customer's way from a set-up link to LaunchDarkly's consent and back, so that nobody can walk half of it.

The `state` that comes back is signed, names one link, is answered once and soon, and by the browser that set out alone.
It must never know how a page looks or how a code is paid in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from itsdangerous import BadData, URLSafeSerializer

from connector.launchdarkly import check_base_url
from connector.setup_links import Setup, SetupLinkRefused, SetupLinks
from connector.store import setup_links
from connector.store.database import Database
from connector.store.vault import Vault, VaultError

WITHIN = 900.0
"""Seconds for a person to sign in to LaunchDarkly and consent."""


@dataclass(frozen=True, slots=True)
class Departure:
    """`visitor` is for the browser's cookie alone; `state` and the digest of `verifier` go to LaunchDarkly."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)
    visitor: str = field(repr=False)
    base_url: str


@dataclass(frozen=True, slots=True)
class Return:
    """Who came back, and what its code is paid in with."""

    setup: Setup
    token: str = field(repr=False)
    base_url: str
    verifier: str = field(repr=False)


class OAuthFlows:
    """Begins consents and recognises those who come back from them."""

    def __init__(
        self, database: Database, vault: Vault, links: SetupLinks, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._vault = vault
        self._links = links
        self._clock = clock
        self._serializer = URLSafeSerializer(
            vault.derive("oauth state"),
            salt="oauth state",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def begin(self, setup: Setup, base_url: str) -> Departure:
        """The one begun before on this link can no longer be answered. Raises `CredentialRefused`."""
        nonce, visitor = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        # https://www.rfc-editor.org/rfc/rfc7636#section-4.1: 43 to 128 characters
        departure = Departure(
            state=str(self._serializer.dumps([setup.link_id, nonce])),
            verifier=secrets.token_urlsafe(48),
            visitor=visitor,
            base_url=check_base_url(base_url),
        )
        pending = {
            "nonce": nonce,
            "verifier": departure.verifier,
            "visitor": _digest(visitor),
            "base_url": departure.base_url,
            "until": self._clock() + WITHIN,
        }
        sealed = self._vault.encrypt(json.dumps(pending))
        self._database.write(lambda tx: setup_links.begin(tx, setup.link_id, sealed))
        return departure

    def finish(self, state: str, visitor: str) -> Return:
        """Raises `SetupLinkRefused`. A state that was good is used up; one that another visitor brings is not."""
        try:
            link_id, nonce = self._serializer.loads(state)
        except (BadData, TypeError, ValueError):
            raise _refused() from None
        with self._database.read() as tx:
            link = setup_links.get(tx, str(link_id))
        if link is None or link.pending is None:
            raise _refused()
        stored = link.pending
        try:
            pending = json.loads(self._vault.decrypt(stored))
        except VaultError:
            raise _refused() from None
        same = hmac.compare_digest(pending["nonce"].encode(), str(nonce).encode())
        mine = hmac.compare_digest(pending["visitor"].encode(), _digest(visitor).encode())
        if not (same and mine) or pending["until"] <= self._clock():
            raise _refused()
        if not self._database.write(lambda tx: setup_links.answer(tx, link.id, stored)):
            raise _refused()
        token = self._links.token(link.id)
        return Return(self._links.open(token), token, pending["base_url"], pending["verifier"])


def _digest(visitor: str) -> str:
    return hashlib.sha256(visitor.encode()).hexdigest()


def _refused() -> SetupLinkRefused:
    return SetupLinkRefused(
        "oauth_state_refused",
        "This answer of LaunchDarkly belongs to no connection attempt of this browser that is still open. "
        "Open your set-up link again and connect once more.",
    )
