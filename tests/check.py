"""The one command that checks everything: `python -m tests.check`.

Format, lint, import layers and types run side by side; then pytest runs all tests. A step that
passes prints one line with its seconds; one that fails prints what it found. The exit code is 0
only when every step passed. Arguments are handed to pytest: `python -m tests.check tests/unit`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

STATIC = {
    "format": ("-m", "ruff", "format", "--check", "."),
    "lint": ("-m", "ruff", "check", "."),
    "layers": ("-c", "from importlinter.cli import lint_imports_command as run; run()"),
    "types": ("-m", "mypy"),
}


SPREAD = ("-n", "2", "--dist", "loadfile")
"""Two files of tests run at a time: what a test waits for costs nobody else."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a static step ended."""

    name: str
    passed: bool
    seconds: float
    output: str


def main(arguments: list[str]) -> int:
    """Run every step; 0 when all passed."""
    start = time.perf_counter()
    outcomes = _static()
    seconds = time.perf_counter() - start
    failed = [outcome.name for outcome in outcomes if not outcome.passed]
    for outcome in outcomes:
        verdict = "passed" if outcome.passed else "FAILED"
        print(f"{outcome.name:8} {verdict} {outcome.seconds:6.1f} s")
        if not outcome.passed:
            print(outcome.output)
    print(f"static checks {seconds:.1f} s", flush=True)
    command = [sys.executable, "-m", "pytest", *SPREAD, *arguments]
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        failed.append("pytest")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _static() -> list[Outcome]:
    """Run the static steps at the same time; each waits in a process of its own."""
    environment = os.environ | {"NO_COLOR": "1", "MYPY_FORCE_COLOR": "0"}
    start = time.perf_counter()
    running = {
        name: subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, command in STATIC.items()
    }
    outcomes = []
    for name, process in running.items():
        output, _ = process.communicate()
        seconds = time.perf_counter() - start
        outcomes.append(Outcome(name, process.returncode == 0, seconds, output))
    return outcomes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
