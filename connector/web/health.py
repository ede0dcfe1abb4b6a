"""`/healthz`: the process answers. `/readyz`: it can do its work."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from connector.store import schema
from connector.store.database import Database, StoreUnavailable


def blueprint(database: Database, runner_health: Callable[[], str]) -> Blueprint:
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @routes.get("/readyz")
    def readyz() -> tuple[Response, int]:
        checks = {"database": _database(database), "runner": runner_health()}
        ready = all(verdict == "ok" for verdict in checks.values())
        return jsonify(status="ok" if ready else "unavailable", checks=checks), 200 if ready else 503

    return routes


def _database(database: Database) -> str:
    try:
        revision = schema.current(database)
    except StoreUnavailable as error:
        return str(error)
    return "ok" if revision == schema.head() else "run: connector db upgrade"
