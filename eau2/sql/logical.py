"""Logical plans: what a statement means. Frozen nodes with output columns and one transform.

Owns: the nodes and their invariants. Comes in: bound expressions. Goes out: to the optimiser.
Does not know: chunks, stages, nodes, Polars.

Columns have statement-wide unique ids, so a rule can move an expression anywhere its columns are
visible without renaming. Plans that are read in several places are in sharing.py.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_not

from eau2.catalog import Frame
from eau2.operators.expr import (
    AggregateCall,
    Column,
    Expr,
    JoinKind,
    SortKey,
    Value,
    WindowCall,
)
from eau2.records import Record, replace


class Logical(Record, frozen=True):
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


class Scan(Logical, frozen=True):
    """Some columns of a frame, in frame order. `positions` index the frame's schema."""

    frame: Frame
    columns: tuple[Column, ...]
    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        assert len(self.columns) == len(self.positions)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns


class OneRow(Logical, frozen=True):
    """One row of no columns: what SELECT without FROM reads."""

    @property
    def output(self) -> tuple[Column, ...]:
        return ()


class Nothing(Logical, frozen=True):
    """No rows of these columns: what a contradiction becomes."""

    columns: tuple[Column, ...]

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns


class Filter(Logical, frozen=True):
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
        return Filter(inputs[0], self.condition)


class Project(Logical, frozen=True):
    """New columns computed row by row; nothing else passes through."""

    input: Logical
    items: tuple[tuple[Column, Expr], ...]

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return tuple([column for column, _ in self.items])

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Project:
        return Project(inputs[0], self.items)


class Aggregate(Logical, frozen=True):
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
        return tuple([column for column, _ in (*self.keys, *self.aggregates)])

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Aggregate:
        return Aggregate(inputs[0], self.keys, self.aggregates)


class Join(Logical, frozen=True):
    """Pairs of rows for which all `equalities` hold and `condition` is true.

    equalities: (left expression, right expression) of one type; NULL equals nothing, unless
    `null_safe`. condition: over both sides' columns; None is true. Outer kinds pad with NULLs;
    semi and anti give left columns only. "mark" gives every left row once, with the BOOLEAN column
    `mark` that says whether a pair holds it (never NULL). "single" is "left", but a left row that
    belongs to two pairs is an error (a scalar subquery of several rows). "asof" pairs a left row
    with the one right row that is nearest by `condition`, an inequality of two expressions, among
    those with equal keys; "asof_left" keeps the others, padded.
    """

    kind: JoinKind
    left: Logical
    right: Logical
    equalities: tuple[tuple[Expr, Expr], ...] = ()
    condition: Expr | None = None
    null_safe: bool = False
    mark: Column | None = None

    def __post_init__(self) -> None:
        assert (self.kind == "mark") == (self.mark is not None)

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.left, self.right)

    @property
    def output(self) -> tuple[Column, ...]:
        if self.kind in ("semi", "anti"):
            return self.left.output
        if self.mark is not None:
            return (*self.left.output, self.mark)
        return self.left.output + self.right.output

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Join:
        left, right = inputs
        rest = (self.equalities, self.condition, self.null_safe, self.mark)
        return Join(self.kind, left, right, *rest)


class Sort(Logical, frozen=True):
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
        return Sort(inputs[0], self.keys, self.at_most_rows)


class Limit(Logical, frozen=True):
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
        return Limit(inputs[0], self.count, self.offset)


class DependentJoin(Logical, frozen=True):
    """For each left row the rows of `right`, which may read the left row's columns.

    Only the binder makes it, for subqueries and LATERAL; the rule `unnest` turns it into joins.
    kind: "inner" and "left" (LATERAL), "semi", "anti", "mark", "single", as in Join. condition:
    over both sides' columns.
    """

    kind: JoinKind
    left: Logical
    right: Logical
    condition: Expr | None = None
    mark: Column | None = None

    def __post_init__(self) -> None:
        assert (self.kind == "mark") == (self.mark is not None)

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.left, self.right)

    @property
    def output(self) -> tuple[Column, ...]:
        if self.kind in ("semi", "anti"):
            return self.left.output
        if self.mark is not None:
            return (*self.left.output, self.mark)
        return self.left.output + self.right.output

    def with_inputs(self, inputs: tuple[Logical, ...]) -> DependentJoin:
        return replace(self, left=inputs[0], right=inputs[1])


class Window(Logical, frozen=True):
    """The input's rows with one more column for each call; calls of one partitioning and order.

    order: the keys that were written; rows equal in them are peers. ties: keys that make the order
    total up to rows that cannot be told apart; they decide between peers where a function must
    choose (row_number, lag, ROWS frames, ...), and are empty when the input's own order does.
    first: only so many first rows of each partition are asked for; others may be left out.
    """

    input: Logical
    partition: tuple[Expr, ...]
    order: tuple[SortKey, ...]
    ties: tuple[SortKey, ...]
    calls: tuple[tuple[Column, WindowCall], ...]
    first: int | None = None

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output + tuple(column for column, _ in self.calls)

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Window:
        return replace(self, input=inputs[0])


class Union(Logical, frozen=True):
    """The rows of all inputs, one after the other (UNION ALL).

    columns: new ones; each input has as many, of the same types, in the same order.
    """

    parts: tuple[Logical, ...]
    columns: tuple[Column, ...]

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return self.parts

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Union:
        return replace(self, parts=inputs)


class Expand(Logical, frozen=True):
    """Every row once for each grouping set: what GROUPING SETS, ROLLUP and CUBE group over.

    keys: (new column, expression over the input); in the copy for a set, the keys that are not in
    it are NULL. sets: positions in `keys`. grouping: a new BIGINT column that numbers the sets. All
    input columns pass through, unchanged in every copy.
    """

    input: Logical
    keys: tuple[tuple[Column, Expr], ...]
    sets: tuple[tuple[int, ...], ...]
    grouping: Column

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return (*self.input.output, *(column for column, _ in self.keys), self.grouping)

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Expand:
        return replace(self, input=inputs[0])


class Rows(Logical, frozen=True):
    """Constant rows, in this order: VALUES. Values are physical, as in Literal."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns


class Series(Logical, frozen=True):
    """The numbers start, start + step, ... before `stop`: range and generate_series as tables.

    column: BIGINT, or TIMESTAMP with all three in microseconds.
    """

    column: Column
    start: int
    stop: int
    step: int

    @property
    def output(self) -> tuple[Column, ...]:
        return (self.column,)


class Unnest(Logical, frozen=True):
    """Each input row once for every element of its lists; shorter lists are padded with NULL.

    items: (new column, expression that gives a list). A row whose lists are all empty or NULL gives
    none; with `outer` it gives one of NULLs. ordinality: a new BIGINT column that counts from 1.
    """

    input: Logical
    items: tuple[tuple[Column, Expr], ...]
    ordinality: Column | None = None
    outer: bool = False

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        own = tuple(column for column, _ in self.items)
        last = () if self.ordinality is None else (self.ordinality,)
        return self.input.output + own + last

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Unnest:
        return replace(self, input=inputs[0])


class Sample(Logical, frozen=True):
    """Some of the input's rows, the same ones whenever `seed` is the same.

    Either each row with probability `fraction`, or `count` rows.
    """

    input: Logical
    fraction: float | None
    count: int | None
    seed: int

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.input,)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Sample:
        return replace(self, input=inputs[0])


def transform(plan: Logical, visit: Callable[[Logical], Logical]) -> Logical:
    """Rewrite bottom-up: inputs first, then `visit` on the node over its new inputs."""
    inputs = plan.inputs
    if inputs:
        new = tuple([transform(node, visit) for node in inputs])
        if any(map(is_not, inputs, new)):
            plan = plan.with_inputs(new)
    return visit(plan)
