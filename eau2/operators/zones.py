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
from eau2.records import Record, Struct, field, replace

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64] | npt.NDArray[np.uint64] | npt.NDArray[np.float64]
_Bounds = tuple[Any, Any]
"""Arrays of least and of greatest values by zone, or twice a number."""
Runs = tuple[tuple[int, int], ...]
"""Row ranges of a chunk in row order: where each starts, and how many rows it has."""

_LARGE_CONDITION = 64
"""A part of a condition with more nodes is not looked at, unless it is one for numbers."""
_KEYS = 1_000
"""Of so many right keys at most each is looked for; of more, the least and the greatest."""
_PASSING = frozenset({"inner", "cross", "semi", "anti", "left", "mark"})
"""Joins that give left rows unchanged, or leave them out: rows lost below are lost above."""


class ColumnZones(Record, frozen=True, eq=False):
    """What is known of a column's values in each zone.

    low, high: bounds as ColumnStatistics has them: numbers, or texts of which None is unknown. A
    highest float that is NaN is unknown. Of a zone without values they mean nothing.
    nulls: how many NULLs there are.
    """

    low: Numbers | Sequence[str | None]
    high: Numbers | Sequence[str | None]
    nulls: npt.NDArray[np.int64]


class Zones(Record, frozen=True, eq=False):
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


class _Values(Record, frozen=True, eq=False):
    """Numbers in order, or with `between` all from the first to the second."""

    numbers: npt.NDArray[Any]
    between: bool = False


class _Key(Record, frozen=True):
    """A column of a scan whose value must be one of those of a stage's column."""

    column: int
    stage: int
    label: str


class Pruner(Record, frozen=True):
    """What a fragment asks of the rows that it scans, as far as zones can answer."""

    scan: ScanChunks
    conditions: tuple[Expr, ...]
    joins: tuple[_Key, ...]
    names: frozenset[str]
    """The stored columns of which it is asked."""

    def asked(self, stages: Mapping[int, pl.DataFrame]) -> Asked:
        """The same, with the results of the stages that the fragment reads."""
        return Asked(self, stages)


class Asked(Struct):
    """What one run of a fragment asks."""

    pruner: Pruner
    stages: Mapping[int, pl.DataFrame]
    _found: dict[_Key, _Values | None] = field(default_factory=dict)

    def runs(self, zones: Zones | None) -> Runs | None:
        """The rows of a chunk that may matter; None for all of them."""
        if zones is None or self.pruner.names.isdisjoint(zones.columns):
            return None
        zoned = _Zoned(self.pruner.scan, zones)
        mask = reduce(np.logical_and, map(zoned.mask, self.pruner.conditions), zoned.all)
        for key in self.pruner.joins:
            if zoned.has_whole_numbers(key.column):
                mask = mask & zoned.holding(key.column, self._values(key))
        return None if mask.all() else zones.runs(mask)

    def _values(self, key: _Key) -> _Values | None:
        if key not in self._found:
            rows = self.stages.get(key.stage)
            if rows is None or key.label not in rows.columns:
                self._found[key] = None
            else:
                self._found[key] = _key_values(rows.get_column(key.label))
        return self._found[key]


def pruner(root: Operator) -> Pruner | None:
    """What `root` asks of the rows of its scan, if it has one and asks anything of them."""
    joins: list[_Key] = []
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
                joins = joins if kind in _PASSING else []
                if any(map(can_raise, _exprs(node))):
                    joins = []
                elif kind in ("inner", "semi") and not node.null_safe:
                    joins = joins + _keys(node)
                node = left
            case _ if len(node.inputs) == 1:
                joins, node = [], node.inputs[0]
            case _:
                return None
        conditions = []
    if not node.zones:
        return None
    parts = tuple(part for condition in conditions for part in conjuncts(condition))
    name_of = {column.id: name for column, name in zip(node.columns, node.names, strict=True)}
    asked = tuple(key for key in joins if key.column in name_of)
    ids = {key.column for key in asked}.union(*map(columns_of, parts))
    names = frozenset(name_of[id_] for id_ in ids if id_ in name_of)
    return Pruner(node, parts, asked, names) if names else None


def _below(joins: list[_Key], items: Sequence[tuple[Column, Expr]]) -> list[_Key]:
    """What is asked of a projection, asked of its input."""
    if not joins or any(can_raise(expr) for _, expr in items):
        return []
    named = {column.id: expr.id for column, expr in items if isinstance(expr, ColumnRef)}
    return [replace(key, column=named[key.column]) for key in joins if key.column in named]


def _exprs(join: Join) -> list[Expr]:
    both = [expr for pair in join.equalities for expr in pair]
    return both if join.condition is None else [*both, join.condition]


def _keys(join: Join) -> list[_Key]:
    """The left columns of a join that must equal a right one that is at hand."""
    if not isinstance(join.right, StageInput):
        return []
    given = join.right.labels
    return [
        _Key(left.id, join.right.stage, given[right.id])
        for left, right in join.equalities
        if isinstance(left, ColumnRef)
        and isinstance(right, ColumnRef)
        and (left.type.is_integer or left.type.is_temporal or left.type.is_decimal)
    ]


def _key_values(keys: pl.Series) -> _Values | None:
    """The keys, or of many what they lie between; None when they are no numbers of 64 bits."""
    if not keys.dtype.is_integer():
        keys = keys.to_physical()
    if not keys.dtype.is_integer() or keys.dtype in (pl.Int128, pl.UInt64):
        return None
    if len(keys) > _KEYS:
        low, high = keys.min(), keys.max()
        if isinstance(low, int) and isinstance(high, int):
            return _Values(np.array([low, high], np.int64), between=True)
        return _Values(np.array([], np.int64))
    return _Values(np.unique((keys.drop_nulls() if keys.null_count() else keys).to_numpy()))


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

    def has_whole_numbers(self, id_: int) -> bool:
        """Whether the zones of a column are known, which holds whole numbers."""
        if id_ not in self._known:
            return False
        low = self._known[id_][1].low
        return isinstance(low, np.ndarray) and low.dtype.kind == "i"

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
