"""Aggregates that need all rows of a group at once: quantiles, mode, list, first, arg_min.

Owns: their types, their expressions, and bitwise aggregates, which are like them in nothing but
that they take integers as they are. Comes in: bound arguments; labels of columns. Goes out: types,
Polars aggregations. Does not know: groups, partial frames (aggregates.py asks for these).

Where the order of rows shows, it is made by keys that the binder has completed with the arguments,
so that no answer depends on how rows came. The mode of several is the least, or the first in an
order that is given. Interpolation is DuckDB's: low + (high - low) * fraction, for decimals cut
toward zero, for points in time rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2 import types
from eau2.errors import NotSupportedError, ProgrammingError, TypeMismatchError
from eau2.operators import distribution_aggregates, interval_form
from eau2.operators.coercion import cast, coerce, list_type
from eau2.operators.exact_sum import canonical
from eau2.operators.expr import AggregateCall, Call, Cast, Expr, Literal, SortKey
from eau2.operators.functions.list_keys import comparable, list_key
from eau2.operators.physical import kernel_dtype
from eau2.records import Record
from eau2.types import INTEGER_RANGES, Kind, SqlType

SYNONYMS = {
    "arbitrary": "first",
    "array_agg": "list",
    "argmin": "arg_min",
    "argmax": "arg_max",
    "min_by": "arg_min",
    "max_by": "arg_max",
    "group_concat": "string_agg",
    "listagg": "string_agg",
    "quantile": "quantile_disc",
}
_APPROXIMATE = frozenset({"approx_quantile", "reservoir_quantile"})
"""These are exact here: approx_quantile is quantile_disc, the other counts rows from zero."""
WHOLE = frozenset(
    {"arg_max", "arg_max_null", "arg_min", "arg_min_null", "first", "last", "list", "mad"}
    | {"median", "mode", "quantile_cont", "quantile_disc", "string_agg"}
    | _APPROXIMATE
    | distribution_aggregates.NAMES
)
"""What must see a group's rows together."""
BITWISE = frozenset({"bit_and", "bit_or", "bit_xor"})
ORDERED = frozenset({"first", "last", "list", "string_agg", "quantile_cont", "quantile_disc"})
"""What always takes rows in an order: that of an ORDER BY inside the brackets, or one made up."""
ORDERABLE = ORDERED | {"any_value", "arg_max", "arg_min", "mode"}
"""What an ORDER BY inside the brackets makes a difference to."""
_ARGUMENTS = {
    "string_agg": (1, 2),
    "reservoir_quantile": (1, 3),
    **dict.fromkeys(("approx_quantile", "arg_max", "arg_max_null"), (2, 2)),
    **dict.fromkeys(("arg_min", "arg_min_null"), (2, 2)),
}
_WITHOUT_LISTS = frozenset({"mad", "median", "mode", "quantile_cont", "quantile_disc"})
_WITHOUT_LISTS |= _APPROXIMATE
_FRACTIONS = frozenset({"quantile_cont", "quantile_disc"})


def is_whole(call: AggregateCall) -> bool:
    """Whether the rows of a group must be together before `call` can begin."""
    return call.function in WHOLE


def bind_whole(
    name: str, function: str, args: tuple[Expr, ...], order: tuple[SortKey, ...]
) -> AggregateCall:
    """The call of one of these functions. Raises statement errors without a span."""
    if function in distribution_aggregates.NAMES:
        return distribution_aggregates.bind_distribution(name, function, args)
    fewest, most = _ARGUMENTS.get(function, (2, 2) if function in _FRACTIONS else (1, 1))
    if not fewest <= len(args) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        noun = "argument" if wanted == "1" else "arguments"
        raise TypeMismatchError(f"{name} takes {wanted} {noun}, not {len(args)}")
    value = args[0]
    if value.type.is_list and function in _WITHOUT_LISTS:
        raise NotSupportedError(f"{name} of lists is not supported")
    if function in BITWISE:
        if not value.type.is_integer and value.type.kind is not Kind.NULL:
            raise TypeMismatchError(f"{name} is not defined for {value.type}")
        value = coerce(value, types.INTEGER) if value.type.kind is Kind.NULL else value
        return AggregateCall(function, (value,), value.type)
    if function == "string_agg":
        return _bind_string_agg(name, args, order)
    if function == "mad":
        return _bind_mad(name, value)
    if function in _APPROXIMATE:
        return _bind_approximate(name, function, args)
    if function == "list":
        return AggregateCall(function, args, list_type(value.type), order=order)
    if function in _FRACTIONS:
        args = (value, _fraction(name, args[1]))
    if function == "median" and value.type.kind is Kind.TIME:
        raise NotSupportedError(f"median of {value.type} is not supported")
    if function == "median":
        args = (value, Literal(types.DOUBLE, 0.5))
        function = "quantile_cont" if _interpolates(value.type) else "quantile_disc"
        order = ()
    type_ = _continuous(name, value.type) if function == "quantile_cont" else value.type
    return AggregateCall(function, args, type_, order=order)


def first_in_order(
    function: str, args: tuple[Expr, ...], where: Expr | None, order: tuple[SortKey, ...]
) -> AggregateCall:
    """any_value, arg_min and arg_max with an ORDER BY: the first row that they could take.

    That row has no NULL in an argument, and for the last two the least or greatest second one.
    """
    present = [Call(types.BOOLEAN, "is_not_null", (arg,)) for arg in args]
    parts = tuple(present) if where is None else (*present, where)
    where = parts[0] if len(parts) == 1 else Call(types.BOOLEAN, "and", parts)
    if function != "any_value":
        order = (SortKey(args[1], descending=function == "arg_max"), *order)
    return AggregateCall("first", args[:1], args[0].type, where=where, order=order)


def _bind_mad(name: str, value: Expr) -> AggregateCall:
    type_ = value.type
    if type_.is_temporal:
        raise NotSupportedError(
            f"{name} of {type_} is an INTERVAL, which is not supported",
            hint="Take it of a number, for example epoch(x).",
        )
    if not type_.is_numeric and type_.kind is not Kind.NULL:
        raise TypeMismatchError(f"{name} is not defined for {type_}")
    type_ = _continuous(name, type_)
    # The fraction is that of a median: of the values, and then of how far they are from it.
    half = Literal(types.DOUBLE, 0.5)
    return AggregateCall("mad", (coerce(value, type_), half), type_)


def _bind_approximate(name: str, function: str, args: tuple[Expr, ...]) -> AggregateCall:
    value = args[0]
    fraction = _fraction(name, args[1]) if len(args) > 1 else Literal(types.DOUBLE, 0.5)
    type_ = value.type
    moments = type_.is_temporal and function == "approx_quantile"
    if not (type_.is_numeric or moments or type_.kind is Kind.NULL):
        raise TypeMismatchError(f"{name} is not defined for {type_}")
    if isinstance(fraction.value, float) and fraction.value < 0:
        raise ProgrammingError(f"the fraction of {name} must be from 0 to 1")
    if type_.kind is Kind.NULL:
        value = coerce(value, types.INTEGER)
    elif type_.kind is Kind.FLOAT and function == "approx_quantile":
        value = cast(value, types.DOUBLE)
    elif type_.is_integer and function != "approx_quantile" and INTEGER_RANGES[type_.kind][0] == 0:
        value = cast(value, types.HUGEINT if type_.kind is Kind.UBIGINT else types.BIGINT)
    exact = "quantile_disc" if function == "approx_quantile" else function
    return AggregateCall(exact, (value, fraction), value.type)


def bind_extreme(function: str, arg: Expr, where: Expr | None) -> AggregateCall:
    """The least or greatest list, as the first in order; any value is the least."""
    order = (SortKey(arg, descending=function == "max"),)
    return AggregateCall("first", (arg,), arg.type, where=where, order=order)


def _interpolates(type_: SqlType) -> bool:
    return type_.is_numeric or type_.is_temporal or type_.kind in (Kind.NULL, Kind.INTERVAL)


def _continuous(name: str, type_: SqlType) -> SqlType:
    """The type of an interpolated value."""
    if type_.is_integer or type_.kind is Kind.NULL:
        return types.DOUBLE
    if type_.is_temporal:
        return types.TIMESTAMP
    if type_.kind is Kind.INTERVAL and name == "median":
        return type_
    if type_.is_decimal and type_.is_wide:
        raise NotSupportedError(
            f"{name} of {type_} is not supported", hint="CAST the argument to DOUBLE."
        )
    if type_.is_numeric:
        return type_
    raise TypeMismatchError(f"{name} is not defined for {type_}")


def _constant(name: str, expr: Expr, what: str) -> Literal:
    while isinstance(expr, Cast) and isinstance(expr.arg, Literal | Cast):
        expr = expr.arg
    if not isinstance(expr, Literal):
        raise ProgrammingError(f"the {what} of {name} must be a constant")
    return expr


def _fraction(name: str, expr: Expr) -> Literal:
    """The fraction as a DOUBLE; a negative one counts from the top."""
    constant = _constant(name, expr, "fraction")
    value = constant.value
    if value is None or not constant.type.is_numeric or isinstance(value, str):
        raise ProgrammingError(f"the fraction of {name} must be a number")
    number = float(value) / 10.0**constant.type.scale
    if not -1.0 <= number <= 1.0:
        raise ProgrammingError(f"the fraction of {name} must be from -1 to 1")
    return Literal(types.DOUBLE, number)


def _bind_string_agg(
    name: str, args: tuple[Expr, ...], order: tuple[SortKey, ...]
) -> AggregateCall:
    text = cast(args[0], types.VARCHAR)
    separator = Literal(types.VARCHAR, ",")
    if len(args) == 2:
        given = _constant(name, args[1], "separator")
        if given.value is None:
            text = Literal(types.VARCHAR, None)
        elif not isinstance(given.value, str):
            raise TypeMismatchError(f"the separator of {name} must be a text")
        else:
            separator = given
    return AggregateCall("string_agg", (text, separator), types.VARCHAR, order=order)


class Columns(Record, frozen=True):
    """Where a call's arguments, its filter and its order's keys stand, by label."""

    args: Sequence[str]
    where: str | None
    keys: Sequence[str]


def bitwise(call: AggregateCall, value: pl.Expr) -> pl.Expr:
    """A bitwise aggregate of a column."""
    if call.function == "bit_and":
        return value.bitwise_and()
    return value.bitwise_or() if call.function == "bit_or" else value.bitwise_xor()


def whole(call: AggregateCall, columns: Columns) -> pl.Expr:
    """The result for each group, as an aggregation over the rows' columns."""
    value = _values(call.args[0], columns.args[0])
    kept = value
    if call.function in distribution_aggregates.NAMES:
        # A product has the sign of its factors, so of these -0.0 is one.
        own = pl.col(columns.args[0]) if call.function == "product" else value
        return distribution_aggregates.distribution(call, own)
    match call.function:
        case "first" | "last":
            return _picked(call, value, columns, last=call.function == "last")
        case "arg_min" | "arg_max" | "arg_min_null" | "arg_max_null":
            by = _values(call.args[1], columns.args[1])
            both = by.is_not_null()
            if not call.function.endswith("_null"):
                both = value.is_not_null() & both
            down = call.function.startswith("arg_max")
            least = list_key(value, call.type) if call.type.is_list else value
            keys = [comparable(by, call.args[1].type).filter(both), least.filter(both)]
            ordered = value.filter(both).sort_by(keys, descending=[down, False], nulls_last=True)
            return ordered.first()
        case "mode" if call.type.kind is Kind.INTERVAL:
            order = interval_form.normalised(value)
            return value.filter(order == order.drop_nulls().mode().min()).min()
        case "mode":
            if call.order:
                ordered = _sorted(call, value, columns).drop_nulls()
                return ordered.mode(maintain_order=True).first()
            return value.drop_nulls().mode().min()
        case "string_agg":
            return _joined(call, value, columns)
        case "list":
            return _listed(call, columns)
    fraction = call.args[1]
    assert isinstance(fraction, Literal)
    assert isinstance(fraction.value, float)
    descending = fraction.value < 0 or bool(call.order and call.order[0].descending)
    rows = kept.drop_nulls().sort(descending=descending)
    if call.type.kind is Kind.INTERVAL:
        order = interval_form.normalised(kept.drop_nulls())
        rows = kept.drop_nulls().sort_by(order, kept.drop_nulls(), descending=[descending, False])
    count = kept.count().cast(pl.Float64)
    if call.function == "reservoir_quantile":
        place = ((count - 1.0) * fraction.value).floor().cast(pl.Int64)
        return rows.get(pl.max_horizontal(place, pl.lit(0)), null_on_oob=True)
    if call.function == "quantile_disc":
        return _discrete(rows, count, abs(fraction.value))
    middle = _interpolated(call, rows, count, abs(fraction.value))
    if call.function == "mad":
        return _interpolated(call, (rows - middle).abs().sort(), count, fraction.value)
    return middle


def _values(arg: Expr, label: str) -> pl.Expr:
    value = pl.col(label)
    return canonical(value) if arg.type.is_float else value


def _kept(value: pl.Expr, columns: Columns) -> pl.Expr:
    return value if columns.where is None else value.filter(pl.col(columns.where))


def _sorted(call: AggregateCall, value: pl.Expr, columns: Columns) -> pl.Expr:
    """The values in the order of the call's keys."""
    if not columns.keys:
        return _kept(value, columns)
    keys = [
        _kept(comparable(_values(key.expr, label), key.expr.type), columns)
        for key, label in zip(call.order, columns.keys, strict=True)
    ]
    # Intervals that are equal follow one another by their own form.
    forms = [
        _kept(pl.col(label), columns)
        for key, label in zip(call.order, columns.keys, strict=True)
        if key.expr.type.kind is Kind.INTERVAL
    ]
    return _kept(value, columns).sort_by(
        keys + forms,
        descending=[key.descending for key in call.order] + [False] * len(forms),
        nulls_last=[key.nulls_last for key in call.order] + [True] * len(forms),
    )


def _picked(call: AggregateCall, value: pl.Expr, columns: Columns, last: bool) -> pl.Expr:
    ordered = _sorted(call, value, columns)
    return ordered.last() if last else ordered.first()


def _joined(call: AggregateCall, value: pl.Expr, columns: Columns) -> pl.Expr:
    separator = call.args[1]
    assert isinstance(separator, Literal)
    text = _sorted(call, value, columns).drop_nulls().str.join(str(separator.value))
    return pl.when(_kept(value, columns).count() > 0).then(text)


def _listed(call: AggregateCall, columns: Columns) -> pl.Expr:
    """The values as they are, NULL too; of no rows NULL. -0.0 comes just before 0.0."""
    value, type_ = pl.col(columns.args[0]), call.args[0].type
    keys = [
        comparable(_values(k.expr, c), k.expr.type)
        for k, c in zip(call.order, columns.keys, strict=True)
    ]
    descending = [key.descending for key in call.order]
    nulls_last = [key.nulls_last for key in call.order]
    if type_.innermost.is_float:
        value = value if type_.is_list else value.fill_nan(float("nan"))
        keys.append(list_key(value, type_, exact=True) if type_.is_list else 1.0 / value)
        descending, nulls_last = [*descending, False], [*nulls_last, True]
    if columns.where is not None:
        value, *keys = (expr.filter(pl.col(columns.where)) for expr in (value, *keys))
    if keys:
        value = value.sort_by(keys, descending=descending, nulls_last=nulls_last)
    return pl.when(value.len() > 0).then(value.implode())


def _discrete(rows: pl.Expr, count: pl.Expr, fraction: float) -> pl.Expr:
    """The first row at or beyond the fraction."""
    place = (count * fraction).ceil().cast(pl.Int64) - 1
    return rows.get(pl.max_horizontal(place, pl.lit(0)), null_on_oob=True)


def is_between_doubles(call: AggregateCall) -> bool:
    """Whether this is a quantile between two doubles: no group need be sorted for those."""
    if call.function != "quantile_cont" or not isinstance(call.args[1], Literal):
        return False
    fraction, arg = call.args[1].value, call.args[0].type
    ascending = isinstance(fraction, float) and fraction >= 0 and not call.order
    return ascending and (arg.is_float or (arg.is_integer and not arg.is_wide))


def neighbours(call: AggregateCall, value: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The values around the fraction, as aggregations."""
    assert isinstance(call.args[1], Literal)
    fraction, doubles = call.args[1].value, value.cast(pl.Float64)
    assert isinstance(fraction, float)
    return doubles.quantile(fraction, "lower"), doubles.quantile(fraction, "higher")


def between(call: AggregateCall, low: pl.Expr, high: pl.Expr, count: pl.Expr) -> pl.Expr:
    """What a quantile of so many values is, from its neighbours."""
    assert isinstance(call.args[1], Literal)
    place = (count.cast(pl.Float64) - 1.0) * pl.lit(call.args[1].value)
    a, b = canonical(low), canonical(high)
    moved = a + (b - a) * (place - place.floor())
    return pl.when(place.floor() == place.ceil()).then(a).otherwise(moved)


def _interpolated(call: AggregateCall, rows: pl.Expr, count: pl.Expr, fraction: float) -> pl.Expr:
    """Between the two rows around the fraction, as DuckDB computes it."""
    arg = call.args[0].type
    if arg.is_temporal:
        rows = rows.cast(pl.Datetime("us")).cast(pl.Int64)
    elif arg.is_integer:
        rows = rows.cast(pl.Float64)
    place = (count - 1.0) * fraction
    low, high = place.floor().cast(pl.Int64), place.ceil().cast(pl.Int64)
    low_value = rows.get(pl.max_horizontal(low, pl.lit(0)), null_on_oob=True)
    high_value = rows.get(pl.max_horizontal(high, pl.lit(0)), null_on_oob=True)
    if arg.kind is Kind.INTERVAL:
        between = interval_form.halfway(low_value, high_value)
        return pl.when(low == high).then(low_value).otherwise(between)
    a, b = low_value.cast(pl.Float64), high_value.cast(pl.Float64)
    moved = a + (b - a) * (place - low.cast(pl.Float64))
    exact: pl.Expr = a
    if arg.is_decimal:
        moved, exact = moved.cast(pl.Int64), low_value.cast(pl.Int64)
    elif arg.is_temporal:
        moved, exact = (
            moved.round(mode="half_away_from_zero").cast(pl.Int64),
            low_value.cast(pl.Int64),
        )
    return pl.when(low == high).then(exact).otherwise(moved).cast(kernel_dtype(call.type))
