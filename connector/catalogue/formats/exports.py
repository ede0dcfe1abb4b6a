"""What partners let people download: the answers of their list APIs, Avo's published plan, Segment's schema as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from connector.catalogue.formats.records import gathered
from connector.catalogue.formats.refusal import FileRefused, field_error
from connector.event_types import Catalogue, EventType
from connector.partners import Partner, PayloadRefused, avo
from connector.partners.fields import Key, PartnerSchema, load

# A line for each property that an event was seen with; "Track event CSV format" at
# https://segment.com/docs/connections/sources/schema/destination-data-control
EVENT_NAME = "Event Name"


def published_plan(name: str, payload: Any) -> Catalogue:
    """Avo's export or webhook, whole or of what changed. Raises `FileRefused`."""
    try:
        reading = avo.read(payload, {})
    except PayloadRefused as refused:
        raise field_error(name, refused.errors) from None
    if reading.catalogue is None:
        skip = reading.skips[0]
        raise FileRefused(name, f"Is of the {skip.what}: {skip.reason}.", "Export the main branch, and read that.")
    event_types = reading.catalogue.event_types
    gathered(enumerate(event_types, 1), lambda number: f"{name}, event {number}", unique=("id",))
    return reading.catalogue


class _Unasked(dict[str, str]):
    """In place of a credential, which a saved answer needs no more."""

    def __missing__(self, _: str) -> str:
        return "0"


def answer(name: str, payload: Any, partner: Partner) -> Catalogue:
    """The answer of a partner's list API, as it came: the first page, and the only one. Raises `FileRefused`."""
    list_api = partner.list_api
    if list_api is None:
        raise FileRefused(name, f"{partner.title} has no list API whose answer could be read.", "Use another format.")
    credential = _Unasked()
    try:
        page = list_api.parse(payload, list_api.first(credential), credential)
    except PayloadRefused as refused:
        raise field_error(f"{name} (read as an answer of {partner.title})", refused.errors) from None
    if page.next is not None:
        raise FileRefused(
            name,
            f"Is one page of several that {partner.title} gives.",
            "Let the connector ask for all of them: import with --from-partner.",
        )
    # As when the connector asks: what is listed twice counts once.
    listed: dict[tuple[str | None, str | None], EventType] = {}
    for event_type in page.event_types:
        listed.setdefault((event_type.id, None if event_type.id else event_type.key), event_type)
    places = enumerate(listed.values(), 1)
    return Catalogue(gathered(places, lambda number: f"{name}, event type {number}", unique=("id",)), complete=True)


class SeenSchema(PartnerSchema):
    name = Key(data_key=EVENT_NAME, required=True)


_seen = SeenSchema()


def seen_events(name: str, header: list[str], records: Iterable[tuple[int, list[str]]]) -> Catalogue:
    """Segment's CSV of the events that a source has sent lately: others may be missing. Raises `FileRefused`."""
    if EVENT_NAME not in header:
        raise FileRefused(f"{name}, line 1", f"The column {EVENT_NAME} is not there.")
    column = header.index(EVENT_NAME)
    known: set[str] = set()

    def found() -> Iterator[tuple[int, EventType]]:
        for line, record in records:
            try:
                key = load(_seen, {EVENT_NAME: record[column]})["name"]
            except PayloadRefused as refused:
                raise field_error(f"{name}, line {line}", refused.errors) from None
            if key not in known:
                known.add(key)
                yield line, EventType(key=key)

    return Catalogue(gathered(found(), lambda line: f"{name}, line {line}"), complete=False)
