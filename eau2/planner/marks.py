"""The three-valued mark of a subquery predicate, made of two-valued joins.

Owns: `Marks`, which builds x IN (...), x < ANY (...) and their like over a right side that no
longer depends on the left. Comes in: both sides, the correlation, the condition. Goes out: a plan
of the left side's columns and the mark. Does not know: how the right side was made independent.

The mark is true where the condition is true for some row, else NULL where it is NULL for some row,
else false. A comparison is NULL only where an operand is; so counts of rows and of non-NULL values
tell the last two apart, and the extremes of the values answer inequalities, without any pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from eau2.errors import Error
from eau2.operators import aggregates
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Column,
    Expr,
    Literal,
    columns_of,
    conjunction,
    conjuncts,
    ref,
)
from eau2.operators.facts import COMPARISONS, FLIPPED, can_raise
from eau2.planner.nulls import is_never_null, never_null
from eau2.planner.pairs import Pairs, join_on
from eau2.planner.rules.push_filters import equality_between
from eau2.records import Record
from eau2.sql.logical import Aggregate, Join, Logical, Project
from eau2.types import BIGINT, BOOLEAN

Parts = tuple[Expr, ...]
_EXTREME = {"<": "max", "<=": "max", ">": "min", ">=": "min"}
TRUE, FALSE, NULL = (Literal(BOOLEAN, value) for value in (True, False, None))


class Correlation(Record, frozen=True):
    """When a right row belongs to a left row, whatever the condition: as in `join_on`."""

    strict: Pairs = ()
    safe: Pairs = ()
    rest: Parts = ()


class _Comparison(Record, frozen=True):
    """One comparison of something on the left with something on the right."""

    left: Expr
    function: str
    right: Expr


class Marks(Record, frozen=True):
    """Builds marks. share: a plan that can be read several times, from one that can be once."""

    ids: Iterator[int]
    share: Callable[[Logical], Callable[[], tuple[Logical, Callable[[Expr], Expr]]]]

    def marked(
        self,
        left: Logical,
        right: Logical,
        by: Correlation,
        condition: Expr | None,
        mark: Column,
        two_valued: bool,
    ) -> Logical:
        """The left rows with `mark`. With `two_valued` it may be false instead of NULL."""
        if condition is None:
            return self._simple(left, right, by, (), mark)
        parts = conjuncts(condition)
        sure = never_null(left) | never_null(right)
        if two_valued or is_never_null(condition, sure):
            return self._simple(left, right, by, parts, mark)
        one = _comparison(parts, left, right)
        if one is not None and not by.rest:
            counted = self._counted(left, right, by, one, mark)
            if counted is not None:
                return counted
        return self._twice(left, right, by, condition, mark)

    def _simple(
        self, left: Logical, right: Logical, by: Correlation, parts: Parts, mark: Column
    ) -> Join:
        keys, rest = _keys(parts, left, right)
        return join_on("mark", left, right, by.strict + keys, by.safe, by.rest + rest, mark)

    def _twice(
        self, left: Logical, right: Logical, by: Correlation, condition: Expr, mark: Column
    ) -> Logical:
        """One mark for "true for some row", another for "not false for some row"."""
        read = self.share(right)
        first, over = read()
        found = Column(next(self.ids), "found", BOOLEAN)
        joined: Logical = self._simple(
            left, first, _over(by, over), conjuncts(over(condition)), found
        )
        second, over = read()
        possible = Column(next(self.ids), "possible", BOOLEAN)
        open_ = Call(BOOLEAN, "coalesce", (over(condition), TRUE))
        joined = self._simple(joined, second, _over(by, over), (open_,), possible)
        value = Case(BOOLEAN, ((ref(found), TRUE), (ref(possible), NULL)), FALSE)
        return _with(joined, left, mark, value)

    def _counted(
        self, left: Logical, right: Logical, by: Correlation, one: _Comparison, mark: Column
    ) -> Logical | None:
        """With counts, and extremes, of the right values for each group of correlated rows."""
        joined, found = left, None
        value: Expr
        over: Callable[[Expr], Expr]
        if one.function == "=":
            read = self.share(right)
            first, over = read()
            found = Column(next(self.ids), "found", BOOLEAN)
            parts = (Call(BOOLEAN, "=", (one.left, over(one.right))),)
            joined = self._simple(left, first, _over(by, over), parts, found)
            right, over = read()
            by, one = _over(by, over), _Comparison(one.left, "=", over(one.right))
            value = ref(found)
        calls = [("count", ()), ("count", (one.right,))]
        calls += [(name, (one.right,)) for name in _extremes(one.function)]
        made: list[tuple[Column, AggregateCall]] = []
        for name, args in calls:
            try:
                call = aggregates.bind(name, args)
            except Error:
                return None
            made.append((Column(next(self.ids), name, call.type), call))
        rows, present, *extremes = (ref(column) for column, _ in made)
        if found is None:
            if any(extreme.type != one.left.type for extreme in extremes):
                return None
            value = _by_extremes(one, extremes)
        grouped = self._grouped(joined, right, by, tuple(made))
        zero = Literal(BIGINT, 0)
        none = Call(BOOLEAN, "=", (Call(BIGINT, "coalesce", (rows, zero)), zero))
        unknown = Call(
            BOOLEAN,
            "or",
            (
                Call(BOOLEAN, "is_null", (one.left,)),
                Call(BOOLEAN, "<", (present, rows)),
            ),
        )
        case = Case(BOOLEAN, ((value, TRUE), (none, FALSE), (unknown, NULL)), FALSE)
        return _with(grouped, left, mark, case)

    def _grouped(
        self,
        left: Logical,
        right: Logical,
        by: Correlation,
        calls: tuple[tuple[Column, AggregateCall], ...],
    ) -> Logical:
        """The left rows with the aggregates of the right rows that belong to them."""
        pairs = by.strict + by.safe
        if not pairs:
            return Join("cross", left, Aggregate(right, (), calls))
        keys = tuple((Column(next(self.ids), "key", b.type), b) for _, b in pairs)
        new = tuple((a, ref(column)) for (a, _), (column, _) in zip(pairs, keys, strict=True))
        cut = len(by.strict)
        return join_on("left", left, Aggregate(right, keys, calls), new[:cut], new[cut:])


def _with(plan: Logical, left: Logical, mark: Column, value: Expr) -> Project:
    return Project(plan, (*((c, ref(c)) for c in left.output), (mark, value)))


def _over(by: Correlation, over: Callable[[Expr], Expr]) -> Correlation:
    """The correlation with another copy of the right side."""
    return Correlation(
        tuple((a, over(b)) for a, b in by.strict),
        tuple((a, over(b)) for a, b in by.safe),
        tuple(map(over, by.rest)),
    )


def _keys(parts: Parts, left: Logical, right: Logical) -> tuple[Pairs, Parts]:
    """The equalities between the sides among the parts, and the others; what can raise stays."""
    ours = frozenset(c.id for c in left.output)
    theirs = frozenset(c.id for c in right.output)
    keys: list[tuple[Expr, Expr]] = []
    rest: list[Expr] = []
    for part in parts:
        pair = equality_between(part, ours, theirs)
        if pair is None:
            rest.append(part)
        else:
            keys.append(pair)
    return tuple(keys), tuple(sorted(rest, key=can_raise))


def _comparison(parts: Parts, left: Logical, right: Logical) -> _Comparison | None:
    """The condition as one comparison of the left side's with the right side's."""
    ours = frozenset(c.id for c in left.output)
    theirs = frozenset(c.id for c in right.output)
    match parts:
        case (Call(function=name, args=(a, b)),) if name in COMPARISONS:
            ids_a, ids_b = columns_of(a), columns_of(b)
            if ids_a <= ours and ids_b and ids_b <= theirs:
                return _Comparison(a, name, b)
            if ids_b <= ours and ids_a and ids_a <= theirs:
                return _Comparison(b, FLIPPED[name], a)
    return None


def _extremes(function: str) -> tuple[str, ...]:
    if function == "=":
        return ()
    return ("min", "max") if function == "<>" else (_EXTREME[function],)


def _by_extremes(one: _Comparison, extremes: Sequence[Expr]) -> Expr:
    """Whether the comparison holds for some right value, by the least or the greatest of them."""
    if one.function != "<>":
        return Call(BOOLEAN, one.function, (one.left, extremes[0]))
    low, high = extremes
    differs = Call(BOOLEAN, "or", (_differ(low, high), _differ(one.left, low)))
    return conjunction((Call(BOOLEAN, "is_not_null", (one.left,)), differs))


def _differ(a: Expr, b: Expr) -> Expr:
    return Call(BOOLEAN, "<>", (a, b))
