"""The page of the doctor's checks names all of them."""

from __future__ import annotations

import re
from pathlib import Path

from connector.doctor import CHECKS, examining

PAGE = Path(__file__).parents[2] / "docs/reference/doctor.md"


def test_the_page_names_every_check_in_its_order() -> None:
    named = re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert named == [check.__name__ for check in (*CHECKS, *examining.OF_CONNECTIONS)]
