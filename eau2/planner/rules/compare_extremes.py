"""Compare extremes: EXISTS with an inequality asks for the least and greatest value of a key.

Owns: semi, anti and mark joins by keys with one inequality between a column of each side. Comes in:
a plan whose joins are ordered. Goes out: the same rows and columns from joins with one group for
each key. Does not know: that a group's rows are reduced to the left keys (reduce_inputs does it).

Some `b <> a` is true if the least or the greatest b is not a; some `b < a` if the least b is less.
Pairs are not made, however many rows a key has. Several such joins by one key with rows of one
frame share their groups: each takes the extremes of the rows that fulfil its own conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Column,
    Expr,
    JoinKind,
    Literal,
    columns_of,
    conjunction,
    ref,
    substitute,
)
from eau2.operators.facts import COMPARISONS, FLIPPED, can_raise
from eau2.planner.disjunction import disjunction
from eau2.planner.estimate import rows
from eau2.planner.frame_rows import FrameRows, frame_rows
from eau2.records import Record
from eau2.sql.copies import free_columns, highest_id
from eau2.sql.logical import Aggregate, Filter, Join, Logical, Project, Scan
from eau2.types import BOOLEAN, Kind, SqlType

ROWS = 5_000.0
"""Right sides of fewer rows are not worth a group by."""

_FALSE = Literal(BOOLEAN, False)

_DECIDES = {"<": ("min",), "<=": ("min",), ">": ("max",), ">=": ("max",), "<>": ("min", "max")}
"""By which extremes of b it is decided whether some b is so related to a."""


def compare_extremes(plan: Logical) -> Logical:
    """The rule. New columns are numbered from the highest id of the plan on."""
    return _rewritten(plan, count(highest_id(plan) + 1)) if _holds_any(plan) else plan


def _holds_any(plan: Logical) -> bool:
    return _question(plan) is not None or any(map(_holds_any, plan.inputs))


def _rewritten(plan: Logical, ids: Iterator[int]) -> Logical:
    asked: list[_Question] = []
    below = plan
    while (question := _question(below)) is not None:
        if asked and "mark" in (question.kind, asked[-1].kind):
            break  # What is above a mark may read it.
        asked.append(question)
        below = question.join.left
    if not asked:
        if not plan.inputs:
            return plan
        return plan.with_inputs(tuple(_rewritten(under, ids) for under in plan.inputs))
    result = _rewritten(below, ids)
    asked.reverse()
    while asked:
        first = asked[0]
        together = [question for question in asked if question.shares_groups(first)]
        asked = [question for question in asked if not question.shares_groups(first)]
        result = _answered(result, together, ids)
    return Project(result, tuple((column, ref(column)) for column in plan.output))


class _Question(Record, frozen=True):
    """A join that asks whether some right row of the same key has `value` <operator> `asked`.

    value: over the right side; asked: over the left one. source: where the right side is rows of
    one frame.
    """

    join: Join
    operator: str
    value: Expr
    asked: Expr
    source: FrameRows | None

    def shares_groups(self, other: _Question) -> bool:
        """Whether the groups of one frame answer both."""
        if self is other:
            return True
        a, b = self.source, other.source
        if a is None or b is None or a.frame != b.frame:
            return False
        if self.join.null_safe != other.join.null_safe:
            return False
        return _keys(self) == _keys(other) is not None

    @property
    def kind(self) -> str:
        """The kind of its join."""
        return self.join.kind


def _keys(question: _Question) -> tuple[tuple[Expr, int], ...] | None:
    """The left key expressions with the positions of the columns they equal; None if not bare."""
    found: list[tuple[Expr, int]] = []
    source = question.source
    assert source is not None
    for a, b in question.join.equalities:
        position = source.position(b)
        if position is None:
            return None
        found.append((a, position))
    return tuple(found)


def _question(plan: Logical) -> _Question | None:
    """What a join asks, if it is answered by extremes."""
    match plan:
        case Join(kind="semi" | "anti" | "mark", condition=Call(args=(first, second)) as asked):
            operator = asked.function
        case _:
            return None
    if operator not in COMPARISONS or operator == "=" or not plan.equalities:
        return None
    if not _is_ordered(first.type) or any(map(can_raise, (first, second))):
        return None
    ours = {column.id for column in plan.left.output}
    theirs = {column.id for column in plan.right.output}
    if columns_of(first) <= ours and columns_of(second) <= theirs:
        first, second, operator = second, first, FLIPPED[operator]
    if not (columns_of(first) <= theirs and columns_of(second) <= ours and columns_of(first)):
        return None
    if rows(plan.right) < ROWS or free_columns(plan.right):
        return None
    return _Question(plan, operator, first, second, frame_rows(plan.right))


def _is_ordered(type_: SqlType) -> bool:
    """Whether the least and greatest value are what comparisons say; floats have NaN and -0."""
    exact = type_.is_integer or type_.is_decimal
    return exact or type_.kind in (Kind.DATE, Kind.TIMESTAMP)


def _answered(left: Logical, together: list[_Question], ids: Iterator[int]) -> Logical:
    """The left rows with which the questions are answered, perhaps with more columns."""
    if len(together) == 1:
        (question,) = together
        right = question.join.right
        keys = tuple(b for _, b in question.join.equalities)
        values = [question.value]
    else:
        right, keys, values = _united(together, ids)
    calls: dict[tuple[str, Expr], Column] = {}
    answers: list[Expr] = []
    for question, value in zip(together, values, strict=True):
        parts = []
        for name in _DECIDES[question.operator]:
            column = calls.get((name, value))
            if column is None:
                column = calls[name, value] = Column(next(ids), name, value.type)
            parts.append(Call(BOOLEAN, question.operator, (ref(column), question.asked)))
        answers.append(disjunction(tuple(parts)))
    grouped = Aggregate(
        right,
        tuple((Column(next(ids), "key", key.type), key) for key in keys),
        tuple((c, AggregateCall(name, (v,), v.type)) for (name, v), c in calls.items()),
    )
    first = together[0].join
    pairs = tuple(
        (a, ref(column)) for (a, _), (column, _) in zip(first.equalities, grouped.keys, strict=True)
    )
    kind: JoinKind = "inner" if any(q.kind == "semi" for q in together) else "left"
    joined = Join(kind, left, grouped, pairs, None, first.null_safe)
    if first.mark is not None:
        passed = tuple((column, ref(column)) for column in left.output)
        return Project(joined, (*passed, (first.mark, _certainly(answers[0]))))
    wanted = tuple(
        answer if question.kind == "semi" else Call(BOOLEAN, "not", (_certainly(answer),))
        for question, answer in zip(together, answers, strict=True)
    )
    return Filter(joined, conjunction(wanted))


def _certainly(answer: Expr) -> Expr:
    """The answer in two values: no rows, and no row without NULL, mean no."""
    return Call(BOOLEAN, "coalesce", (answer, _FALSE))


def _united(
    together: list[_Question], ids: Iterator[int]
) -> tuple[Logical, tuple[Expr, ...], list[Expr]]:
    """One read of the frame for all: its rows, the keys, and the value that each question asks for.

    A value is NULL in the rows that do not fulfil the conditions of its question.
    """
    made: dict[int, Column] = {}
    conditions: list[Expr] = []
    values: list[Expr] = []
    keys: tuple[Expr, ...] = ()
    for question in together:
        source = question.source
        assert source is not None
        over: dict[int, Expr] = {}
        for id_, position in source.positions.items():
            if position not in made:
                schema = source.frame.schema.columns[position]
                made[position] = Column(next(ids), schema.name, schema.type)
            over[id_] = ref(made[position])
        value, *own = (
            substitute(substitute(expr, source.given), over)
            for expr in (question.value, *(b for _, b in question.join.equalities))
        )
        keys = keys or tuple(own)
        parts = tuple(substitute(part, over) for part in source.conditions)
        conditions.append(conjunction(parts) if parts else Literal(BOOLEAN, True))
        if parts:
            case = ((conjunction(parts), value),)
            value = Case(value.type, case, Literal(value.type, None))
        values.append(value)
        frame = source.frame
    positions = tuple(sorted(made))
    plan: Logical = Scan(frame, tuple(made[p] for p in positions), positions)
    if all(not isinstance(condition, Literal) for condition in conditions):
        plan = Filter(plan, disjunction(tuple(dict.fromkeys(conditions))))
    return plan, keys, values
