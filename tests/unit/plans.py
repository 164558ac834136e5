"""Hand-made frames and plans for the optimiser's tests, and a way to run a plan as it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import polars as pl

from eau2.catalog import (
    ChunkKey,
    ChunkRef,
    ColumnSchema,
    ColumnStatistics,
    DistinctSketch,
    Frame,
    FrameSchema,
)
from eau2.operators.base import Lowering, Operator, lower
from eau2.operators.expr import Column, Expr, Literal, Value, ref
from eau2.operators.filter import Filter
from eau2.operators.functions.table import bind
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.physical import kernel_dtype
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.operators.sort import Limit, Sort
from eau2.operators.values import NoRows, OneRow
from eau2.sql import logical
from eau2.types import BOOLEAN, SqlType

Values = Sequence[Value]


def statistics_of(type_: SqlType, values: Values) -> ColumnStatistics:
    """True statistics of stored values; the sketch is an exact count."""
    held = [v for v in values if v is not None]
    nulls = len(values) - len(held)
    if not held:
        return ColumnStatistics(nulls)
    sketch = DistinctSketch("count", len(held) + 1, tuple(range(len({repr(v) for v in held}))))
    if not type_.is_float:
        return ColumnStatistics(nulls, min(held), max(held), sketch)
    numbers = [float(v) for v in held if not math.isnan(float(v))]
    exponents = [math.frexp(x)[1] for x in numbers if x != 0.0 and math.isfinite(x)]
    return ColumnStatistics(
        nulls,
        min(numbers, default=math.inf),
        max(numbers) if len(numbers) == len(held) else None,
        sketch,
        (min(exponents), max(exponents)) if exponents else (1, 0),
    )


def frame(name: str, rows: int | None = None, **columns: tuple[SqlType, Values]) -> Frame:
    """A frame of one chunk with true statistics; `rows` claims another number of rows."""
    schema = FrameSchema(tuple(ColumnSchema(n, type_) for n, (type_, _) in columns.items()))
    statistics = tuple(statistics_of(type_, values) for type_, values in columns.values())
    length = max((len(values) for _, values in columns.values()), default=0)
    key = ChunkKey(f"id-{name}", 0)
    claimed = length if rows is None else rows
    chunk = ChunkRef(key, claimed, 0, "", statistics, ("here",))
    return Frame(name, f"id-{name}", 1, schema, (chunk,), statistics)


@dataclass
class Builder:
    """Makes scans with fresh column ids, and remembers the rows behind them."""

    ids: count[int] = field(default_factory=lambda: count(1))
    rows: dict[str, dict[str, Values]] = field(default_factory=dict)

    def scan(
        self, name: str, claimed: int | None = None, /, **columns: tuple[SqlType, Values]
    ) -> logical.Scan:
        made = frame(name, claimed, **columns)
        self.rows[made.name] = {n: values for n, (_, values) in columns.items()}
        described = tuple(Column(next(self.ids), n, type_) for n, (type_, _) in columns.items())
        return logical.Scan(made, described, tuple(range(len(described))))

    def column(self, name: str, type_: SqlType) -> Column:
        return Column(next(self.ids), name, type_)

    def run(self, plan: logical.Logical) -> pl.DataFrame:
        """The rows of a plan, computed node by node with the operators of the same names.

        Each node's rows are made before the next node runs, so an error anywhere is an error.
        """
        inputs = [self.run(below) for below in plan.inputs]
        leaves = [StageInput(n, below.output) for n, below in enumerate(plan.inputs)]
        stages = {n: rows.lazy() for n, rows in enumerate(inputs)}
        if isinstance(plan, logical.Scan):
            stages[0] = self._rows_of(plan)
        result = lower(_operator(plan, leaves), Lowering(None, stages)).collect()
        assert result.columns == [column.label for column in plan.output]
        return result

    def _rows_of(self, scan: logical.Scan) -> pl.LazyFrame:
        rows = self.rows[scan.frame.name]
        names = [scan.frame.schema.columns[position].name for position in scan.positions]
        return pl.LazyFrame(
            {c.label: rows[n] for c, n in zip(scan.columns, names, strict=True)},
            schema={c.label: kernel_dtype(c.type) for c in scan.columns},
        )


def _operator(plan: logical.Logical, below: Sequence[StageInput]) -> Operator:
    """The operator that does what a node says, over its inputs."""
    match plan:
        case logical.Scan(columns=columns):
            return StageInput(0, columns)
        case logical.OneRow():
            return OneRow()
        case logical.Nothing(columns):
            return NoRows(columns)
        case logical.Filter(condition=condition):
            return Filter(below[0], condition)
        case logical.Project(items=items):
            return Project(below[0], items)
        case logical.Aggregate(keys=keys, aggregates=aggregates):
            partial = PartialAggregate(below[0], keys, aggregates)
            return FinalAggregate(partial, tuple(c for c, _ in keys), aggregates)
        case logical.Join(_, _, _, equalities, condition, null_safe):
            return Join(plan.kind, below[0], below[1], equalities, condition, null_safe)
        case logical.Sort(keys=keys, at_most_rows=at_most_rows):
            return Sort(below[0], keys, at_most_rows)
        case logical.Limit(count=count_, offset=offset):
            return Limit(below[0], count_, offset)
    raise AssertionError(plan)


def same_rows(first: pl.DataFrame, second: pl.DataFrame) -> bool:
    """Whether two frames have the same rows, in whatever order."""

    def rows(of: pl.DataFrame) -> list[str]:
        return sorted(repr(row) for row in of.rows())

    return first.columns == second.columns and rows(first) == rows(second)


def value(plan: logical.Logical, name: str) -> Expr:
    """A reference to the output column of that name."""
    (column,) = [column for column in plan.output if column.name == name]
    return ref(column)


def call(name: str, *args: Expr) -> Expr:
    """A function or operator applied."""
    return bind(name, args)


def both(*parts: Expr) -> Expr:
    """The conjunction of the parts."""
    result = parts[0]
    for part in parts[1:]:
        result = call("and", result, part)
    return result


def constant(type_: SqlType, content: Value) -> Literal:
    """A literal."""
    return Literal(type_, content)


TRUE = Literal(BOOLEAN, True)


def nodes(plan: logical.Logical, kind: type[logical.Logical]) -> list[logical.Logical]:
    """All nodes of a kind, top down."""
    found = [plan] if isinstance(plan, kind) else []
    for below in plan.inputs:
        found += nodes(below, kind)
    return found


def frames(plan: logical.Logical) -> list[str]:
    """The names of the frames scanned, left to right."""
    return [scan.frame.name for scan in nodes(plan, logical.Scan) if isinstance(scan, logical.Scan)]


Rows = Mapping[str, Values]
