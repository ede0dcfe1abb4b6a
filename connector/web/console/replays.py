"""The console's replays: what a search finds, again: asked about first, then watched, and cancelled."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for

from connector.store import connections, replays
from connector.store.replays import MOST, Replay
from connector.web.console.desk import Desk
from connector.web.console.searching import LABELS, asked_for, filled, filter_of
from connector.web.problems import Problem


def add_pages(routes: Blueprint, desk: Desk) -> None:
    database = desk.installation.database

    @routes.get("/replays/new")
    def ask_replay() -> Any:
        asked = filled(asked_for(request.args))
        try:
            wanted = filter_of(asked_for(request.args))
        except ValueError:
            return _back(asked)  # the search says what is wrong
        if not asked:
            return _back(asked)
        with database.read() as tx:
            number = replays.count(tx, wanted, most=MOST + 1)
            connection = connections.get(tx, asked.get("connection", ""))
        said = asked if connection is None else {**asked, "connection": connection.name}
        return render_template(
            "console/replay_asked.html", asked=asked, said=said, labels=LABELS, number=number, most=MOST
        )

    @routes.post("/replays")
    def start_replay() -> Any:
        asked = asked_for(request.form)
        try:
            wanted = filter_of(asked)
        except ValueError:
            return _back(filled(asked))
        if not filled(asked):
            return _back({})
        replay = database.write(lambda tx: replays.start(tx, wanted, cap=MOST, now=desk.clock()))
        desk.runner.ring()
        return redirect(url_for("console.show_replay", replay_id=replay.id), 303)

    @routes.get("/replays/<replay_id>")
    def show_replay(replay_id: str) -> str:
        with database.read() as tx:
            replay = _known(replays.get(tx, replay_id))
        ended = sum(number for state, number in replay.states.items() if state != "pending")
        return render_template("console/replay.html", replay=replay, running=replay.state == "running", ended=ended)

    @routes.post("/replays/<replay_id>/cancel")
    def cancel_replay(replay_id: str) -> Any:
        _known(database.write(lambda tx: replays.cancel(tx, replay_id, now=desk.clock())))
        return redirect(url_for("console.show_replay", replay_id=replay_id), 303)


def _back(asked: dict[str, str]) -> Any:
    return redirect(url_for("console.list_deliveries", **asked), 303)  # type: ignore[arg-type]


def _known(replay: Replay | None) -> Replay:
    if replay is None:
        raise Problem(404, "replay_unknown", "There is no such replay (any more); they are kept for 30 days.")
    return replay
