"""Evaluate a plan for a whole set of outer rows at once: the general way of unnesting.

Owns: `Domain`, the distinct outer values that a plan reads, and pushing them down the plan. Comes
in: a plan that reads columns from outside. Goes out: a plan that gives, for each row of the domain,
that row and the rows which the original plan gives for it.
Does not know: how the result is joined with the outer rows (rules/unnest does).

Source: Neumann and Kemper, "Unnesting Arbitrary Queries", BTW 2015. The domain is a definition that
is read wherever a part of the plan depends on it, and is joined with itself, NULL equal to NULL,
where two such parts meet.
"""

from __future__ import annotations

from collections.abc import Iterator

from eau2.errors import InternalError, NotSupportedError
from eau2.operators.expr import (
    Call,
    Case,
    Column,
    Expr,
    Literal,
    columns_of,
    conjuncts,
    ref,
    substitute,
)
from eau2.planner.first_rows import first_rows
from eau2.planner.lift import NULL_OVER_NOTHING
from eau2.planner.nulls import COUNTS
from eau2.planner.pairs import flipped, join_on
from eau2.records import Record, replace
from eau2.sql.copies import free_columns
from eau2.sql.logical import (
    Aggregate,
    DependentJoin,
    Expand,
    Filter,
    Join,
    Limit,
    Logical,
    Nothing,
    OneRow,
    Project,
    Sample,
    Sort,
    Union,
    Unnest,
    Window,
)
from eau2.sql.plan_exprs import mapped
from eau2.sql.sharing import Recursive, SharedScan
from eau2.types import BOOLEAN, HUGEINT, INTERVAL

Given = dict[int, Column]
"""For each outer column, by its id, the column of a plan that has its value."""


class Pushed(Record, frozen=True):
    """A plan for all rows of the domain: its own columns, and those of the domain row."""

    plan: Logical
    given: Given

    def over(self, expr: Expr) -> Expr:
        """An expression that reads outer columns, over the plan."""
        return substitute(expr, {id_: ref(column) for id_, column in self.given.items()})


class Domain(Record, frozen=True):
    """The distinct values of the columns `outer`; the definition `number` gives them in order."""

    number: int
    outer: tuple[Column, ...]
    ids: Iterator[int]

    def push(self, plan: Logical) -> Pushed:
        """`plan` for each row of the domain."""
        if not self._depends(plan):
            scan = self._scan()
            if isinstance(plan, OneRow):
                return scan
            if isinstance(plan, Nothing):
                columns = plan.columns + tuple(scan.given.values())
                return Pushed(Nothing(columns), scan.given)
            return Pushed(Join("cross", plan, scan.plan), scan.given)
        match plan:
            case Filter() | Sort() | Unnest() | Expand():
                below = self.push(plan.inputs[0])
                return Pushed(mapped(plan, below.over).with_inputs((below.plan,)), below.given)
            case Project(input=inner, items=items):
                below = self.push(inner)
                own = tuple((column, below.over(expr)) for column, expr in items)
                kept = tuple((c, ref(c)) for c in below.given.values())
                return Pushed(Project(below.plan, own + kept), below.given)
            case Aggregate():
                return self._aggregate(plan)
            case Window(input=inner):
                below = self.push(inner)
                over = mapped(plan, below.over)
                assert isinstance(over, Window)
                keys = tuple(ref(column) for column in below.given.values())
                grouped = replace(over, input=below.plan, partition=over.partition + keys)
                return Pushed(grouped, below.given)
            case Limit(input=inner, count=count, offset=offset):
                below = self.push(inner)
                keys = tuple(ref(column) for column in below.given.values())
                return Pushed(first_rows(below.plan, keys, count, offset, self.ids), below.given)
            case Join():
                return self._join(plan)
            case DependentJoin(left=left, right=right):
                below = self.push(left)
                changed = mapped(plan, below.over)
                return Pushed(
                    changed.with_inputs((below.plan, _over_all(right, below))), below.given
                )
            case Union():
                return self._union(plan)
            case Sample():
                raise NotSupportedError("a sample that depends on an outer row is not supported")
            case Recursive():
                raise NotSupportedError(
                    "a recursive query that reads columns of an outer query is not supported"
                )
        raise InternalError(f"no way to evaluate a {type(plan).__name__} for many outer rows")

    def _depends(self, plan: Logical) -> bool:
        return bool(free_columns(plan) & {column.id for column in self.outer})

    def _scan(self) -> Pushed:
        """The domain itself, in columns of its own."""
        columns = tuple(replace(column, id=next(self.ids)) for column in self.outer)
        given = {old.id: new for old, new in zip(self.outer, columns, strict=True)}
        return Pushed(SharedScan(self.number, columns, tuple(range(len(columns)))), given)

    def _same(self, left: Given, right: Given) -> tuple[tuple[Expr, Expr], ...]:
        return tuple((ref(left[c.id]), ref(right[c.id])) for c in self.outer)

    def _aggregate(self, plan: Aggregate) -> Pushed:
        below = self.push(plan.input)
        over = mapped(plan, below.over)
        assert isinstance(over, Aggregate)
        given = {id_: replace(c, id=next(self.ids)) for id_, c in below.given.items()}
        keys = tuple((given[id_], ref(column)) for id_, column in below.given.items())
        grouped = replace(over, input=below.plan, keys=over.keys + keys)
        if plan.keys:
            return Pushed(grouped, given)
        return self._of_no_rows(plan, Pushed(grouped, given))

    def _of_no_rows(self, plan: Aggregate, grouped: Pushed) -> Pushed:
        """A row for every row of the domain, also where there was nothing to aggregate."""
        found = Column(next(self.ids), "found", BOOLEAN)
        own = {column.id: replace(column, id=next(self.ids)) for column, _ in plan.aggregates}
        items = tuple((own[column.id], ref(column)) for column, _ in plan.aggregates)
        items += tuple((column, ref(column)) for column in grouped.given.values())
        marked = Project(grouped.plan, (*items, (found, Literal(BOOLEAN, True))))
        scan = self._scan()
        joined: Logical = join_on(
            "left", scan.plan, marked, safe=self._same(scan.given, grouped.given)
        )
        # What an aggregate over no rows is does not depend on values from outside.
        absent: dict[int, Expr] = {c.id: Literal(c.type, None) for c in self.outer}
        unknown = tuple(
            (
                replace(column, id=next(self.ids)),
                call.mapped(lambda expr: substitute(expr, absent)),
            )
            for column, call in plan.aggregates
            if call.function not in COUNTS | NULL_OVER_NOTHING
        )
        if unknown:
            nothing = Aggregate(Nothing(plan.input.output), (), unknown)
            joined = Join("cross", joined, nothing)
        over_nothing = iter(unknown)
        results: list[tuple[Column, Expr]] = []
        for column, call in plan.aggregates:
            value: Expr = ref(own[column.id])
            if call.function in COUNTS:
                zero = Literal(column.type, 0)
                value = Call(column.type, "coalesce", (value, zero))
            elif call.function not in NULL_OVER_NOTHING:
                instead = ref(next(over_nothing)[0])
                present = Call(BOOLEAN, "is_not_null", (ref(found),))
                value = Case(column.type, ((present, value),), instead)
            results.append((column, value))
        kept = tuple((column, ref(column)) for column in scan.given.values())
        return Pushed(Project(joined, (*results, *kept)), scan.given)

    def _join(self, plan: Join) -> Pushed:
        """The domain goes to the sides that depend on it, and to the one that gives all rows."""
        if plan.kind == "right":
            mirror = self._join(flipped(plan))
            columns = plan.output + tuple(mirror.given.values())
            return Pushed(Project(mirror.plan, tuple((c, ref(c)) for c in columns)), mirror.given)
        left_only = plan.kind != "full" and not self._depends(plan.right)
        free = plan.kind in ("inner", "cross") and not self._depends(plan.left)
        if free and not left_only:
            right = self.push(plan.right)
            return self._joined(plan, Pushed(plan.left, {}), right, right.given)
        left = self.push(plan.left)
        right = Pushed(plan.right, {}) if left_only else self.push(plan.right)
        joined = self._joined(plan, left, right, left.given)
        return self._merged(joined, left, right, plan) if plan.kind == "full" else joined

    def _joined(self, plan: Join, left: Pushed, right: Pushed, given: Given) -> Pushed:
        over = Pushed(plan, given).over
        pairs = tuple((over(a), over(b)) for a, b in plan.equalities)
        parts = () if plan.condition is None else conjuncts(over(plan.condition))
        safe = self._same(left.given, right.given) if left.given and right.given else ()
        ours = {c.id for c in left.plan.output}
        theirs = {c.id for c in right.plan.output}
        keys = tuple(p for p in pairs if columns_of(p[0]) <= ours and columns_of(p[1]) <= theirs)
        function = "is_not_distinct" if plan.null_safe else "="
        rest = parts + tuple(Call(BOOLEAN, function, p) for p in pairs if p not in keys)
        strict, safe = ((), safe + keys) if plan.null_safe else (keys, safe)
        joined = join_on(plan.kind, left.plan, right.plan, strict, safe, rest, plan.mark)
        return Pushed(joined, given)

    def _merged(self, joined: Pushed, left: Pushed, right: Pushed, plan: Join) -> Pushed:
        """After a full join the domain row is on either side."""
        given = {id_: replace(column, id=next(self.ids)) for id_, column in left.given.items()}
        items: list[tuple[Column, Expr]] = [(column, ref(column)) for column in plan.output]
        for id_, column in given.items():
            sides = (ref(left.given[id_]), ref(right.given[id_]))
            items.append((column, Call(column.type, "coalesce", sides)))
        return Pushed(Project(joined.plan, tuple(items)), given)

    def _union(self, plan: Union) -> Pushed:
        parts: list[Logical] = []
        for part in plan.parts:
            pushed = self.push(part)
            columns = (*part.output, *(pushed.given[c.id] for c in self.outer))
            parts.append(Project(pushed.plan, tuple((c, ref(c)) for c in columns)))
        given = {c.id: replace(c, id=next(self.ids)) for c in self.outer}
        united = Union(tuple(parts), plan.columns + tuple(given.values()))
        return Pushed(united, given)


def exactly(plan: DependentJoin, ids: Iterator[int]) -> DependentJoin | None:
    """The join with outer intervals read by their bits; None when none are read.

    Intervals that are equal can differ, and a domain keeps one of equal values only.
    """
    read = free_columns(plan.right)
    spans = [c for c in plan.left.output if c.id in read and c.type == INTERVAL]
    if not spans:
        return None
    bits = {c.id: Column(next(ids), c.name, HUGEINT) for c in spans}
    items = [(c, ref(c)) for c in plan.left.output]
    made = [(bits[c.id], Call(HUGEINT, "interval_bits", (ref(c),))) for c in spans]
    given: dict[int, Expr] = {
        id_: Call(INTERVAL, "interval_of_bits", (ref(column),)) for id_, column in bits.items()
    }

    def over(below: Logical) -> Logical:
        changed = mapped(below, lambda expr: substitute(expr, given))
        return changed.with_inputs(tuple(map(over, below.inputs))) if below.inputs else changed

    return replace(plan, left=Project(plan.left, (*items, *made)), right=over(plan.right))


def _over_all(plan: Logical, pushed: Pushed) -> Logical:
    """The right side of a dependent join, reading the domain's columns from the left side."""
    inputs = tuple(_over_all(below, pushed) for below in plan.inputs)
    changed = mapped(plan, pushed.over)
    return changed.with_inputs(inputs) if inputs else changed
