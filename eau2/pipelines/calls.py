"""What a pipeline computes with, as the text of an expression: calls of functions, and SQL.

Owns: the three forms that a program may write (`Computed`), which columns the arguments of a
function are, and the names under which functions are called. Comes in: a Computed and the columns
there are; goes out: text, and the functions that it calls. Does not know: queries, connections.

A function that was compiled from Python is called by its name and a digest of its operators, so
that two functions of one name may stand in one query, and none of them takes another's place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from eau2.errors import UnknownColumnError, UsageError
from eau2.operators.function_form import encode
from eau2.operators.user_functions import UserFunction, counted, default_of
from eau2.records import Record, replace
from eau2.types import BOOLEAN

_DIGEST_BYTES = 5
_NAME_CHARS = 100
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9_]")
"""What Python allows in names of functions, and a store does not."""


@runtime_checkable
class Compiled(Protocol):
    """What @eau2.function, @eau2.aggregate and @eau2.table_function make."""

    @property
    def definition(self) -> UserFunction:
        """Its operators."""

    @property
    def source(self) -> str:
        """The text it was written as, kept as a comment."""


Computed = str | Compiled | UserFunction | tuple[Compiled | UserFunction | str, ...]
"""An expression of SQL; a function over the columns that are named as its parameters are; or
(function, "column", ...), a function over these columns."""


class Named(Record, frozen=True):
    """A function as a query calls it: `definition` has the name that stands in the query.

    name: what the program calls it.
    """

    definition: UserFunction
    source: str
    name: str


class Call(Record, frozen=True):
    """An expression as text, and the function that it calls, if it calls one."""

    text: str
    function: Named | None = None


def quoted(name: str) -> str:
    """A name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def column(name: str, columns: Iterable[str]) -> str:
    """A column by its name in any letter case. Raises UnknownColumnError, UsageError."""
    if not isinstance(name, str):
        raise UsageError(
            f"a column is named by a text, not by {type(name).__name__}",
            hint="Write the column's name in quotes.",
        )
    for known in columns:
        if known.casefold() == name.casefold():
            return known
    listed = ", ".join(columns)
    raise UnknownColumnError(f'there is no column "{name}"', hint=f"There are {listed}.")


def scalar(computed: Computed, columns: tuple[str, ...]) -> Call:
    """A value for each row. Raises UsageError, UnknownColumnError."""
    return _written(computed, columns, _check_scalar)


def condition(computed: Computed, columns: tuple[str, ...]) -> Call:
    """A condition on each row. Raises UsageError, UnknownColumnError."""
    return _written(computed, columns, _check_condition)


def aggregate(computed: Computed, columns: tuple[str, ...]) -> Call:
    """A value for each group of rows. Raises UsageError, UnknownColumnError."""
    return _written(computed, columns, _check_aggregate)


def elements(computed: Computed, columns: tuple[str, ...]) -> Call:
    """A list for each row. Raises UsageError, UnknownColumnError."""
    return _written(computed, columns, _check_elements)


def name_of(computed: Computed) -> str:
    """What a column is called that is given no name. Raises UsageError for an expression."""
    if isinstance(computed, str):
        raise UsageError(
            f"the column of {computed[:80]!r} has no name",
            hint=f"Give it one: name={computed[:80]!r}.",
        )
    function = computed[0] if isinstance(computed, tuple) and computed else computed
    return _definition(function)[0].name


def _written(
    computed: Computed, columns: tuple[str, ...], check: Callable[[UserFunction], None]
) -> Call:
    if isinstance(computed, str):
        # The line break ends a comment that the text may end with.
        return Call(f"({computed}\n)" if "--" in computed else f"({computed})")
    function, *given = computed if isinstance(computed, tuple) and computed else (computed,)
    definition, source = _definition(function)
    check(definition)
    arguments = ", ".join(_read(definition, tuple(given), columns))
    called = replace(definition, name=_unique_name(definition), table=False)
    return Call(f"{quoted(called.name)}({arguments})", Named(called, source, definition.name))


def _definition(function: object) -> tuple[UserFunction, str]:
    if isinstance(function, UserFunction):
        return function, ""
    if isinstance(function, Compiled) and isinstance(function.definition, UserFunction):
        return function.definition, function.source
    if callable(function):
        called = getattr(function, "__name__", type(function).__name__)
        raise UsageError(
            f"{called} is a plain Python function, which does not run on nodes",
            hint="Write @eau2.function above it (or @eau2.aggregate, @eau2.table_function), and "
            "types at its parameters and result.",
        )
    raise UsageError(
        f"{type(function).__name__} is nothing that a pipeline computes with",
        hint='Give a compiled function, (function, "column", ...), or an expression of SQL.',
    )


def _read(
    definition: UserFunction, given: tuple[object, ...], columns: tuple[str, ...]
) -> list[str]:
    """The arguments as text: columns. What has a default and no column is left out."""
    needed = [p.name for p in definition.parameters if default_of(p) is None]
    if given:
        if not len(needed) <= len(given) <= len(definition.parameters):
            counts = counted(definition).replace("argument", "column")
            raise UsageError(
                f"{definition.name} takes {counts}, not {len(given)}",
                hint=f"It is {definition.signature}.",
            )
        return [quoted(column(name, columns)) for name in given]  # type: ignore[arg-type]
    known = {name.casefold(): name for name in columns}
    missing = [name for name in needed if name.casefold() not in known]
    if missing:
        listed = ", ".join(columns)
        named = ", ".join(f'"{name}"' for name in missing)
        example = ", ".join(f'"{columns[0]}"' for _ in definition.parameters)
        raise UnknownColumnError(
            f"{definition.name} reads {named}, and there is no such column",
            hint=f"There are {listed}. Columns of other names are given with the function, as in "
            f"({definition.name}, {example}).",
        )
    read: list[str] = []
    for parameter in definition.parameters:
        found = known.get(parameter.name.casefold())
        if found is not None:
            by_name = "" if default_of(parameter) is None else f"{quoted(parameter.name)} := "
            read.append(f"{by_name}{quoted(found)}")
    return read


def _unique_name(definition: UserFunction) -> str:
    digest = hashlib.blake2b(encode(definition), digest_size=_DIGEST_BYTES).hexdigest()
    return f"{_UNNAMEABLE.sub('_', definition.name)[:_NAME_CHARS]}_{digest}"


def _check_scalar(function: UserFunction) -> None:
    if function.is_aggregate:
        raise UsageError(
            f"{function.name} gathers rows, so it gives no value for each row",
            hint=f"Write reduce({function.name}), or group_by(...).reduce({function.name}).",
        )


def _check_condition(function: UserFunction) -> None:
    _check_scalar(function)
    if function.type != BOOLEAN:
        raise UsageError(
            f"filter needs a function that gives BOOLEAN, and {function.name} gives "
            f"{function.type}",
            hint="Have it return a comparison, with -> bool.",
        )


def _check_aggregate(function: UserFunction) -> None:
    if not function.is_aggregate:
        raise UsageError(
            f"{function.name} gives a value for each row, so it reduces nothing",
            hint="Write @eau2.aggregate above a function that gathers rows, or map with this one.",
        )


def _check_elements(function: UserFunction) -> None:
    _check_scalar(function)
    if function.type.element is None:
        raise UsageError(
            f"flat_map needs a function that gives a list, and {function.name} gives "
            f"{function.type}",
            hint="Have it return a list, with -> list[...], or use map.",
        )
