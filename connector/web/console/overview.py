"""The console's first page: how it goes, what waits, what wants a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, render_template

from connector.store import connections, history, overview
from connector.store.connections import ConnectionState
from connector.store.history import Filter
from connector.web.console import pictures
from connector.web.console.desk import Desk

HOURS = 24
AGES = ((60.0, "under a minute"), (600.0, "1 to 10 minutes"), (3600.0, "10 to 60 minutes"), (86400.0, "1 to 24 hours"))
OLDER = "over a day"
_MOST = 5
_MOST_PAUSED = 20


def add_pages(routes: Blueprint, desk: Desk) -> None:
    @routes.get("/")
    def show_overview() -> str:
        now = desk.clock()
        with desk.installation.database.read() as tx:
            spans = overview.outcomes_over_time(tx, since=now - HOURS * 3600, until=now, spans=HOURS)
            waiting = overview.waiting_by_age(tx, [limit for limit, _ in AGES], now=now)
            accounts = overview.account_budgets(tx)
            counts = history.counts(tx)
            found = connections.listing(tx)
            parked = history.search(tx, Filter(state="parked"), limit=_MOST)
        paused = [each for each in found if each.state is ConnectionState.PAUSED]
        labels = [datetime.fromtimestamp(span.begins_at, UTC).strftime("%H:%M") for span in spans]
        return render_template(
            "console/overview.html",
            spans=[(label, pictures.by_kind(span.outcomes)) for label, span in zip(labels, spans, strict=True)],
            bars=pictures.stacked_bars([span.outcomes for span in spans], labels),
            kinds=pictures.LABELS,
            ages=_ages(waiting),
            accounts=accounts,
            counts=counts,
            active=sum(each.state is ConnectionState.ACTIVE for each in found),
            connections=len(found),
            paused=paused[:_MOST_PAUSED],
            more_paused=len(paused) - _MOST_PAUSED,
            parked=parked.deliveries,
        )


def _ages(waiting: Any) -> list[tuple[str, int, float]]:
    """A label, how many changes, and how long the bar is."""
    lengths = pictures.shares(waiting, length=100)
    names = [*(name for _, name in AGES), OLDER]
    return list(zip(names, waiting, lengths, strict=True))
