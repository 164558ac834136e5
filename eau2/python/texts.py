"""Values as texts: str, repr, format and the fields of f-strings.

Owns: what a format specification must be, and that None is written 'None'.
Comes in: bound expressions. Goes out: bound expressions of type VARCHAR.
Does not know: the methods of str (methods.py).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from eau2.config import LIMITS
from eau2.operators.expr import Call, Cast, Expr, Literal
from eau2.python.kinds import TIMEDELTA, Refusal, is_none, name_of, typed
from eau2.python.operators import failing
from eau2.types import BIGINT, BOOLEAN, DATE, DOUBLE, TIMESTAMP, VARCHAR, SqlType

_ENTRIES = {
    BOOLEAN: "bool.__str__",
    BIGINT: "int.__str__",
    DOUBLE: "float.__str__",
    TIMEDELTA: "timedelta.__str__",
}
_SAMPLES: dict[SqlType, object] = {
    BOOLEAN: True,
    BIGINT: 1,
    DOUBLE: 1.5,
    VARCHAR: "a",
    DATE: dt.date(2000, 1, 2),
    TIMESTAMP: dt.datetime(2000, 1, 2, 3, 4, 5),
}
_DIRECTIVES = frozenset("YmdHMSfjyAaBbwuVGIp%")
"""What strftime writes alike everywhere."""
_DIGITS = re.compile(r"\d{7,}")


def text_of(value: Expr, where: str) -> Expr:
    """str(value): never NULL."""
    if is_none(value):
        return Literal(VARCHAR, "None")
    if value.type == VARCHAR:
        return value if _written(value) else Call(VARCHAR, "coalesce", (value, _NONE))
    if value.type == DATE:
        return Call(VARCHAR, "coalesce", (Cast(VARCHAR, value), _NONE))
    return Call(VARCHAR, _ENTRIES.get(value.type, "__str__"), (value,))


_NONE = Literal(VARCHAR, "None")


def _written(value: Expr) -> bool:
    return isinstance(value, Literal) and value.value is not None


def repr_of(value: Expr, name: str = "__repr__") -> Expr:
    """repr(value), or ascii(value): never NULL."""
    if is_none(value):
        return _NONE
    if value.type == TIMEDELTA:
        return Call(VARCHAR, "timedelta.__repr__", (value,))
    return Call(VARCHAR, name, (value,))


def formatted(value: Expr, spec: str, conversion: str, where: str) -> Expr:
    """One field of an f-string. Raises Refusal for a specification that the type does not take.

    conversion: "", "s", "r" or "a". NULL only for None with a specification, for which Python
    raises a TypeError.
    """
    if conversion:
        names = {"r": "__repr__", "a": "__ascii__"}
        found = names.get(conversion)
        value = text_of(value, where) if found is None else repr_of(value, found)
    if not spec:
        return text_of(value, where)
    return format_of(value, Literal(VARCHAR, spec), where)


def format_of(value: Expr, spec: Expr, where: str) -> Expr:
    """format(value, spec): NULL for None, unless the specification is empty."""
    if not isinstance(spec, Literal) or not isinstance(spec.value, str):
        raise Refusal("a format specification must be a constant text")
    if not spec.value:
        return text_of(value, where)
    if is_none(value):
        return typed(value, VARCHAR)
    _must_be_format(value.type, spec.value)
    return failing(VARCHAR, "__format__", (value, spec), where)


def _must_be_format(type_: SqlType, spec: str) -> None:
    """Refuse what Python refuses whatever the value is."""
    if type_ not in _SAMPLES:
        raise Refusal(f"a {name_of(type_)} takes no format specification", "Write str(...).")
    if type_ in (DATE, TIMESTAMP):
        must_be_directives(spec)
        return
    if any(int(digits) > LIMITS.made_text_chars for digits in _DIGITS.findall(spec)):
        raise Refusal(f"{spec!r} makes too long a text")
    if spec.endswith("n"):
        raise Refusal("the format n follows the machine's language", "Write ',' or '_' or 'd'.")
    try:
        format(_SAMPLES[type_], spec)
    except (ValueError, TypeError, OverflowError) as error:
        raise Refusal(f"{name_of(type_)} cannot be formatted with {spec!r}: {error}") from error


def must_be_directives(form: str) -> None:
    """Refuse a form of strftime that is not written alike on every machine."""
    for directive in re.findall(r"%(.?)", form, re.DOTALL):
        if directive not in _DIRECTIVES or not directive:
            raise Refusal(
                f"%{directive} is not supported in the form of a date",
                f"There are {' '.join('%' + letter for letter in sorted(_DIRECTIVES))}.",
            )


def joined(parts: Sequence[Expr], where: str) -> Expr:
    """The parts of an f-string as one text; NULL if one is."""
    if not parts:
        return Literal(VARCHAR, "")
    if len(parts) == 1:
        return parts[0]
    return Call(VARCHAR, "str.parts", tuple(parts))
