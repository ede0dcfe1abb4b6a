"""A visitor of the pages: follows links, fills in the forms that it was shown, and keeps its cookies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse


@dataclass
class Form:
    action: str
    method: str
    values: dict[str, Any] = field(default_factory=dict)


class Page(HTMLParser):
    """What a visitor has before them. `text` is what it reads, without any markup."""

    def __init__(self, response: TestResponse, path: str) -> None:
        super().__init__()
        self.status = response.status_code
        self.headers = response.headers
        self.path = path
        self.html = response.get_data(as_text=True)
        self.text = ""
        self.title = ""
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self._select: str | None = None
        self._link: str | None = None
        self._ids: dict[str, Form] = {}
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self._open.append(tag)
        if tag == "form":
            form = Form(given.get("action") or self.path, given.get("method") or "get")
            self.forms.append(form)
        elif tag in {"input", "textarea"} and given.get("name") and self.forms:
            kind = given.get("type")
            if kind not in {"radio", "checkbox"} or "checked" in given:
                self.forms[-1].values[str(given["name"])] = given.get("value") or ""
        elif tag == "select" and self.forms:
            self._select = given.get("name")
        elif tag == "option" and self._select:
            if "selected" in given or self._select not in self.forms[-1].values:
                self.forms[-1].values[self._select] = given.get("value") or ""
        elif tag == "a":
            self._link = given.get("href")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if tag == "select":
            self._select = None
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside in {"script", "style", "textarea"}:
            return  # what a visitor entered is theirs to see as they wrote it
        if inside == "title":
            self.title += data
        self.text += data
        if self._link and data.strip():
            self.links.setdefault(data.strip(), self._link)

    def form(self, action_ends: str) -> Form:
        return next(form for form in self.forms if form.action.endswith(action_ends))


class Visitor:
    """One browser. It is shown every page; `sign_in` makes it the operator's."""

    def __init__(self, app: Flask, address: str = "127.0.0.1") -> None:
        self.client = app.test_client()
        self.address = address

    def get(self, path: str, **headers: str) -> Page:
        """The page at the end of all redirects."""
        response = self._open("GET", path, headers=headers)
        return self._arrive(response, path)

    def post(self, path: str, values: Mapping[str, Any], **headers: str) -> Page:
        return self._arrive(self._open("POST", path, data=dict(values), headers=headers), path)

    def submit(self, form: Form, **values: Any) -> Page:
        """Send a form as it is shown, with these values in place of its own; None takes one out."""
        filled = {name: value for name, value in {**form.values, **values}.items() if value is not None}
        if form.method == "get":
            return self._arrive(self._open("GET", form.action, query_string=filled), form.action)
        return self.post(form.action, filled)

    def sign_in(self, token: str) -> Page:
        return self.submit(self.get("/console/sign-in").form("/sign-in"), token=token)

    def _arrive(self, response: TestResponse, path: str) -> Page:
        while response.status_code in {301, 302, 303, 308}:
            path = response.headers["Location"]
            response = self._open("GET", path)
        return Page(response, path)

    def _open(self, method: str, path: str, **options: Any) -> TestResponse:
        return self.client.open(path, method=method, environ_base={"REMOTE_ADDR": self.address}, **options)
