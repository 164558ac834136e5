"""s[i], s[a:b] and s[a:b:c] of texts and lists.

Owns: which entry computes each; slices with constant bounds from the start are SQL's substring.
Comes in: bound expressions. Goes out: bound expressions. Does not know: methods.
"""

from __future__ import annotations

from eau2.operators.expr import Call, Expr, Literal
from eau2.python.kinds import Refusal, as_int, is_none, name_of, typed
from eau2.python.operators import failing
from eau2.types import BIGINT, NULL, VARCHAR, SqlType

_FARTHEST = 2**62
_LEFT_OUT = Literal(BIGINT, None)


def _kind(receiver: Expr, what: str) -> str:
    if receiver.type == VARCHAR:
        return "str"
    if receiver.type.is_list:
        return "list"
    raise Refusal(f"a {name_of(receiver.type)} has no {what}")


def _position(value: Expr, what: str) -> Expr:
    value = as_int(typed(value, BIGINT))
    if value.type != BIGINT:
        raise Refusal(f"{what} is an int, not a {name_of(value.type)}", "Write int(...).")
    return value


def index(receiver: Expr, position: Expr, where: str) -> Expr:
    """receiver[position]: negative positions count from the end. Raises Refusal."""
    if is_none(receiver):
        return receiver
    kind = _kind(receiver, "index")
    type_: SqlType = receiver.type.element or VARCHAR
    return failing(type_, f"{kind}.[]", (receiver, _position(position, "an index")), where)


def slice_(
    receiver: Expr, start: Expr | None, stop: Expr | None, step: Expr | None, where: str
) -> Expr:
    """receiver[start:stop:step]; None is a bound that is not written. Raises Refusal."""
    if is_none(receiver):
        return receiver
    kind = _kind(receiver, "slices")
    bounds = [_bound(part) for part in (start, stop, step)]
    first, last, stride = bounds
    if isinstance(stride, Literal) and stride.value in (None, 1):
        return _window(kind, receiver, first, last)
    if bounds == [_LEFT_OUT, _LEFT_OUT, Literal(BIGINT, -1)]:
        return Call(receiver.type, f"{kind}.[::-1]", (receiver,))
    return failing(receiver.type, f"{kind}.[::]", (receiver, *bounds), where)


def _bound(part: Expr | None) -> Expr:
    if part is None or part.type == NULL:
        return Literal(BIGINT, None)
    return _position(part, "a bound of a slice")


def _window(kind: str, receiver: Expr, start: Expr, stop: Expr) -> Expr:
    match start, stop:
        case Literal(value=None), Literal(value=None):
            return receiver
        case Literal(value=first), Literal(value=int() as last) if kind == "str":
            begin = 0 if first is None else first
            if isinstance(begin, int) and begin >= 0 and 0 <= last < _FARTHEST:
                size = max(last - begin, 0)
                window = (Literal(BIGINT, begin + 1), Literal(BIGINT, size))
                return Call(VARCHAR, "substring", (receiver, *window))
    return Call(receiver.type, f"{kind}.[:]", (receiver, start, stop))
