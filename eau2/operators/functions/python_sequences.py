"""Lists taken apart and together as loops and assignments of Python do: zip, unpacking, divmod.

Owns: how each is computed, and how far loops inside of one another may go. Comes in: lists.
Goes out: lists and elements. Does not know: how they are written.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from eau2.config import LIMITS
from eau2.operators.expr import Call, Expr, Lambda, Literal
from eau2.operators.functions.checks import Scope, batchwise, formula, marked
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.list_lambdas import Body
from eau2.operators.functions.list_rows import elements, nested
from eau2.operators.functions.python_calls import (
    FAMILY,
    Columns,
    python_entry,
    python_function,
    spread,
)
from eau2.operators.functions.python_values import limited
from eau2.operators.physical import kernel_dtype

EACH = "each"
ROUNDS = "list.rounds"


def _lower_at(call: Call, scope: Scope) -> pl.Expr:
    def over(lists: pl.Expr, place: pl.Expr) -> pl.Expr:
        return lists.list.get(place, null_on_oob=True)

    return formula(kernel_dtype(call.type), over, *(scope.lower(arg) for arg in call.args))


def _shortest(lists: list[pl.Expr]) -> pl.Expr:
    """The length of the shortest list; NULL if one is NULL."""
    known = pl.all_horizontal([one.is_not_null() for one in lists])
    return pl.when(known).then(pl.min_horizontal([one.list.len() for one in lists]))


def _lower_zip(call: Call, scope: Scope) -> pl.Expr:
    def over(*lists: pl.Expr) -> pl.Expr:
        length = _shortest(list(lists))
        return pl.when(length.is_not_null()).then(lists[0].list.head(length.fill_null(0)))

    return formula(kernel_dtype(call.type), over, *(scope.lower(arg) for arg in call.args))


def _exactly(values: list[Any], count: int) -> list[Any]:
    if len(values) < count:
        raise ValueError(f"not enough values to unpack (expected {count}, got {len(values)})")
    if len(values) > count:
        raise ValueError(f"too many values to unpack (expected {count})")
    return values


def _at_least(values: list[Any], count: int) -> list[Any]:
    if len(values) < count:
        found = len(values)
        raise ValueError(f"not enough values to unpack (expected at least {count}, got {found})")
    return values


def _quick_exactly(columns: Columns) -> pl.Series | None:
    lists, count = spread(columns)
    return None if (lists.list.len() != count).any() else lists


def _quick_at_least(columns: Columns) -> pl.Series | None:
    lists, count = spread(columns)
    return None if (lists.list.len() < count).any() else lists


def _lower_rounds(call: Call, scope: Scope) -> pl.Expr:
    """The list, if there are not too many rounds when those around it are counted too."""
    lists, around, where = call.args
    assert isinstance(where, Literal)
    dtype = kernel_dtype(call.type)
    loop = call.function == ROUNDS
    limit = LIMITS.function_nested_rounds if loop else LIMITS.function_comprehension_elements

    def compute(frame: pl.DataFrame) -> pl.Series:
        found, rounds = frame.get_columns()
        counts = found.list.len().cast(pl.Int64) * rounds
        most, every = counts.max(), counts.sum()
        if isinstance(most, int) and most > limit:
            text = too_many_rounds(most) if loop else too_many_elements(most)
            raise ValueError(marked("function", f"{text}, in {where.value}"))
        if call.function == "list.product" and every > LIMITS.list_elements:
            text = (
                f"comprehensions of {every:,} elements together: at most {LIMITS.list_elements:,}"
            )
            raise ValueError(marked("function", f"{text} are supported, in {where.value}"))
        return found

    return batchwise(dtype, compute, scope.counted(lists, dtype), scope.lower(around))


def too_many_rounds(count: int) -> str:
    """What is said of loops inside of one another that go too far."""
    most = LIMITS.function_nested_rounds
    return f"loops inside of one another of {count:,} rounds: at most {most:,} are supported"


def too_many_elements(count: int) -> str:
    """What is said of a comprehension over lists inside of one another that are too long."""
    most = LIMITS.function_comprehension_elements
    return f"a comprehension of {count:,} elements: at most {most:,} are supported"


def _flat(values: list[list[Any]]) -> list[Any] | None:
    limited(sum(map(len, values)))
    return [value for inner in values for value in inner]


def _quick_flat(columns: Columns) -> pl.Series | None:
    """Where no list inside is missing: the elements of the elements, in their order."""
    outer = elements(columns[0])
    if outer.values.null_count():
        return None
    inner = elements(outer.values)
    return nested(outer.rows.gather(inner.rows), inner.values, outer.known)


def _lower_each(call: Call, scope: Scope) -> pl.Expr:
    """What the last lambda gives for each position of all lists where the one before it is true."""
    written = [arg for arg in call.args if not isinstance(arg, Lambda)]
    bodies = [Body(arg, scope) for arg in call.args if isinstance(arg, Lambda)]
    around = tuple(dict.fromkeys(label for body in bodies for label in body.around))
    count = len(written)
    dtype = kernel_dtype(call.type)
    lists = [scope.counted(arg, kernel_dtype(arg.type)) for arg in written]

    def compute(frame: pl.DataFrame) -> pl.Series:
        names = frame.columns[:count]
        length = _shortest([pl.col(name) for name in names])
        known = frame.select(length.is_not_null()).to_series()
        cut = frame.select(pl.col(name).list.head(length.fill_null(0)) for name in names)
        parts = [elements(column) for column in cut]
        # A row without one of the lists has none of the others' elements either.
        rows = parts[0].rows
        given = [part.values for part in parts]
        given.append(parts[0].positions() - 1)
        outside = dict(zip(around, frame.get_columns()[count:], strict=True))
        for place, body in enumerate(bodies):
            columns = dict(zip(body.labels, given, strict=True))
            columns |= {label: outside[label].gather(rows) for label in body.around}
            values = body.over(columns)
            if place == len(bodies) - 1:
                break
            kept = values.fill_null(False)
            rows, given = rows.filter(kept), [column.filter(kept) for column in given]
        return nested(rows, values, known).cast(dtype)

    return batchwise(dtype, compute, *lists, *map(pl.col, around))


def _unbound(name: str, args: tuple[Expr, ...]) -> Expr:
    raise mismatch(name, args, "Comprehensions over several lists are written as it.")


FUNCTIONS: tuple[Function, ...] = (
    python_entry("list.at", "list[T], int -> T", "An element, or NULL.", _lower_at),
    python_entry("list.zip", "list[T], list... -> list[T]", "Cut to the shortest.", _lower_zip),
    *(
        python_entry(name, "list[T], int -> list[T]", summary, _lower_rounds, fails=True)
        for name, summary in (
            (ROUNDS, "The list of a loop inside of another."),
            ("list.within", "The list of a for inside of another in a comprehension."),
            ("list.product", "The list around another one that does not depend on it."),
        )
    ),
    python_function(
        "list.unpack", "list[T], int -> list[T]", _exactly, quick=_quick_exactly, fails=True
    ),
    python_function(
        "list.unpack*", "list[T], int -> list[T]", _at_least, quick=_quick_at_least, fails=True
    ),
    python_function(
        "list.flat",
        "list[list[T]] -> list[T]",
        _flat,
        quick=_quick_flat,
        fails=True,
        elements=True,
    ),
    Function(
        EACH,
        FAMILY,
        "each(list, ..., lambda)",
        "A comprehension over several lists at once.",
        "",
        _unbound,
        _lower_each,
        operator=True,
        null_rule="own",
    ),
)
