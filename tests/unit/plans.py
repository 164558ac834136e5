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
from eau2.errors import DataError
from eau2.operators.base import Lowering, Operator, lower
from eau2.operators.expand import Expand
from eau2.operators.expr import Column, Expr, Literal, Value, ref, substitute
from eau2.operators.filter import Filter
from eau2.operators.functions.table import bind
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.lowering import lower_expr
from eau2.operators.physical import kernel_dtype
from eau2.operators.project import Project
from eau2.operators.scan import StageInput
from eau2.operators.sort import Limit, Sort
from eau2.operators.values import NoRows, OneRow
from eau2.sql import logical, sharing
from eau2.sql.plan_exprs import mapped
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
    defined: dict[int, tuple[pl.DataFrame, tuple[Column, ...]]] = field(default_factory=dict)

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
        match plan:
            case logical.DependentJoin():
                return nested_loop(self, plan)
            case sharing.With(definitions, below):
                for definition in definitions:
                    rows = self.run(definition.plan)
                    self.defined[definition.number] = (rows, definition.plan.output)
                return self.run(below)
            case sharing.SharedScan(number, columns, positions):
                rows, given = self.defined[number]
                read = zip(columns, positions, strict=True)
                return rows.select(pl.col(given[p].label).alias(c.label) for c, p in read)
            case logical.Window():
                return _numbered(plan, self.run(plan.input))
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
        case logical.Expand(keys=items, sets=sets, grouping=grouping):
            return Expand(below[0], items, sets, grouping)
        case logical.Aggregate(keys=keys, aggregates=aggregates):
            partial = PartialAggregate(below[0], keys, aggregates)
            return FinalAggregate(partial, tuple(c for c, _ in keys), aggregates)
        case logical.Join(kind, _, _, equalities, condition, null_safe, mark):
            return Join(kind, below[0], below[1], equalities, condition, null_safe, mark)
        case logical.Sort(keys=keys, at_most_rows=at_most_rows):
            return Sort(below[0], keys, at_most_rows)
        case logical.Limit(count=count_, offset=offset):
            return Limit(below[0], count_, offset)
    raise AssertionError(plan)


def _numbered(plan: logical.Window, rows: pl.DataFrame) -> pl.DataFrame:
    """A window whose only call is row_number, over rows in a total order."""
    ((column, window),) = plan.calls
    assert window.function == "row_number"
    assert not plan.ties
    keys = tuple(plan.order)
    sort = Sort(StageInput(0, plan.input.output), keys)
    ordered = lower(sort, Lowering(None, {0: rows.lazy()}))
    number = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    partition = [lower_expr(expr) for expr in plan.partition]
    return ordered.with_columns(
        (number.over(partition) if partition else number).alias(column.label)
    ).collect()


def nested_loop(builder: Builder, plan: logical.DependentJoin) -> pl.DataFrame:
    """The rows of a dependent join as it is defined: the right side once for every left row."""
    left = builder.run(plan.left)
    schema = {column.label: kernel_dtype(column.type) for column in plan.output}
    made = pl.DataFrame(schema=schema)
    known: dict[str, pl.DataFrame] = {}
    if not left.height:
        # What does not depend on the left rows may fail, with or without them.
        builder.run(over_constants(plan.right, {c.id: no_value(c) for c in plan.left.output}))
    for row in range(left.height):
        one = left.slice(row, 1)
        values = {
            c.id: Literal(c.type, one.get_column(c.label).to_physical().item())
            for c in plan.left.output
        }
        right = over_constants(plan.right, values)
        if repr(right) not in known:
            known[repr(right)] = builder.run(right)
        pairs = one.join(known[repr(right)], how="cross") if plan.right.output else one
        found = _one_row(plan, one, pairs).select(made.columns)
        made = made.vstack(found.match_to_schema(pl.Schema(schema)))
    return made


def _one_row(plan: logical.DependentJoin, one: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """What a dependent join gives for one left row, of its pairs with the right rows."""
    test = TRUE if plan.condition is None else plan.condition
    holds = pairs.lazy().select(lower_expr(test).alias("holds")).collect().to_series()
    if holds.len() != pairs.height:
        holds = holds.new_from_index(0, pairs.height)
    match plan.kind:
        case "semi" | "anti":
            return one if holds.any() == (plan.kind == "semi") else one.clear()
        case "mark" if plan.mark is not None:
            value = True if holds.any() else None if holds.null_count() else False
            return one.with_columns(pl.lit(value, pl.Boolean).alias(plan.mark.label))
    kept = pairs.filter(holds)
    if kept.height > 1 and plan.kind == "single":
        raise DataError("more than one row returned by a subquery")
    if kept.height or plan.kind == "inner":
        return kept
    return one.with_columns(
        pl.lit(None, kernel_dtype(c.type)).alias(c.label) for c in plan.right.output
    )


def no_value(column: Column) -> Expr:
    return Literal(column.type, None)


def over_constants(plan: logical.Logical, values: Mapping[int, Expr]) -> logical.Logical:
    """The plan with constants for the columns that it reads from outside."""
    made = {c.id for below in plan.inputs for c in below.output}
    outside = {id_: value for id_, value in values.items() if id_ not in made}
    changed = mapped(plan, lambda expr: substitute(expr, outside))
    inputs = tuple(over_constants(below, values) for below in plan.inputs)
    return changed.with_inputs(inputs) if inputs else changed


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
