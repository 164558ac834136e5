"""The statements of `eau2 query`: where they are written, and running them one after another.

Owns: -c, -f and stdin as texts, what becomes of a statement that fails, and the failing over of the
thin way. Comes in: options, and a connection or addresses; goes out: data on stdout, an exit code.
Does not know: how a connection comes about, what a result looks like.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from eau2.errors import Error, PeerLostError, UnreachableError, UsageError, report
from eau2.progress import Line, said_by, shown
from eau2.sink import Screen, Writable, check_alone

if TYPE_CHECKING:
    from eau2.connection import Connection
    from eau2.net.address import Address
    from eau2.net.thin import ThinClient

Connect = Callable[[list["Address"]], "ThinClient"]
"""A connection to the first of the addresses that can be reached; the ones tried are taken."""

EXIT_FAILED = 1


class Script(NamedTuple):
    """Statements, and the file that they stand in; "" for none."""

    text: str
    file: str = ""


class ScriptError(Exception):
    """A statement of a file has failed; the cause says why."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.file = file


def scripts(options: argparse.Namespace) -> tuple[Script, ...]:
    """What this command line has to run, in order. Raises UsageError when there is nothing."""
    if options.sources and options.sql is not None:
        raise UsageError(
            "statements are given both with -c or -f and without",
            hint="Write each of them behind a -c of its own.",
        )
    if options.sources:
        found = tuple(_read(kind, text) for kind, text in options.sources)
    else:
        found = (Script(_typed(options.sql)),)
    if not any(script.text.strip() for script in found):
        raise _no_statement()
    return found


def run_here(found: Sequence[Script], options: argparse.Namespace, connection: Connection) -> int:
    """Run the scripts on a connection of this process, each statement for itself."""
    from eau2.show import is_explain, terminal_width, write, write_lines
    from eau2.sql.split import split

    cut = [(script, split(script.text)) for script in found]
    if not any(part.statements or part.rest for _, part in cut):
        raise _no_statement()
    params = dict(options.param)
    if options.timeout is not None:
        connection.interruptible()
    failed = _Failures(options.keep_going)
    results = 0
    for script, (statements, rest) in cut:
        for statement in (*statements, rest) if rest else statements:
            start = time.perf_counter()
            with failed.noted(script.file):
                check_alone(options.format, results)
                with shown(sys.stderr) as line:
                    connection.watch(said_by(line))
                    result = connection.sql(statement, params or None, timeout=options.timeout)
                results += bool(result.names)
                if options.format == "box" and is_explain(statement):
                    write_lines(result, sys.stdout.buffer)
                else:
                    write(result, options.format, sys.stdout.buffer, terminal_width())
            _print_time(options.timing, start)
    return failed.code


def run_there(
    found: Sequence[Script],
    options: argparse.Namespace,
    addresses: Sequence[Address],
    connect: Connect,
) -> int:
    """Have a node run the scripts and draw what they give: the thin way, which loads little.

    A script goes there as a whole; with --keep-going each statement for itself. Of several nodes
    the next is asked when one is lost before it has said anything, if the statements change
    nothing and no other ran before them.
    """
    there = _There(options, list(addresses), connect)
    texts = _statements if options.keep_going else _whole if len(found) > 1 else _as_it_is
    failed = _Failures(options.keep_going)
    try:
        for script in found:
            for text in texts(script.text):
                start = time.perf_counter()
                with failed.noted(script.file):
                    there.ask(text)
                sys.stdout.flush()
                _print_time(options.timing, start)
    finally:
        there.close()
    return failed.code


class _There:
    """A connection to a node, made when it is needed, and anew at the next one where that helps."""

    def __init__(
        self, options: argparse.Namespace, addresses: list[Address], connect: Connect
    ) -> None:
        self._options = options
        self._left = addresses
        self._connect = connect
        self._client: ThinClient | None = None
        self._asked = 0
        self._written = False
        self._line: Line | None = None
        self._params = _to_wire(options.param)
        # The formats that are no text never come to a terminal: `check_terminal`.
        out = sys.stdout.buffer
        self._out: Writable = Screen(out) if out.isatty() else out

    def ask(self, text: str) -> None:
        """Run the statements of a text; what they give goes to stdout. Raises UsageError too."""
        from eau2.net.thin import DEADLINE_S

        check_alone(self._options.format, int(self._written))
        self._asked += 1
        while True:
            if self._client is None:
                self._client = self._connect(self._left)
            try:
                with shown(sys.stderr) as self._line:
                    self._client.statement(
                        text,
                        self._write,
                        parameters=self._params,
                        format=self._options.format,
                        width=os.get_terminal_size().columns if sys.stdout.isatty() else 0,
                        deadline_s=self._options.timeout or DEADLINE_S,
                        watch=said_by(self._line),
                    )
                return
            except PeerLostError as error:
                if not self._client.lost:
                    raise
                from eau2.repeating import changes_nothing, unanswered

                if not (self._left and self._asked == 1 and changes_nothing(text)):
                    raise unanswered(text, error) from error
                if self._written:
                    raise unanswered(text, error) from error
                self.close()

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _write(self, data: memoryview) -> None:
        self._written = True
        if self._line is not None:
            self._line.erase()
        self._out.write(data)


class _Failures:
    """What becomes of statements that fail: the first ends the run, or all are printed."""

    def __init__(self, keep_going: bool) -> None:
        self.code = 0
        self._keep_going = keep_going

    @contextmanager
    def noted(self, file: str) -> Iterator[None]:
        """Run a statement of a file inside. Raises ScriptError in place of an error, or prints it.

        A lost connection always ends the run: what follows would fail in the same way.
        """
        try:
            yield
        except Error as error:
            if not self._keep_going or isinstance(error, PeerLostError | UnreachableError):
                raise ScriptError(file) from error
            # What was given so far comes before the message also where both go to one place.
            sys.stdout.flush()
            sys.stderr.write(f"{report(error, place=file or None)}\n")
            self.code = EXIT_FAILED


def _statements(text: str) -> tuple[str, ...]:
    from eau2.sql.split import split

    statements, rest = split(text)
    return (*statements, rest) if rest else statements


def _whole(text: str) -> tuple[str, ...]:
    """A text as it is, unless there is no statement in it."""
    return (text,) if _statements(text) else ()


def _as_it_is(text: str) -> tuple[str, ...]:
    return (text,)


def _read(kind: str, text: str) -> Script:
    """What -c or -f names."""
    if kind == "c":
        return Script(text)
    if text == "-":
        return Script(_stdin())
    try:
        with open(text, "rb") as file:
            data = file.read()
    except OSError as error:
        raise UsageError(
            f"the file {text} cannot be read: {error.strerror}",
            hint="-f takes a file of statements; statements themselves go behind -c.",
        ) from error
    return Script(_decoded(data, text), text)


def _typed(sql: str | None) -> str:
    """The statements given as an argument, or in a pipe."""
    if sql not in (None, "-"):
        return str(sql)
    if sql is None and sys.stdin.isatty():
        return ""
    return _stdin()


def _stdin() -> str:
    return _decoded(sys.stdin.buffer.read(), "stdin")


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{where} is not UTF-8 text, at byte {error.start}",
            hint="Statements are text: save the file as UTF-8.",
        ) from error


def _to_wire(
    params: Sequence[tuple[int | str, object]],
) -> tuple[tuple[int | str, str, object], ...]:
    if not params:
        return ()
    from eau2.parameters import to_wire

    return to_wire(dict(params))


def _no_statement() -> UsageError:
    return UsageError("there is no statement to run", hint='Try: eau2 query "SELECT 1"')


def _print_time(asked: bool, start: float) -> None:
    if asked:
        sys.stderr.write(f"Time: {time.perf_counter() - start:.3f} s\n")
