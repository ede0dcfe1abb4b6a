"""Catalogue files on the disk, opened so that nothing but a regular file below what a person named is ever read.

This module must never know what the files say.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from connector.catalogue.formats.refusal import FileRefused

LARGEST_FILE = 64 * 1024 * 1024  # bytes
MOST_FILES = 100_000
DEEPEST_FOLDER = 32

# The second is how Iglu's registries name them: vendor/name/jsonschema/1-0-0
_SCHEMA_FILE = re.compile(r"[^.].*\.(json|jsonschema)|[0-9]+-[0-9]+-[0-9]+", re.IGNORECASE | re.DOTALL)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file that a person named; it may be a link. Raises `FileRefused`."""
    with _opened(path, path) as file:
        yield file


def files_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The schema files below a folder, in the order of their names. Raises `FileRefused`.

    Links, and names that begin with a dot, are passed over.
    """
    try:
        yield from _below(folder)
    except OSError as error:
        raise _unreadable(folder, error) from None


def _below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    files = 0
    for at, folders, names, descriptor in os.fwalk(folder, onerror=_folder_unreadable, follow_symlinks=False):
        here = Path(at)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if folders and len(here.relative_to(folder).parts) == DEEPEST_FOLDER:
            raise FileRefused(str(here / folders[0]), f"Is more than {DEEPEST_FOLDER} folders deep.", "Move it up.")
        for name in sorted(filter(_SCHEMA_FILE.fullmatch, names)):
            if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                continue
            files += 1
            if files > MOST_FILES:
                raise FileRefused(str(folder), f"Holds more than {MOST_FILES} files.", "Read its folders one by one.")
            with _opened(name, here / name, os.O_NOFOLLOW, descriptor) as file:
                yield here / name, file.read()


@contextmanager
def _opened(path: Path | str, called: Path, flags: int = 0, within: int | None = None) -> Iterator[BinaryIO]:
    try:
        # Not blocking: a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=within)
    except (OSError, ValueError) as error:  # the second of a NUL or half a surrogate pair in the path
        raise _unreadable(called, error) from None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise FileRefused(str(called), "Is not a regular file.", "Save what it gives to a file, and read that.")
        if found.st_size > LARGEST_FILE:
            raise FileRefused(str(called), f"Is larger than {LARGEST_FILE} bytes.", "Split it into several files.")
        try:
            yield file
        except OSError as error:
            raise _unreadable(called, error) from None


def _folder_unreadable(error: OSError) -> None:
    raise _unreadable(Path(error.filename or "folder"), error)


def _unreadable(path: Path, error: OSError | ValueError) -> FileRefused:
    what = f"Cannot be read: {error.strerror if isinstance(error, OSError) else 'that is no path'}."
    return FileRefused(str(path), what, "Name a file or folder that is there, and that you may read.")
