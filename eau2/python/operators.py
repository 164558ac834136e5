"""Python's operators on bound expressions: arithmetic, bits, signs, and failing on purpose.

Owns: which types each operator takes and what it becomes. A plain operator of SQL is written where
it means the same, so that the planner knows it; else an entry of operators/functions/python_*.py.
Comes in: bound expressions. Goes out: bound expressions. Does not know: comparisons
(comparisons.py), the text of a function.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.operators.expr import Call, ColumnRef, Expr, LambdaParameter, Literal
from eau2.operators.functions.python_numbers import BY_CONSTANT
from eau2.python.comparisons import truth
from eau2.python.kinds import (
    GREATEST,
    LEAST,
    NUMBERS,
    Refusal,
    as_float,
    as_int,
    is_none,
    name_of,
    typed,
    unified,
)
from eau2.types import BIGINT, BOOLEAN, DOUBLE, NULL, VARCHAR, SqlType

_PLAIN = frozenset({"+", "-", "*"})
_BITS = frozenset({"&", "|", "^"})
_FOLDED: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def at(where: str) -> Literal:
    """The last argument of a call that can fail: where it stands."""
    return Literal(VARCHAR, where)


def failing(type_: SqlType, name: str, args: tuple[Expr, ...], where: str) -> Call:
    """A call of an entry that can fail."""
    return Call(type_, name, (*args, at(where)))


def failure(message: str, type_: SqlType, where: str) -> Expr:
    """What raises FunctionFailedError for each row that reaches it."""
    return Call(type_, "python.raise", (Literal(VARCHAR, f"{message}, in {where}"),))


def binary(op: str, left: Expr, right: Expr, where: str) -> Expr:
    """`left op right`. Raises Refusal for types that the operator does not take."""
    if is_none(left) and is_none(right):
        return Literal(NULL, None)
    one, two = _beside(op, left, right), _beside(op, right, left)
    if one.type in NUMBERS and two.type in NUMBERS:
        return _numbers(op, one, two, where)
    if op == "+":
        joined = _joined(one, two, where)
        if joined is not None:
            return joined
    if op == "*":
        for value, count in ((one, two), (two, one)):
            if count.type in (BIGINT, BOOLEAN) and (value.type == VARCHAR or value.type.is_list):
                name = "str.*" if value.type == VARCHAR else "list.*"
                return failing(value.type, name, (value, as_int(count)), where)
    if op == "%" and one.type == VARCHAR:
        raise Refusal("% on a str is not supported", "Write an f-string.")
    raise undefined(op, one, two)


def _beside(op: str, value: Expr, other: Expr) -> Expr:
    """None in a type with which the operator is defined."""
    if not is_none(value):
        return value
    if op == "*" and (other.type == VARCHAR or other.type.is_list):
        return typed(value, BIGINT)
    if other.type in NUMBERS or other.type == VARCHAR or other.type.is_list:
        return typed(value, other.type)
    return typed(value, BIGINT)


def undefined(op: str, left: Expr, right: Expr, hint: str = "") -> Refusal:
    """What is said of an operator that does not take these types."""
    types = f"{name_of(left.type)} and {name_of(right.type)}"
    return Refusal(f"{op} is not defined for {types}", hint)


def _joined(left: Expr, right: Expr, where: str) -> Expr | None:
    if left.type == right.type == VARCHAR:
        return Call(VARCHAR, "str.+", (left, right))
    if left.type.is_list and right.type.is_list:
        one, two = unified((left, right), where, "lists that are joined")
        return Call(one.type, "list.+", (one, two))
    if VARCHAR in (left.type, right.type):
        raise undefined("+", left, right, "Write str(...) around the other value, or an f-string.")
    return None


def _numbers(op: str, left: Expr, right: Expr, where: str) -> Expr:
    if left.type == right.type == BOOLEAN and op in _BITS:
        return Call(BOOLEAN, f"bool.{op}", (left, right))
    left, right = as_int(left), as_int(right)
    if op == "**":
        return _power(left, right, where)
    if op in ("<<", ">>", *_BITS):
        if DOUBLE in (left.type, right.type):
            raise undefined(op, left, right, "Bits are those of an int: write int(...).")
        if op in _BITS:
            return Call(BIGINT, f"int.{op}", (left, right))
        return failing(BIGINT, f"int.{op}", (left, right), where)
    if DOUBLE in (left.type, right.type):
        return _floats(op, as_float(left), as_float(right), where)
    if op in _PLAIN:
        return _folded(op, left, right) or Call(BIGINT, op, (left, right))
    type_ = DOUBLE if op == "/" else BIGINT
    return _divided(type_, f"int.{op}", left, right, where)


def _divided(type_: SqlType, name: str, left: Expr, right: Expr, where: str) -> Expr:
    """A division, which by a constant that is neither 0 nor -1 never fails."""
    if isinstance(right, Literal) and right.value not in (None, 0, -1):
        return Call(type_, name + BY_CONSTANT, (left, right))
    return failing(type_, name, (left, right), where)


def _folded(op: str, left: Expr, right: Expr) -> Expr | None:
    """Constants are computed, so that 60 * 60 is a constant divisor."""
    match left, right:
        case Literal(value=int() as one), Literal(value=int() as two):
            result = _FOLDED[op](one, two)
            return Literal(BIGINT, result) if LEAST <= result <= GREATEST else None
    return None


def _floats(op: str, left: Expr, right: Expr, where: str) -> Expr:
    if op in _PLAIN:
        return Call(DOUBLE, op, (left, right))
    if op == "/" and isinstance(right, Literal) and right.value:
        return Call(DOUBLE, "/", (left, right))
    return _divided(DOUBLE, f"float.{op}", left, right, where)


def _power(base: Expr, exponent: Expr, where: str) -> Expr:
    if DOUBLE in (base.type, exponent.type):
        return failing(DOUBLE, "float.**", (as_float(base), as_float(exponent)), where)
    if not isinstance(exponent, Literal) or exponent.value is None:
        if isinstance(exponent, Literal):
            return Literal(BIGINT, None)
        raise Refusal(
            "an int to the power of an int that is no constant is an int or a float",
            "Write float(x) ** y, or 1 << n for a power of two.",
        )
    assert isinstance(exponent.value, int)
    if exponent.value < 0:
        return failing(DOUBLE, "float.**", (as_float(base), as_float(exponent)), where)
    if exponent.value == 1:
        return base
    if exponent.value == 2 and isinstance(base, ColumnRef | LambdaParameter):
        return Call(BIGINT, "*", (base, base))
    return failing(BIGINT, "int.**", (base, exponent), where)


def unary(op: str, arg: Expr, where: str) -> Expr:
    """`op arg`. Raises Refusal."""
    if op == "not":
        return negated(arg)
    if is_none(arg):
        return arg
    if arg.type not in NUMBERS:
        raise Refusal(f"{op} is not defined for {name_of(arg.type)}")
    value = as_int(arg)
    if op == "+":
        return value
    if op == "~":
        if value.type == DOUBLE:
            raise Refusal("~ is not defined for float", "Write ~int(x).")
        return Call(BIGINT, "int.^", (value, Literal(BIGINT, -1)))
    if isinstance(value, Literal):
        return _negative(value)
    return Call(value.type, "negate", (value,))


def _negative(value: Literal) -> Expr:
    match value.value:
        case float() as number:
            return Literal(DOUBLE, -number)
        case int() as number if number != LEAST:
            return Literal(BIGINT, -number)
        case None:
            return value
    # It overflows. SQL would make the sign a part of a constant.
    return Call(BIGINT, "-", (Literal(BIGINT, 0), value))


def negated(arg: Expr) -> Expr:
    """`not arg`: never NULL."""
    known = truth(arg)
    if isinstance(known, Literal):
        return Literal(BOOLEAN, not known.value)
    return Call(BOOLEAN, "not", (known,))
