"""One stage, and with it one browser, for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.stage import Stage, missing, stage
from tests.needs import lacking


def required() -> None:
    """Skips where there is no Chromium, but fails where CI should have one."""
    sentence = missing()
    if sentence is not None:
        lacking(sentence)


@pytest.fixture(scope="session")
def lifted() -> Iterator[Stage]:
    required()
    with stage() as on:
        yield on


@pytest.fixture
def on(lifted: Stage) -> Iterator[Stage]:
    """The stage, with an eye on the browser's console: a test that makes it complain has failed."""
    lifted.browser.delete_all_cookies()
    lifted.complaints()
    yield lifted
    assert lifted.complaints() == []
