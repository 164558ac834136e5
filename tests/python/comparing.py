"""One program on both sides: eau2 and CPython, row by row.

Owns: `Side`, how a program is run on a connection, and what counts as a difference. Comes in: a
Program. Goes out: a text that tells the difference, None for none, or that the program is refused.
Does not know: how programs are made.

Rows on which CPython raises nothing are asked for together; each of the others by itself, and the
query must fail with the exception that CPython raises, on the line of the function.
"""

from __future__ import annotations

import ast
import datetime
import math
import re
import struct
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

import eau2
from eau2.errors import (
    ConversionError,
    Error,
    FunctionDefinitionError,
    FunctionFailedError,
    OutOfRangeError,
)
from eau2.operators.user_functions import UserFunction
from eau2.python import definitions, names
from eau2.python.source import Source
from tests.python.forms import CONSTANTS
from tests.python.lifted import Outcome, compiled, run
from tests.python.programs import Program

_ARROW = {
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "str": pa.string(),
    "datetime.date": pa.date32(),
    "datetime.datetime": pa.timestamp("us"),
    "list[int]": pa.list_(pa.int64()),
    "list[str]": pa.list_(pa.string()),
}
_RAISING_ROWS = 3
"""Of the rows that raise, so many are tried."""


def defined(text: str) -> UserFunction:
    """The function of a text, compiled. Raises FunctionDefinitionError."""
    source = Source("f", text)
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef)
    return definitions.defined(
        node, names.within({"math": math, "datetime": datetime, **CONSTANTS}), source
    )


def difference(program: Program, connection: eau2.Connection) -> str | None:
    """What eau2 gives and CPython does not. Raises FunctionDefinitionError for a refused one."""
    function = defined(program.text)
    connection.register_function(function)
    native = compiled(program.text)
    outcomes = [run(native, row) for row in program.rows]
    plain = [place for place, outcome in enumerate(outcomes) if outcome.raised is None]
    # A text that is too long is none where nothing reads it: it is not made then.
    passed = (None, "MemoryError")
    raising = [place for place, outcome in enumerate(outcomes) if outcome.raised not in passed]
    try:
        values = _asked(program, [program.rows[place] for place in plain], connection)
    except Error as error:
        return _told(program, f"eau2 fails where CPython does not: {type(error).__name__}: {error}")
    for place, value in zip(plain, values, strict=True):
        expected = outcomes[place].value
        if not alike(expected, value, program.result):
            return _told(program, f"row {place}: CPython {expected!r}, eau2 {value!r}")
    for place in raising[:_RAISING_ROWS]:
        found = _raising(program, program.rows[place], outcomes[place], connection)
        if found is not None:
            return _told(program, f"row {place}: {found}")
    return None


def _raising(
    program: Program, row: Sequence[Any], outcome: Outcome, connection: eau2.Connection
) -> str | None:
    try:
        (value,) = _asked(program, [row], connection)
    except FunctionFailedError as error:
        named = str(outcome.raised)
        if named == "IntOutsideError":
            named = "OverflowError"
        # Of several exceptions that a row meets, another one may come first.
        told = re.match(r"MemoryError|[A-Z]\w+Error.*, in f, line ", error.message, re.DOTALL)
        return None if told else f"CPython {named}, eau2 says {error.message}"
    except (OutOfRangeError, ConversionError):
        return None
    except Error as error:
        return f"CPython {outcome.raised}, eau2 {type(error).__name__}: {error}"
    return f"CPython raises {outcome.raised}, eau2 gives {value!r}"


def _asked(
    program: Program, rows: Sequence[Sequence[Any]], connection: eau2.Connection
) -> list[Any]:
    """What the function gives for rows, in a query."""
    if not rows:
        return []
    columns: dict[str, pa.Array] = {"place": pa.array(range(len(rows)), pa.int64())}
    for number, (name, type_) in enumerate(program.parameters):
        columns[name] = pa.array([row[number] for row in rows], _ARROW[type_])
    connection.register("rows_of_f", pa.table(columns))
    called = ", ".join(name for name, _ in program.parameters)
    found = connection.sql(f"SELECT f({called}) FROM rows_of_f ORDER BY place").fetchall()
    return [value for (value,) in found]


def alike(expected: Any, value: Any, type_: str) -> bool:
    """Whether a value is the same, to the last bit of a float."""
    if expected is None or value is None:
        return expected is value
    if isinstance(expected, list):
        inner = type_[5:-1]
        return len(expected) == len(value) and all(
            alike(one, two, inner) for one, two in zip(expected, value, strict=True)
        )
    if type_ == "float":
        one, two = float(expected), float(value)
        both_nan = math.isnan(one) and math.isnan(two)
        return both_nan or struct.pack("d", one) == struct.pack("d", two)
    if type_ == "int":
        return type(value) is int and int(expected) == value
    return type(value) is type(expected) and bool(expected == value)


def _told(program: Program, what: str) -> str:
    return f"{what}\n{program.calls}"


def is_refused(program: Program) -> str | None:
    """Why the subset does not take a program; None when it does."""
    try:
        defined(program.text)
    except FunctionDefinitionError as error:
        return error.message
    return None
