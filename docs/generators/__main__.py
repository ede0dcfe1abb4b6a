"""Write what is generated: `python -m docs.generators`; with `--check` only say what is stale, and fail for it."""

from __future__ import annotations

import sys

from docs.generators import generated


def main() -> int:
    stale = [path for path, text in generated() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} is not current; run: make docs")  # noqa: T201 - this is a command
        return int(bool(stale))
    for path, text in generated():
        if path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path}")  # noqa: T201
    return 0


sys.exit(main())
