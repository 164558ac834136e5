"""Plain functions: Python's builtins, and the constructors of datetime.

Owns: `BUILTINS`, and why the others are not there. Comes in: a name and arguments.
Goes out: bound expressions. Does not know: methods (methods.py), math (mathematics.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from eau2.operators.coercion import coerce
from eau2.operators.expr import Call, Expr, Literal
from eau2.python import mathematics
from eau2.python.arguments import arranged
from eau2.python.comparisons import truth
from eau2.python.differences import binary, constant, length
from eau2.python.kinds import (
    NUMBERS,
    TIMEDELTA,
    Refusal,
    as_float,
    as_int,
    is_none,
    make_list,
    name_of,
    typed,
    unified,
    without_differences,
)
from eau2.python.methods import Word, applied, argument, starts, word, wrong_count
from eau2.python.operators import failing
from eau2.python.texts import format_of, must_be_directives, repr_of, text_of
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    NULL,
    TIMESTAMP,
    VARCHAR,
    SqlType,
    list_of,
)

_TEXTS = list_of(VARCHAR)
Args = Sequence[Expr]

WORDS: Mapping[str, Word] = {
    "ord": word("str.ord", (VARCHAR,), BIGINT),
    "chr": word("int.chr", (BIGINT,), VARCHAR),
    "hex": word("int.hex", (BIGINT,), VARCHAR),
    "oct": word("int.oct", (BIGINT,), VARCHAR),
    "bin": word("int.bin", (BIGINT,), VARCHAR),
    "datetime.date": word("date.make", (BIGINT,) * 3, DATE),
    "datetime.datetime": word("datetime.make", (BIGINT,) * 7, TIMESTAMP, 4),
    "datetime.date.fromisoformat": word("date.fromisoformat", (VARCHAR,), DATE),
    "datetime.date.fromordinal": word("date.fromordinal", (BIGINT,), DATE),
    "datetime.datetime.fromisoformat": word("datetime.fromisoformat", (VARCHAR,), TIMESTAMP),
    "datetime.datetime.fromordinal": word("datetime.fromordinal", (BIGINT,), TIMESTAMP),
    "datetime.datetime.strptime": word("datetime.strptime", (VARCHAR, VARCHAR), TIMESTAMP),
}
_MADE: Mapping[str, Callable[..., Any]] = {
    "datetime.date": datetime.date,
    "datetime.datetime": datetime.datetime,
}
"""What is made at once of constants, so that the planner sees a constant."""

REFUSED: Mapping[str, str] = {
    "hash": "Its value differs from process to process.",
    "id": "Values have no identity here.",
    "print": "A function has no output but its result.",
    "input": "A function reads nothing but its arguments.",
    "open": "A function reads nothing but its arguments.",
    "eval": "No text is ever run.",
    "exec": "No text is ever run.",
    "compile": "No text is ever run.",
    "divmod": "Write a // b and a % b.",
    "getattr": "Write the attribute.",
    "isinstance": "The types are known: write the code for the declared one.",
    "type": "The types are known: write the code for the declared one.",
    "set": "Write a list.",
    "tuple": "Write a list.",
    "frozenset": "Write a list.",
    "dict": "Write a chain of conditional expressions.",
    "bytes": "There are no bytes here.",
    "complex": "There are no complex numbers here.",
    "map": "Write [f(x) for x in xs].",
    "filter": "Write [x for x in xs if ...].",
    "reversed": "Write xs[::-1].",
    "slice": "Write xs[a:b].",
    "iter": "Write a for loop.",
    "next": "Write an index.",
    "datetime.date.today": "Give the day as an argument: f(x, current_date).",
    "datetime.datetime.now": "Give the moment as an argument: f(x, now()).",
    "datetime.datetime.utcnow": "Give the moment as an argument: f(x, now()).",
    "datetime.time": "There is no time of day here: take .hour, .minute and .second.",
}


def call(
    name: str, args: Args, where: str, named: Mapping[str, Expr] = MappingProxyType({})
) -> Expr:
    """name(*args, **named). Raises Refusal for what is not there, or not with such arguments."""
    args = arranged(name, f"{name}()", args, named)
    for arg in args:
        without_differences(arg)
    if named and name in ("min", "max"):
        return _extreme_or(name, args, named["default"], where)
    if name.startswith("math."):
        return mathematics.call(name.removeprefix("math."), args, where)
    own = _OWN.get(name)
    if own is not None:
        least, most, bind = own
        if not least <= len(args) <= most:
            raise wrong_count(f"{name}()", least, most, len(args))
        return bind(args, where)
    found = WORDS.get(name)
    if found is None:
        raise Refusal(f"{name}() is not supported", REFUSED.get(name, ""))
    if name == "datetime.datetime.strptime" and len(args) == 2:
        _must_be_constant_form(args[1])
    made = _MADE.get(name)
    computed = None if made is None else constant(made, *args)
    return computed or applied(f"{name}()", found, (), args, where)


def _must_be_constant_form(form: Expr) -> None:
    if not isinstance(form, Literal) or not isinstance(form.value, str):
        raise Refusal("the form of strptime() must be a constant text")
    must_be_directives(form.value)


def _len(args: Args, where: str) -> Expr:
    (value,) = args
    if is_none(value):
        return typed(value, BIGINT)
    if value.type == VARCHAR:
        return Call(BIGINT, "length", (value,))
    if value.type.is_list:
        return Call(BIGINT, "array_length", (value,))
    raise Refusal(f"a {name_of(value.type)} has no len()")


def _abs(args: Args, where: str) -> Expr:
    (value,) = args
    if is_none(value):
        return value
    if value.type == TIMEDELTA:
        return length(value)
    if value.type not in NUMBERS:
        raise Refusal(f"abs() takes a number, not a {name_of(value.type)}")
    value = as_int(value)
    return Call(value.type, "float.abs" if value.type == DOUBLE else "abs", (value,))


def _extreme(name: str) -> Callable[[Args, str], Expr]:
    def bind(args: Args, where: str) -> Expr:
        if len(args) == 1:
            return _of_list(name, args[0], where)
        values = unified(args, where, f"the arguments of {name}()")
        type_ = values[0].type
        if type_ == NULL:
            return values[0]
        if type_.is_list:
            raise Refusal(f"{name}() of values of type {name_of(type_)} is not supported")
        return Call(type_, f"python.{name}", tuple(values))

    return bind


def _extreme_or(name: str, args: Args, default: Expr, where: str) -> Expr:
    """Min and max of a list that may be empty."""
    if len(args) != 1:
        raise Refusal(f"{name}() takes a default only beside one list", "Leave default= out.")
    (values,) = args
    element = _list(name, values)
    if is_none(values):
        return typed(values, default.type)
    if element == NULL:
        # Of [] and [None] nobody has said which list it is.
        if default.type.is_list or default.type == TIMEDELTA:
            raise Refusal(f"{name}() of a list whose type is not known")
        element = default.type
        values = coerce(values, list_of(element))
    what = f"the elements and the default of {name}()"
    _, default = unified((Literal(element, None), default), where, what)
    return Call(element, f"list.{name}_or", (values, default))


def _list(name: str, values: Expr) -> SqlType:
    """The type of the elements."""
    if is_none(values):
        return NULL
    if values.type.element is None:
        raise Refusal(f"{name}() takes a list, not a {name_of(values.type)}")
    return values.type.element


def _of_list(name: str, values: Expr, where: str) -> Expr:
    element = _list(name, values)
    if is_none(values):
        return values
    return failing(element, f"list.{name}", (values,), where)


def _sum(args: Args, where: str) -> Expr:
    element = _list("sum", args[0])
    if is_none(args[0]):
        return typed(args[0], BIGINT)
    if element == DOUBLE:
        raise Refusal(
            "sum() of floats has other last digits in other versions of Python",
            "Write math.fsum(xs), which is exact.",
        )
    if element not in (BIGINT, BOOLEAN, NULL):
        raise Refusal(f"sum() takes a list of ints, not a {name_of(args[0].type)}")
    return failing(BIGINT, "list.sum", (args[0], *starts(args[1:], BIGINT, "sum()")), where)


def _sorted(args: Args, where: str) -> Expr:
    _list("sorted", args[0])
    reverse = tuple(argument("sorted()", arg, BOOLEAN) for arg in args[1:])
    return args[0] if is_none(args[0]) else Call(args[0].type, "list.sorted", (args[0], *reverse))


def _every(name: str) -> Callable[[Args, str], Expr]:
    def bind(args: Args, where: str) -> Expr:
        _list(name, args[0])
        if is_none(args[0]):
            return typed(args[0], BOOLEAN)
        return Call(BOOLEAN, f"list.{name}", (args[0],))

    return bind


def _as_list(args: Args, where: str) -> Expr:
    if not args:
        return make_list((), where)
    (value,) = args
    if value.type == VARCHAR:
        return Call(_TEXTS, "str.list", (value,))
    _list("list", value)
    return value


def _round(args: Args, where: str) -> Expr:
    value, *digits = args
    if is_none(value):
        return value
    if value.type not in NUMBERS:
        raise Refusal(f"round() takes a number, not a {name_of(value.type)}")
    value = as_int(value)
    if not digits or is_none(digits[0]):
        return (
            value if value.type == BIGINT else failing(BIGINT, "float.__round__", (value,), where)
        )
    places = argument("round()", digits[0], BIGINT)
    if not isinstance(places, Literal):
        # round(x, None) would be an int, so the type would depend on the row.
        raise Refusal("the digits of round() must be a constant")
    entry = "int.round" if value.type == BIGINT else "float.round"
    return failing(value.type, entry, (value, places), where)


_BASES = frozenset({0, *range(2, 37)})


def _int(args: Args, where: str) -> Expr:
    if not args:
        return Literal(BIGINT, 0)
    value = args[0]
    for base in args[1:]:
        # CPython looks at the base first, also beside a None.
        if isinstance(base, Literal) and base.value is not None and base.value not in _BASES:
            raise Refusal("int() base must be >= 2 and <= 36, or 0")
    if is_none(value):
        return typed(value, BIGINT)
    if value.type == VARCHAR:
        bases = tuple(argument("int()", arg, BIGINT) for arg in args[1:])
        return failing(BIGINT, "str.__int__", (value, *bases), where)
    if value.type not in NUMBERS or len(args) > 1:
        raise Refusal(f"int() takes a number or a str, not a {name_of(value.type)}")
    value = as_int(value)
    return value if value.type == BIGINT else failing(BIGINT, "float.__int__", (value,), where)


def _float(args: Args, where: str) -> Expr:
    if not args:
        return Literal(DOUBLE, 0.0)
    (value,) = args
    if value.type == VARCHAR:
        return failing(DOUBLE, "str.__float__", (value,), where)
    if value.type not in NUMBERS and not is_none(value):
        raise Refusal(f"float() takes a number or a str, not a {name_of(value.type)}")
    return as_float(value)


def _str(args: Args, where: str) -> Expr:
    return text_of(args[0], where) if args else Literal(VARCHAR, "")


def _bool(args: Args, where: str) -> Expr:
    return truth(args[0]) if args else Literal(BOOLEAN, False)


def _pow(args: Args, where: str) -> Expr:
    return binary("**", args[0], args[1], where)


def _format(args: Args, where: str) -> Expr:
    return format_of(args[0], args[1] if len(args) > 1 else Literal(VARCHAR, ""), where)


_Own = tuple[int, int, Callable[[Args, str], Expr]]
_MANY = 1000
_OWN: dict[str, _Own] = {
    "len": (1, 1, _len),
    "abs": (1, 1, _abs),
    "min": (1, _MANY, _extreme("min")),
    "max": (1, _MANY, _extreme("max")),
    "sum": (1, 2, _sum),
    "sorted": (1, 2, _sorted),
    "any": (1, 1, _every("any")),
    "all": (1, 1, _every("all")),
    "list": (0, 1, _as_list),
    "round": (1, 2, _round),
    "int": (0, 2, _int),
    "float": (0, 1, _float),
    "str": (0, 1, _str),
    "bool": (0, 1, _bool),
    "repr": (1, 1, lambda args, where: repr_of(args[0])),
    "ascii": (1, 1, lambda args, where: repr_of(args[0], "__ascii__")),
    "format": (1, 2, _format),
    "pow": (2, 2, _pow),
}
BUILTINS: frozenset[str] = frozenset(_OWN) | {name for name in WORDS if "." not in name}
DATETIME: frozenset[str] = frozenset(name for name in WORDS if "." in name)
"""What is called of the module datetime, with the module's name in front."""
