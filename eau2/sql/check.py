"""Whether a logical plan is well-formed: used by tests after binding and after each rule.

Owns: `check`. Comes in: a plan. Goes out: nothing, or an InternalError that says what is wrong.
Does not know: which rule made the plan.
"""

from __future__ import annotations

from eau2.errors import InternalError
from eau2.operators.expr import Call, Case, Column, ColumnRef, Expr, InList
from eau2.records import Record, field, replace
from eau2.sql.logical import (
    Aggregate,
    DependentJoin,
    Expand,
    Filter,
    Join,
    Limit,
    Logical,
    Project,
    Rows,
    Sample,
    Scan,
    Series,
    Union,
    Unnest,
    Window,
)
from eau2.sql.plan_exprs import expressions
from eau2.sql.sharing import Recursive, SharedScan, With
from eau2.types import BIGINT, BOOLEAN, SqlType

Types = dict[int, SqlType]


class _Place(Record, frozen=True):
    """What a node may read besides its inputs: outer columns, and definitions by number."""

    outer: Types = field(default_factory=dict)
    definitions: dict[int, tuple[Column, ...]] = field(default_factory=dict)


def check(plan: Logical) -> None:
    """Raise InternalError unless the plan is well-formed.

    Every column that is read is visible where it is read and has the type it was made with; no
    node gives two columns of one id; an id means one column everywhere; conditions are BOOLEAN and
    the sides of an equality have one type. The right side of a dependent join, and nothing else,
    sees the columns of its left side as well; a definition is seen by what its WITH encloses.
    """
    made: dict[int, Column] = {}
    waiting = [(plan, _Place())]
    while waiting:
        node, place = waiting.pop()
        _node(node, made, place)
        waiting.extend(zip(node.inputs, _places(node, place), strict=True))


def _places(node: Logical, place: _Place) -> tuple[_Place, ...]:
    """For each input, what it may read."""
    match node:
        case DependentJoin(left=left):
            outer = place.outer | {c.id: c.type for c in left.output}
            return (place, replace(place, outer=outer))
        case With(definitions=definitions):
            places = [place]
            for definition in definitions:
                known = places[-1].definitions | {definition.number: definition.plan.output}
                places.append(replace(place, definitions=known))
            return tuple(places)
        case Recursive(number=number, columns=columns):
            inside = replace(place, definitions=place.definitions | {number: columns})
            return (place, inside)
    return (place,) * len(node.inputs)


def _fail(node: Logical, what: str) -> InternalError:
    return InternalError(f"malformed plan: {type(node).__name__}: {what}")


def _node(node: Logical, made: dict[int, Column], place: _Place) -> None:
    ids = [column.id for column in node.output]
    if len(set(ids)) != len(ids):
        raise _fail(node, f"column ids are not unique: {ids}")
    for column in node.output:
        if made.setdefault(column.id, column).type != column.type:
            raise _fail(node, f"c{column.id} is both {made[column.id].type} and {column.type}")
    visible = place.outer | {c.id: c.type for below in node.inputs for c in below.output}
    match node:
        case Scan(frame, columns, positions):
            for column, position in zip(columns, positions, strict=True):
                if not 0 <= position < len(frame.schema.columns):
                    raise _fail(node, f"the frame has no column {position}")
                if frame.schema.columns[position].type != column.type:
                    raise _fail(node, f"c{column.id} has not the type of its column")
        case Filter(_, condition):
            _condition(node, condition, visible)
        case Project(_, items):
            for column, expr in items:
                _typed(node, column, expr, visible)
        case Expand(_, items, sets, grouping):
            for column, expr in items:
                _typed(node, column, expr, visible)
            if not sets or any(not 0 <= n < len(items) for members in sets for n in members):
                raise _fail(node, "a set of keys that are not there")
            if grouping.type != BIGINT:
                raise _fail(node, f"sets numbered by {grouping.type}")
        case Unnest(_, items, ordinality):
            for column, expr in items:
                if expr.type.element != column.type:
                    raise _fail(node, f"c{column.id} is {column.type}, unnested {expr.type}")
            if not items or (ordinality is not None and ordinality.type != BIGINT):
                raise _fail(node, "no lists, or elements not counted by BIGINT")
        case Aggregate(_, keys, aggregates):
            for column, expr in keys:
                _typed(node, column, expr, visible)
            for column, call in aggregates:
                if call.type != column.type:
                    raise _fail(node, f"c{column.id} has not the type of its aggregate")
        case DependentJoin(condition=condition) if condition is not None:
            _condition(node, condition, visible)
        case Join():
            _join(node, visible, place.outer)
        case Rows(columns, rows):
            if not columns or any(len(row) != len(columns) for row in rows):
                raise _fail(node, "rows of another width than their columns")
        case Series(step=0):
            raise _fail(node, "a step of zero")
        case Sample(_, fraction, count):
            if (fraction is None) == (count is None):
                raise _fail(node, "either a fraction or a count is needed")
        case Window():
            _window(node, visible)
        case Limit(_, count, offset):
            if offset < 0 or (count is not None and count < 0):
                raise _fail(node, "negative bounds")
        case Union(parts, columns):
            for part in parts:
                _same_types(node, part.output, columns)
        case Recursive(base=base, step=step, columns=columns):
            _same_types(node, base.output, columns)
            _same_types(node, step.output, columns)
        case SharedScan(number, columns, positions):
            given = place.definitions.get(number)
            if given is None:
                raise _fail(node, f"no definition {number} encloses it")
            _same_types(node, tuple(given[position] for position in positions), columns)
    if not isinstance(node, Join):
        for expr in expressions(node):
            _expr(node, expr, visible)


def _same_types(node: Logical, given: tuple[Column, ...], columns: tuple[Column, ...]) -> None:
    if [c.type for c in given] != [c.type for c in columns]:
        raise _fail(node, "an input has other types than the columns it becomes")


def _window(node: Window, visible: Types) -> None:
    if not node.calls:
        raise _fail(node, "without calls")
    for column, call in node.calls:
        if call.type != column.type:
            raise _fail(node, f"c{column.id} has not the type of its call")
        if call.where is not None:
            _condition(node, call.where, visible)
        if call.frame is None:
            continue
        for end in (call.frame.start, call.frame.end):
            if (end.offset is not None) != (end.kind in ("preceding", "following")):
                raise _fail(node, f"a frame's end {end.kind} with or without an offset")
            if end.offset is None:
                continue
            if call.frame.unit == "range":
                if len(node.order) != 1:
                    raise _fail(node, "a RANGE frame with an offset over several keys")
            elif end.offset.type != BIGINT:
                raise _fail(node, f"a frame's offset of type {end.offset.type}")


def _join(node: Join, visible: Types, outer: Types) -> None:
    left = {c.id: c.type for c in node.left.output}
    right = {c.id: c.type for c in node.right.output}
    if left.keys() & right.keys():
        raise _fail(node, f"both sides have the columns {sorted(left.keys() & right.keys())}")
    if node.kind == "cross" and (node.equalities or node.condition is not None):
        raise _fail(node, "a cross join has no condition")
    for one, other in node.equalities:
        _expr(node, one, outer | left)
        _expr(node, other, outer | right)
        if one.type != other.type:
            raise _fail(node, f"an equality of {one.type} and {other.type}")
    if node.condition is not None:
        _condition(node, node.condition, visible)


def _condition(node: Logical, expr: Expr, visible: Types) -> None:
    if expr.type != BOOLEAN:
        raise _fail(node, f"a condition of type {expr.type}")
    _expr(node, expr, visible)


def _typed(node: Logical, column: Column, expr: Expr, visible: Types) -> None:
    if column.type != expr.type:
        raise _fail(node, f"c{column.id} is {column.type}, its expression {expr.type}")
    _expr(node, expr, visible)


def _expr(node: Logical, expr: Expr, visible: Types) -> None:
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        waiting.extend(part.children)
        match part:
            case ColumnRef(type_, id_):
                if id_ not in visible:
                    raise _fail(node, f"c{id_} is not visible")
                if visible[id_] != type_:
                    raise _fail(node, f"c{id_} is {visible[id_]}, read as {type_}")
            case Case(type_, branches, otherwise):
                for test, result in branches:
                    if test.type != BOOLEAN or result.type != type_:
                        raise _fail(node, f"a CASE branch of type {test.type}, {result.type}")
                if otherwise.type != type_:
                    raise _fail(node, f"an ELSE of type {otherwise.type} in a CASE of {type_}")
            case Call(type_, "and" | "or" | "not", args):
                if any(arg.type != BOOLEAN for arg in args):
                    raise _fail(node, "a logical operator over other types than BOOLEAN")
            case Call(_, "=" | "<>" | "<" | "<=" | ">" | ">=", (one, other)):
                if one.type != other.type:
                    raise _fail(node, f"a comparison of {one.type} and {other.type}")
            case InList(type_, _, values):
                if type_ != BOOLEAN or any(value is None for value in values):
                    raise _fail(node, "a malformed IN list")
