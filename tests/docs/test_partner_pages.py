"""The partners' pages say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.partners import Partners, built_in, matrix

PAGES = Path(__file__).parents[2] / "docs/partners"


def test_the_feature_matrix_is_what_the_code_declares():
    table = matrix.markdown(Partners().get(name) for name in built_in())
    assert table in (PAGES / "README.md").read_text(), "copy it from: connector partners list --markdown"


@pytest.mark.parametrize("name", [name for name in built_in() if name != "standard"])
def test_every_partner_has_a_page_that_names_its_weaknesses(name):
    partner = Partners().get(name)
    assert partner.title in (PAGES / f"{name}.md").read_text()
    assert partner.weaknesses
    assert partner.verified
