"""Log lines: one each, whatever a foreign text tries."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from connector import logs

HOSTILE = "x\n2026 error forged\r\x1b[31mred\x85\u2028end\\n"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("connector")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], root.level, own.level = before


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    def lines() -> list[str]:
        return capsys.readouterr().err.split("\n")[:-1]

    return lines


class TestText:
    def test_a_line_has_time_level_message_and_fields(self, written: Callable[[], list[str]]) -> None:
        logs.set_up("text")
        logging.getLogger("connector.web").info("delivery %s", "accepted", extra={"delivery": "dlv_1", "changes": 2})
        (line,) = written()
        assert line[8:] == " info    delivery accepted delivery=dlv_1 changes=2"

    def test_a_foreign_text_neither_starts_a_line_nor_drives_the_terminal(
        self, written: Callable[[], list[str]]
    ) -> None:
        logs.set_up("text")
        logging.getLogger("connector").warning("seen %s", HOSTILE, extra={"field": HOSTILE})
        (line,) = written()
        assert line.isprintable()
        assert r"x\n2026 error forged\r\x1b[31mred\x85\u2028end\\n field=" in line

    def test_an_exception_follows_its_line(self, written: Callable[[], list[str]]) -> None:
        logs.set_up("text")
        logging.getLogger("connector").error("failed", exc_info=LookupError("lost"))
        lines = written()
        assert lines[0].endswith("error   failed")
        assert lines[-1] == "LookupError: lost"


class TestJson:
    def test_a_line_is_one_object_with_the_fields(self, written: Callable[[], list[str]]) -> None:
        logs.set_up("json")
        logging.getLogger("connector.web").info("accepted %s", HOSTILE, extra={"delivery": "dlv_1", "at": object})
        (line,) = written()
        said = json.loads(line)
        assert line.isascii()
        assert (said["level"], said["logger"], said["delivery"]) == ("info", "connector.web", "dlv_1")
        assert said["message"] == f"accepted {HOSTILE}"
        assert said["time"].endswith("+00:00")

    def test_an_exception_is_a_field(self, written: Callable[[], list[str]]) -> None:
        logs.set_up("json")
        logging.getLogger("connector").error("failed", exc_info=LookupError("lost"))
        (line,) = written()
        assert json.loads(line)["exception"].endswith("LookupError: lost")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_connector_speaks_from_info_and_others_from_warning(
    log_format: str, written: Callable[[], list[str]]
) -> None:
    logs.set_up(log_format)
    for name in ("connector.store", "urllib3"):
        logging.getLogger(name).debug("debug of %s", name)
        logging.getLogger(name).info("info of %s", name)
        logging.getLogger(name).warning("warning of %s", name)
    lines = written()
    assert len(lines) == 3
    assert not any("debug" in line or "info of urllib3" in line for line in lines)


def test_setting_up_twice_does_not_say_everything_twice(written: Callable[[], list[str]]) -> None:
    logs.set_up("text")
    logs.set_up("text")
    logging.getLogger("connector").warning("once")
    assert len(written()) == 1
