"""What a fragment asks of its chunks: columns of which only the rows of some values matter.

Owns: finding such columns in a fragment, and their values at run time. Comes in: fragments, and
the results of stages; goes out: names of stored columns with bounds or keys. Does not know: chunks,
row lists, whether it pays.

Only rows that would be dropped anyway are left out, and none whose values could raise an error
before they are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from eau2.indexes.row_lists import Keys
from eau2.operators.base import Operator
from eau2.operators.expr import Call, Cast, ColumnRef, Expr, InList, Literal, columns_of, conjuncts
from eau2.operators.filter import Filter
from eau2.operators.formed import keeps_integers
from eau2.operators.join import Join
from eau2.operators.lowering import can_fail
from eau2.operators.project import Project
from eau2.operators.scan import ScanChunks, StageInput
from eau2.records import Record, replace
from eau2.types import Kind, SqlType

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_ROW_BY_ROW = frozenset({"inner", "semi", "anti", "left", "mark", "cross"})
"""Joins of which each left row's share depends on that row alone."""
_DECIMAL_DIGITS = 18


class Range(Record, frozen=True):
    """Rows whose value lies between two bounds, both included."""

    name: str
    low: int
    high: int


class Among(Record, frozen=True):
    """Rows whose value is one of a list."""

    name: str
    values: tuple[int, ...]


class Partners(Record, frozen=True):
    """Rows whose value is in the column `label` of the rows of a stage."""

    name: str
    stage: int
    label: str


Ask = Range | Among | Partners


def can_be_indexed(type_: SqlType) -> bool:
    """Whether columns of this type are held as whole numbers of at most 64 bits."""
    if type_.is_decimal:
        return type_.precision <= _DECIMAL_DIGITS
    return type_.is_integer or type_.kind in (Kind.DATE, Kind.TIMESTAMP)


def asks(root: Operator) -> tuple[Ask, ...]:
    """What the fragment asks of the chunks that it scans. Any one of them is enough."""
    path: list[Operator] = []
    node = root
    while not isinstance(node, ScanChunks):
        if not node.inputs:
            return ()
        path.append(node)
        node = node.inputs[0]
    pairs = zip(node.columns, node.names, strict=True)
    names = {column.id: name for column, name in pairs if can_be_indexed(column.type)}
    found: list[Ask] = []
    for above in reversed(path):
        match above:
            case Filter(_, condition):
                found += _of_condition(condition, names)
                if can_fail(condition):
                    break
            case Project(_, items):
                if any(can_fail(expr) for _, expr in items):
                    break
                names = {
                    column.id: names[expr.id]
                    for column, expr in items
                    if isinstance(expr, ColumnRef) and expr.id in names
                }
            case Join(kind=kind, equalities=equalities, condition=condition):
                if kind not in _ROW_BY_ROW or any(can_fail(left) for left, _ in equalities):
                    break
                fails = condition is not None and can_fail(condition)
                if not fails or (kind == "inner" and _fails_in_pairs(above)):
                    found += _of_join(above, names)
                if fails:
                    break
            case _:
                break
    return tuple(found)


def _of_condition(condition: Expr, names: Mapping[int, str]) -> Iterator[Ask]:
    """By each column the rows that can fulfil the condition, as far as it says so simply."""
    ranges: dict[str, Range] = {}
    for part in conjuncts(condition):
        match part:
            case InList(arg=arg, values=values):
                name = _name(arg, names)
                whole = tuple(v for v in values if isinstance(v, int))
                if name is not None and len(whole) == len(values):
                    yield Among(name, whole)
            case Call(function=function, args=(left, Literal(value=value))) if _is_whole(value):
                name = _name(left, names)
                if name is not None and function in _BOUNDS:
                    ranges[name] = _narrowed(ranges.get(name), name, function, value)
            case Call(function=function, args=(Literal(value=value), right)) if _is_whole(value):
                name = _name(right, names)
                if name is not None and function in _BOUNDS:
                    turned = _TURNED.get(function, function)
                    ranges[name] = _narrowed(ranges.get(name), name, turned, value)
    yield from ranges.values()


_BOUNDS = frozenset({"=", "<", "<=", ">", ">="})
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _narrowed(known: Range | None, name: str, function: str, value: object) -> Range:
    """A range, of which only the part on one side of a value is left."""
    assert isinstance(value, int)
    known = known or Range(name, _LOWEST, _HIGHEST)
    if function in ("=", ">", ">="):
        known = replace(known, low=max(known.low, value + (function == ">")))
    if function in ("=", "<", "<="):
        known = replace(known, high=min(known.high, value - (function == "<")))
    return known


def _fails_in_pairs(join: Join) -> bool:
    """Whether what can fail of the condition is computed of pairs alone."""
    right = {column.id for column in join.right.output}
    parts = () if join.condition is None else conjuncts(join.condition)
    return all(not can_fail(part) or columns_of(part) & right for part in parts)


def _of_join(join: Join, names: Mapping[int, str]) -> Iterator[Ask]:
    if not isinstance(join.right, StageInput) or join.null_safe:
        return
    if join.kind not in ("inner", "semi"):
        return
    given = join.right.labels
    for left, right in join.equalities:
        name = _name(left, names)
        label = _name(right, given)
        if name is not None and label is not None:
            yield Partners(name, join.right.stage, label)


def _name(expr: Expr, names: Mapping[int, str]) -> str | None:
    """The column whose own integers an expression's values are."""
    while isinstance(expr, Cast) and keeps_integers(expr):
        expr = expr.arg
    return names.get(expr.id) if isinstance(expr, ColumnRef) else None


def keys_of(ask: Among | Partners, stages: Mapping[int, pl.DataFrame], most: int) -> Keys | None:
    """The values that are asked for, ascending, each once; None where there are more than `most`,
    or where they are no whole numbers.
    """
    if isinstance(ask, Among):
        if len(ask.values) > most:
            return None
        within = {value for value in ask.values if _LOWEST <= value <= _HIGHEST}
        return np.array(sorted(within), np.int64)
    frame = stages.get(ask.stage)
    if frame is None or ask.label not in frame.columns or frame.height > most:
        return None
    keys = frame.get_column(ask.label)
    if isinstance(keys.dtype, pl.Enum):
        return None
    keys = keys.to_physical()
    if not keys.dtype.is_integer():
        return None
    # What has no place in 64 bits is in no list either.
    found: Keys = keys.cast(pl.Int64, strict=False).drop_nulls().unique().sort().to_numpy()
    return found
