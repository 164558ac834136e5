"""Logical plans: what a statement means. Frozen nodes with output columns and one transform.

Owns: the nodes and their invariants. Comes in: bound expressions. Goes out: to the optimiser.
Does not know: chunks, stages, nodes, Polars.

Columns have statement-wide unique ids, so a rule can move an expression anywhere its columns are
visible without renaming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from eau2.catalog import Frame
from eau2.operators.expr import AggregateCall, Column, Expr, JoinKind, SortKey


@dataclass(frozen=True, slots=True)
class Logical:
    """The base of all logical nodes."""

    @property
    def inputs(self) -> tuple[Logical, ...]:
        """The nodes this one reads, in order."""
        return ()

    @property
    def output(self) -> tuple[Column, ...]:
        """The columns this node gives, in order."""
        raise NotImplementedError

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Logical:
        """The same node over other inputs (as many as it has)."""
        assert not inputs
        return self


@dataclass(frozen=True, slots=True)
class Scan(Logical):
    """Some columns of a frame, in frame order. `positions` index the frame's schema."""

    frame: Frame
    columns: tuple[Column, ...]
    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        assert len(self.columns) == len(self.positions)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns


@dataclass(frozen=True, slots=True)
class OneRow(Logical):
    """One row of no columns: what SELECT without FROM reads."""

    @property
    def output(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Nothing(Logical):
    """No rows of these columns: what a contradiction becomes."""

    columns: tuple[Column, ...]

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns


@dataclass(frozen=True, slots=True)
class Filter(Logical):
    """The rows for which `condition` is true."""

    input: Logical
    condition: Expr

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Filter:
        return replace(self, input=inputs[0])


@dataclass(frozen=True, slots=True)
class Project(Logical):
    """New columns computed row by row; nothing else passes through."""

    input: Logical
    items: tuple[tuple[Column, Expr], ...]

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in self.items)

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Project:
        return replace(self, input=inputs[0])


@dataclass(frozen=True, slots=True)
class Aggregate(Logical):
    """One row for each distinct combination of `keys`; without keys, exactly one row.

    With keys and no aggregates this is DISTINCT.
    """

    input: Logical
    keys: tuple[tuple[Column, Expr], ...]
    aggregates: tuple[tuple[Column, AggregateCall], ...]

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return tuple(c for c, _ in self.keys) + tuple(c for c, _ in self.aggregates)

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Aggregate:
        return replace(self, input=inputs[0])


@dataclass(frozen=True, slots=True)
class Join(Logical):
    """Pairs of rows for which all `equalities` hold and `condition` is true.

    equalities: (left expression, right expression) of one type; NULL equals nothing, unless
    `null_safe`. condition: over both sides' columns; None is true. Outer kinds pad with NULLs;
    semi and anti give left columns only.
    """

    kind: JoinKind
    left: Logical
    right: Logical
    equalities: tuple[tuple[Expr, Expr], ...] = ()
    condition: Expr | None = None
    null_safe: bool = False

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.left, self.right)

    @property
    def output(self) -> tuple[Column, ...]:
        if self.kind in ("semi", "anti"):
            return self.left.output
        return self.left.output + self.right.output

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Join:
        return replace(self, left=inputs[0], right=inputs[1])


@dataclass(frozen=True, slots=True)
class Sort(Logical):
    """The rows in the order of the keys.

    The binder appends all output columns to the keys, so that the order is total up to equal
    rows. With `at_most_rows` the order is only made when there are no more rows than that.
    """

    input: Logical
    keys: tuple[SortKey, ...]
    at_most_rows: int | None = None

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Sort:
        return replace(self, input=inputs[0])


@dataclass(frozen=True, slots=True)
class Limit(Logical):
    """The first `count` rows (None: all) after `offset` rows, in the input's order."""

    input: Logical
    count: int | None
    offset: int = 0

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Limit:
        return replace(self, input=inputs[0])


def transform(plan: Logical, visit: Callable[[Logical], Logical]) -> Logical:
    """Rewrite bottom-up: inputs first, then `visit` on the node over its new inputs."""
    inputs = plan.inputs
    if inputs:
        new = tuple(transform(node, visit) for node in inputs)
        if any(a is not b for a, b in zip(inputs, new, strict=True)):
            plan = plan.with_inputs(new)
    return visit(plan)
