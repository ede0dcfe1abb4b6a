"""What a test needs of its machine: without it a stranger's tests skip and say so, and CI's fail."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def lacking(sentence: str) -> NoReturn:
    """Skip with `sentence`, but fail where CI should have what is missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def program(name: str) -> None:
    """`name` has to be on the PATH."""
    if shutil.which(name) is None:
        lacking(f"{name} is needed: install it with this machine's packages.")
