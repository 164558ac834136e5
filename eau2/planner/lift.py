"""Lift correlated conditions out of a plan, so that it no longer depends on the rows outside.

Owns: `Lifter`. Comes in: a plan that reads columns from outside. Goes out: `Lifted`, a plan that
does not, and what has to be done with its rows for each outer row; or None where that cannot be.
Does not know: joins with the outside (rules/unnest makes them), what to do instead of lifting
(domain.py).

A condition passes whatever gives each row by itself. Above an aggregate or a window, an equality of
something inside with something outside passes as one more key. An aggregate without keys gives a
row even of no rows; that row is made after the join with the outside, of one padded with NULLs.

A computation that can raise stays above the conditions that were below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eau2.operators.expr import (
    AggregateCall,
    Call,
    Column,
    ColumnRef,
    Expr,
    Literal,
    columns_of,
    conjunction,
    conjuncts,
    ref,
    substitute,
)
from eau2.operators.facts import can_raise
from eau2.planner.first_rows import first_rows
from eau2.planner.nulls import COUNTS
from eau2.records import Record, field, replace
from eau2.sql.copies import free_columns
from eau2.sql.logical import (
    Aggregate,
    DependentJoin,
    Expand,
    Filter,
    Join,
    Limit,
    Logical,
    Project,
    Sort,
    Union,
    Unnest,
    Window,
)
from eau2.sql.plan_exprs import expressions, mapped
from eau2.types import BOOLEAN

Parts = tuple[Expr, ...]

NULL_OVER_NOTHING = frozenset(
    {"any_value", "avg", "bool_and", "bool_or", "count_if", "list", "max", "min", "sum"}
)
"""Aggregates that are NULL over no rows."""


class Lifted(Record, frozen=True):
    """A plan without outer columns. Its rows for an outer row are those that fulfil `conditions`.

    deferred: expressions, over the plan's and outer columns, for output columns that the plan does
    not give. padded: where no row fulfils the conditions there is one of NULLs, and where one does
    there is no other; of that one row, `post` says whether it counts.
    """

    plan: Logical
    conditions: Parts = ()
    deferred: Mapping[int, Expr] = field(default_factory=dict)
    padded: bool = False
    post: Parts = ()

    def over(self, expr: Expr) -> Expr:
        """An expression over the original plan's columns, over what there is now."""
        return substitute(expr, dict(self.deferred)) if self.deferred else expr


class Lifter:
    """Lifts conditions over the columns `outer` out of plans."""

    def __init__(self, outer: frozenset[int], ids: Iterator[int]) -> None:
        self._outer = outer
        self._ids = ids

    def lift(self, plan: Logical) -> Lifted | None:
        """The plan without outer columns; None where it is not to be had by lifting."""
        if not free_columns(plan) & self._outer:
            return Lifted(plan)
        match plan:
            case Filter():
                return self._filter(plan)
            case Project():
                return self._project(plan)
            case Sort():
                return self._sort(plan)
            case Limit():
                return self._limit(plan)
            case Join() if plan.kind in ("inner", "cross"):
                return self._inner(plan)
            case Join() | DependentJoin():
                return self._outer_join(plan)
            case Aggregate():
                return self._aggregate(plan)
            case Window():
                return self._window(plan)
            case Union():
                return self._union(plan)
            case Expand() | Unnest():
                return self._by_row(plan)
        return None

    def _reads_outer(self, expr: Expr) -> bool:
        return bool(columns_of(expr) & self._outer)

    def _must_move(self, expr: Expr, below: Lifted) -> bool:
        """Whether `expr` cannot be computed inside: it reads outside, or sees too many rows."""
        return self._reads_outer(expr) or (bool(below.conditions) and can_raise(expr))

    def _filter(self, plan: Filter) -> Lifted | None:
        below = self.lift(plan.input)
        if below is None:
            return None
        parts = conjuncts(below.over(plan.condition))
        if below.padded:
            return replace(below, post=below.post + parts)
        moved = tuple(part for part in parts if self._reads_outer(part))
        conditions = below.conditions + moved
        if conditions:
            moved += tuple(p for p in parts if p not in moved and can_raise(p))
        local = tuple(part for part in parts if part not in moved)
        inner = Filter(below.plan, conjunction(local)) if local else below.plan
        return replace(below, plan=inner, conditions=below.conditions + moved)

    def _project(self, plan: Project) -> Lifted | None:
        below = self.lift(plan.input)
        if below is None:
            return None
        items = [(column, below.over(expr)) for column, expr in plan.items]
        if below.padded:
            return replace(below, deferred={column.id: expr for column, expr in items})
        moved = {c.id: expr for c, expr in items if self._must_move(expr, below)}
        kept = [(column, expr) for column, expr in items if column.id not in moved]
        read = {id_ for e in (*below.conditions, *moved.values()) for id_ in columns_of(e)}
        own = {column.id for column, _ in kept}
        kept += [(c, ref(c)) for c in below.plan.output if c.id in read - own]
        inner = Project(below.plan, tuple(kept)) if kept else Project(below.plan, self._one())
        return Lifted(inner, below.conditions, moved)

    def _one(self) -> tuple[tuple[Column, Expr], ...]:
        """An item for a projection that has no other."""
        return ((Column(next(self._ids), "one", BOOLEAN), Literal(BOOLEAN, True)),)

    def _sort(self, plan: Sort) -> Lifted | None:
        below = self.lift(plan.input)
        if below is None or below.padded:
            return below
        keys = tuple(replace(key, expr=below.over(key.expr)) for key in plan.keys)
        # What reads the outer row alone is the same for all rows that are compared.
        keys = tuple(key for key in keys if columns_of(key.expr) - self._outer)
        if any(self._must_move(key.expr, below) for key in keys):
            return None
        return replace(below, plan=replace(plan, input=below.plan, keys=keys))

    def _limit(self, plan: Limit) -> Lifted | None:
        match plan.input:
            case Project(input=deeper, items=items):
                return self.lift(Project(Limit(deeper, plan.count, plan.offset), items))
        below = self.lift(plan.input)
        if below is None:
            return None
        if below.padded:
            whole = plan.offset == 0 and plan.count != 0
            return below if whole else None
        if not below.conditions:
            return replace(below, plan=replace(plan, input=below.plan))
        pairs = self.equalities(below)
        if pairs is None:
            return None
        partition = tuple(inner for inner, _, _ in pairs)
        return replace(
            below, plan=first_rows(below.plan, partition, plan.count, plan.offset, self._ids)
        )

    def _inner(self, plan: Join) -> Lifted | None:
        left, right = self.lift(plan.left), self.lift(plan.right)
        if left is None or right is None or left.padded or right.padded:
            return None
        deferred = {**left.deferred, **right.deferred}
        both = Lifted(plan, left.conditions + right.conditions, deferred)
        same = "is_not_distinct" if plan.null_safe else "="
        pairs = [(both.over(a), both.over(b)) for a, b in plan.equalities]
        parts = () if plan.condition is None else conjuncts(both.over(plan.condition))
        moved_pairs = [p for p in pairs if any(self._must_move(side, both) for side in p)]
        moved: Parts = tuple(Call(BOOLEAN, same, pair) for pair in moved_pairs)
        moved += tuple(part for part in parts if self._must_move(part, both))
        kept = tuple(pair for pair in pairs if pair not in moved_pairs)
        local = tuple(part for part in parts if part not in moved)
        joined = Join(
            "inner" if kept or local else "cross",
            left.plan,
            right.plan,
            kept,
            conjunction(local) if local else None,
            plan.null_safe and bool(kept),
        )
        return Lifted(joined, both.conditions + moved, deferred)

    def _outer_join(self, plan: Join | DependentJoin) -> Lifted | None:
        """Conditions of the side that the join keeps pass; the other side must have none."""
        if plan.kind in ("full", "inner", "cross") and isinstance(plan, Join):
            return None
        kept, other = (plan.right, plan.left) if plan.kind == "right" else (plan.left, plan.right)
        below = self.lift(kept)
        if below is None or below.padded:
            return None
        gone = self._outer | below.deferred.keys()
        if free_columns(other) & gone:
            return None
        if any(columns_of(expr) & gone for expr in expressions(plan)):
            return None
        raises = plan.kind == "single" or any(can_raise(expr) for expr in expressions(plan))
        if below.conditions and raises:
            return None
        sides = (plan.left, below.plan) if plan.kind == "right" else (below.plan, plan.right)
        return replace(below, plan=plan.with_inputs(sides))

    def _aggregate(self, plan: Aggregate) -> Lifted | None:
        below = self.lift(plan.input)
        if below is None or below.padded:
            return None
        over = mapped(plan, below.over)
        assert isinstance(over, Aggregate)
        if any(self._must_move(expr, below) for expr in expressions(over)):
            return None
        over = replace(over, input=below.plan)
        if not below.conditions:
            return Lifted(over)
        keys = list(over.keys)
        conditions: list[Expr] = []
        for part in below.conditions:
            pair = self._equality(part, below.plan)
            if pair is not None:
                inner, outside, function = pair
                column = next((c for c, expr in keys if expr == inner), None)
                if column is None:
                    column = Column(next(self._ids), "correlated", inner.type)
                    keys.append((column, inner))
                conditions.append(Call(BOOLEAN, function, (ref(column), outside)))
                continue
            if not plan.keys:
                return None
            known: dict[int, Expr] = {}
            for column, expr in keys:
                if isinstance(expr, ColumnRef):
                    known.setdefault(expr.id, ref(column))
            if columns_of(part) & (_ids(below.plan) - known.keys()):
                return None
            conditions.append(substitute(part, known))
        if plan.keys:
            return Lifted(replace(over, keys=tuple(keys)), tuple(conditions))
        return self._of_no_rows(over, tuple(keys), tuple(conditions))

    def _of_no_rows(
        self, plan: Aggregate, keys: tuple[tuple[Column, Expr], ...], conditions: Parts
    ) -> Lifted | None:
        """A global aggregate by the keys, with the row that it gives where there are none."""
        deferred: dict[int, Expr] = {}
        aggregates: list[tuple[Column, AggregateCall]] = []
        for column, call in plan.aggregates:
            if call.function in COUNTS:
                own = Column(next(self._ids), column.name, column.type)
                zero = Literal(column.type, 0)
                deferred[column.id] = Call(column.type, "coalesce", (ref(own), zero))
                aggregates.append((own, call))
            elif call.function in NULL_OVER_NOTHING:
                aggregates.append((column, call))
            else:
                return None
        grouped = replace(plan, keys=keys, aggregates=tuple(aggregates))
        return Lifted(grouped, conditions, deferred, padded=True)

    def _window(self, plan: Window) -> Lifted | None:
        below = self.lift(plan.input)
        if below is None or below.padded:
            return None
        over = mapped(plan, below.over)
        assert isinstance(over, Window)
        if any(self._must_move(expr, below) for expr in expressions(over)):
            return None
        pairs = self.equalities(below)
        if pairs is None:
            return None
        partition = tuple(dict.fromkeys((*over.partition, *(inner for inner, _, _ in pairs))))
        return replace(below, plan=replace(over, input=below.plan, partition=partition))

    def _by_row(self, plan: Expand | Unnest) -> Lifted | None:
        below = self.lift(plan.input)
        if below is None or below.padded:
            return None
        over = mapped(plan, below.over)
        if any(self._must_move(expr, below) for expr in expressions(over)):
            return None
        return replace(below, plan=over.with_inputs((below.plan,)))

    def _union(self, plan: Union) -> Lifted | None:
        """Equalities with the same outer expressions in every part become one more column."""
        parts = [self.lift(part) for part in plan.parts]
        wanted: list[tuple[Expr, str]] | None = None
        inner: list[list[Expr]] = []
        for part in parts:
            if part is None or part.padded or part.deferred:
                return None
            pairs = self.equalities(part)
            if pairs is None:
                return None
            pairs = sorted(pairs, key=lambda pair: repr(pair[1:]))
            outside = [(outer, function) for _, outer, function in pairs]
            if wanted is not None and outside != wanted:
                return None
            wanted = outside
            inner.append([expr for expr, _, _ in pairs])
        assert wanted is not None
        columns = tuple(Column(next(self._ids), "correlated", e.type) for e, _ in wanted)
        made = tuple(
            Project(
                part.plan,
                (
                    *((c, ref(c)) for c in old.output),
                    *((Column(next(self._ids), "correlated", e.type), e) for e in exprs),
                ),
            )
            for part, old, exprs in zip(parts, plan.parts, inner, strict=True)
            if part is not None
        )
        conditions = tuple(
            Call(BOOLEAN, function, (ref(column), outer))
            for column, (outer, function) in zip(columns, wanted, strict=True)
        )
        return Lifted(Union(made, plan.columns + columns), conditions)

    def equalities(self, below: Lifted) -> list[tuple[Expr, Expr, str]] | None:
        """The conditions as (inside, outside, function); None when one is no equality."""
        found = [self._equality(part, below.plan) for part in below.conditions]
        pairs = [pair for pair in found if pair is not None]
        return pairs if len(pairs) == len(found) else None

    def _equality(self, part: Expr, plan: Logical) -> tuple[Expr, Expr, str] | None:
        """An equality of something in the plan with something that is not, as in `equalities`."""
        inside = _ids(plan)
        match part:
            case Call(function=("=" | "is_not_distinct") as function, args=(a, b)):
                for one, other in ((a, b), (b, a)):
                    own, outside = columns_of(one), columns_of(other)
                    if own and own <= inside and outside and not outside & inside:
                        return (one, other, function)
        return None


def _ids(plan: Logical) -> frozenset[int]:
    return frozenset(column.id for column in plan.output)
