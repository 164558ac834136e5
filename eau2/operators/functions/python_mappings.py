"""Python's dicts of constants: d[k] and d.get(k, default).

Owns: the text that a dict is in the operator form, and how many keys are looked up at once. Comes
in: calls whose second argument is such a text. Goes out: entries of the function table.
Does not know: where a dict was written, which types it may have (well_formed.py looks).

A dict is one constant text, [keys, values] in JSON with physical values (a date is its day's
number), so that ten thousand entries are one node of an expression. The third argument has the type
of the values: the default of get, and a NULL for d[k], which has none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from eau2.operators.expr import Call, Literal
from eau2.operators.functions.checks import Scope, marked
from eau2.operators.functions.function import Function
from eau2.operators.functions.python_calls import (
    Columns,
    must_be_in_calendar,
    over_columns,
    python_entry,
    said,
    spread,
)
from eau2.operators.physical import kernel_dtype

ITEM, GET = "dict.[]", "dict.get"
_KEPT = 32
"""Dicts that are kept as columns, since each task lowers them anew."""
_Table = tuple[pl.Series, pl.Series]


def written(keys: Sequence[Any], values: Sequence[Any]) -> str:
    """A dict of physical values as the text that a call has."""
    return json.dumps([keys, values], ensure_ascii=False, separators=(",", ":"))


def entries_of(text: str) -> tuple[list[Any], list[Any]]:
    """The keys and the values of a text. Raises ValueError for one that `written` has not made."""
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("a dict is nested too deep") from error
    match found:
        case [[*keys], [*values]] if len(keys) == len(values) and written(keys, values) == text:
            return keys, values
    raise ValueError("a dict is not its keys and its values")


@lru_cache(_KEPT)
def _table(text: str, key: pl.DataType, value: pl.DataType) -> _Table:
    """The keys and the values as columns."""
    keys, values = entries_of(text)
    return _column(keys, key), _column(values, value)


def _column(values: list[Any], dtype: pl.DataType) -> pl.Series:
    return pl.Series(values, dtype=_stored(dtype)).cast(dtype)


def _stored(dtype: pl.DataType) -> pl.DataType:
    """The type of physical values: days and microseconds are whole numbers, in lists too."""
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        assert isinstance(inner, pl.DataType)
        return pl.List(_stored(inner))
    return pl.Int64() if dtype.is_temporal() else dtype


def _of(call: Call) -> _Table:
    text = call.args[1]
    assert isinstance(text, Literal)
    return _table(str(text.value), kernel_dtype(call.args[0].type), kernel_dtype(call.type))


def _places(wanted: pl.Series, keys: pl.Series) -> pl.Series:
    """Which entry each wanted key has; NULL for none."""
    numbers = pl.int_range(len(keys), dtype=pl.UInt32, eager=True)
    return wanted.replace_strict(keys, numbers, default=None, return_dtype=pl.UInt32)


def _lower_item(call: Call, scope: Scope) -> pl.Expr:
    """A NULL key has no entry and no error: what d[None] raises stands before it."""
    keys, values = _of(call)
    place = call.args[-1]
    assert isinstance(place, Literal)

    def over(columns: Columns) -> pl.Series:
        wanted, *guards = spread(columns)
        places = _places(wanted, keys)
        missing = places.is_null() & wanted.is_not_null()
        for guard in guards:
            missing &= guard.fill_null(False)
        if missing.any():
            first, where = wanted.filter(missing).head(1), f", in {place.value}"
            must_be_in_calendar(first, where)
            error = KeyError(first.item())
            raise ValueError(marked("function", said(error) + where))
        return values.gather(places)

    guards = () if scope.guard is None else (scope.guard,)
    return over_columns(kernel_dtype(call.type), over, scope.lower(call.args[0]), *guards)


def _lower_get(call: Call, scope: Scope) -> pl.Expr:
    keys, values = _of(call)

    def over(columns: Columns) -> pl.Series:
        wanted, default = spread(columns)
        places = _places(wanted, keys)
        frame = pl.DataFrame(
            [places.alias("p"), values.gather(places).alias("v"), default.alias("d")]
        )
        chosen = pl.when(pl.col("p").is_null()).then("d").otherwise("v")
        return frame.select(chosen.alias("v")).to_series()

    inputs = (scope.lower(call.args[0]), scope.lower(call.args[2]))
    return over_columns(kernel_dtype(call.type), over, *inputs)


FUNCTIONS: tuple[Function, ...] = (
    python_entry(ITEM, "V, str, U -> U", "d[k] of a dict.", _lower_item, fails=True, nulls=True),
    python_entry(GET, "V, str, U -> U", "d.get(k, default) of a dict.", _lower_get, nulls=True),
)
