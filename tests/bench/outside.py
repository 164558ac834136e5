"""Environments of other engines: `python -m tests.bench.outside [ENGINE ...]` makes them.

Each is a virtual environment of its own in the temporary directory, filled by pip, so that eau2's
own environment never sees what those engines need. One that cannot be had is left out, and why is
said in one line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.foreign import ENGINES


def folder() -> Path:
    """Where environments and made data are; `EAU2_BENCH` names another place."""
    path = Path(os.environ.get("EAU2_BENCH", Path(tempfile.gettempdir()) / "eau2-bench"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def environment(engine: str, *others: str) -> Path | str:
    """The Python of an engine's environment, made if it is not there; or why there is none.

    others: packages that it is to have beside the engine.
    """
    if engine == "pyspark" and shutil.which("java") is None:
        return "pyspark needs Java, which is not here"
    home = folder() / f"venv-{engine}"
    python = home / "bin" / "python"
    imported = f"import {', '.join(['pyarrow', engine, *others])}"
    if subprocess_works([str(python), "-c", imported]):
        return python
    steps = (
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [str(python), "-m", "pip", "install", "-q", engine, "pyarrow", *others],
        [str(python), "-c", imported],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip() or "no reason given").splitlines()[-1]
            return f"{engine} does not install here: {said[:160]}"
    return python


def subprocess_works(command: list[str]) -> bool:
    """Whether a command runs and ends well."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def main(arguments: list[str]) -> int:
    """The command. Exit code 1 when one of the engines cannot be had."""
    found = {engine: environment(engine) for engine in arguments or ENGINES}
    for engine, where in found.items():
        print(f"{engine}: {where}")
    return 1 if any(isinstance(where, str) for where in found.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
