"""Notebooks: `%%eau2` runs a cell of SQL, `%eau2` a line of it, both over one connection.

Owns: the words of the two magics, and which connection they use. Comes in: IPython's shell, lines
and cells. Goes out: results, which notebooks show as tables. Does not know: IPython itself, which
it is handed: nothing of it is imported, so `%load_ext eau2` is all that a notebook needs.

    %load_ext eau2
    %eau2 --connect eau2://127.0.0.1:7700
    %%eau2 busiest <<
    SELECT station, max(a) FROM df GROUP BY station

Parameters, `$name` in the SQL, are the notebook's variables of these names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from keyword import iskeyword
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from eau2.connection import Connection, connect
from eau2.errors import Error, UsageError, report
from eau2.result import Result
from eau2.sql.lexer import tokenize
from eau2.sql.split import split
from eau2.sql.tables import tables

USAGE: Final = """\
%eau2 SQL                 run statements; the last one's result is shown
%%eau2                    the same, for the lines below
%eau2 NAME << SQL         keep the result in a variable, do not show it; also %%eau2 NAME <<
%eau2 --connect PLACE     use a node (eau2://HOST:PORT), a store's folder, or a variable's
                          Connection
%eau2 --close             close it; the next statement runs on an empty store in memory"""

_KEPT: Final = re.compile(r"\s*([^\W\d]\w*)\s*<<(.*)", re.DOTALL)


class Shell(Protocol):
    """What of IPython's shell is needed."""

    @property
    def user_ns(self) -> dict[str, Any]:
        """The notebook's variables."""

    def register_magic_function(
        self, func: Callable[..., Any], magic_kind: str, magic_name: str
    ) -> None:
        """Make `func` a magic."""


class Magics:
    """The two magics of one notebook, and their connection."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._connection: Connection | None = None
        self._own = True

    def run(self, line: str, cell: str | None = None) -> Result | None:
        """`%eau2 line`, or `%%eau2 line` over `cell`. Raises what a statement raises.

        The error is shown as the command line shows it, with the place in the statement and
        without the way through eau2's functions.
        """
        try:
            return self._run(line, cell)
        except Error as error:
            # IPython asks an exception for its own lines by this name.
            shown = report(error).splitlines()
            error._render_traceback_ = lambda: shown  # type: ignore[attr-defined]
            raise

    # IPython would write variables in place of $name; as parameters they keep their types.
    run._ipython_magic_no_var_expand = True  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close the connection, unless it is the notebook's own."""
        connection, self._connection = self._connection, None
        if connection is not None and self._own:
            connection.close()

    def _run(self, line: str, cell: str | None) -> Result | None:
        text, name = line.strip(), None
        if text.startswith("--"):
            word, _, rest = text.partition(" ")
            rest = rest.strip()
            if word == "--connect" and rest:
                self._connect(rest)
            elif word == "--close" and not rest:
                self.close()
            else:
                raise UsageError(f"%eau2 does not know '{text[:80]}'", hint=USAGE)
            text = ""
            if cell is None:
                return None
        elif (kept := _KEPT.fullmatch(line)) is not None:
            name, text = kept[1], kept[2].strip()
            if iskeyword(name) or not name.isidentifier():
                raise UsageError(
                    f"the result cannot be kept as {name}: no variable of Python is called so",
                    hint="Take another name before <<.",
                )
        if cell is not None:
            if text:
                raise UsageError(
                    f"behind %%eau2 stands '{text[:80]}'",
                    hint="The SQL begins on the next line.\n" + USAGE,
                )
            text = cell
        statements, rest = split(text)
        if not statements and not rest:
            raise UsageError("there is no statement to run", hint=USAGE)
        if self._connection is None:
            self._connection, self._own = connect(), True
        result: Result | None = None
        for statement in (*statements, rest) if rest else statements:
            result = self._connection.sql(statement, self._parameters(statement))
        if name is not None:
            self._shell.user_ns[name] = result
            return None
        return result if result is not None and result.names else None

    def _connect(self, place: str) -> None:
        given = self._shell.user_ns.get(place)
        if place.isidentifier() and not isinstance(given, Connection) and not os.path.isdir(place):
            # A name by itself is more often meant as a variable than as a folder to be made.
            found = "holds no connection" if place in self._shell.user_ns else "does not exist"
            raise UsageError(
                f"the variable {place} {found}, and there is no folder of that name",
                hint=f"Write ./{place} for a new store there, or set the variable in a cell of"
                f" Python: {place} = eau2.connect(...)",
            )
        made = given if isinstance(given, Connection) else connect(place)
        self.close()
        self._connection, self._own = made, made is not given

    def _parameters(self, statement: str) -> dict[int | str, object] | None:
        """The notebook's variables that the statement names as parameters."""
        names = parameter_names(statement)
        missing = [name for name in names if name not in self._shell.user_ns]
        if missing:
            raise UsageError(
                f"the statement has the parameter ${missing[0]}, and no variable is called"
                f" {missing[0]}",
                hint=f"Set it in a cell of Python: {missing[0]} = ...",
            )
        return {name: self._shell.user_ns[name] for name in names} or None


def parameter_names(statement: str) -> list[str]:
    """The names of the parameters that a statement has by name, each once."""
    tokens = tokenize(statement)
    parameter = tables().terminals.index("PARAMETER")
    found = [
        statement[start + 1 : end]
        for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True)
        if kind == parameter
    ]
    return [name for name in dict.fromkeys(found) if name and not name.isdigit()]


_LOADED: WeakKeyDictionary[Shell, Magics] = WeakKeyDictionary()


def load_ipython_extension(shell: Shell) -> None:
    """What `%load_ext eau2` calls."""
    magics = Magics(shell)
    _LOADED[shell] = magics
    shell.register_magic_function(magics.run, "line_cell", "eau2")


def unload_ipython_extension(shell: Shell) -> None:
    """What `%unload_ext eau2` calls: it closes the connection. IPython keeps the magics."""
    magics = _LOADED.pop(shell, None)
    if magics is not None:
        magics.close()
