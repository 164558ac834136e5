"""Prompts that tests type at: within this process, or in a process behind a pseudo-terminal."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from eau2.connection import Connection
from eau2.shell import run_prompt
from tests.processes import environment

PLACE = "eau2:memory"
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\x07\x08]")


def typed(
    connect: Callable[[], Connection], keys: str, *, init: bool = False, after_s: float = 0.0
) -> int:
    """Type `keys` at a prompt in this process, after a while; its exit code."""
    with create_pipe_input() as source:
        if after_s:
            threading.Timer(after_s, source.send_text, (keys,)).start()
        else:
            source.send_text(keys)
        return run_prompt(connect, PLACE, init=init, source=source, sink=DummyOutput())


class Terminal:
    """The shell in a process of its own, behind a pseudo-terminal."""

    def __init__(self, child: Any) -> None:
        self.child = child

    def type(self, keys: str) -> None:
        """Press keys."""
        self.child.send(keys)

    def wait(self, text: str, timeout_s: float = 20.0) -> str:
        """Read until `text` is shown; what was shown before it, without the codes for looks."""
        self.child.expect_exact(text, timeout=timeout_s)
        return plain(self.child.before)

    def run(self, text: str) -> str:
        """Run a statement or command; what it prints until the prompt is there again."""
        self.type(f"{text}\r")
        self.child.expect(r"\x1b\[\?2004l", timeout=20)
        return self.shown()

    def shown(self, timeout_s: float = 20.0) -> str:
        """What is printed until the next prompt takes keys."""
        self.child.expect(r"\x1b\[\?2004h", timeout=timeout_s)
        return plain(self.child.before)

    def settle(self) -> None:
        """Read until nothing more is shown for a while."""
        while self.child.expect([pexpect.TIMEOUT, r"."], timeout=0.5):
            pass

    def rest(self) -> str:
        """All that is printed until the process ends by itself."""
        self.child.expect(pexpect.EOF, timeout=20)
        self.child.close()
        return plain(self.child.before)

    def end(self) -> int:
        """Ctrl-D; the exit code."""
        self.type("\x04")
        self.rest()
        return int(self.child.exitstatus)


@contextmanager
def terminal(
    folder: Path,
    *arguments: str,
    rows: int = 30,
    columns: int = 100,
    ready: str = "\x1b[?2004h",
    **variables: str,
) -> Iterator[Terminal]:
    """A shell at a terminal of that size, ready for keys. It is killed at the end."""
    variables = {
        "TERM": "xterm-256color",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "PAGER": "",
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    } | variables
    child = pexpect.spawn(
        sys.executable,
        ["-m", "eau2", *arguments],
        env=environment(**variables),
        cwd=str(folder),
        dimensions=(rows, columns),
        encoding="utf-8",
        timeout=20,
    )
    try:
        made = Terminal(child)
        made.wait(ready)
        yield made
    finally:
        child.close(force=True)


def plain(text: str) -> str:
    """What a terminal shows, without the codes that say how."""
    return _CODES.sub("", text).replace("\r", "")


def until(true: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Wait until something is so."""
    ends = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True
