"""Prints every golden script anew, in place: `python -m tests.golden.rewrite [FILE...]`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.golden.script import run

HERE = Path(__file__).parent


def main(arguments: list[str]) -> int:
    """The command."""
    for path in [Path(name) for name in arguments] or sorted(HERE.glob("*.golden")):
        text = run(path)
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            print(f"rewritten: {path.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
