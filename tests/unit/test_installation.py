"""The files that an operator writes, rules and mappings: read, or refused with the file's name and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from connector.installation import open_partners, open_rules
from connector.partners import MappingRefused, built_in
from connector.policy import PolicyError
from connector.settings import Settings

MAPPING = Path(__file__).parents[2] / "config/mappings/hex-with-prefix.toml"
RULE = '[[rules]]\nmatch = "*"\nskip = true\n'


def mappings(folder: Path, **files: str) -> Settings:
    """A folder of mapping files, each called and naming its partner as said."""
    for name, partner in files.items():
        lines = MAPPING.read_text().splitlines()
        named = [f'name = "{partner}"' if line.startswith("name = ") else line for line in lines]
        (folder / f"{name}.toml").write_text("\n".join(named))
    return Settings(mappings=folder)


def test_without_files_there_are_no_rules_and_the_partners_built_in():
    assert open_rules(Settings()).rules == ()
    assert open_partners(Settings()).names() == tuple(sorted(built_in()))


def test_a_byte_order_mark_is_no_matter(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULE, encoding="utf-8-sig")
    assert len(open_rules(Settings(rules=path)).rules) == 1


def test_rules_that_are_not_utf_8_are_refused(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_bytes(b"[[rules]]\nmatch = '\xff'\n")
    with pytest.raises(PolicyError) as refused:
        open_rules(Settings(rules=path))
    assert str(refused.value) == f"{path} is not UTF-8 (byte 20): save it in UTF-8."


def test_rules_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(PolicyError) as refused:
        open_rules(Settings(rules=tmp_path))
    assert str(refused.value) == f"{tmp_path} cannot be read: Is a directory. Let the connector's user read it."


def test_a_mapping_file_that_is_not_utf_8_or_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "acme.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MappingRefused, match=r"acme\.toml is not UTF-8 \(byte 1\): save it in UTF-8\.$"):
        open_partners(Settings(mappings=tmp_path))
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(MappingRefused, match=r"acme\.toml cannot be read: No such file or directory\. Let"):
        open_partners(Settings(mappings=tmp_path))


def test_a_mapping_file_adds_its_partner(tmp_path):
    assert "acme" in open_partners(mappings(tmp_path, acme="acme")).names()


@pytest.mark.parametrize("name", ["avo", "standard"])
def test_a_mapping_file_never_takes_the_place_of_a_partner_built_in(tmp_path, name):
    sentence = rf"mine\.toml, name: {name} is a partner that is built in: give this one another name\.$"
    with pytest.raises(MappingRefused, match=sentence):
        open_partners(mappings(tmp_path, mine=name))


def test_two_mapping_files_never_describe_one_partner(tmp_path):
    sentence = r"two\.toml, name: acme is described in one\.toml already: give this one another name\.$"
    with pytest.raises(MappingRefused, match=sentence):
        open_partners(mappings(tmp_path, one="acme", two="acme"))


def test_the_examples_go_together(tmp_path):
    shutil.copytree(MAPPING.parent, tmp_path / "mappings")
    assert len(open_partners(Settings(mappings=tmp_path / "mappings")).names()) > len(built_in())
