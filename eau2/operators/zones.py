"""Zones: the runs of rows inside a chunk that a fragment needs, by what is known of each run.

Owns: `Zones`, and which of them a fragment that scans chunks can do without. Comes in: a fragment,
the results of the stages that it reads, the zones of a chunk; goes out: row ranges. Pure.
Does not know: files, how zones are measured and kept (kv/zones.py), who runs the fragment.

Two things tell that a zone is not needed: the filters right above the scan, and the keys of inner
and semi joins whose right rows are at hand. All that is between a join and the scan must not be
able to fail, else an error would come or not come by where rows lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.catalog import ColumnStatistics, Plain
from eau2.operators.base import Operator
from eau2.operators.expr import (
    Call,
    Column,
    ColumnRef,
    Expr,
    InList,
    Literal,
    columns_of,
    conjuncts,
    size_of,
)
from eau2.operators.facts import COMPARISONS, can_raise
from eau2.operators.filter import Filter
from eau2.operators.join import Join
from eau2.operators.project import Project
from eau2.operators.prune import may_match
from eau2.operators.scan import ScanChunks, StageInput

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64] | npt.NDArray[np.uint64] | npt.NDArray[np.float64]
_Bounds = tuple[Any, Any]
"""Arrays of least and of greatest values by zone, or twice a number."""
Runs = tuple[tuple[int, int], ...]
"""Row ranges of a chunk in row order: where each starts, and how many rows it has."""

_LARGE_CONDITION = 64
"""A part of a condition with more nodes is not looked at, unless it is one for numbers."""
_KEYS = 10_000
"""Of so many right keys at most each is looked for; of more, the least and the greatest."""
_WIDE = 0.5
"""Zones whose numbers span more than this part of the chunk's are not worth a look at keys."""
_PASSING = frozenset({"inner", "cross", "semi", "anti", "left", "mark"})
"""Joins that give left rows unchanged, or leave them out: rows lost below are lost above."""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnZones:
    """What is known of a column's values in each zone.

    low, high: bounds as ColumnStatistics has them: numbers, or texts of which None is unknown. A
    highest float that is NaN is unknown. Of a zone without values they mean nothing.
    nulls: how many NULLs there are.
    """

    low: Numbers | Sequence[str | None]
    high: Numbers | Sequence[str | None]
    nulls: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """The zones of a chunk, in row order. zone_rows: of each, but for the last one. rows: of all.

    columns: by stored name; of some columns nothing is known.
    """

    zone_rows: int
    rows: int
    columns: Mapping[str, ColumnZones]

    @property
    def count(self) -> int:
        """How many zones there are."""
        return -(-self.rows // self.zone_rows)

    def sizes(self) -> npt.NDArray[np.int64]:
        """The rows of each zone."""
        sizes = np.full(self.count, self.zone_rows, np.int64)
        sizes[-1] = self.rows - self.zone_rows * (self.count - 1)
        return sizes

    def runs(self, mask: Mask) -> Runs:
        """The rows of the zones in `mask`, neighbouring ones together."""
        edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
        starts = (edges * self.zone_rows).tolist()
        return tuple(
            (start, min(end, self.rows) - start)
            for start, end in zip(starts[::2], starts[1::2], strict=True)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """Numbers in order, or with `between` all from the first to the second."""

    numbers: npt.NDArray[Any]
    between: bool = False


@dataclass(slots=True)
class Pruner:
    """What a fragment asks of the rows that it scans, as far as zones can answer."""

    scan: ScanChunks
    conditions: tuple[Expr, ...]
    joins: tuple[tuple[Column, pl.Series], ...]
    """Columns of the scan, each with the keys among which its value must be."""
    _found: dict[int, _Values | None] = field(default_factory=dict)

    def runs(self, zones: Zones | None) -> Runs | None:
        """The rows of a chunk that may matter; None for all of them."""
        if zones is None:
            return None
        zoned = _Zoned(self.scan, zones)
        mask = reduce(np.logical_and, map(zoned.mask, self.conditions), zoned.all)
        for position, (column, keys) in enumerate(self.joins):
            if zoned.is_clustered(column.id):
                if position not in self._found:
                    self._found[position] = _key_values(keys)
                mask = mask & zoned.holding(column.id, self._found[position])
        return None if mask.all() else zones.runs(mask)


def pruner(root: Operator, stages: Mapping[int, pl.DataFrame]) -> Pruner | None:
    """What `root` asks of the rows of its scan, if it has one and asks anything of them."""
    joins: list[tuple[int, pl.Series]] = []
    conditions: list[Expr] = []
    node = root
    while not isinstance(node, ScanChunks):
        match node:
            case Filter(input=below, condition=condition):
                conditions.append(condition)
                joins = [] if can_raise(condition) else joins
                node = below
                continue
            case Project(input=below, items=items):
                joins = _below(joins, items)
                node = below
            case Join(kind=kind, left=left):
                if kind not in _PASSING or any(map(can_raise, _exprs(node))):
                    joins = []
                if kind in ("inner", "semi") and not node.null_safe:
                    joins += _keys(node, stages)
                node = left
            case _ if len(node.inputs) == 1:
                joins, node = [], node.inputs[0]
            case _:
                return None
        conditions = []
    if not node.zones or not (conditions or joins):
        return None
    parts = tuple(part for condition in conditions for part in conjuncts(condition))
    of = {column.id: column for column in node.columns}
    return Pruner(node, parts, tuple((of[id_], keys) for id_, keys in joins if id_ in of))


def _below(
    joins: list[tuple[int, pl.Series]], items: Sequence[tuple[Column, Expr]]
) -> list[tuple[int, pl.Series]]:
    """What is asked of a projection, asked of its input."""
    if not joins or any(can_raise(expr) for _, expr in items):
        return []
    named = {column.id: expr.id for column, expr in items if isinstance(expr, ColumnRef)}
    return [(named[id_], keys) for id_, keys in joins if id_ in named]


def _exprs(join: Join) -> list[Expr]:
    both = [expr for pair in join.equalities for expr in pair]
    return both if join.condition is None else [*both, join.condition]


def _keys(join: Join, stages: Mapping[int, pl.DataFrame]) -> list[tuple[int, pl.Series]]:
    """The left columns of a join that must equal a right one, with the right one's values."""
    if not isinstance(join.right, StageInput) or any(map(can_raise, _exprs(join))):
        return []
    rows = stages.get(join.right.stage)
    if rows is None:
        return []
    return [
        (left.id, rows.get_column(right.label))
        for left, right in join.equalities
        if isinstance(left, ColumnRef)
        and isinstance(right, ColumnRef)
        and right.label in rows.columns
        and (left.type.is_integer or left.type.is_temporal or left.type.is_decimal)
    ]


def _key_values(keys: pl.Series) -> _Values | None:
    """The keys, or of many what they lie between; None when they are no numbers of 64 bits."""
    keys = keys.to_physical().drop_nulls()
    if not keys.dtype.is_integer() or keys.dtype in (pl.Int128, pl.UInt64):
        return None
    if len(keys) > _KEYS:
        return _Values(np.array([keys.min(), keys.max()], np.int64), between=True)
    return _Values(np.unique(keys.to_numpy()))


class _Zoned:
    """The zones of one chunk under the columns of a scan."""

    def __init__(self, scan: ScanChunks, zones: Zones) -> None:
        self._zones = zones
        self._sizes = zones.sizes()
        self.all: Mask = np.ones(zones.count, np.bool_)
        self._known = {
            column.id: (column, known)
            for column, name in zip(scan.columns, scan.names, strict=True)
            if (known := zones.columns.get(name)) is not None
        }

    def mask(self, condition: Expr) -> Mask:
        """The zones in which the condition may be true for some row."""
        match condition:
            case Call(function="and", args=args):
                return reduce(np.logical_and, map(self.mask, args), self.all)
            case Call(function="or", args=args):
                return reduce(np.logical_or, map(self.mask, args), ~self.all)
            case Call(function=name, args=(left, right)) if name in COMPARISONS:
                first, second = self._numbers(left), self._numbers(right)
                if first is not None and second is not None and left.type == right.type:
                    return _compared(name, first, second) & self._valued(condition)
            case InList(arg=ColumnRef(id=id_) as arg, values=values) if values:
                if self._numbers(arg) is not None and _are_plain(values):
                    return self.holding(id_, _Values(np.unique(np.array(values))))
        return self._one_by_one(condition)

    def holding(self, id_: int, values: _Values | None) -> Mask:
        """The zones in which a column of numbers may have one of the values."""
        _, known = self._known[id_]
        if values is None:
            return self.all
        numbers = values.numbers
        if not len(numbers):
            return ~self.all
        low, high = np.asarray(known.low), np.asarray(known.high)
        if values.between:
            found = ~((low > numbers[1]) | (high < numbers[0]))
        else:
            found = np.searchsorted(numbers, low) < np.searchsorted(numbers, high, "right")
        return np.asarray(found & (known.nulls < self._sizes))

    def is_clustered(self, id_: int) -> bool:
        """Whether the zones of a column of whole numbers are narrow within the chunk."""
        if id_ not in self._known:
            return False
        known = self._known[id_][1]
        low, high = known.low, known.high
        if not isinstance(low, np.ndarray) or not isinstance(high, np.ndarray):
            return False
        valued = known.nulls < self._sizes
        if low.dtype.kind not in "iu" or not valued.any():
            return False
        low, high = low[valued].astype(np.float64), high[valued].astype(np.float64)
        return bool((high - low).mean() <= _WIDE * (high.max() - low.min()))

    def _numbers(self, expr: Expr) -> _Bounds | None:
        """The bounds of an expression in each zone, where they are numbers."""
        match expr:
            case Literal(value=value) if _are_plain((value,)):
                return value, value
            case ColumnRef(id=id_) if id_ in self._known:
                known = self._known[id_][1]
                if isinstance(known.low, np.ndarray):
                    return known.low, known.high
        return None

    def _valued(self, expr: Expr) -> Mask:
        """The zones in which all columns of the expression have a value."""
        held = [self._known[id_][1].nulls < self._sizes for id_ in columns_of(expr)]
        return reduce(np.logical_and, held, self.all)

    def _one_by_one(self, condition: Expr) -> Mask:
        read = [self._known[id_] for id_ in columns_of(condition) if id_ in self._known]
        if not read or size_of(condition) > _LARGE_CONDITION:
            return self.all
        columns = tuple(column for column, _ in read)
        return np.array(
            [
                may_match(condition, columns, tuple(_plain(k, i) for _, k in read), rows)
                for i, rows in enumerate(self._sizes.tolist())
            ],
            np.bool_,
        )


def _are_plain(values: Sequence[object]) -> bool:
    """Whether all are finite numbers of one kind."""
    if all(type(value) is int and -(1 << 63) <= value < 1 << 63 for value in values):
        return True
    return all(isinstance(value, float) and math.isfinite(value) for value in values)


def _compared(name: str, left: _Bounds, right: _Bounds) -> Mask:
    """Where a comparison may be true: NaN, which is the unknown, contradicts nothing."""
    (low, high), (from_, to) = left, right
    match name:
        case "=":
            excluded = np.greater(low, to) | np.less(high, from_)
        case "<":
            excluded = np.greater_equal(low, to)
        case "<=":
            excluded = np.greater(low, to)
        case ">":
            excluded = np.less_equal(high, from_)
        case ">=":
            excluded = np.less(high, from_)
        case _:
            # Unequal: not where both are one and the same value.
            excluded = np.equal(low, to) & np.equal(high, from_) & np.equal(low, high)
    return np.asarray(~excluded)


def _plain(known: ColumnZones, zone: int) -> ColumnStatistics:
    """One zone of a column."""
    low: Plain | None = known.low[zone]
    high: Plain | None = known.high[zone]
    if isinstance(known.low, np.ndarray):
        low, high = known.low[zone].item(), known.high[zone].item()  # type: ignore[union-attr]
        high = None if isinstance(high, float) and math.isnan(high) else high
    return ColumnStatistics(int(known.nulls[zone]), low, high)
