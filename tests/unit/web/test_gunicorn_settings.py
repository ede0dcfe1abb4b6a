"""What gunicorn's master does for its workers before there are any."""

from __future__ import annotations

import pytest

from connector.web import gunicorn_settings


class Library:
    """A C library that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.told.append((parameter, value))
        return 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setattr("ctypes.CDLL", lambda _name: library)
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    return library


def test_all_threads_share_two_heaps(library: Library) -> None:
    gunicorn_settings.on_starting(None)
    assert library.told == [(-8, 2)]  # M_ARENA_MAX of glibc's malloc.h


def test_what_the_operator_says_of_heaps_stands(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    gunicorn_settings.on_starting(None)
    assert library.told == []


def test_a_library_that_knows_no_heaps_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    gunicorn_settings.on_starting(None)
