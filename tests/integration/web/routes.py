"""Every route of an app, those of the part that is made late among them."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import Rule


def all_rules(app: Flask) -> list[Rule]:
    return [*app.url_map.iter_rules(), *app.extensions["late"].app().url_map.iter_rules()]
