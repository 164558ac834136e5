"""Python's comparisons, `in`, `is`, and what counts as true.

Owns: equality that is never NULL, order that is unknown beside None and false beside NaN, ints
beside floats. What the planner can use (to prune chunks, to look into indexes) is written as SQL
writes it. Comes in: bound expressions. Goes out: bound expressions of type BOOLEAN.
Does not know: arithmetic.
"""

from __future__ import annotations

import math

from eau2.operators.coercion import LIST_VALUE, coerce
from eau2.operators.expr import Call, Expr, InList, Literal, chain
from eau2.operators.facts import can_raise
from eau2.python.kinds import (
    GREATEST,
    LEAST,
    NUMBERS,
    TIMEDELTA,
    Refusal,
    as_int,
    exact_float,
    is_none,
    is_simple,
    make_list,
    name_of,
    typed,
    unified,
    whole_days,
)
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTERVAL,
    NULL,
    TIMESTAMP,
    VARCHAR,
    list_of,
)

TRUE, FALSE = Literal(BOOLEAN, True), Literal(BOOLEAN, False)
_ORDER = frozenset({"<", "<=", ">", ">="})
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
_NEVER_NULL = frozenset(
    {"is_null", "is_not_null", "is_distinct", "is_not_distinct", "float.==", "int_float.==",
     "list.==", "not", "and", "or"}
)  # fmt: skip
_SPELLED_OUT = 8
"""A value is compared one by one with so many elements of a list that are no constants."""


def truth(arg: Expr) -> Expr:
    """bool(arg): BOOLEAN, and never NULL."""
    found = condition(arg)
    if isinstance(found, Literal):
        return Literal(BOOLEAN, bool(found.value))
    return known(found)


def known(expr: Expr) -> Expr:
    """A condition with FALSE where it was NULL."""
    return expr if _never_null(expr) else Call(BOOLEAN, "coalesce", (expr, FALSE))


def _never_null(expr: Expr) -> bool:
    match expr:
        case Literal(value=value):
            return value is not None
        case Call(function="coalesce", args=(*_, last)):
            return _never_null(last)
        case Call(function="not" | "and" | "or", args=args):
            return all(_never_null(arg) for arg in args)
        case Call(function=name):
            return name in _NEVER_NULL
    return False


def condition(arg: Expr) -> Expr:
    """The simplest BOOLEAN that is true for the rows for which `arg` counts as true."""
    match arg:
        case Call(function="coalesce", args=(inner, Literal(value=False))) if arg.type == BOOLEAN:
            return inner
    type_ = arg.type
    if type_ == NULL:
        return FALSE
    if type_ == BOOLEAN:
        return arg
    if isinstance(arg, Literal):
        return Literal(
            BOOLEAN, arg.value is not None and (type_ in (DATE, TIMESTAMP) or bool(arg.value))
        )
    if type_ in (BIGINT, TIMEDELTA):
        arg = whole_days(arg) or arg
        return Call(BOOLEAN, "<>", (arg, Literal(arg.type, 0)))
    if type_ == DOUBLE:
        return Call(BOOLEAN, "<>", (arg, Literal(DOUBLE, 0.0)))
    if type_ == VARCHAR:
        return Call(BOOLEAN, "<>", (arg, Literal(VARCHAR, "")))
    if type_.is_list:
        length = Call(BIGINT, "array_length", (arg,))
        return Call(BOOLEAN, ">", (length, Literal(BIGINT, 0)))
    if type_ in (DATE, TIMESTAMP):
        return Call(BOOLEAN, "is_not_null", (arg,))
    raise Refusal(f"whether a {name_of(type_)} is true is not supported")


def compare(op: str, left: Expr, right: Expr, where: str) -> Expr:
    """`left op right` for == != < <= > >= in "not in" is "is not". Raises Refusal."""
    if op in ("is", "is not"):
        return _identity(op, left, right)
    if op in ("in", "not in"):
        found = _membership(left, right, where)
        return _unequal(found) if op == "not in" else found
    left, right = _in_days(left, right)
    if op in ("==", "!="):
        equal = _equality(left, right)
        return equal if op == "==" else _unequal(equal)
    assert op in _ORDER
    return _order(op, left, right)


def _in_days(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """Differences of which both are whole days, as ints: they cost less, and all see through."""
    one, two = whole_days(left), whole_days(right)
    return (left, right) if one is None or two is None else (one, two)


def _identity(op: str, left: Expr, right: Expr) -> Expr:
    if not is_none(right):
        left, right = right, left
    if not is_none(right):
        raise Refusal(f"{op} is there only for None", "Values are compared with == and !=.")
    if is_none(left):
        return TRUE if op == "is" else FALSE
    return Call(BOOLEAN, "is_null" if op == "is" else "is_not_null", (left,))


def _unequal(equal: Expr) -> Expr:
    match equal:
        case Call(function="is_not_distinct", args=args):
            return Call(BOOLEAN, "is_distinct", args)
        case Call(function="is_null" | "is_not_null" as name, args=args):
            return Call(BOOLEAN, "is_not_null" if name == "is_null" else "is_null", args)
        case Literal(value=bool() as value):
            return Literal(BOOLEAN, not value)
    return Call(BOOLEAN, "not", (equal,))


def _equality(left: Expr, right: Expr) -> Expr:
    """`left == right`: None equals None alone."""
    if is_none(left) or is_none(right):
        return _identity("is", left, right)
    if left.type in NUMBERS and right.type in NUMBERS:
        if left.type != right.type or left.type != BOOLEAN:
            left, right = as_int(left), as_int(right)
        if left.type != right.type:
            return _mixed("==", left, right)
        if left.type == DOUBLE and not _is_number(left) and not _is_number(right):
            return Call(BOOLEAN, "float.==", (left, right))
        return Call(BOOLEAN, "is_not_distinct", (left, right))
    if left.type.is_list and right.type.is_list:
        one, two = unified((left, right), "", "lists that are compared")
        # SQL has NaN equal to itself; Nones are equal in both.
        name = "list.==" if one.type.innermost == DOUBLE else "is_not_distinct"
        return Call(BOOLEAN, name, (one, two))
    _must_be_alike("==", left, right)
    return Call(BOOLEAN, "is_not_distinct", (left, right))


def _is_number(expr: Expr) -> bool:
    """A float constant that is not NaN."""
    return isinstance(expr, Literal) and isinstance(expr.value, float) and expr.value == expr.value


def _must_be_alike(op: str, left: Expr, right: Expr) -> None:
    if left.type == right.type:
        return
    types = f"{name_of(left.type)} and {name_of(right.type)}"
    hint = "They are never equal: make them of one type." if op == "==" else ""
    if {left.type, right.type} == {DATE, TIMESTAMP}:
        hint = "Write .date() of the datetime."
    raise Refusal(f"{op} between {types} is not supported", hint)


def _order(op: str, left: Expr, right: Expr) -> Expr:
    """`left < right` and its like: unknown beside None."""
    if is_none(left) and is_none(right):
        return Literal(BOOLEAN, None)
    left, right = typed(left, right.type), typed(right, left.type)
    if left.type in NUMBERS and right.type in NUMBERS:
        left, right = as_int(left), as_int(right)
        if left.type != right.type:
            return _mixed(op, left, right)
        if left.type == DOUBLE:
            return _float_order(op, left, right)
    elif left.type.is_list and right.type.is_list:
        one, two = unified((left, right), "", "lists that are compared")
        return Call(BOOLEAN, f"list.{op}", (one, two))
    _must_be_alike(op, left, right)
    return Call(BOOLEAN, op, (left, right))


def _float_order(op: str, left: Expr, right: Expr) -> Expr:
    """SQL has NaN above all numbers; in Python it is neither above nor below."""
    if _is_number(left) and not _is_number(right):
        left, right, op = right, left, _MIRRORED[op]
    if not _is_number(right):
        return Call(BOOLEAN, f"float.{op}", (left, right))
    plain = Call(BOOLEAN, op, (left, right))
    if op in ("<", "<="):
        return plain
    if not is_simple(left):
        return Call(BOOLEAN, f"float.{op}", (left, right))
    number = Call(BOOLEAN, "not", (Call(BOOLEAN, "isnan", (left,)),))
    return Call(BOOLEAN, "and", (plain, number))


def _mixed(op: str, left: Expr, right: Expr) -> Expr:
    """An int beside a float, exactly; ints beside a constant are compared as ints."""
    if left.type == DOUBLE:
        left, right, op = right, left, _MIRRORED[op]
    constant = exact_float(left)
    if constant is not None:
        return _equality(right, constant) if op == "==" else _order(_MIRRORED[op], right, constant)
    if isinstance(right, Literal) and isinstance(right.value, float) and _inside(right.value):
        whole = math.floor(right.value)
        number = Literal(BIGINT, whole)
        if whole == right.value:
            return _equality(left, number) if op == "==" else Call(BOOLEAN, op, (left, number))
        if op != "==":
            # Between two ints the constant is: less than 2.5 is at most 2.
            return Call(BOOLEAN, "<=" if op in ("<", "<=") else ">", (left, number))
    return Call(BOOLEAN, f"int_float.{op}", (left, right))


def _inside(value: float) -> bool:
    return float(LEAST) <= value < float(GREATEST)


def _membership(value: Expr, holder: Expr, where: str) -> Expr:
    """`value in holder`."""
    if is_none(holder):
        return Literal(BOOLEAN, None)
    if holder.type == VARCHAR:
        if is_none(value):
            return Literal(BOOLEAN, None)
        if value.type != VARCHAR:
            raise Refusal(f"in between {name_of(value.type)} and str is not supported")
        return Call(BOOLEAN, "contains", (holder, value))
    element = holder.type.element
    if element is None:
        raise Refusal(f"in takes a list or a str, not a {name_of(holder.type)}")
    if isinstance(holder, Call) and holder.function == LIST_VALUE:
        found = _among(value, holder.args, where)
        if found is not None:
            return found
    if is_none(value):
        return Call(BOOLEAN, "list.in", (typed(value, element), holder))
    if element == NULL and not value.type.is_list and value.type != INTERVAL:
        # An empty list, or one of None alone, can be one of any type.
        element = value.type
        holder = coerce(holder, list_of(element))
    if value.type == BOOLEAN and element == BIGINT:
        value = as_int(value)
    constant = exact_float(value)
    if element == DOUBLE and constant is not None:
        value = constant
    if value.type != element:
        raise Refusal(
            f"in between {name_of(value.type)} and {name_of(holder.type)} is not supported",
            f"Make the value a {name_of(element)}.",
        )
    return Call(BOOLEAN, "list.in", (value, holder))


def contained(op: str, value: Expr, items: tuple[Expr, ...], where: str) -> Expr:
    """`value in (a, b)`, or "not in": the elements are written out. Raises Refusal."""
    if TIMEDELTA not in {item.type for item in items}:
        return compare(op, value, make_list(items, where), where)
    days = [whole_days(part) for part in (value, *items)]
    known = tuple(part for part in days if part is not None)
    if len(known) == len(days):
        value, items = known[0], known[1:]
    found = _among(value, unified(items, where, "the elements"), where)
    if found is None:
        raise Refusal("a timedelta that is computed, in others", "Give it a name first.")
    return _unequal(found) if op == "not in" else found


def _among(value: Expr, items: tuple[Expr, ...], where: str) -> Expr | None:
    """`value in (a, b)`, where the elements are written out."""
    if not items:
        # What raises is looked for in an empty list as well.
        return None if can_raise(value) else FALSE
    constants = all(isinstance(item, Literal) for item in items)
    if constants and not is_none(value):
        numbers = [i for i in items if not is_none(i) and i.value is not None]  # type: ignore[attr-defined]
        types = {item.type for item in numbers} | {value.type}
        if types == {value.type}:
            return _listed(value, numbers, len(numbers) < len(items))
    if len(items) > _SPELLED_OUT or not is_simple(value):
        return None
    return chain("or", tuple(_equality(value, item) for item in items))


def _listed(value: Expr, items: list[Expr], none: bool) -> Expr:
    """As SQL's IN, which indexes and statistics know; None may be among the elements."""
    values = tuple(
        dict.fromkeys(
            item.value
            for item in items
            if isinstance(item, Literal) and item.value is not None and item.value == item.value
        )
    )
    found = known(InList(BOOLEAN, value, values)) if values else FALSE
    if not none:
        return found
    missing = Call(BOOLEAN, "is_null", (value,))
    return Call(BOOLEAN, "or", (found, missing)) if values else missing
