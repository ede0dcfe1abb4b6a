"""How a partner is listed at LaunchDarkly: the values, the rules that they keep, and the manifest made of them.

Pure, and must never know where the values come from or where the manifest goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from connector.integration import icons

CATEGORIES = (
    "ai",
    "analytics",
    "approval",
    "authentication",
    "automation",
    "big-segment-store",
    "code-references",
    "customer-support",
    "data",
    "developer-tools",
    "import",
    "infrastructure",
    "issue-tracking",
    "log-management",
    "messaging",
    "migration",
    "monitoring",
    "synced-segments",
    "notifications",
)

_LENGTHS = {
    "name": (3, 100),
    "version": (5, 14),
    "overview": (10, 100),
    "description": (50, 2048),
    "details": (50, 2048),
    "author": (3, 100),
}

_HOST = r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*"
_LINK = re.compile(rf"https?://{_HOST}(:\d+)?([/?#][\w.~:/?#@!$&'*+,=%()-]*)?", re.ASCII | re.IGNORECASE)
_EMAIL = re.compile(rf"[\w.!#$%&'*+/=?^{{|}}~-]+@{_HOST}", re.ASCII | re.IGNORECASE)
_NUMBER = r"(0|[1-9]\d*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    rf"(-({_NUMBER}|\d*[a-z-][a-z\d-]*)(\.({_NUMBER}|\d*[a-z-][a-z\d-]*))*)?(\+[a-z\d-]+(\.[a-z\d-]+)*)?",
    re.ASCII | re.IGNORECASE,
)
_NO_VERB = {"a", "an", "it", "our", "the", "this", "we", "your"}
_LAUNCHDARKLY = re.compile(r"(^|\.)launchdarkly\.(com|us)$", re.IGNORECASE)
_RESERVED = re.compile(r"(^|\.)(example|example\.(com|net|org)|invalid|localhost|test)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a partner states about itself; `square` and `horizontal` are the SVG files' bytes.

    Source: https://github.com/launchdarkly/integration-framework (schemas/base.json)
    """

    name: str
    version: str
    overview: str
    description: str
    details: str
    author: str
    support_email: str
    site: str
    privacy_policy: str
    docs: str
    categories: tuple[str, ...]
    square: bytes
    horizontal: bytes
    support_website: str | None = None

    def broken_rules(self) -> list[str]:
        """A sentence for every rule of the framework's schema and reviewers that is broken."""
        return [
            *self._broken_texts(),
            *self._broken_wording(),
            *self._broken_addresses(),
            *self._broken_categories(),
            *icons.broken_rules("square", self.square),
            *icons.broken_rules("horizontal", self.horizontal),
        ]

    def placeholders(self, own: Listing) -> list[str]:
        """A sentence for every value that nobody can be listed with: reserved domains, and the connector's own values.

        Source of the reserved domains: RFC 2606 sections 2 and 3.
        """
        addresses = [("support_email", self.support_email.rpartition("@")[2])]
        addresses += [(field, _host(link)) for field, link in self._links()]
        found = [
            f"{field}: {host} is a domain for examples, and reviewers reject placeholders; run build with your own."
            for field, host in addresses
            if _RESERVED.search(host)
        ]
        if self.name != own.name:
            found += [
                f"{field}: this is {own.name}'s own; give the one of {self.name}."
                for field in ("author", "square", "horizontal")
                if getattr(self, field) == getattr(own, field)
            ]
        return found

    def manifest(self) -> str:
        """`manifest.json` as prettier formats it."""
        links = {
            "site": self.site,
            "launchdarklyDocs": self.docs,
            "privacyPolicy": self.privacy_policy,
            "supportWebsite": self.support_website,
        }
        members = {
            "name": self.name,
            "version": self.version,
            "overview": self.overview,
            "description": self.description,
            "details": self.details,
            "author": self.author,
            "supportEmail": self.support_email,
            "links": {key: link for key, link in links.items() if link is not None},
            "categories": list(self.categories),
            "icons": {shape: icons.path(shape) for shape in icons.SHAPES},
            "otherCapabilities": ["external"],
        }
        # Prettier keeps a list on one line where it fits into 80 columns, and the longest three categories do.
        lines = [
            f"  {json.dumps(key)}: "
            + json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, dict) else None).replace("\n", "\n  ")
            for key, value in members.items()
        ]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def _broken_texts(self) -> Iterator[str]:
        for field, (least, most) in _LENGTHS.items():
            text: str = getattr(self, field)
            if not least <= len(text) <= most:
                yield f"{field}: it has {len(text)} characters; give {least} to {most}."
        if uneven := self._where(lambda text: not text.isprintable() or " ".join(text.split()) != text, _LENGTHS):
            yield f"{uneven}: write it on one line, with single spaces and none at the ends."
        if re.search(r"[*_`~\[\]<>\\|;]| #", self.name):
            yield "name: take out the signs that Markdown or HTML reads as its own: * _ ` ~ [ ] < > \\ | ; #."
        if not _VERSION.fullmatch(self.version):
            yield f"version: {self.version!r} is no semantic version; write three numbers, such as 1.0.0, without a v."

    def _broken_wording(self) -> Iterator[str]:
        if re.search(r"\bintegrations?\b", self.name, re.IGNORECASE):
            yield 'name: leave out the word "Integration"; everything on that page is one.'
        if not self.overview.endswith("."):
            yield "overview: end it with a full stop."
        first = self.overview.partition(" ")[0]
        if not first[:1].isupper() or first.lower() in _NO_VERB or self.overview.startswith(self.name):
            yield 'overview: start it with a verb and a capital letter, such as "Create".'
        shown = ("name", "overview", "description", "details")
        if short := self._where(lambda text: re.search(r"\bLD\b", text) is not None, shown):
            yield f'{short}: write "LaunchDarkly" in place of "LD".'

    def _broken_addresses(self) -> Iterator[str]:
        if not _EMAIL.fullmatch(self.support_email):
            yield f"support_email: {self.support_email!r} is no e-mail address; customers write to it."
        for field, link in self._links():
            if not (_LINK.fullmatch(link) and len(link) <= 2048):
                yield f"{field}: {link!r} is no link; give an http:// or https:// address of at most 2048 characters."
            elif field == "privacy_policy" and _LAUNCHDARKLY.search(_host(link)):
                yield "privacy_policy: this is LaunchDarkly's own; give yours."

    def _broken_categories(self) -> Iterator[str]:
        if not 1 <= len(self.categories) <= 3 or len(set(self.categories)) != len(self.categories):
            yield "categories: give one to three, each once."
        for unknown in sorted(set(self.categories) - set(CATEGORIES)):
            yield f"categories: {unknown!r} is not on LaunchDarkly's list; take one of {', '.join(CATEGORIES)}."

    def _where(self, breaks: Callable[[str], bool], fields: Iterable[str]) -> str:
        """The fields whose text breaks a rule; a wrong name breaks it in every text that it stands in."""
        return ", ".join(field for field in fields if breaks(getattr(self, field)))

    def _links(self) -> Iterator[tuple[str, str]]:
        for field in ("site", "privacy_policy", "support_website", "docs"):
            if (link := getattr(self, field)) is not None:
                yield field, link


def _host(link: str) -> str:
    return urlsplit(link).hostname or ""
