"""The shell: statements typed at a prompt, or piped in, run one after another.

Owns: the prompt, the history file, the backslash commands. Comes in: a connection, and lines from
stdin. Goes out: what they give, on stdout. Does not know: SQL beyond where a statement ends.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output

from eau2 import __version__
from eau2.connection import Connection
from eau2.errors import report
from eau2.show import columns, frames, is_explain, terminal_width, write, write_lines
from eau2.sql.split import split

PROMPT, CONTINUATION = "eau2> ", "  ..> "

HELP = """\
Statements end with a semicolon and may take several lines.
  \\d         the frames
  \\d NAME    the columns of a frame
  \\timing    print how long each statement takes, or stop printing it
  \\?         this help
  \\q         quit (also Ctrl-D)
Ctrl-C drops what you have typed, or stops waiting for what runs."""


def run(connection: Connection) -> int:
    """Read statements from stdin until it ends; the exit code.

    At a terminal an error is printed and the next statement is read. Piped in, the first error ends
    the run: it is raised.
    """
    shell = Shell(connection)
    if not sys.stdin.isatty():
        return shell.run_script(sys.stdin.buffer.read().decode("utf-8-sig", errors="replace"))
    return shell.run_prompt()


class Shell:
    """One session: a connection, and whether times are printed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._timing = False
        self._commands: dict[str, Callable[[str], None]] = {
            "\\d": self._describe,
            "\\timing": self._switch_timing,
            "\\?": lambda _: _say(HELP),
        }

    def run_script(self, text: str) -> int:
        """Run everything in `text`; lines that begin with a backslash are commands.

        Raises what the first failing statement raises.
        """
        pending = ""
        for number, line in enumerate(text.splitlines(keepends=True)):
            if not pending.strip() and line.startswith("\\"):
                if not self.run_line(line.strip()):
                    return 0
                pending = ""
                continue
            # The line breaks before a statement make its errors name the right line.
            pending = pending if pending.strip() else "\n" * number
            statements, rest = split(pending + line)
            for statement in statements:
                self._run_statement(statement)
            pending = rest
        if pending.strip():
            self._run_statement(pending)
        return 0

    def run_prompt(self, source: Input | None = None, sink: Output | None = None) -> int:
        """Prompt, read, run, until input ends. `source` and `sink` stand in for the terminal."""
        session = _session(source, sink)
        _say(f'eau2 {__version__}. Type "\\?" for help.')
        while True:
            try:
                text = session.prompt()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return 0
            try:
                if not self.run_line(text):
                    return 0
            except KeyboardInterrupt:
                print("Interrupted", file=sys.stderr)
            except Exception as error:
                print(report(error), file=sys.stderr)

    def run_line(self, text: str) -> bool:
        """Run a backslash command or statements; False when it says to quit.

        Raises what a failing statement raises.
        """
        word, _, rest = text.strip().partition(" ")
        if word == "\\q":
            return False
        if word.startswith("\\"):
            command = self._commands.get(word)
            if command is None:
                known = " ".join([*self._commands, "\\q"])
                print(f"There is no command {word}. The commands are {known}.", file=sys.stderr)
            else:
                command(rest.strip())
            return True
        statements, unfinished = split(text)
        for statement in (*statements, unfinished) if unfinished else statements:
            self._run_statement(statement)
        return True

    def _run_statement(self, statement: str) -> None:
        start = time.perf_counter()
        result = self._connection.sql(statement)
        if is_explain(statement):
            write_lines(result, sys.stdout.buffer)
        else:
            write(result, "box", sys.stdout.buffer, terminal_width())
        if self._timing:
            _say(f"Time: {time.perf_counter() - start:.3f} s")
        sys.stdout.flush()

    def _describe(self, name: str) -> None:
        name = name.rstrip(";").strip()
        overview = columns(self._connection, name) if name else frames(self._connection)
        write(overview, "box", sys.stdout.buffer, terminal_width())
        sys.stdout.flush()

    def _switch_timing(self, _: str) -> None:
        self._timing = not self._timing
        _say(f"Timing is {'on' if self._timing else 'off'}.")


def _say(line: str) -> None:
    """Print a line by the same way as results, so that both keep their order in a pipe."""
    sys.stdout.buffer.write(f"{line}\n".encode())
    sys.stdout.flush()


def is_complete(text: str) -> bool:
    """Whether Enter runs what is typed: a command, nothing, or statements that have all ended."""
    stripped = text.strip()
    return not stripped or stripped.startswith("\\") or not split(text).rest


def history_path() -> Path:
    """The file that keeps what was typed, made private to the user, in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(Path.home(), ".local", "state")
    path = Path(state) / "eau2" / "history"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return path


def _session(source: Input | None, sink: Output | None) -> PromptSession[str]:
    keys = KeyBindings()

    @keys.add("enter", filter=Condition(lambda: is_complete(get_app().current_buffer.text)))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return PromptSession(
        PROMPT,
        multiline=True,
        prompt_continuation=CONTINUATION,
        history=FileHistory(str(history_path())),
        key_bindings=keys,
        input=source,
        output=sink,
    )
