"""The judgement: what was accepted, against what the database and LaunchDarkly's stand-in hold in the end.

It reads tables and pages from outside; it must never import the connector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from chaos.histories import Expected

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """Sentences, one for each fault found. All empty is what the connector promises."""

    lost: Sequence[str]
    doubled: Sequence[str]
    stuck: Sequence[str]
    outcomes: Mapping[str, int]

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.stuck)

    def lines(self) -> list[str]:
        found = [*self.lost, *self.doubled, *self.stuck]
        more = [f"… and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        return [f"lost {len(self.lost)}, doubled {len(self.doubled)}, stuck {len(self.stuck)}", *found[:_SHOWN], *more]


def pending(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM changes WHERE state = 'pending'")).scalar_one())


def judge(
    engine: Engine,
    accepted: Mapping[str, set[str]],
    expected: Sequence[Expected],
    metrics: Sequence[Sequence[Mapping[str, Any]]],
) -> Verdict:
    """`metrics` has all metrics of each connection's project, in the connections' order."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT deliveries.message_id, deliveries.id AS delivery, changes.state, changes.outcome, changes.kind,"
                " changes.attempts FROM deliveries LEFT JOIN changes ON changes.delivery_id = deliveries.id"
            )
        ).all()
    stored = Counter(row.message_id for row in rows)
    deliveries = {row.message_id: row.delivery for row in rows}
    lost = [f"{message} was answered with success and is not stored" for message in accepted if not stored[message]]
    doubled = [f"{message} is stored {count} times" for message, count in stored.items() if count > 1]
    doubled += [
        f"{message} was answered as {sorted(ids)} and is stored as {deliveries.get(message)}"
        for message, ids in accepted.items()
        if stored[message] and ids != {deliveries[message]}
    ]
    stuck = [
        f"{row.message_id} ({row.kind}) is {row.state} after {row.attempts} attempts"
        for row in rows
        if row.state != "done"
    ]
    for event_type in expected:
        of_it = [each for each in metrics[event_type.connection] if each["eventKey"].startswith(event_type.stem)]
        missing, surplus = _compare(event_type, of_it)
        lost += missing
        doubled += surplus
    ours = tuple(event_type.stem for event_type in expected)
    doubled += [
        f"metric {metric['key']} belongs to no event type"
        for of_project in metrics
        for metric in of_project
        if not metric["eventKey"].startswith(ours)
    ]
    return Verdict(lost, doubled, stuck, Counter(str(row.outcome or row.state) for row in rows))


def _compare(event_type: Expected, metrics: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """What is missing or wrong, and what is too much.

    An event type that carries a value has a second metric, its average; one that carried a value once may have kept
    it, archived.
    """
    plain = [metric for metric in metrics if not metric["isNumeric"]]
    numeric = [metric for metric in metrics if metric["isNumeric"]]
    surplus = [f"{event_type.stem}: metric {metric['key']} is one too many" for metric in plain[1:] + numeric[1:]]
    wanted: dict[str, Any] = {"eventKey": event_type.key, "archived": event_type.archived}
    missing = _differences(event_type, plain[:1], wanted | {"name": event_type.name})
    if event_type.unit is not None:
        name = f"{event_type.name}: revenue (average)"
        missing += _differences(event_type, numeric[:1], wanted | {"name": name, "unit": event_type.unit})
    else:
        surplus += [
            f"{event_type.stem}: metric {metric['key']} measures a value that is gone"
            for metric in numeric[:1]
            if not (event_type.had_value and metric["archived"])
        ]
    return missing, surplus


def _differences(event_type: Expected, found: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> list[str]:
    if not found:
        return [f"{event_type.stem}: no metric {wanted['name']!r}"]
    metric = found[0]
    wrong = [
        f"{event_type.stem}: {name} is {metric.get(name)!r}, not {value!r}"
        for name, value in wanted.items()
        if metric.get(name) != value
    ]
    if not metric["description"].startswith(event_type.description + "\n"):
        wrong.append(f"{event_type.stem}: description is {metric['description']!r}, not {event_type.description!r}")
    return wrong
