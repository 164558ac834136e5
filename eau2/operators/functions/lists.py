"""Lists: making, joining, measuring, and taking elements out of them. Positions count from 1.

Owns: these functions. Comes in: bound calls. Goes out: Polars expressions.
Does not know: orders and sets of elements (list_sets.py), lambdas (list_lambdas.py), aggregates
over elements (list_aggregates.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from eau2.config import LIMITS
from eau2.errors import NotSupportedError, OperationalError, OutOfRangeError
from eau2.operators.coercion import LIST_VALUE, coerce, coercion_cost, common_type, list_type
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Scope
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.list_calls import (
    as_list,
    by_columns,
    common_lists,
    element_of,
    list_and_element,
    list_function,
)
from eau2.operators.functions.list_keys import comparable
from eau2.operators.functions.list_rows import ROW, VALUE, elements, nested
from eau2.operators.physical import kernel_dtype
from eau2.types import BIGINT, BOOLEAN, INTEGER, NULL, SqlType, list_of

Columns = Sequence[pl.Series]
_LENGTH = "length"


def _everywhere(columns: Columns) -> pl.Series:
    return pl.repeat(True, len(columns[0]), dtype=pl.Boolean, eager=True)


def _bind_value(name: str, args: tuple[Expr, ...]) -> Expr:
    element = common_type(args) if args else NULL
    return Call(list_type(element), name, tuple(coerce(arg, element) for arg in args))


def _lower_value(call: Call, scope: Scope) -> pl.Expr:
    if not call.args:
        return pl.lit([], kernel_dtype(call.type))
    return by_columns(_value)(call, scope)


def _value(call: Call, columns: Columns) -> pl.Series:
    """Lists of one value of each column."""
    if element_of(call.type).is_list:
        # Side by side the engine would join lists, not put them into one.
        every = pl.concat([_numbered(column) for column in columns]).sort(ROW, maintain_order=True)
        return nested(every.get_column(ROW), every.get_column(VALUE), _everywhere(columns))
    frame = pl.DataFrame([column.alias(str(n)) for n, column in enumerate(columns)])
    return frame.select(pl.concat_list(pl.all())).to_series()


def _numbered(column: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({ROW: pl.int_range(len(column), eager=True), VALUE: column})


def _bind_length(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) not in (1, 2):
        raise mismatch(name, args, f"It is written {name}(list).")
    if len(args) == 2 and not (isinstance(args[1], Literal) and args[1].value == 1):
        raise NotSupportedError(f"{name} is supported for the first dimension alone")
    return Call(BIGINT, name, (as_list(name, args[0], args),))


def _lower_length(call: Call, scope: Scope) -> pl.Expr:
    return scope.lower(call.args[0]).list.len().cast(pl.Int64)


def _bind_extract(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written {name}(list, position).")
    lists = as_list(name, args[0], args)
    return Call(element_of(lists.type), name, (lists, _position(name, args, 1)))


def _position(name: str, args: tuple[Expr, ...], place: int) -> Expr:
    if coercion_cost(args[place], BIGINT) is None:
        raise mismatch(name, args, "A position is a BIGINT.")
    return coerce(args[place], BIGINT)


def _extract(call: Call, columns: Columns) -> pl.Series:
    place = pl.col("1")
    index = pl.when(place > 0).then(place - 1).when(place < 0).then(place)
    return _frame(columns).select(pl.col("0").list.get(index, null_on_oob=True)).to_series()


def _frame(columns: Columns) -> pl.DataFrame:
    return pl.DataFrame([column.alias(str(n)) for n, column in enumerate(columns)])


def _bind_slice(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) not in (3, 4):
        raise mismatch(name, args, f"It is written {name}(list, begin, end[, step]).")
    lists = as_list(name, args[0], args)
    bounds = tuple(_position(name, args, place) for place in range(1, len(args)))
    return Call(lists.type, name, (lists, *bounds))


def _slice(call: Call, columns: Columns) -> pl.Series:
    """From begin to end, both included; what lies outside of the list is not there.

    Negative positions count from the end. A negative step goes from the end to the begin.
    """
    frame, length = _frame(columns), pl.col("0").list.len().cast(pl.Int64)
    begin, end = (
        pl.when(at < 0).then(length + at + 1).otherwise(at) for at in (pl.col("1"), pl.col("2"))
    )
    known = pl.all_horizontal(pl.all().is_not_null())
    if len(columns) == 4:
        return _stepped(frame, begin, end, known)
    first, last = pl.max_horizontal(begin, pl.lit(1)), pl.min_horizontal(end, length)
    count = pl.max_horizontal(last - first + 1, pl.lit(0))
    chosen = pl.col("0").list.slice(pl.min_horizontal(first - 1, length), count)
    return frame.select(pl.when(known).then(chosen)).to_series()


def _stepped(frame: pl.DataFrame, begin: pl.Expr, end: pl.Expr, known: pl.Expr) -> pl.Series:
    if (frame.get_column("3") == 0).any():
        raise OutOfRangeError("the step of a slice cannot be zero")
    length, step = pl.col("0").list.len().cast(pl.Int64), pl.col("3")
    up = step > 0
    upward = pl.max_horizontal(begin, pl.lit(1)), pl.min_horizontal(end, length) + 1
    downward = pl.min_horizontal(begin, length), pl.max_horizontal(end, pl.lit(1)) - 1
    first, last = (
        pl.when(up).then(one).otherwise(other) for one, other in zip(upward, downward, strict=True)
    )
    some = known & pl.when(up).then(first < last).otherwise(first > last)
    bounds = ((first - 1, 0), (last - 1, 0), (step, 1))
    places = pl.int_ranges(*(pl.when(some).then(at).otherwise(other) for at, other in bounds))
    return frame.select(pl.when(known).then(pl.col("0").list.gather(places))).to_series()


def _bind_found(type_: SqlType, name: str, args: tuple[Expr, ...]) -> Expr:
    return Call(type_, name, list_and_element(name, args))


def _matches(call: Call, columns: Columns) -> pl.DataFrame:
    """The row and place of every element that equals the value of its row; NULL equals NULL."""
    type_ = element_of(call.args[0].type)
    found = elements(columns[0])
    frame = pl.DataFrame(
        {"value": found.values, "wanted": columns[1].gather(found.rows), ROW: found.rows}
    )
    one, other = (comparable(pl.col(name), type_) for name in ("value", "wanted"))
    places = frame.select(
        ROW, found.positions().alias("place"), one.eq_missing(other).alias("equal")
    )
    return places.filter("equal")


def _contains(call: Call, columns: Columns) -> pl.Series:
    frame = _frame(columns).with_row_index(ROW)
    value = pl.col("0").list.contains(pl.col("1"))
    element = call.args[1].type
    if element.is_list or element.is_float:
        there = _matches(call, columns).get_column(ROW)
        value = pl.col(ROW).cast(pl.Int64).is_in(there.implode())
    empty = pl.col("0").list.len() == 0
    known = pl.col("0").is_not_null() & (pl.col("1").is_not_null() | empty)
    return frame.select(pl.when(known).then(value)).to_series()


def _place(call: Call, columns: Columns) -> pl.Series:
    found = _matches(call, columns).group_by(ROW, maintain_order=True).agg(pl.col("place").first())
    frame = pl.DataFrame({ROW: pl.int_range(len(columns[0]), eager=True)})
    joined = frame.join(found, on=ROW, how="left", maintain_order="left")
    return joined.get_column("place").cast(pl.Int32)


def _bind_concat(name: str, args: tuple[Expr, ...]) -> Expr:
    if not args:
        raise mismatch(name, args, f"It is written {name}(list, ...).")
    lists = common_lists(name, args)
    return Call(lists[0].type, name, lists)


def _concat(call: Call, columns: Columns) -> pl.Series:
    """The lists one after the other; NULL is as good as an empty one."""
    empty = pl.lit([], columns[0].dtype)
    return _frame(columns).select(pl.concat_list(pl.all().fill_null(empty))).to_series()


def _bind_joined(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2 or not all(arg.type.is_list or arg.type == NULL for arg in args):
        raise mismatch("||", args, "It joins two lists, or two texts.")
    if any(arg.type == NULL for arg in args):
        return Literal(NULL, None)
    lists = common_lists("||", args)
    return Call(lists[0].type, name, lists)


def _joined(call: Call, columns: Columns) -> pl.Series:
    known = pl.all_horizontal(pl.all().is_not_null())
    return _frame(columns).select(pl.when(known).then(pl.concat_list(pl.all()))).to_series()


def _bind_append(name: str, args: tuple[Expr, ...]) -> Expr:
    lists, value = list_and_element(name, args)
    return _bind_concat("list_concat", (lists, _bind_value(LIST_VALUE, (value,))))


def _bind_prepend(name: str, args: tuple[Expr, ...]) -> Expr:
    lists, value = list_and_element(name, args, place=1)
    return _bind_concat("list_concat", (_bind_value(LIST_VALUE, (value,)), lists))


def _bind_flatten(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 1:
        raise mismatch(name, args, f"It is written {name}(lists).")
    lists = as_list(name, args[0], args)
    if element_of(lists.type) == NULL:
        lists = coerce(lists, list_of(list_of(NULL)))
    if not element_of(lists.type).is_list:
        raise mismatch(name, args, "It takes a list of lists.")
    return Call(element_of(lists.type), name, (lists,))


def _flatten(call: Call, columns: Columns) -> pl.Series:
    outer = elements(columns[0])
    inner = elements(outer.values)
    return nested(outer.rows.gather(inner.rows), inner.values, outer.known)


def _bind_series(name: str, args: tuple[Expr, ...]) -> Expr:
    if not 1 <= len(args) <= 3:
        raise mismatch(name, args, f"It is written {name}(start, stop[, step]).")
    if any(arg.type.is_temporal for arg in args):
        raise NotSupportedError(f"{name} of dates and timestamps is supported in FROM alone")
    numbers = tuple(_position(name, args, place) for place in range(len(args)))
    if len(numbers) == 1:
        numbers = (Literal(BIGINT, 0), *numbers)
    one = (Literal(BIGINT, 1),) if len(numbers) == 2 else ()
    return Call(list_of(BIGINT), name, (*numbers, *one))


def _series(call: Call, columns: Columns) -> pl.Series:
    """start, start + step, ...; a step of zero gives an empty list, as in DuckDB."""
    start, stop, step = (pl.col(f"{n}").cast(pl.Int128) for n in range(3))
    last = stop
    if call.function == "generate_series":
        last = pl.when(step > 0).then(stop + 1).otherwise(stop - 1)
    missing = pl.any_horizontal(pl.all().is_null())
    span = pl.when(step > 0).then(last - start).otherwise(start - last)
    steps = (span + step.abs() - 1) // pl.when(step == 0).then(1).otherwise(step.abs())
    count = pl.when(missing | (step == 0)).then(0).otherwise(pl.max_horizontal(steps, pl.lit(0)))
    frame = _frame(columns).with_columns(count.alias("count"))
    total = frame.get_column("count").cast(pl.Float64).sum()
    if total > LIMITS.list_elements:
        raise OperationalError(
            f"lists of {int(total)} elements together are too long:"
            f" at most {LIMITS.list_elements} are made at once"
        )
    number = pl.int_ranges(0, pl.col("count").cast(pl.Int64))
    made = elements(frame.select(number).to_series())
    of = frame.select("0", "2").select(pl.all().gather(made.rows))
    values = of.select(pl.col("0") + pl.col("2") * made.values).to_series()
    return made.lists(values).set(frame.select(missing).to_series(), None)


FUNCTIONS: tuple[Function, ...] = (
    list_function(
        LIST_VALUE,
        "[a, b, ...]",
        "A list of these values, in their common type.",
        "[1, 2]",
        _bind_value,
        _lower_value,
        aliases=("list_pack",),
        null_rule="own",
    ),
    list_function(
        "array_length",
        "len(list)",
        "How many elements the list has.",
        "len([1, NULL]) = 2",
        _bind_length,
        _lower_length,
    ),
    list_function(
        "list_extract",
        "list[position]",
        "The element at a position; a negative one counts from the end.",
        "[1, 2][-1] = 2",
        _bind_extract,
        by_columns(_extract),
        aliases=("list_element", "array_extract"),
    ),
    list_function(
        "list_slice",
        "list[begin:end]",
        "The elements from one position to another, both included.",
        "[1, 2, 3][2:] = [2, 3]",
        _bind_slice,
        by_columns(_slice),
        aliases=("array_slice",),
        fails=True,
    ),
    list_function(
        "list_contains",
        "list_contains(list, value)",
        "Whether the value is an element of the list.",
        "list_contains([1, 2], 2)",
        partial(_bind_found, BOOLEAN),
        by_columns(_contains),
        aliases=("array_contains", "list_has", "array_has"),
        null_rule="own",
    ),
    list_function(
        "list_position",
        "list_position(list, value)",
        "The position of the first element that equals the value, NULL when there is none.",
        "list_position([1, 2], 2) = 2",
        partial(_bind_found, INTEGER),
        by_columns(_place),
        aliases=("list_indexof", "array_position", "array_indexof"),
        null_rule="own",
    ),
    list_function(
        "list_concat",
        "list_concat(list, ...)",
        "The elements of all lists; NULL is as good as an empty list.",
        "list_concat([1], [2]) = [1, 2]",
        _bind_concat,
        by_columns(_concat),
        aliases=("list_cat", "array_concat", "array_cat"),
        null_rule="own",
    ),
    list_function(
        "list_joined",
        "list || list",
        "The elements of both lists; NULL when one of them is.",
        "[1] || [2] = [1, 2]",
        _bind_joined,
        by_columns(_joined),
    ),
    list_function(
        "list_append",
        "list_append(list, value)",
        "The list with one more element at its end.",
        "list_append([1], 2) = [1, 2]",
        _bind_append,
        by_columns(_concat),
        aliases=("array_append", "array_push_back"),
        null_rule="own",
    ),
    list_function(
        "list_prepend",
        "list_prepend(value, list)",
        "The list with one more element at its beginning.",
        "list_prepend(0, [1]) = [0, 1]",
        _bind_prepend,
        by_columns(_concat),
        aliases=("array_prepend",),
        null_rule="own",
    ),
    list_function(
        "flatten",
        "flatten(lists)",
        "The elements of all lists in a list.",
        "flatten([[1], [2]]) = [1, 2]",
        _bind_flatten,
        by_columns(_flatten),
    ),
    list_function(
        "range",
        "range([start,] stop[, step])",
        "The numbers from start on, before stop, as a list.",
        "range(3) = [0, 1, 2]",
        _bind_series,
        by_columns(_series),
        fails=True,
    ),
    list_function(
        "generate_series",
        "generate_series([start,] stop[, step])",
        "The numbers from start to stop, as a list.",
        "generate_series(1, 3) = [1, 2, 3]",
        _bind_series,
        by_columns(_series),
        fails=True,
    ),
)
