"""The page of catalogue files: what it shows is read, and what it lists is what the code has."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.catalogue.files import FORMATS, read_catalogue
from connector.catalogue.formats import disk, native, records
from connector.partners import Partners
from connector.partners.fields import KEY_LENGTH, TEXT_LENGTH
from tests.docs.blocks import ROOT, Block, blocks

PAGE = ROOT / "docs/reference/catalogue-files.md"


@pytest.mark.parametrize("block", list(blocks(PAGE, "json", "csv")), ids=str)
def test_an_example_is_read_without_a_word_of_its_format(block: Block, tmp_path: Path) -> None:
    path = tmp_path / f"example.{block.language}"
    path.write_text(block.text)
    keys = {each.key for each in read_catalogue(path, partner=Partners().get("standard")).event_types}
    assert keys & {"order_completed", "Order Completed", "example"}


def test_every_format_and_column_has_a_row():
    text = PAGE.read_text()
    for format_ in FORMATS:
        assert f"\n| `{format_}` | " in text
    for column, what in native.COLUMNS.items():
        assert f"| `{column}` | {what} |\n" in text


def test_the_limits_are_those_of_the_code():
    text = PAGE.read_text()
    assert f"| a file | {disk.LARGEST_FILE // 2**20} MiB |" in text
    assert f"| event types | {records.MOST_EVENT_TYPES:,} |" in text
    assert f"| files in a folder | {disk.MOST_FILES:,}, at most {disk.DEEPEST_FOLDER} folders deep |" in text
    assert f"| an id, key or `value_property` | {KEY_LENGTH} characters |" in text
    assert f"| a name or description | {TEXT_LENGTH:,} characters |" in text
