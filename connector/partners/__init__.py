"""The partners: one module each, a map from its words to ours, without I/O.

A module of this package is a partner if its name is not in `_SHARED`; it has a `PARTNER`, and nothing else has to
know of it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from connector.partners.partner import (
    CredentialField,
    ListApi,
    MappingRefused,
    Page,
    Partner,
    PayloadRefused,
    Reading,
    Refresh,
    Request,
    Skip,
    TokenExchange,
    Webhook,
)

__all__ = [
    "CredentialField",
    "ListApi",
    "MappingRefused",
    "Page",
    "Partner",
    "Partners",
    "PayloadRefused",
    "Reading",
    "Refresh",
    "Request",
    "Skip",
    "TokenExchange",
    "UnknownPartner",
    "Webhook",
    "built_in",
]

_SHARED = {"asking", "fields", "json_schema", "mapping", "matrix", "partner", "payload"}


class UnknownPartner(ValueError):
    code = "partner_unknown"


class Partners:
    """Every partner of an installation: those built in, and those that its mapping files describe."""

    def __init__(self, mapped: Iterable[Partner] = ()) -> None:
        self._mapped = {partner.name: partner for partner in mapped}

    def names(self) -> tuple[str, ...]:
        return tuple(sorted({*built_in(), *self._mapped}))

    def get(self, name: str) -> Partner:
        """The partner called `name`. Raises `UnknownPartner`, which lists those that there are."""
        if name in self._mapped:
            return self._mapped[name]
        if name not in built_in():
            raise UnknownPartner(f"There is no partner {name!r}; there are: {', '.join(self.names())}.")
        return _imported(name)


@cache
def built_in() -> tuple[str, ...]:
    """The names of the partners of this package, sorted, without importing their modules."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED))


@cache
def _imported(name: str) -> Partner:
    partner: Partner = importlib.import_module(f"{__name__}.{name}").PARTNER
    return partner
