"""Estimates: how many rows a plan gives, from merged statistics.

Owns: `rows`, `profile` and the selectivity of conditions. Comes in: logical plans. Goes out: floats
that only steer choices; no answer depends on them. Pure, and a function of merged statistics alone,
so how rows were cut into chunks does not matter.
Does not know: who asks.

Source of the join and distinct formulas: Selinger et al., "Access path selection in a relational
database management system", SIGMOD 1979; Yao, "Approximating block accesses in database
organizations", CACM 1977.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from eau2.catalog import ColumnStatistics
from eau2.operators.expr import (
    Call,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    columns_of,
    conjuncts,
    ref,
)
from eau2.operators.facts import COMPARISONS, FLIPPED
from eau2.planner.column_profiles import ColumnProfile as ColumnProfile
from eau2.planner.column_profiles import Columns
from eau2.planner.key_matches import matching
from eau2.records import Record, field, replace
from eau2.sql.logical import (
    Aggregate,
    Expand,
    Filter,
    Join,
    Limit,
    Logical,
    Nothing,
    OneRow,
    Project,
    Rows,
    Sample,
    Scan,
    Series,
    Sort,
    Union,
    Unnest,
    Window,
)
from eau2.sql.sharing import Recursive, SharedScan, With
from eau2.types import SqlType

UNKNOWN_EQUAL = 0.1
UNKNOWN_RANGE = 1 / 3
UNKNOWN = 1 / 4
LIKE = 0.1
ALONE = 0.1
"""At least this fraction of rows is believed to have no partner in an anti join."""
CHARACTERS = 6.0
"""So many characters are believed to occur in a place of a string."""
COUNTS = 4.0
"""Counts of groups are believed to reach so many times their mean."""
SMALLEST = 1e-6
"""No condition is believed to be stricter: statistics do not see correlations."""


LIST_LENGTH = 8.0
"""How many elements a list is believed to have: statistics do not look into lists."""


class Profile(Record, frozen=True):
    """What is believed of a plan's rows."""

    rows: float
    columns: Mapping[int, ColumnProfile] = field(default_factory=dict)

    def distinct(self, expr: Expr) -> float:
        """The number of distinct values of an expression."""
        match expr:
            case ColumnRef(id=id_) if (column := self.columns.get(id_)) is not None:
                return max(1.0, min(column.distinct, self.rows))
            case Cast(arg=arg):
                return self.distinct(arg)
            case Literal():
                return 1.0
            case Call(function="date_part", args=(Literal(value=part), arg)):
                usual = {"year": 10.0, "month": 12.0, "quarter": 4.0, "day": 31.0}
                return min(usual.get(str(part), 60.0), self.distinct(arg))
            case Call(function="substring", args=(arg, Literal(), Literal(value=int(length)))):
                return min(math.pow(CHARACTERS, max(0, min(32, length))), self.distinct(arg))
        product = 1.0
        for id_ in sorted(columns_of(expr)):
            if id_ not in self.columns:
                return max(1.0, _power(self.rows))
            product *= self.columns[id_].distinct
        return max(1.0, min(product, self.rows))


def _power(count: float) -> float:
    """Distinct values to expect of so many rows when nothing else is known."""
    return float(count**0.75)


Known = dict[int, tuple[Logical, Profile]]
"""Plans by their identity, each with its profile, for whoever asks for many that overlap."""


def rows(plan: Logical, known: Known | None = None) -> float:
    """The estimated number of rows that `plan` gives."""
    return profile(plan, known).rows


def profile(plan: Logical, known: Known | None = None) -> Profile:
    """The estimated rows of `plan` and what its columns look like."""
    if known is None:
        known = {}
    found = known.get(id(plan))
    if found is None:
        found = known[id(plan)] = (plan, _profile(plan, known))
    return found[1]


def _profile(plan: Logical, known: Known) -> Profile:
    match plan:
        case Scan():
            return _scan(plan)
        case OneRow():
            return Profile(1.0)
        case SharedScan(rows=expected):
            size = 1000.0 if expected is None else expected
            return Profile(size, {c.id: ColumnProfile(max(1.0, size)) for c in plan.columns})
        case With(input=below):
            return profile(below, known)
        case Recursive(base=base):
            return shrunk(Profile(1000.0), 10.0 * profile(base, known).rows)
        case Nothing():
            return Profile(0.0)
        case Rows(rows=values):
            return Profile(float(len(values)))
        case Series(column=column, start=start, stop=stop, step=step):
            length = float(len(range(start, stop, step)))
            return Profile(length, {column.id: ColumnProfile(max(1.0, length))})
        case Union(parts=parts):
            return _union([profile(part, known) for part in parts], plan)
        case Sample(input=below, fraction=fraction, count=count):
            inner = profile(below, known)
            left = float(count or 0) if fraction is None else inner.rows * fraction
            return shrunk(inner, min(inner.rows, left))
        case Filter(input=below, condition=condition):
            return filtered(profile(below, known), conjuncts(condition))
        case Project(input=below, items=items):
            inner = profile(below, known)
            columns = {column.id: _of(expr, inner) for column, expr in items}
            return Profile(inner.rows, columns)
        case Expand(input=below, keys=items, sets=sets, grouping=grouping):
            inner = profile(below, known)
            columns = dict(inner.columns)
            columns |= {column.id: _of(expr, inner) for column, expr in items}
            columns[grouping.id] = ColumnProfile(float(len(sets)))
            return Profile(inner.rows * len(sets), columns)
        case Unnest(input=below, items=items):
            inner = profile(below)
            made_rows = inner.rows * LIST_LENGTH
            own = ColumnProfile(max(1.0, _power(made_rows)))
            unnested = {column.id: own for column, _ in items}
            return Profile(made_rows, {**inner.columns, **unnested})
        case Aggregate():
            return _aggregate(plan, known)
        case Join():
            return _join(plan, known)
        case Sort(input=below):
            return profile(below, known)
        case Window(input=below, calls=calls):
            inner = profile(below, known)
            made = {column.id: ColumnProfile(max(1.0, _power(inner.rows))) for column, _ in calls}
            return Profile(inner.rows, {**inner.columns, **made})
        case Limit(input=below, count=count, offset=offset):
            inner = profile(below, known)
            left = max(0.0, inner.rows - offset)
            return shrunk(inner, left if count is None else min(left, float(count)))
    return Profile(1000.0)


def _union(parts: list[Profile], plan: Union) -> Profile:
    """All rows; a column has as many distinct values as the input where it has most."""
    columns: dict[int, ColumnProfile] = {}
    for position, column in enumerate(plan.columns):
        given = zip(parts, plan.parts, strict=True)
        distinct = max(part.distinct(ref(below.output[position])) for part, below in given)
        columns[column.id] = ColumnProfile(distinct)
    return Profile(sum(part.rows for part in parts), columns)


def _scan(plan: Scan) -> Profile:
    total = float(plan.frame.rows)
    columns = {}
    for column, position in zip(plan.columns, plan.positions, strict=True):
        known = plan.frame.statistics
        statistics = known[position] if position < len(known) else ColumnStatistics(0)
        columns[column.id] = _kept_column(statistics, column.type, total)
    return Profile(total, columns)


_KEPT = 4096
_kept: dict[int, tuple[ColumnStatistics, SqlType, float, ColumnProfile]] = {}
"""Profiles of stored columns by the identity of their statistics, which statements share."""


def _kept_column(statistics: ColumnStatistics, type_: SqlType, total: float) -> ColumnProfile:
    """As `_column`, which takes most of the time that it takes to estimate a small plan."""
    found = _kept.get(id(statistics))
    if found is not None and found[0] is statistics and found[1:3] == (type_, total):
        return found[3]
    made = _column(statistics, type_, total)
    if len(_kept) >= _KEPT:
        _kept.clear()
    _kept[id(statistics)] = (statistics, type_, total, made)
    return made


def _column(statistics: ColumnStatistics, type_: SqlType, total: float) -> ColumnProfile:
    low, high = _number(statistics.minimum), _number(statistics.maximum)
    present = max(0.0, total - statistics.null_count)
    distinct = present if type_.is_numeric or type_.is_temporal else _power(present)
    if low is not None and high is not None and not type_.is_float:
        distinct = min(distinct, high - low + 1)
    if statistics.distinct is not None:
        distinct = min(present, float(statistics.distinct.estimate()))
    nulls = statistics.null_count / total if total else 0.0
    return ColumnProfile(max(1.0, distinct), low, high, min(1.0, nulls))


def _number(value: bool | int | float | str | None) -> float | None:
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return float(value)


def _of(expr: Expr, inner: Profile) -> ColumnProfile:
    column = inner.columns.get(expr.id) if isinstance(expr, ColumnRef) else None
    if column is not None:
        return column
    return ColumnProfile(inner.distinct(expr))


def shrunk(before: Profile, count: float) -> Profile:
    """The profile when `count` rows remain: each column keeps the distinct values still drawn."""
    if count >= before.rows:
        return before
    return Profile(count, Columns((before.columns,), before.rows, count))


def filtered(before: Profile, parts: tuple[Expr, ...]) -> Profile:
    """The profile of the rows for which all of `parts` are true."""
    after = shrunk(before, before.rows * selectivity(parts, before))
    better: dict[int, ColumnProfile] = {}
    for part in parts:
        compared = _compared(part)
        if compared is None:
            continue
        id_, operator, value = compared
        column = better.get(id_) or after.columns.get(id_)
        if column is None:
            continue
        if operator == "=":
            better[id_] = replace(column, distinct=1.0)
        elif value is not None and operator in ("<", "<="):
            high = value if column.high is None else min(value, column.high)
            better[id_] = replace(column, high=high)
        elif value is not None and operator in (">", ">="):
            low = value if column.low is None else max(value, column.low)
            better[id_] = replace(column, low=low)
    return Profile(after.rows, Columns((after.columns,), better=better)) if better else after


def selectivity(parts: tuple[Expr, ...], before: Profile) -> float:
    """The fraction of rows for which all of `parts` are true.

    Lower and upper bounds of one column are taken together; else independence is assumed.
    """
    product = 1.0
    ranges: dict[int, tuple[float, float]] = {}
    for part in parts:
        compared = _compared(part)
        column = None if compared is None else before.columns.get(compared[0])
        if compared is not None and column is not None:
            id_, operator, value = compared
            below = _fraction_below(column, value)
            if below is not None and operator in ("<", "<=", ">", ">="):
                low, high = ranges.get(id_, (-math.inf, math.inf))
                if operator in ("<", "<="):
                    ranges[id_] = (low, min(high, below))
                else:
                    ranges[id_] = (max(low, below), high)
                continue
        product *= _selectivity(part, before)
    for id_, (low, high) in sorted(ranges.items()):
        column = before.columns[id_]
        inside = high >= 0.0 and low <= 1.0
        width = min(high, 1.0) - max(low, 0.0)
        product *= max(width, 1.0 / column.distinct) * (1.0 - column.nulls) if inside else 0.0
    return max(SMALLEST, min(1.0, product))


def _compared(part: Expr) -> tuple[int, str, float | None] | None:
    """(column, operator, number) of a comparison of a bare column with a constant."""
    match part:
        case Call(function=name, args=(ColumnRef(id=id_), Literal(value=value))):
            if name in COMPARISONS:
                return (id_, name, _number(value))
        case Call(function=name, args=(Literal(value=value), ColumnRef(id=id_))):
            if name in COMPARISONS:
                return (id_, FLIPPED[name], _number(value))
    return None


def _fraction_below(column: ColumnProfile, value: float | None) -> float | None:
    """The fraction of a column's values below `value`, as if they were spread evenly.

    Beyond the column's bounds it is below 0 or above 1.
    """
    if value is None or column.low is None or column.high is None:
        return None
    return (value - column.low) / max(column.high - column.low, 1e-9)


def _selectivity(part: Expr, before: Profile) -> float:
    match part:
        case Literal(value=value):
            return 1.0 if value is True else 0.0
        case Call(function="and", args=args):
            return selectivity(tuple(p for arg in args for p in conjuncts(arg)), before)
        case Call(function="or", args=args):
            misses = 1.0
            for arg in args:
                misses *= 1.0 - _selectivity(arg, before)
            return 1.0 - misses
        case Call(function="not", args=(arg,)):
            return 1.0 - _selectivity(arg, before)
        case Call(function="is_null" | "is_not_null" as name, args=(arg,)):
            nulls = 0.01
            if isinstance(arg, ColumnRef) and arg.id in before.columns:
                nulls = before.columns[arg.id].nulls
            return nulls if name == "is_null" else 1.0 - nulls
        case InList(arg=arg, values=values):
            return min(1.0, len(values) / before.distinct(arg))
        case Call(function="like" | "ilike"):
            return LIKE
        case Call(function=name, args=(left, right)) if name in COMPARISONS:
            return _comparison(name, left, right, before)
    return UNKNOWN


def _comparison(name: str, left: Expr, right: Expr, before: Profile) -> float:
    if name in ("=", "<>"):
        equal = UNKNOWN_EQUAL
        if before.columns:
            equal = 1.0 / max(before.distinct(left), before.distinct(right))
            compared = _compared(Call(left.type, name, (left, right)))
            column = None if compared is None else before.columns.get(compared[0])
            if compared is not None and column is not None and compared[2] is not None:
                value = compared[2]
                if column.low is not None and value < column.low:
                    equal = 0.0
                if column.high is not None and value > column.high:
                    equal = 0.0
        return equal if name == "=" else 1.0 - equal
    return UNKNOWN_RANGE


def _aggregate(plan: Aggregate, known: Known) -> Profile:
    inner = profile(plan.input, known)
    if not plan.keys:
        return Profile(1.0, {column.id: ColumnProfile(1.0) for column, _ in plan.aggregates})
    groups = 1.0
    for _, expr in plan.keys:
        groups = min(inner.rows, groups * inner.distinct(expr))
    columns = {column.id: _of(expr, inner) for column, expr in plan.keys}
    for column, call in plan.aggregates:
        counts = call.function in ("count", "count_star")
        most = COUNTS * inner.rows / max(1.0, groups) if counts else groups
        columns[column.id] = ColumnProfile(max(1.0, min(groups, most)))
    return Profile(groups, columns)


def _join(plan: Join, known: Known) -> Profile:
    left, right = profile(plan.left, known), profile(plan.right, known)
    both = joined(left, right, plan.equalities)
    if plan.condition is not None:
        both = filtered(both, conjuncts(plan.condition))
    match plan.kind:
        case "left":
            return Profile(max(both.rows, left.rows), both.columns)
        case "right":
            return Profile(max(both.rows, right.rows), both.columns)
        case "full":
            return Profile(max(both.rows, left.rows, right.rows), both.columns)
        case "semi" | "anti":
            matched = _matched(plan, left, right)
            kept = matched if plan.kind == "semi" else max(ALONE, 1.0 - matched)
            return shrunk(left, max(min(1.0, left.rows), left.rows * kept))
        case "mark":
            return left
        case "single" | "asof_left":
            return Profile(left.rows, both.columns)
        case "asof":
            return Profile(min(left.rows, both.rows), both.columns)
    return both


def _matched(plan: Join, left: Profile, right: Profile) -> float:
    """The fraction of left rows that have a partner.

    Of the left keys those that occur on the right have one; of its several candidates one must
    fulfil the condition as well.
    """
    pairs = joined(left, right, plan.equalities).rows / max(1.0, left.rows)
    occurring = 1.0
    for a, b in plan.equalities:
        occurring *= min(1.0, right.distinct(b) / left.distinct(a))
    if not right.rows:
        return 0.0
    if plan.condition is None:
        return occurring
    both = together((left, right))
    passes = selectivity(conjuncts(plan.condition), both)
    candidates = max(1.0, pairs / max(occurring, SMALLEST))
    return float(occurring * (1.0 - (1.0 - passes) ** candidates))


def joined(left: Profile, right: Profile, equalities: tuple[tuple[Expr, Expr], ...]) -> Profile:
    """The profile of the inner join of two sides."""
    values = [(left.distinct(a), right.distinct(b)) for a, b in equalities]
    count = left.rows * right.rows / matching(values, left.rows, right.rows)
    columns = (left.columns, right.columns)
    before = max(left.rows, right.rows, count)
    return Profile(count, Columns(columns, before, count))


def together(parts: Sequence[Profile]) -> Profile:
    """The columns of all parts, beside as many rows as the largest has."""
    rows_ = max(part.rows for part in parts)
    return Profile(rows_, Columns(tuple(part.columns for part in parts)))
