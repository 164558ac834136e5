"""Whether a logical plan is well-formed: used by tests after binding and after each rule.

Owns: `check`. Comes in: a plan. Goes out: nothing, or an InternalError that says what is wrong.
Does not know: which rule made the plan.
"""

from __future__ import annotations

from eau2.errors import InternalError
from eau2.operators.expr import Call, Case, Column, ColumnRef, Expr, InList
from eau2.sql.logical import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Logical,
    Nothing,
    Project,
    Scan,
    Sort,
)
from eau2.types import BOOLEAN, SqlType


def check(plan: Logical) -> None:
    """Raise InternalError unless the plan is well-formed.

    Every column that is read is visible where it is read and has the type it was made with; no
    node gives two columns of one id; an id means one column everywhere; conditions are BOOLEAN and
    the sides of an equality have one type.
    """
    made: dict[int, Column] = {}
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        _node(node, made)
        waiting.extend(node.inputs)


def _fail(node: Logical, what: str) -> InternalError:
    return InternalError(f"malformed plan: {type(node).__name__}: {what}")


def _node(node: Logical, made: dict[int, Column]) -> None:
    ids = [column.id for column in node.output]
    if len(set(ids)) != len(ids):
        raise _fail(node, f"column ids are not unique: {ids}")
    for column in node.output:
        if made.setdefault(column.id, column).type != column.type:
            raise _fail(node, f"c{column.id} is both {made[column.id].type} and {column.type}")
    visible = {c.id: c.type for below in node.inputs for c in below.output}
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
        case Aggregate(_, keys, aggregates):
            for column, expr in keys:
                _typed(node, column, expr, visible)
            for column, call in aggregates:
                if call.type != column.type:
                    raise _fail(node, f"c{column.id} has not the type of its aggregate")
                for expr in call.exprs:
                    _expr(node, expr, visible)
        case Join():
            _join(node, visible)
        case Sort(_, sort_keys, _):
            for key in sort_keys:
                _expr(node, key.expr, visible)
        case Limit(_, count, offset):
            if offset < 0 or (count is not None and count < 0):
                raise _fail(node, "negative bounds")
        case Nothing():
            pass


def _join(node: Join, visible: dict[int, SqlType]) -> None:
    left = {c.id: c.type for c in node.left.output}
    right = {c.id: c.type for c in node.right.output}
    if left.keys() & right.keys():
        raise _fail(node, f"both sides have the columns {sorted(left.keys() & right.keys())}")
    if node.kind == "cross" and (node.equalities or node.condition is not None):
        raise _fail(node, "a cross join has no condition")
    for one, other in node.equalities:
        _expr(node, one, left)
        _expr(node, other, right)
        if one.type != other.type:
            raise _fail(node, f"an equality of {one.type} and {other.type}")
    if node.condition is not None:
        _condition(node, node.condition, visible)


def _condition(node: Logical, expr: Expr, visible: dict[int, SqlType]) -> None:
    if expr.type != BOOLEAN:
        raise _fail(node, f"a condition of type {expr.type}")
    _expr(node, expr, visible)


def _typed(node: Logical, column: Column, expr: Expr, visible: dict[int, SqlType]) -> None:
    if column.type != expr.type:
        raise _fail(node, f"c{column.id} is {column.type}, its expression {expr.type}")
    _expr(node, expr, visible)


def _expr(node: Logical, expr: Expr, visible: dict[int, SqlType]) -> None:
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
