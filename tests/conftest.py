"""What all tests share: the order of the groups, their seconds, the command line, and some nodes.

A group is a folder of `tests/`. The quick groups come first, so that a mistake shows early.
"""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import eau2.cli
from eau2.net.codec import decode_fragment, encode_fragment
from eau2.operators.base import Operator
from eau2.travel import Fragment
from tests.cluster.nodes import InProcess, Processes, in_process, processes
from tests.processes import environment

FIRST_GROUPS = ("unit", "golden", "slt")

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

_seconds: defaultdict[str, float] = defaultdict(float)
_counts: defaultdict[str, int] = defaultdict(int)
_file_seconds: defaultdict[str, float] = defaultdict(float)


def _group(path: str) -> str:
    parts = Path(path).parts
    return parts[1] if len(parts) > 2 else "other"


def pytest_configure() -> None:
    # A shell starts what runs in its background with Ctrl-C ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        group = _group(item.nodeid.partition("::")[0])
        return FIRST_GROUPS.index(group) if group in FIRST_GROUPS else len(FIRST_GROUPS)

    items.sort(key=place)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    group = _group(report.location[0])
    _seconds[group] += report.duration
    _counts[group] += report.when == "call"
    _file_seconds[report.location[0]] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("seconds by group")
    for group, seconds in _seconds.items():
        terminalreporter.line(f"{group:10} {_counts[group]:6} tests {seconds:8.1f} s")
    slowest = sorted(_file_seconds.items(), key=lambda item: -item[1])[:5]
    shown = ", ".join(f"{path.removeprefix('tests/')} {s:.1f} s" for path, s in slowest)
    terminalreporter.line(f"slowest files: {shown}")


@pytest.fixture(scope="session", autouse=True)
def _fragments_are_plain_data() -> Iterator[None]:
    """Every fragment that a test has run in its own process would survive the wire."""
    made = Fragment.__init__

    def checked(self: Fragment, root: Operator) -> None:
        made(self, root)
        assert encode_fragment(decode_fragment(self.packed)) == self.packed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fragment, "__init__", checked)
        yield


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `python -m eau2` with arguments, in an empty folder; keyword `stdin` is its input."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "eau2", *arguments],
            cwd=tmp_path,
            env=environment(XDG_STATE_HOME=str(tmp_path / "state"), **variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Cli:
    """As `cli`, but within this process: quick, for the many ways a command line can be wrong."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EAU2_STORE", raising=False)
    monkeypatch.delenv("EAU2_DEBUG", raising=False)

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = eau2.cli.main(arguments)
        out, err = capfdbinary.readouterr()
        return subprocess.CompletedProcess(arguments, code, out.decode(), err.decode())

    return run


@pytest.fixture(scope="session")
def three_in_process() -> Iterator[InProcess]:
    """Three nodes in this process. Whoever puts a frame there drops it again."""
    with in_process(3) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def three_processes() -> Iterator[Processes]:
    """Three real processes, one kernel thread each. Not to be killed, and as empty as before."""
    with processes(3) as nodes:
        yield nodes
