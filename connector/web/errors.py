"""What every code means: the page `/errors/{code}` that a problem's `type` leads to, and the docs' page of all codes.

Both are made from `errors.toml`. It must never know the request that went wrong.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, render_template_string

from connector.web.pages import HEADERS
from connector.web.problems import Problem

_SOURCE = Path(__file__).with_name("errors.toml")
_FAMILY = "http_error"
"""The page of the codes that carry a status that no rule of ours gave, such as `http_400`."""

_ONE = """\
{% extends "pages/base.html" %}
{% block title %}{{ code }} · Metric Connector{% endblock %}
{% block width %}narrow{% endblock %}
{% block main %}
<h1>{{ code }}</h1>
<p>{{ meaning.what }}</p>
<h2>Why</h2>
<p>{{ meaning.why }}</p>
<h2>What to do</h2>
<p>{{ meaning.do }}</p>
<p class="quiet"><a href="/errors">All codes</a></p>
{% endblock %}
"""

_ALL = """\
{% extends "pages/base.html" %}
{% block title %}Error codes · Metric Connector{% endblock %}
{% block main %}
<h1>Error codes</h1>
{% for area, codes in areas.items() %}
<h2>{{ area }}</h2>
<ul>
{% for code, meaning in codes.items() %}
  <li><a href="/errors/{{ code }}"><code>{{ code }}</code></a> {{ meaning.what }}</li>
{% endfor %}
</ul>
{% endfor %}
{% endblock %}
"""

_HEAD = """\
# Error codes

Every error has a stable `code`: in the answer of a webhook or of the API (`application/problem+json`, RFC 9457), in the
result of a change, in the log. The service itself serves the same at `/errors/{code}`, where a problem's `type` leads.

*Written from `connector/web/errors.toml` by `make docs`.*
"""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Sentences for people: what it says, why it comes, what to do."""

    what: str
    why: str
    do: str


@cache
def meanings() -> Mapping[str, Mapping[str, Meaning]]:
    """Area → code → meaning, in the order of the file."""
    areas = tomllib.loads(_SOURCE.read_text())
    return {area: {code: Meaning(**texts) for code, texts in codes.items()} for area, codes in areas.items()}


def find(code: str) -> Meaning | None:
    """What a code means, where it is one."""
    wanted = _FAMILY if re.fullmatch(r"http_[1-5][0-9]{2}", code) else code
    return next((codes[wanted] for codes in meanings().values() if wanted in codes), None)


def markdown() -> str:
    """The docs' page of all codes."""
    sections = (
        f"\n## {area}\n"
        + "".join(
            f"\n### `{code}`\n\n{meaning.what}\n\n**Why:** {meaning.why}\n\n**What to do:** {meaning.do}\n"
            for code, meaning in codes.items()
        )
        for area, codes in meanings().items()
    )
    return _HEAD + "".join(sections)


def blueprint() -> Blueprint:
    """Needs the base templates of `web.pages`."""
    routes = Blueprint("errors", __name__)

    @routes.get("/errors")
    def every() -> Response:
        return _page(_ALL, areas=meanings())

    @routes.get("/errors/<code>")
    def one(code: str) -> Response:
        found = find(code)
        if found is None:
            raise Problem(404, "not_found", "There is no such code. GET /errors lists those that there are.")
        return _page(_ONE, code=code, meaning=found)

    return routes


def _page(template: str, **words: object) -> Response:
    response = Response(render_template_string(template, **words), content_type="text/html; charset=utf-8")
    response.headers.extend(HEADERS)
    return response
