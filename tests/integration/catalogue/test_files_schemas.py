"""A catalogue from a folder of JSON Schemas, and what of the disk is never read."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path

import pytest

from connector.catalogue.files import FileRefused, read_catalogue
from connector.catalogue.formats import disk
from connector.event_types import NO_VALUE, EventType, Value

FOLDER = Path(__file__).parents[2] / "fixtures/catalogues"


def write(path: Path, payload: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(payload))
    return path


def plain(**stated) -> dict:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", **stated}


def described(version: str = "1-0-0", name: str = "order_completed", **stated) -> dict:
    return plain(self={"vendor": "com.example", "name": name, "format": "jsonschema", "version": version}, **stated)


def test_a_plain_schema_is_called_by_its_file(tmp_path):
    properties = {"revenue": {"type": "number"}, "currency": {"type": "string"}}
    write(tmp_path / "a/order_completed.schema.json", plain(title="Order", description="Paid.", properties=properties))
    write(tmp_path / "b/signed up.json", plain())
    catalogue = read_catalogue(tmp_path)
    assert catalogue.complete is False
    assert catalogue.event_types == (
        EventType(key="order_completed", name="Order", description="Paid.", value=Value("revenue", "number")),
        EventType(key="signed up"),
    )


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        ({"a": {"type": ["integer", "null"]}}, Value("a", "integer")),
        ({"a": {"type": "number"}, "b": {"type": "number"}}, None),
        ({"a": {"type": "number", "const": 1}, "b": {"type": "string"}}, NO_VALUE),
        ({"a": True, "b": {"$ref": "#/x"}}, NO_VALUE),
    ],
)
def test_the_value_is_the_one_number_that_is_free_to_vary(tmp_path, properties, value):
    path = write(tmp_path / "order.json", plain(properties=properties))
    assert read_catalogue(path).event_types == (EventType(key="order", value=value),)


def test_of_a_self_describing_schema_the_newest_version_wins():
    assert read_catalogue(FOLDER / "iglu").event_types == (
        EventType(
            id="com.example/order_completed",
            key="order_completed",
            description="A cart was paid, in any currency.",
            value=Value("revenue", "number"),
        ),
        EventType(id="com.example/signed_up", key="signed_up", description="Somebody joined.", value=NO_VALUE),
    )


def test_the_same_version_twice_is_refused(tmp_path):
    write(tmp_path / "a.json", described())
    write(tmp_path / "b.json", described())
    with pytest.raises(FileRefused, match=r"b\.json, self, version: Is the same as in .*a\.json\."):
        read_catalogue(tmp_path)


@pytest.mark.parametrize(
    ("stated", "place"),
    [
        ({"vendor": "com.example", "format": "jsonschema", "version": "1-0-0"}, "self, name: Missing data"),
        ({"vendor": "a", "name": "b", "format": "avro", "version": "1-0-0"}, "self, format: Must be one of: json"),
        (
            {"vendor": "a", "name": "b", "format": "jsonschema", "version": "1.0.0"},
            "self, version: Must be a SchemaVer",
        ),
        ({"vendor": "a", "name": "b", "format": "jsonschema", "version": 1}, "self, version: Not a valid string."),
        ("com.example", "self: Invalid input type."),
        (
            {"vendor": "v" * 300, "name": "n" * 300, "format": "jsonschema", "version": "1-0-0"},
            "self, id: Length must be between 1 and 500.",
        ),
    ],
)
def test_a_self_block_that_is_none_is_refused(tmp_path, stated, place):
    path = write(tmp_path / "order.json", plain(self=stated))
    with pytest.raises(FileRefused, match=rf"order\.json, {place}"):
        read_catalogue(path)


def test_two_files_of_one_key_are_refused(tmp_path):
    write(tmp_path / "a/order.json", plain())
    write(tmp_path / "b/order.json", plain())
    with pytest.raises(FileRefused, match=r"b/order\.json, key: Is the same as in .*a/order\.json\."):
        read_catalogue(tmp_path)


def test_a_file_name_is_taken_composed_whatever_the_file_system_does(tmp_path):
    write(tmp_path / "cafe\u0301.json", plain())
    assert read_catalogue(tmp_path).event_types == (EventType(key="caf\u00e9"),)


def test_what_is_no_schema_is_refused_by_its_name(tmp_path):
    write(tmp_path / "order.json", plain())
    write(tmp_path / "package.json", {"name": "shop"})
    with pytest.raises(FileRefused, match=r"package\.json: Is not a JSON Schema: it has none of"):
        read_catalogue(tmp_path)
    (tmp_path / "package.json").write_text("[")
    with pytest.raises(FileRefused, match=r"package\.json, line 1, column 2: Is not JSON: Expecting value\."):
        read_catalogue(tmp_path)


def test_a_folder_without_schemas_is_refused(tmp_path):
    (tmp_path / "readme.md").write_text("none here")
    with pytest.raises(FileRefused, match=r"Holds no JSON Schema\. Name a folder with files that end in \.json\."):
        read_catalogue(tmp_path)
    with pytest.raises(FileRefused, match="Is a folder, and csv a format of files"):
        read_catalogue(tmp_path, format="csv")


def test_links_and_hidden_files_are_passed_over(tmp_path):
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    write(outside / "secret.json", plain())
    write(inside / "order.json", plain())
    write(inside / ".git/config.json", plain())
    write(inside / ".hidden.json", plain())
    (inside / "link.json").symlink_to(outside / "secret.json")
    (inside / "folder").symlink_to(outside)
    (inside / "dangling.json").symlink_to(outside / "none.json")
    (inside / "loop").symlink_to(inside)
    assert [each.key for each in read_catalogue(inside).event_types] == ["order"]


def test_a_file_that_a_person_names_may_be_a_link(tmp_path):
    (tmp_path / "signed_up.json").symlink_to(write(tmp_path / "order.json", plain()))
    assert [each.key for each in read_catalogue(tmp_path / "signed_up.json").event_types] == ["signed_up"]


def test_a_pipe_or_socket_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "order.json")
    with pytest.raises(FileRefused, match=r"order\.json: Is not a regular file\. Save what it gives to a file"):
        read_catalogue(tmp_path / "order.json")
    with pytest.raises(FileRefused, match=r"order\.json: Is not a regular file\."):
        read_catalogue(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(FileRefused, match="Cannot be read: No such device or address"):
            read_catalogue(tmp_path / "socket")


@pytest.mark.parametrize("name", ["none.csv", "a\0b", "half \ud800", "not utf-8 \udcff", "x" * 300])
def test_a_path_that_leads_nowhere_is_refused(tmp_path, name):
    with pytest.raises(FileRefused, match=r"Cannot be read: .*\. Name a file or folder that is there") as refused:
        read_catalogue(tmp_path / name)
    assert str(refused.value).isprintable()
    str(refused.value).encode()


@pytest.mark.parametrize("name", ["order.json", "folder"])
def test_what_may_not_be_read_is_refused(tmp_path, monkeypatch, name):
    write(tmp_path / "folder/order.json", plain())
    opened = os.open

    def open_or_refuse(path, *options, **more):
        if Path(path).name == name:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, *options, **more)

    monkeypatch.setattr(os, "open", open_or_refuse)
    with pytest.raises(FileRefused, match=rf"{name}: Cannot be read: Permission denied\."):
        read_catalogue(tmp_path)


def test_a_file_that_goes_while_the_folder_is_read_is_a_refusal(tmp_path, monkeypatch):
    write(tmp_path / "order.json", plain())

    def gone(name, **_):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)

    files = disk.files_below(tmp_path)
    monkeypatch.setattr("connector.catalogue.formats.disk.stat.S_ISLNK", lambda _: gone("order.json"))
    with pytest.raises(FileRefused, match=r"Cannot be read: No such file or directory\."):
        next(files)


def test_a_disk_that_fails_is_a_refusal(tmp_path):
    with (
        pytest.raises(FileRefused, match=r"order\.json: Cannot be read: Input/output error\."),
        disk.opened(write(tmp_path / "order.json", plain())),
    ):
        raise OSError(errno.EIO, "Input/output error")


def test_what_is_too_large_too_deep_or_too_many_is_refused(tmp_path, monkeypatch):
    write(tmp_path / "order.json", plain())
    write(tmp_path / "signed_up.json", plain())
    with monkeypatch.context() as limits:
        limits.setattr("connector.catalogue.formats.disk.LARGEST_FILE", 10)
        with pytest.raises(FileRefused, match=r"order\.json: Is larger than 10 bytes\. Split it into several files\."):
            read_catalogue(tmp_path)
    with monkeypatch.context() as limits:
        limits.setattr("connector.catalogue.formats.disk.MOST_FILES", 1)
        with pytest.raises(FileRefused, match="Holds more than 1 files"):
            read_catalogue(tmp_path)
    write(tmp_path.joinpath(*"d" * 33) / "deep.json", plain())
    with pytest.raises(FileRefused, match=r"d/d: Is more than 32 folders deep\. Move it up\."):
        read_catalogue(tmp_path)
