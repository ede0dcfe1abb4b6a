"""One target under a coverage-guided fuzzer, atheris, which keeps the choices that reached new code.

It runs as a process of its own, because libFuzzer never gives one back. This module must never know what a target
does, nor import the code that it watches before atheris can. Source: https://github.com/google/atheris
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

LONGEST = 1024  # bytes of choices


class Bred:
    """Choices out of the fuzzer's bytes."""

    def __init__(self, data: bytes) -> None:
        self._provider: Any = atheris.FuzzedDataProvider(data)

    def below(self, limit: int) -> int:
        number: int = self._provider.ConsumeIntInRange(0, limit - 1)
        return number

    def some_bytes(self, most: int) -> bytes:
        taken: bytes = self._provider.ConsumeBytes(self.below(most + 1))
        return taken


def breed(target: str, seed: int, runs: int | None, seconds: float | None, findings: Path, told: Path) -> None:
    """Fuzz the target, and write the tally and its seconds to `told`; ends the process."""
    with atheris.instrument_imports(include=["connector"]):
        from fuzz.dialects import dialects  # noqa: PLC0415 - what is imported outside is not instrumented
        from fuzz.findings import judge  # noqa: PLC0415
        from fuzz.readers import listers  # noqa: PLC0415

        dialects(), listers()
    warnings.simplefilter("error")
    tally: dict[str, int] = {}
    start, done, over = time.monotonic(), 0, False

    def judge_one(data: bytes) -> None:
        nonlocal done, over
        if over:
            return
        judge(target, Bred(data), tally, findings)
        done += 1
        spent = time.monotonic() - start
        # libFuzzer ends the process without a word to Python: the last request has to write.
        if done == runs or (seconds is not None and spent >= seconds):
            over = True
            told.write_text(json.dumps({"tally": tally, "seconds": spent}))

    options = [f"-seed={seed}", f"-max_len={LONGEST}", "-len_control=0", "-timeout=60", f"-artifact_prefix={findings}/"]
    if runs is not None:
        options.append(f"-runs={runs + 2}")
    if seconds is not None:
        options.append(f"-max_total_time={int(seconds) + 5}")
    atheris.Setup([sys.argv[0], *options], judge_one)
    atheris.Fuzz()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    breed(**{**given, "findings": Path(given["findings"]), "told": Path(given["told"])})
