"""The example mapping files, each with a body as the product that it describes would send."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from connector.event_types import ChangeKind
from connector.partners import Reading

from . import damage
from .contract import MAPPINGS, PartnerContract
from .damage import Damaged
from .wired import Metric

DEFINED = Metric("add-to-cart", "Add to cart", "add_to_cart")
RENAMED = Metric("add-to-cart", "Added to cart", "add_to_cart")
ARCHIVED = RENAMED._replace(archived=True)


def name_after(kind: ChangeKind) -> str:
    return "Add to cart" if kind is ChangeKind.DEFINED else "Added to cart"


class MappingContract(PartnerContract):
    """A field is called as the file calls it; to JMESPath, what is not of the type that it looks for is absent."""

    def is_named(self, damaged: Damaged, errors: Mapping[str, Any]) -> bool:
        parts = [str(part) for part in damaged.path]
        mentioning = {name for name, said in self._expressions().items() if any(part in said for part in parts)}
        if "key" in mentioning:  # what is missing without a key is an id or a name as well
            mentioning |= {"id", "name"}
        return any(mentioning & set(name.split(".")) for name in damage.names(errors))

    def is_tolerable(self, damaged: Damaged, reading: Reading) -> bool:
        return super().is_tolerable(damaged, reading) or reading == self.read(damaged.nulled())

    def test_what_the_dialect_cannot_do_is_among_its_weaknesses(self) -> None:
        """The file's author chose the scheme and answers for it; that it signs no body is said all the same."""
        assert bool(self.about.weaknesses) is not self.body_is_signed

    def _expressions(self) -> Mapping[str, str]:
        documents = (tomllib.loads(path.read_text()) for path in MAPPINGS.glob("*.toml"))
        expressions: Mapping[str, str] = next(each["payload"] for each in documents if each["name"] == self.partner)
        return expressions


class TestStandardWebhooks(MappingContract):
    partner = "acme-analytics"
    ambiguous = frozenset({"data.labels", "data.labels.0"})  # `labels[].name` is an empty list of names then
    story = (
        (ChangeKind.DEFINED, DEFINED),
        (ChangeKind.UPDATED, RENAMED),
        (ChangeKind.DELETED, ARCHIVED),
    )

    def sample(self, kind: ChangeKind) -> Any:
        verb = {ChangeKind.DEFINED: "created"}.get(kind, kind)
        data = {
            "id": "def_1",
            "slug": "add_to_cart",
            "display_name": name_after(kind),
            "description": "Something is put into the cart.",
            "labels": [{"name": "checkout"}],
            "links": {"self": "https://acme.example/definitions/def_1"},
            "workspace_id": "ws_7",
        }
        return {"type": f"event_definition.{verb}", "timestamp": self.moment(kind).isoformat(), "data": data}

    def unknown(self) -> Any:
        return self.sample(ChangeKind.DEFINED) | {"type": "dashboard.created"}


class TestHexWithPrefix(MappingContract):
    partner = "acme-plans"
    ambiguous = frozenset({"changes.0.event.id"})  # `to_string` makes a text of anything
    tolerance = None
    story = (
        (ChangeKind.DEFINED, DEFINED),
        (ChangeKind.RENAMED, Metric("add-to-cart", "Added to cart", "added_to_cart")),
        (ChangeKind.ARCHIVED, Metric("add-to-cart", "Added to cart", "added_to_cart", archived=True)),
        (ChangeKind.RESTORED, Metric("add-to-cart", "Added to cart", "added_to_cart")),
    )

    def sample(self, kind: ChangeKind) -> Any:
        words = {
            ChangeKind.DEFINED: "create",
            ChangeKind.RENAMED: "rename",
            ChangeKind.UPDATED: "edit",
            ChangeKind.ARCHIVED: "archive",
            ChangeKind.RESTORED: "unarchive",
        }
        event: dict[str, Any] = {"id": 17, "key": "add_to_cart", "title": "Add to cart"}
        if kind is not ChangeKind.DEFINED:
            event = {"id": 17, "key": "added_to_cart", "title": "Added to cart"}
        if kind is ChangeKind.RENAMED:
            event["previous"] = {"key": "add_to_cart", "title": "Add to cart"}
        return self._body(kind, words[kind], event)

    def unknown(self) -> Any:
        return self._body(ChangeKind.DEFINED, "comment", {"id": 17})

    def _body(self, kind: ChangeKind, action: str, event: Any) -> Any:
        return {
            "delivery_id": f"delivery-{action}",
            "at": self.moment(kind).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "account": "account-7",
            "changes": [{"action": action, "event": event}],
        }


class TestBase64Body(MappingContract):
    partner = "acme-billing"
    tolerance = None
    sender_has_ids = False
    unsigned_headers = frozenset({"x-acme-delivery"})
    story = (
        (ChangeKind.DEFINED, Metric("storage-sum", "Storage: gb (sum)", "storage")),
        (ChangeKind.UPDATED, Metric("storage-sum", "Space: gb (sum)", "storage")),
        (ChangeKind.DELETED, Metric("storage-sum", "Space: gb (sum)", "storage", archived=True)),
    )

    def sample(self, kind: ChangeKind) -> Any:
        verb = {ChangeKind.DEFINED: "created"}.get(kind, kind)
        meter = {
            "id": "meter_1",
            "code": "storage",
            "name": "Storage" if kind is ChangeKind.DEFINED else "Space",
            "field": "gb",
            "unit": "GB",
            "formula": "sum_agg",
            "version": list(ChangeKind).index(kind),
        }
        return {"event": f"meter.{verb}", "meter": meter}

    def unknown(self) -> Any:
        return {"event": "invoice.paid", "invoice": {"id": "inv_1"}}


class TestItsdangerous(MappingContract):
    partner = "acme-python"
    sender_has_ids = False
    story = (
        (ChangeKind.DEFINED, DEFINED),
        (ChangeKind.RENAMED, RENAMED),
        (ChangeKind.ARCHIVED, ARCHIVED),
    )

    def sample(self, kind: ChangeKind) -> Any:
        at = self.moment(kind).isoformat()
        return {"event": kind.value, "id": "17", "key": "add_to_cart", "name": name_after(kind), "at": at}

    def unknown(self) -> Any:
        return {"event": "viewed", "id": "17"}


class TestJwtBearer(MappingContract):
    partner = "acme-schema"
    tolerance = 60
    body_is_signed = False
    sender_has_ids = False
    story = ((ChangeKind.DEFINED, DEFINED), (ChangeKind.ARCHIVED, ARCHIVED))

    def sample(self, kind: ChangeKind) -> Any:
        words = {ChangeKind.DEFINED: "published", ChangeKind.ARCHIVED: "withdrawn"}
        schema = {"id": "schema_1", "event": "add_to_cart", "title": name_after(kind)}
        return {"kind": words[kind], "schema": schema}

    def unknown(self) -> Any:
        return {"kind": "reviewed", "schema": {"id": "schema_1"}}


class TestSlackStyle(MappingContract):
    partner = "acme-flags"
    sender_has_ids = False
    story = ((ChangeKind.DEFINED, DEFINED), (ChangeKind.UPDATED, RENAMED))

    def sample(self, kind: ChangeKind) -> Any:
        return self._body(kind, "created" if kind is ChangeKind.DEFINED else kind)

    def unknown(self) -> Any:
        return self._body(ChangeKind.DEFINED, "viewed")

    def _body(self, kind: ChangeKind, action: str) -> Any:
        metadata = {"action": action, "event_name": "add_to_cart", "title": name_after(kind)}
        return {"data": [{"timestamp": int(self.moment(kind).timestamp() * 1000), "metadata": metadata}]}


class TestTimestampedPairs(MappingContract):
    partner = "acme-events"
    story = ((ChangeKind.DEFINED, DEFINED), (ChangeKind.ARCHIVED, ARCHIVED))

    def sample(self, kind: ChangeKind) -> Any:
        return self._event(kind, "schema.created" if kind is ChangeKind.DEFINED else "schema.retired")

    def unknown(self) -> Any:
        return self._event(ChangeKind.DEFINED, "schema.viewed")

    def _event(self, kind: ChangeKind, type_: str) -> Any:
        schema = {"name": "add_to_cart", "label": name_after(kind)}
        at = int(self.moment(kind).timestamp())
        return {"id": f"evt_{type_}", "type": type_, "created": at, "data": {"object": schema}}
