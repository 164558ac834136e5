"""What the shell does with what is typed: statements run, commands are done.

Owns: one session's state: the connection, the preferences, the last statement and its result.
Comes in: text. Goes out: what it gives, by the output. Does not know: prompts, keys, history.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa

from eau2.connection import Connection
from eau2.errors import UnknownNameError, UsageError
from eau2.progress import said_by, shown
from eau2.repl import drawings, overviews
from eau2.repl.commands import bare, find, has_several, help_text, is_command, named, parted
from eau2.repl.display import NAME, Display, refuse_last
from eau2.repl.editor import edited
from eau2.repl.interrupts import cancelling
from eau2.repl.output import Output
from eau2.repl.pieces import cut
from eau2.repl.preferences import Preferences, wanted
from eau2.show import Overview, columns, frames, is_explain
from eau2.sql.split import split
from eau2.types import VARCHAR

FILES_DEEP: Final = 16
"""How deep files may name files that are to be run."""

WATCH_S: Final = 2.0
WATCH_LEAST_S: Final = 0.1
WATCH_TIMES: Final = 1000
"""How often a watched statement runs when nobody says how often, and at most."""

_RENEWED: Final = (
    "Connected anew: a node was lost, and settings, prepared statements and registered frames "
    "with it.\n"
)

_COLORS: Final = "The colours of this shell stay: config.toml sets those of the next ones."

_CODE: Final = re.compile(r"[eE]\w*\d")
"""What is meant as an error code."""

_CHANGES_NAMES: Final = re.compile(r"\s*(?:create|drop|insert)\b", re.IGNORECASE)


class Interpreter:
    """One session. For one thread; `idle` lets another one use the connection in between."""

    def __init__(
        self,
        connection: Connection,
        preferences: Preferences,
        connect: Callable[[], Connection] | None = None,
    ) -> None:
        """connect: opens another connection when this one is lost for good; None: none is."""
        self._connect = connect
        self.preferences = preferences
        self.names_changed: Callable[[], None] = lambda: None
        """Is called when tables may have come or gone."""
        self._connection = connection
        self._output = Output(preferences)
        self._display = Display(preferences, self._output)
        self._statement = ""
        self._draft = ""
        self._reading = 0
        self._using = threading.Lock()
        self._wanted = False
        self._quit = False

    @contextmanager
    def idle(self) -> Iterator[tuple[Connection, Callable[[], bool]]]:
        """The connection, for another thread, while no statement runs.

        With it comes what tells whether to go on: not once a statement waits.
        """
        with self._using:
            yield self._connection, lambda: not self._wanted

    def run_script(self, text: str) -> None:
        """Run everything in `text`; a line that begins with a backslash, or a dot and a letter, is
        a command.

        Raises what the first failing statement raises.
        """
        pending = ""
        for number, line in enumerate(text.splitlines(keepends=True)):
            if not pending.strip() and is_command(line):
                if not self.run_line(line.strip()):
                    return
                pending = ""
                continue
            # The line breaks before a statement make its errors name the right line.
            pending = pending if pending.strip() else "\n" * number
            statements, rest = split(pending + line)
            for statement in statements:
                self._run(statement)
            pending = rest
        if pending.strip():
            self._run(pending)

    def run_line(self, text: str) -> bool:
        """Run a command or statements; False when it says to quit.

        Raises what a failing statement raises, UsageError for a command that is none.
        """
        if has_several(text):
            self.run_script(text)
            return not self._quit
        if is_command(text):
            command, rest = parted(text)
            _ACTIONS[command.names[0]](self, rest)
            return not self._quit
        statements, unfinished = split(text)
        for statement in (*statements, unfinished) if unfinished else statements:
            self._run(statement)
        return True

    def run_file(self, path: Path) -> None:
        """Run the statements and commands of a file, as run_script does.

        Raises UsageError when it cannot be read, or files run files too deep.
        """
        if self._reading >= FILES_DEEP:
            raise UsageError(f"{path}: files run files more than {FILES_DEEP} deep")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"{path} cannot be read: {why}") from error
        self._reading += 1
        try:
            self.run_script(text)
        finally:
            self._reading -= 1

    @property
    def quits(self) -> bool:
        """Whether a command has said to quit."""
        return self._quit

    def taken_draft(self) -> str:
        """What the next prompt begins with; it is forgotten here."""
        draft, self._draft = self._draft, ""
        return draft

    def end_output(self) -> None:
        """End the file that results go to, if they go to one."""
        self._output.close()

    def close(self) -> None:
        """End all of it, the connection too. Raises UsageError as the end of the output does."""
        self._connect = None
        try:
            self.end_output()
        finally:
            with self._held():
                self._connection.close()

    def _run(self, statement: str, *, paged: bool = True) -> None:
        refuse_last(statement)
        start = time.perf_counter()
        try:
            with self._held(), shown(sys.stderr) as line:
                self._know_last(statement)
                self._connection.watch(said_by(line))
                batches = self._connection.stream(statement)
                plan = is_explain(statement)
                self._display.show(batches, plan=plan, paged=paged, begins=line.erase)
        finally:
            self._statement = statement.strip()
            if _CHANGES_NAMES.match(statement):
                self.names_changed()
        if self.preferences.timing:
            self._output.say(f"Time: {time.perf_counter() - start:.3f} s")

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The connection for this thread: whoever uses it meanwhile is asked to stop.

        Ctrl-C ends what is done with it: KeyboardInterrupt.
        """
        self._wanted = True
        try:
            with self._using:
                self._renew()
                with cancelling(self._connection.cancel):
                    yield
        finally:
            self._wanted = False

    def _renew(self) -> None:
        """Connect anew, if a lost node has taken with it what the connection had there.

        Raises what connecting raises; then the next statement tries it again.
        """
        if self._connect is None or not self._connection.lost:
            return
        anew = self._connect()
        anew.interruptible()
        lost, self._connection = self._connection, anew
        lost.close()
        sys.stderr.write(_RENEWED)
        sys.stderr.flush()

    def _know_last(self, text: str) -> None:
        """Have the connection know the last result as a table, if the text names it."""
        last = self._display.last
        if last.types and any(piece.name == NAME for piece in cut(text)):
            self._connection.lend(NAME, last.distinct())

    def _repeated(self) -> str:
        if not self._statement:
            raise UsageError("there is no statement yet", hint="Run one first.")
        return self._statement

    def _describe(self, name: str) -> None:
        with self._held():
            self._know_last(name)
            name = _unquoted(name)
            found = self._columns(name) if name else frames(self._connection)
        self._show(found)

    def _columns(self, name: str) -> Overview:
        """The columns of a frame, or of a view, which has no statistics."""
        known = self._connection.tables()
        try:
            return columns(self._connection, name)
        except UnknownNameError:
            if name.lower() not in [each.lower() for each in known]:
                raise
        quoted = '"' + name.replace('"', '""') + '"'
        result = self._connection.sql(f"DESCRIBE {quoted}")
        return Overview(result.types, result.to_arrow())

    def _functions(self, pattern: str) -> None:
        with self._held():
            found = overviews.functions(pattern, self._connection)
        self._show(Overview(overviews.FUNCTION_TYPES, found), most=True)

    def _nodes(self, _: str) -> None:
        with self._held():
            result = self._connection.sql("SHOW NODES")
        self._show(Overview(result.types, result.to_arrow()))

    def _chunks(self, name: str) -> None:
        if not name:
            raise UsageError("\\chunks takes the name of a frame", hint="\\d lists the frames.")
        with self._held():
            self._know_last(name)
            name = _unquoted(name)
            text = overviews.chunks(self._connection, name, self._output.width or 100)
        self._lines(text)

    def _plan(self, statement: str) -> None:
        statement = (statement or self._repeated()).rstrip().rstrip(";")
        with self._held():
            self._know_last(statement)
            text = self._connection.explain(statement)
        self._lines(text)

    def _last(self, form: str) -> None:
        self._display.again(_form(form) if form else self.preferences.format)

    def _chart(self, words: str) -> None:
        drawings.draw(words, self._display.last.distinct(), self._output)

    def _watch(self, words: str) -> None:
        seconds, times = _rhythm(words)
        statement = self._repeated()
        for turn in range(times):
            if turn:
                time.sleep(seconds)
            self._output.say(f"{time.strftime('%H:%M:%S')} (every {seconds:g} s, Ctrl-C ends)")
            self._run(statement, paged=False)

    def _read(self, name: str) -> None:
        self.run_file(Path(os.path.expanduser(_plain_path("\\i", name))))

    def _write(self, name: str) -> None:
        self._output.to_file(_plain_path("\\o", name) if name else "")

    def _edit(self, _: str) -> None:
        self._draft = edited(self._statement)

    def _format(self, form: str) -> None:
        if form:
            self.preferences.set("format", form)
        self._output.say(f"The format is {self.preferences.format}.")

    def _expand(self, text: str) -> None:
        on = self.preferences.expanded
        if not text or wanted("\\x", text) != on:
            on = self.preferences.expand()
        self._output.say(f"Expanded display is {'on' if on else 'off'}.")

    def _switch(self, name: str, text: str) -> None:
        switched = "off" if getattr(self.preferences, name) else "on"
        self.preferences.set(name, text or switched)
        title = {"timing": "Timing", "pager": "The pager"}[name]
        self._output.say(f"{title} is {self.preferences.values()[name]}.")

    def _set(self, words: str) -> None:
        name, value = [*words.split(maxsplit=1), "", ""][:2]
        name = name.lower()
        values = self.preferences.values()
        if value:
            self.preferences.set(name, bare(value))
            if name == "color":
                self._output.say(_COLORS)
            return
        if name and name not in values:
            self.preferences.set(name, "")
        chosen = [name] if name else list(values)
        table = pa.table({"name": chosen, "value": [values[each] for each in chosen]})
        self._show(Overview((VARCHAR, VARCHAR), table))

    def _help(self, topic: str) -> None:
        if not topic:
            self._lines(help_text())
            return
        command = named(topic) or named(f"\\{topic}")
        if command is not None:
            self._lines(f"{command.names[0]} {command.takes}".rstrip() + f"\n  {command.summary}")
            return
        if not _CODE.match(topic):
            # Raises an error that says which commands there are.
            find(topic if topic.startswith(("\\", ".")) else f"\\{topic}")
        self._lines(drawings.explained(topic))

    def _leave(self, _: str) -> None:
        self._quit = True

    def _show(self, overview: Overview, *, most: bool = False) -> None:
        self._display.overview(overview.table, overview.types, most=most)

    def _lines(self, text: str) -> None:
        """Text that is read whole, so it is not cut."""
        with self._output.opened("lines") as sink:
            sink.write(f"{text.rstrip()}\n".encode())


_ACTIONS: Final[dict[str, Callable[[Interpreter, str], None]]] = {
    "\\d": Interpreter._describe,
    "\\df": Interpreter._functions,
    "\\nodes": Interpreter._nodes,
    "\\chunks": Interpreter._chunks,
    "\\plan": Interpreter._plan,
    "\\last": Interpreter._last,
    "\\chart": Interpreter._chart,
    "\\watch": Interpreter._watch,
    "\\i": Interpreter._read,
    "\\o": Interpreter._write,
    "\\e": Interpreter._edit,
    "\\format": Interpreter._format,
    "\\x": Interpreter._expand,
    "\\timing": lambda shell, text: shell._switch("timing", text),
    "\\pager": lambda shell, text: shell._switch("pager", text),
    "\\set": Interpreter._set,
    "\\?": Interpreter._help,
    "\\q": Interpreter._leave,
}
"""How each command is done; a test holds the table of commands beside it."""


def _form(text: str) -> str:
    """A format by its name. Raises UsageError."""
    probe = Preferences()
    probe.set("format", text)
    return probe.format


def _rhythm(words: str) -> tuple[float, int]:
    """How many seconds lie between the turns of a watch, and how many turns there are."""
    given = words.split()
    try:
        seconds = float(given[0]) if given else WATCH_S
        times = int(given[1]) if len(given) > 1 else WATCH_TIMES
        if len(given) <= 2 and WATCH_LEAST_S <= seconds < float("inf") and times >= 1:
            return seconds, min(times, WATCH_TIMES)
    except ValueError:
        pass
    raise UsageError(
        f"\\watch takes seconds, {WATCH_LEAST_S:g} at least, and how often; not '{words}'",
        hint=f"\\watch 5 runs the last statement every 5 s, {WATCH_TIMES} times at most.",
    )


def _plain_path(command: str, name: str) -> str:
    """A path as it is typed, perhaps in quotes."""
    if not bare(name):
        raise UsageError(f"{command} takes the name of a file")
    return bare(name)


def _unquoted(name: str) -> str:
    """A name as it is written in SQL, without its quotes."""
    if len(name) > 1 and name.startswith('"') and name.endswith('"'):
        return name[1:-1].replace('""', '"')
    return name
