"""Hypothesis strategies for small frames, expressions over them, and logical plans."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from eau2.errors import Error
from eau2.operators import aggregates
from eau2.operators.expr import (
    AggregateCall,
    Case,
    Cast,
    Column,
    Expr,
    InList,
    JoinKind,
    Literal,
    SortKey,
    Value,
    ref,
)
from eau2.operators.functions.table import bind
from eau2.records import replace
from eau2.sql import logical
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    SMALLINT,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    decimal,
)
from tests.unit.plans import Builder

DAY = 86_400_000_000
MONEY = decimal(9, 2)
WIDER = decimal(14, 4)

VALUES: dict[SqlType, st.SearchStrategy[Value]] = {
    BOOLEAN: st.booleans(),
    SMALLINT: st.integers(-3, 3) | st.sampled_from([-(2**15), 2**15 - 1]),
    INTEGER: st.integers(-3, 3) | st.sampled_from([-(2**31), 2**31 - 1]),
    BIGINT: st.integers(-3, 3) | st.sampled_from([-(2**63), 2**63 - 1, 2**31]),
    MONEY: st.integers(-300, 300) | st.sampled_from([10**9 - 1, 1 - 10**9]),
    WIDER: st.integers(-30000, 30000),
    DOUBLE: st.sampled_from([-1.5, 0.0, 0.25, 1.0, 2.0, 3.0, 1e300, float("nan"), float("inf")]),
    VARCHAR: st.sampled_from(["", "a", "ab", "abc", "b", "é", "zz"]),
    DATE: st.integers(-2, 3) | st.sampled_from([10_000]),
    TIMESTAMP: st.sampled_from([-1, 0, DAY, DAY + 1, 2 * DAY, -DAY]),
}
SMALL: dict[SqlType, st.SearchStrategy[Value]] = VALUES | {
    SMALLINT: st.integers(-1, 2),
    INTEGER: st.integers(0, 2),
    BIGINT: st.integers(0, 2),
    MONEY: st.sampled_from([-150, 0, 50, 100, 200]),
    DOUBLE: st.sampled_from([-1.5, 0.0, 1.0, 2.0, 1e300, float("nan")]),
    VARCHAR: st.sampled_from(["", "a", "ab", "b"]),
}
SHAPES: dict[str, dict[str, SqlType]] = {
    "r": {"i": INTEGER, "j": INTEGER, "s": VARCHAR, "m": MONEY},
    "t": {"i": INTEGER, "b": BIGINT, "d": DATE, "p": BOOLEAN},
    "w": {"i": INTEGER, "n": SMALLINT, "f": DOUBLE, "s": VARCHAR},
}
NO = Literal(BOOLEAN, False)
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")

Draw = Callable[..., object]


def bound(name: str, *args: Expr) -> Expr | None:
    """The call, or None when the function does not take such arguments."""
    try:
        return bind(name, args)
    except Error:
        return None


def columns_of_type(columns: tuple[Column, ...], type_: SqlType) -> list[Column]:
    return [column for column in columns if column.type == type_]


@st.composite
def constants(draw: st.DrawFn, type_: SqlType) -> Expr:
    return Literal(type_, draw(SMALL[type_] | st.none()))


@st.composite
def numbers(draw: st.DrawFn, columns: tuple[Column, ...], type_: SqlType, depth: int) -> Expr:
    """An expression of some numeric type near `type_`."""
    own = columns_of_type(columns, type_)
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        if own and draw(st.integers(0, 3)) > 0:
            column: Column = draw(st.sampled_from(own))
            return ref(column)
        return Literal(type_, draw(SMALL[type_] | st.none()))
    below = numbers(columns, type_, depth - 1)
    which = draw(st.sampled_from(["+", "-", "*", "negate", "case", "coalesce", "%", "//"]))
    first = draw(below)
    made: Expr | None
    if which == "case":
        test = draw(conditions(columns, depth - 1))
        second = draw(below)
        made = Case(first.type, ((test, first),), second) if first.type == second.type else first
    elif which == "negate":
        made = bound(which, first)
    else:
        made = bound(which, first, draw(below))
    return first if made is None else made


@st.composite
def comparisons(draw: st.DrawFn, columns: tuple[Column, ...], depth: int) -> Expr:
    types = sorted({column.type for column in columns}, key=str) or [INTEGER]
    type_ = draw(st.sampled_from([t for t in types if t in VALUES] or [INTEGER]))
    own = columns_of_type(columns, type_)
    column: Expr = ref(draw(st.sampled_from(own))) if own else draw(constants(type_))
    which = draw(st.integers(0, 6))
    other: Expr
    if type_ == BOOLEAN:
        return column
    if which == 0:
        test = bound(draw(st.sampled_from(["is_null", "is_not_null"])), column)
        assert test is not None
        return test
    if which == 1:
        values = draw(st.lists(VALUES[type_], min_size=0, max_size=4))
        return InList(BOOLEAN, column, tuple(values), draw(st.booleans()))  # type: ignore[arg-type]
    if which == 2 and type_ == VARCHAR:
        pattern = draw(st.sampled_from(["a%", "ab_", "%b", "abc", "_", "a\\%", "", "zz%"]))
        like = bound("like", column, Literal(VARCHAR, pattern))
        assert like is not None
        return like
    wider = {SMALLINT: [INTEGER, DOUBLE], INTEGER: [BIGINT, WIDER, DOUBLE], DATE: [TIMESTAMP]}
    if which == 3 and type_ in {*wider, MONEY}:
        target = draw(st.sampled_from({**wider, MONEY: [WIDER]}[type_]))
        column, type_ = Cast(target, column), target
        other = Literal(target, draw(VALUES[target]))
        if draw(st.booleans()):
            values = draw(st.lists(VALUES[target], min_size=1, max_size=3))
            return InList(BOOLEAN, column, tuple(values), draw(st.booleans()))  # type: ignore[arg-type]
    elif which == 4 and type_.is_numeric:
        column = draw(numbers(columns, type_, depth))
        other = draw(numbers(columns, type_, depth))
    elif which == 5 and own:
        other = ref(draw(st.sampled_from(own)))
    else:
        other = Literal(type_, draw(VALUES[type_]))
    pair = (column, other) if draw(st.booleans()) else (other, column)
    operators = [*COMPARISONS, *COMPARISONS, "=", "is_distinct", "is_not_distinct"]
    made = bound(draw(st.sampled_from(operators)), *pair)
    return made if made is not None else Literal(BOOLEAN, True)


@st.composite
def conditions(draw: st.DrawFn, columns: tuple[Column, ...], depth: int = 2) -> Expr:
    """A BOOLEAN expression."""
    which = draw(st.integers(0, 5)) if depth else 0
    if which <= 2:
        return draw(comparisons(columns, max(0, depth - 1)))
    left = draw(conditions(columns, depth - 1))
    if which == 3:
        made = bound("not", left)
    else:
        made = bound("and" if which == 4 else "or", left, draw(conditions(columns, depth - 1)))
    assert made is not None
    return made


@st.composite
def tables(
    draw: st.DrawFn, types: dict[str, SqlType], values: dict[SqlType, st.SearchStrategy[Value]]
) -> dict[str, tuple[SqlType, list[Value]]]:
    """Up to eight rows of these columns, with NULLs."""
    length = draw(st.sampled_from([4, 6, 8, 3, 5, 4, 6, 1, 0]))
    made: dict[str, tuple[SqlType, list[Value]]] = {}
    for name, type_ in types.items():
        entries = st.one_of(*[values[type_]] * 5, st.none())
        made[name] = (type_, draw(st.lists(entries, min_size=length, max_size=length)))
    return made


@st.composite
def plans(
    draw: st.DrawFn,
    builder: Builder,
    depth: int,
    outer: tuple[Column, ...] = (),
    dependent: bool = False,
) -> logical.Logical:
    """A plan of at most so many levels over up to as many frames as it has leaves.

    outer: columns from outside that it may read. dependent: it may hold dependent joins.
    """
    which = draw(st.integers(0, 10 if dependent else 9)) if depth else 0
    if which == 0:
        name = draw(st.sampled_from(sorted(SHAPES)))
        made = draw(tables(SHAPES[name], SMALL))
        # Some rules only work for what is large, or believed to be.
        claimed = draw(st.sampled_from([None, None, 1_000_000]))
        return builder.scan(f"{name}{len(builder.rows)}", claimed, **made)
    if which == 10 or (dependent and which == 4):
        return draw(dependent_joins(builder, depth, outer))
    if which <= 4:
        return draw(joins(builder, depth, outer, dependent))
    below = draw(plans(builder, depth - 1, outer, dependent))
    if which <= 6:
        return logical.Filter(below, draw(conditions(seen_by(draw, below.output, outer))))
    if which == 7:
        return draw(projections(builder, below, outer))
    if which == 8:
        return draw(groups(builder, below, outer))
    keys = tuple(
        SortKey(ref(column), draw(st.booleans()), draw(st.booleans())) for column in below.output
    )
    ordered = logical.Sort(below, keys)
    if draw(st.booleans()):
        return logical.Limit(ordered, draw(st.integers(0, 5) | st.none()), draw(st.integers(0, 2)))
    return ordered


def seen_by(
    draw: st.DrawFn, columns: tuple[Column, ...], outer: tuple[Column, ...]
) -> tuple[Column, ...]:
    """What an expression reads: mostly the columns inside, often those outside as well."""
    outside = draw(st.integers(0, 2)) > 0
    return columns + outer if outside else columns


@st.composite
def dependent_joins(
    draw: st.DrawFn, builder: Builder, depth: int, outer: tuple[Column, ...] = ()
) -> logical.Logical:
    """A dependent join, under a filter of its mark at times."""
    left = draw(plans(builder, depth - 1, outer, True))
    right = draw(correlated(builder, depth - 1, left.output + outer))
    kinds: list[JoinKind] = ["inner", "left", "semi", "anti", "mark", "mark", "mark", "single"]
    kind = draw(st.sampled_from(kinds))
    if kind == "single" and draw(st.integers(0, 3)):
        keys = tuple(SortKey(ref(column)) for column in right.output)
        right = logical.Limit(logical.Sort(right, keys), 1)
        if draw(st.booleans()):
            right = draw(groups(builder, right, left.output + outer, keyless=True))
    pairs: list[tuple[Expr, Expr]] = [
        (ref(a), ref(b))
        for a in left.output
        for b in right.output
        if a.type == b.type and a.type != BOOLEAN
    ]
    condition = None
    some_pair = st.sampled_from(pairs or [(NO, NO)])
    conditioned = draw(st.integers(0, 2)) > 0
    if pairs and conditioned:
        condition = bound(draw(st.sampled_from([*COMPARISONS, "=", "="])), *draw(some_pair))
        if draw(st.integers(0, 4)) == 0:
            condition = draw(conditions(left.output + right.output, 1))
        if condition is not None and draw(st.integers(0, 4)) == 0:
            other = bound("=", *draw(some_pair))
            assert other is not None
            condition = bound("and", condition, other)
    if kind != "mark":
        return logical.DependentJoin(kind, left, right, condition)
    mark = builder.column("mark", BOOLEAN)
    marked = logical.DependentJoin(kind, left, right, condition, mark)
    use = draw(st.integers(0, 3))
    if use == 0:
        return marked
    test: Expr | None = ref(mark)
    if use == 2:
        test = bound("not", ref(mark))
    if use == 3:
        test = bound(draw(st.sampled_from(["and", "or"])), ref(mark), draw(conditions(left.output)))
    assert test is not None
    kept = tuple((builder.column(c.name, c.type), ref(c)) for c in left.output)
    return logical.Project(logical.Filter(marked, test), kept)


@st.composite
def correlated(
    draw: st.DrawFn, builder: Builder, depth: int, outer: tuple[Column, ...]
) -> logical.Logical:
    """A plan that reads outer columns more often than not, as subqueries do."""
    below = draw(plans(builder, depth, outer, True))
    pairs: list[tuple[Expr, Expr]] = [
        (ref(a), ref(b)) for a in below.output for b in outer if a.type == b.type
    ]
    some_pair = st.sampled_from(pairs or [(NO, NO)])
    filtered = draw(st.integers(0, 3)) > 0
    if pairs and filtered:
        test = bound(
            draw(st.sampled_from(["=", "=", "=", "<", "<>", "is_not_distinct"])),
            *draw(some_pair),
        )
        assert test is not None
        below = logical.Filter(below, test)
    which = draw(st.integers(0, 5))
    if which == 0:
        return draw(groups(builder, below, outer))
    if which == 1:
        return draw(groups(builder, below, outer, keyless=True))
    if which == 2:
        return draw(projections(builder, below, outer))
    if which == 3:
        return draw(projections(builder, draw(groups(builder, below, outer, keyless=True)), outer))
    return below


@st.composite
def joins(
    draw: st.DrawFn,
    builder: Builder,
    depth: int,
    outer: tuple[Column, ...] = (),
    dependent: bool = False,
) -> logical.Logical:
    left = draw(plans(builder, depth - 1, outer, dependent))
    right = draw(plans(builder, depth - 1, outer, dependent))
    kinds: list[JoinKind] = ["cross", "cross", "inner", "left", "right", "full", "semi", "anti"]
    kind = draw(st.sampled_from(kinds))
    pairs = [
        (ref(a), ref(b))
        for a in left.output
        for b in right.output
        if a.type == b.type and a.type != BOOLEAN
    ]
    count = 0 if kind == "cross" or not pairs else draw(st.integers(0, 2))
    equalities = tuple(draw(st.sampled_from(pairs)) for _ in range(count))
    condition = None
    if kind != "cross" and draw(st.integers(0, 2)) == 0:
        condition = draw(conditions(seen_by(draw, left.output + right.output, outer), 1))
        if draw(st.booleans()) and pairs:
            a, b = draw(st.sampled_from(pairs))
            condition = bound(draw(st.sampled_from(["<", "<>", "="])), a, b)
    joined = logical.Join(kind, left, right, equalities, condition)
    if kind != "cross" or not pairs:
        wanted = draw(st.booleans())
        return logical.Filter(joined, draw(conditions(joined.output))) if wanted else joined
    a, b = draw(st.sampled_from(pairs))
    test = bound("=", a, b)
    assert test is not None
    if draw(st.booleans()):
        test = bound("and", test, draw(conditions(joined.output, 2)))
        assert test is not None
    return logical.Filter(joined, test)


@st.composite
def projections(
    draw: st.DrawFn,
    builder: Builder,
    below: logical.Logical,
    outer: tuple[Column, ...] = (),
) -> logical.Logical:
    items: list[tuple[Column, Expr]] = []
    for column in below.output:
        if draw(st.integers(0, 3)):
            items.append((builder.column(column.name, column.type), ref(column)))
    if draw(st.booleans()) or not items:
        expr = draw(numbers(seen_by(draw, below.output, outer), INTEGER, 2))
        items.append((builder.column("computed", expr.type), expr))
    return logical.Project(below, tuple(items))


@st.composite
def groups(
    draw: st.DrawFn,
    builder: Builder,
    below: logical.Logical,
    outer: tuple[Column, ...] = (),
    keyless: bool = False,
) -> logical.Logical:
    readable = seen_by(draw, below.output, outer)
    keys = tuple(
        (builder.column(column.name, column.type), ref(column))
        for column in readable
        if not keyless and draw(st.integers(0, 2)) == 0
    )
    calls: list[tuple[Column, AggregateCall]] = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(["count", "sum", "min", "max", "avg"]))
        column = draw(st.sampled_from(readable))
        try:
            call = aggregates.bind(name, (ref(column),), draw(st.booleans()))
        except Error:
            call = aggregates.bind("count", (), False)
        calls.append((builder.column(name, call.type), call))
    if not keys and not calls:
        call = aggregates.bind("count", (), False)
        calls.append((builder.column("count", call.type), call))
    return logical.Aggregate(below, keys, tuple(calls))


def without_distinct(plan: logical.Logical) -> bool:
    """Whether no aggregate of the plan is DISTINCT: only then it can be run as it stands."""
    if isinstance(plan, logical.Aggregate) and any(c.distinct for _, c in plan.aggregates):
        return False
    return all(without_distinct(below) for below in plan.inputs)


def unmarked(call: AggregateCall) -> AggregateCall:
    """The call without DISTINCT."""
    return replace(call, distinct=False)
