"""The feature matrix of the docs, from what the partners themselves declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connector.partners.partner import Partner, Webhook
from connector.signatures import (
    AnyOf,
    HmacScheme,
    JwtBearer,
    JwtBody,
    Scheme,
    StandardWebhooks,
    TimestampSignature,
)

COLUMNS = (
    "Partner",
    "Announces",
    "Signature",
    "Covers the body",
    "Time checked",
    "Message id signed",
    "Answer",
    "List API",
)

NOTHING = "nothing: import only"


@dataclass(frozen=True, slots=True)
class _Signature:
    name: str
    covers: str
    time: str
    message_id: str


def rows(partners: Iterable[Partner]) -> list[tuple[str, ...]]:
    """One row a partner, in the order of `COLUMNS`."""
    return [(partner.title, *_webhook(partner.webhook), _list_api(partner)) for partner in partners]


def markdown(partners: Iterable[Partner]) -> str:
    """The matrix as a Markdown table."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows(partners)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _webhook(webhook: Webhook | None) -> tuple[str, ...]:
    if webhook is None:
        return (NOTHING, *("—",) * 5)
    signatures = list(_signatures(webhook.scheme))
    return (
        ", ".join(webhook.kinds),
        " or ".join(signature.name for signature in signatures),
        " / ".join(dict.fromkeys(signature.covers for signature in signatures)),
        " / ".join(dict.fromkeys(signature.time for signature in signatures)),
        " / ".join(dict.fromkeys(signature.message_id for signature in signatures)),
        str(webhook.answer or "any 2xx"),
    )


def _list_api(partner: Partner) -> str:
    return "—" if partner.list_api is None else f"yes ({partner.list_api.verified})"


def _signatures(scheme: Scheme) -> Iterator[_Signature]:
    match scheme:
        case AnyOf():
            for each in scheme.schemes:
                yield from _signatures(each)
        case StandardWebhooks():
            yield _Signature("Standard Webhooks (v1, v1a)", "yes", f"±{scheme.tolerance:g} s", "yes")
        case HmacScheme():
            yield _Signature(
                f"HMAC-{scheme.algorithm.upper()} in `{scheme.header}`",
                "first event of a batch only" if scheme.covers == "first_element" else "yes",
                f"±{scheme.tolerance:g} s" if "{ts}" in scheme.template and scheme.tolerance is not None else "no",
                "yes" if "{id}" in scheme.template else "no",
            )
        case JwtBearer():
            yield _Signature("JWT (HS256) in `Authorization`", "**no**", f"±{scheme.tolerance:g} s", "no")
        case JwtBody():
            yield _Signature(f"JWT (RS256) in `{scheme.header}`", "yes", "no", "no")
        case TimestampSignature():
            yield _Signature(f"itsdangerous in `{scheme.header}`", "yes", f"±{scheme.tolerance:g} s", "no")
        case _:
            raise TypeError(f"the matrix has no words for {type(scheme).__name__}")
