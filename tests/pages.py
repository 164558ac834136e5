"""The Python of a page, run block by block as one session; what a block says is shown below it.

A block of Python may be followed by a block of text: what it prints, and the error of eau2 that it
ends with. Each block is a file of its own, `app.py`, since functions are compiled from their
source; so the lines that errors name are those of the block. `python -m tests.pages` reads a page
from stdin, runs it in the folder where it is, and writes it with what the blocks say now.
"""

from __future__ import annotations

import io
import linecache
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from eau2.errors import Error, report
from tests.processes import environment

_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<said>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
_FILE = "app.py"


def has_python(text: str) -> bool:
    """Whether there is anything to run."""
    return _BLOCK.search(text) is not None


def shown(text: str, folder: Path) -> str:
    """The page with what its blocks say now. Fails when one raises and no text is below it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.pages"],
        cwd=folder,
        env=environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stderr, done.stderr
    assert done.returncode == 0
    return done.stdout


def _rewritten(text: str) -> str:
    names: dict[str, Any] = {}

    def replace(found: re.Match[str]) -> str:
        said = _said(found["code"], names, may_fail=found["said"] is not None)
        block = f"```python\n{found['code']}```\n"
        return block if found["said"] is None else f"{block}\n```text\n{said}```\n"

    return _BLOCK.sub(replace, text)


def _said(code: str, names: dict[str, Any], *, may_fail: bool) -> str:
    Path(_FILE).write_text(code, "utf-8")
    linecache.clearcache()
    said = io.StringIO()
    with redirect_stdout(said):
        try:
            names.update(runpy.run_path(_FILE, names))
        except Error as error:
            if not may_fail:
                raise
            said.write(f"{report(error)}\n")
    return "".join(line.rstrip() + "\n" for line in said.getvalue().splitlines())


if __name__ == "__main__":
    sys.stdout.write(_rewritten(sys.stdin.read()))
