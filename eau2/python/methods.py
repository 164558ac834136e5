"""The methods and attributes that values of each type have.

Owns: `METHODS` and `ATTRIBUTES`: names, parameters, results, and what stands behind them.
Comes in: a name, a receiver, arguments. Goes out: bound expressions.
Does not know: plain functions (builtin_functions.py), how a method is computed
(operators/functions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from eau2.operators.coercion import LIST_VALUE, coerce
from eau2.operators.expr import Call, Cast, Expr, Literal, chain
from eau2.operators.functions.table import bind, lookup
from eau2.python.arguments import SIGNATURES, arranged, matched, word_of
from eau2.python.differences import part, total_seconds
from eau2.python.kinds import (
    TIMEDELTA,
    Refusal,
    as_float,
    as_int,
    exact_float,
    is_none,
    name_of,
    typed,
)
from eau2.python.operators import at
from eau2.python.texts import must_be_directives
from eau2.records import Record
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


class Word(Record, frozen=True):
    """What a method or function takes and gives, if its types do not depend on the arguments.

    needed: how many arguments must be there. remark: for people.
    """

    entry: str
    parameters: tuple[SqlType, ...]
    result: SqlType
    needed: int
    remark: str = ""


def word(
    entry: str, parameters: Sequence[SqlType], result: SqlType, optional: int = 0, remark: str = ""
) -> Word:
    """A Word of which the last arguments are `optional`."""
    return Word(entry, tuple(parameters), result, len(parameters) - optional, remark)


def applied(
    shown: str, found: Word, first: Sequence[Expr], args: Sequence[Expr], where: str
) -> Expr:
    """The call of a Word with its arguments in the types it takes. Raises Refusal."""
    if not found.needed <= len(args) <= len(found.parameters):
        raise wrong_count(shown, found.needed, len(found.parameters), len(args))
    taken = tuple(
        argument(shown, arg, type_) for arg, type_ in zip(args, found.parameters, strict=False)
    )
    values = (*first, *taken)
    if lookup(found.entry).fails:
        values = (*values, at(where))
    return Call(found.result, found.entry, values)


def wrong_count(shown: str, least: int, most: int, given: int) -> Refusal:
    """What is said of a call with another number of arguments."""
    count = f"{least}" if least == most else f"{least} to {most}"
    plural = "" if count == "1" else "s"
    return Refusal(f"{shown} takes {count} argument{plural}, not {given}")


def argument(shown: str, arg: Expr, type_: SqlType) -> Expr:
    """An argument in the type that is taken: a bool is an int, an int is a float."""
    if is_none(arg):
        return typed(arg, type_)
    if type_ == BIGINT:
        arg = as_int(arg)
    elif type_ == DOUBLE and arg.type in (BOOLEAN, BIGINT):
        arg = as_float(arg)
    if arg.type == type_:
        return arg
    if type_.is_list and arg.type.is_list:
        return typed_list(shown, arg, type_)
    raise Refusal(f"{shown} takes a {name_of(type_)}, not a {name_of(arg.type)}")


def starts(args: Sequence[Expr], type_: SqlType, shown: str) -> tuple[Expr, ...]:
    """What a sum or a product starts with, if anything. Of an empty list it is the result.

    So a bool is not as good as an int there, nor an int as a float.
    """
    for arg in args:
        if arg.type != type_ and not is_none(arg):
            wanted = name_of(type_)
            raise Refusal(
                f"{shown} starts with a {wanted} here, not with a {name_of(arg.type)}",
                f"Write start={wanted}(...), or make a list of what is alike.",
            )
    return tuple(typed(arg, type_) for arg in args)


def typed_list(shown: str, arg: Expr, type_: SqlType) -> Expr:
    """An empty list, or one of None, as a list of the type that is taken."""
    if isinstance(arg, Call) and arg.function == LIST_VALUE and type_.element is not None:
        items = tuple(argument(shown, item, type_.element) for item in arg.args)
        return Call(type_, LIST_VALUE, items)
    if arg.type.element == NULL:
        return coerce(arg, type_)
    raise Refusal(f"{shown} takes a {name_of(type_)}, not a {name_of(arg.type)}")


def _str(name: str, *parameters: SqlType, optional: int = 0, gives: SqlType = VARCHAR) -> Word:
    return word(f"str.{name}", parameters, gives, optional)


_STR_TESTS = (
    "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower",
    "isnumeric", "isprintable", "isspace", "istitle", "isupper",
)  # fmt: skip
_STR_FORMS = ("capitalize", "casefold", "lower", "swapcase", "title", "upper")
_PLACE = (VARCHAR, BIGINT, BIGINT)

_STR: dict[str, Word] = {
    **{name: _str(name) for name in _STR_FORMS},
    **{name: _str(name, gives=BOOLEAN) for name in _STR_TESTS},
    **{name: _str(name, VARCHAR, optional=1) for name in ("strip", "lstrip", "rstrip")},
    **{name: _str(name, BIGINT, VARCHAR, optional=1) for name in ("center", "ljust", "rjust")},
    "zfill": _str("zfill", BIGINT),
    "expandtabs": _str("expandtabs", BIGINT, optional=1),
    **{
        name: _str(name, *_PLACE, optional=2, gives=BIGINT)
        for name in ("count", "find", "index", "rfind", "rindex")
    },
    **{name: _str(name, *_PLACE, optional=2, gives=BOOLEAN) for name in ("startswith", "endswith")},
    "removeprefix": _str("removeprefix", VARCHAR),
    "removesuffix": _str("removesuffix", VARCHAR),
    "replace": _str("replace", VARCHAR, VARCHAR, BIGINT, optional=1),
    **{name: _str(name, VARCHAR, BIGINT, optional=2, gives=_TEXTS) for name in ("split", "rsplit")},
    "splitlines": _str("splitlines", BOOLEAN, optional=1, gives=_TEXTS),
    "join": word("str.join", (_TEXTS,), VARCHAR, remark="of a list or a generator"),
}
_DAYS: dict[str, Word] = {
    "weekday": word("date.weekday", (), BIGINT, remark="Monday is 0."),
    "isoweekday": word("date.isoweekday", (), BIGINT, remark="Monday is 1."),
    "toordinal": word("date.toordinal", (), BIGINT, remark="Days from 31 December of year 0."),
    "strftime": word("date.strftime", (VARCHAR,), VARCHAR, remark="The form must be constant."),
    "ctime": word("date.ctime", (), VARCHAR),
}
METHODS: Mapping[str, Mapping[str, Word]] = {
    "str": _STR,
    "int": {
        "bit_length": word("int.bit_length", (), BIGINT),
        "bit_count": word("int.bit_count", (), BIGINT),
    },
    "float": {
        "is_integer": word("float.is_integer", (), BOOLEAN),
        "hex": word("float.hex", (), VARCHAR),
    },
    "date": {
        **_DAYS,
        "isoformat": word("date.isoformat", (), VARCHAR),
        "replace": word("date.replace", (BIGINT,) * 3, DATE, 3, "what is not given stays"),
    },
    "datetime": {
        **_DAYS,
        "date": word("cast", (), DATE),
        "isoformat": word("datetime.isoformat", (VARCHAR, VARCHAR), VARCHAR, 2),
        "replace": word("datetime.replace", (BIGINT,) * 7, TIMESTAMP, 7, "what is not given stays"),
    },
    "timedelta": {"total_seconds": word("timedelta.total_seconds", (), DOUBLE)},
    "list": {
        "index": word("list.index", (BIGINT,) * 3, BIGINT, 2, "the value, start, stop"),
        "count": word("list.count", (BIGINT,), BIGINT, remark="the value"),
        "copy": word("list.[:]", (), BIGINT, remark="the list itself"),
    },
}
_PARTS = ("year", "month", "day")
_TIMES = (*_PARTS, "hour", "minute", "second", "microsecond")
ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "date": dict.fromkeys(_PARTS, "int"),
    "datetime": dict.fromkeys(_TIMES, "int"),
    "timedelta": dict.fromkeys(("days", "seconds", "microseconds"), "int"),
}
REFUSED_METHODS: Mapping[str, Mapping[str, str]] = {
    "str": {
        "format": "Write an f-string.",
        "format_map": "Write an f-string.",
        "encode": "There are no bytes here.",
        "partition": "There are no tuples here: write split(separator, 1).",
        "rpartition": "There are no tuples here: write rsplit(separator, 1).",
        "translate": "Write replace() for each character.",
        "maketrans": "Write replace() for each character.",
    },
    "list": {
        **dict.fromkeys(("append", "insert"), "A list is a value: write xs + [x]."),
        "extend": "A list is a value: write xs + ys.",
        "sort": "A list is a value: write sorted(xs).",
        "reverse": "A list is a value: write xs[::-1].",
        **dict.fromkeys(("pop", "remove", "clear"), "A list is a value: write a slice of it."),
    },
    "date": {"isocalendar": "Write int(d.strftime('%V')) for the week.", "timetuple": ""},
    "datetime": {
        "isocalendar": "Write int(t.strftime('%V')) for the week.",
        "timestamp": "It depends on the time zone of the machine; take the difference from"
        " datetime.datetime(1970, 1, 1) and its total_seconds().",
        "time": "There is no time of day here: take .hour, .minute and .second.",
    },
    "int": {"to_bytes": "There are no bytes here.", "as_integer_ratio": ""},
    "float": {"as_integer_ratio": ""},
}


def kind_of(expr: Expr) -> str:
    """The key of an expression's type in the tables."""
    if expr.type.is_list:
        return "list"
    names = {BOOLEAN: "int", BIGINT: "int", DOUBLE: "float", VARCHAR: "str", DATE: "date",
             TIMESTAMP: "datetime", TIMEDELTA: "timedelta"}  # fmt: skip
    return names.get(expr.type, "None")


def method(
    name: str,
    receiver: Expr,
    args: Sequence[Expr],
    where: str,
    named: Mapping[str, Expr] = MappingProxyType({}),
) -> Expr:
    """receiver.name(*args, **named). Raises Refusal."""
    if is_none(receiver):
        return receiver
    kind = kind_of(receiver)
    found = METHODS.get(kind, {}).get(name)
    if found is None:
        raise _missing(kind, name, receiver)
    shown, key = f"{name}()", word_of(kind, name)
    if named and (kind, name) in _REPLACEMENTS:
        given = matched(key, shown, args, named)
        return _parts_replaced(kind, found, receiver, given, where)
    args = arranged(key, shown, args, named)
    own = _OWN.get((kind, name)) or _OWN.get((kind, ""))
    if own is not None:
        return own(name, receiver, args, where)
    if kind == "int":
        receiver = as_int(receiver)
    return applied(shown, found, (receiver,), args, where)


def _missing(kind: str, name: str, receiver: Expr) -> Refusal:
    type_ = name_of(receiver.type)
    reason = REFUSED_METHODS.get(kind, {}).get(name)
    if reason is not None:
        return Refusal(f"{name}() of a {type_} is not supported", reason)
    if name in ATTRIBUTES.get(kind, {}):
        return Refusal(f"{name} of a {type_} is no method", f"Write .{name} without ().")
    near = get_close_matches(name, METHODS.get(kind, {}), n=1)
    return Refusal(
        f"a {type_} has no method {name}()", f"Did you mean {near[0]}()?" if near else ""
    )


def _starts(name: str, receiver: Expr, args: Sequence[Expr], where: str) -> Expr:
    """Both startswith and endswith: a tuple means any of its texts; SQL has both without bounds."""
    if args and isinstance(args[0], Call) and args[0].function == LIST_VALUE:
        parts = tuple(_starts(name, receiver, (i, *args[1:]), where) for i in args[0].args)
        if not parts:
            raise Refusal(f"{name}() takes a str or some of them, not none at all")
        return chain("or", parts)
    found = _STR[name]
    call = applied(f"{name}()", found, (receiver,), args, where)
    if len(args) == 1:
        plain = "starts_with" if name == "startswith" else "ends_with"
        return Call(BOOLEAN, plain, call.children)
    return call


def _split(name: str, receiver: Expr, args: Sequence[Expr], where: str) -> Expr:
    separator = args[0] if args else Literal(VARCHAR, None)
    return applied(f"{name}()", _STR[name], (receiver,), (separator, *args[1:]), where)


def _of_list(name: str, receiver: Expr, args: Sequence[Expr], where: str) -> Expr:
    element = receiver.type.element
    assert element is not None
    if name == "copy":
        if args:
            raise wrong_count("copy()", 0, 0, len(args))
        return receiver
    most = 3 if name == "index" else 1
    if not 1 <= len(args) <= most:
        raise wrong_count(f"{name}()", 1, most, len(args))
    value = args[0]
    if element == NULL:
        # Of [] and [None] nobody has said which list it is.
        element = value.type
        receiver = coerce(receiver, list_of(element))
    constant = exact_float(value)
    if element == DOUBLE and constant is not None:
        value = constant
    bounds = tuple(argument("index()", arg, BIGINT) for arg in args[1:])
    values = (receiver, argument(f"{name}()", value, element), *bounds)
    return Call(BIGINT, f"list.{name}", (*values, at(where)) if name == "index" else values)


def _strftime(name: str, receiver: Expr, args: Sequence[Expr], where: str) -> Expr:
    found = METHODS[kind_of(receiver)][name]
    if args and isinstance(args[0], Literal) and isinstance(args[0].value, str):
        must_be_directives(args[0].value)
    elif args and not is_none(args[0]):
        raise Refusal("the form of strftime() must be a constant text")
    return applied("strftime()", found, (receiver,), args, where)


def _replaced(name: str, receiver: Expr, args: Sequence[Expr], where: str) -> Expr:
    found = METHODS[kind_of(receiver)][name]
    if not args:
        raise wrong_count("replace()", 1, len(found.parameters), 0)
    return applied("replace()", found, (receiver,), args, where)


def _parts_replaced(
    kind: str, found: Word, receiver: Expr, given: Mapping[str, Expr] | None, where: str
) -> Expr:
    """date.replace and datetime.replace by names: what is not given stays as it is."""
    if given is None:
        raise Refusal(
            "replace() is given too many arguments",
            f"It is replace({SIGNATURES[word_of(kind, 'replace')]}).",
        )
    taken = tuple(argument("replace()", arg, BIGINT) for arg in given.values())
    names = Literal(VARCHAR, " ".join(given))
    return Call(found.result, f"{kind}.replace_parts", (receiver, names, *taken, at(where)))


def _date(name: str, receiver: Expr, args: Sequence[Expr], where: str) -> Expr:
    if args:
        raise wrong_count("date()", 0, 0, len(args))
    return Cast(DATE, receiver)


def _total_seconds(name: str, receiver: Expr, args: Sequence[Expr], where: str) -> Expr:
    if args:
        raise wrong_count("total_seconds()", 0, 0, len(args))
    return total_seconds(receiver)


_REPLACEMENTS = frozenset({("date", "replace"), ("datetime", "replace")})
_Own = Callable[[str, Expr, Sequence[Expr], str], Expr]
_OWN: dict[tuple[str, str], _Own] = {
    ("str", "startswith"): _starts,
    ("str", "endswith"): _starts,
    ("str", "split"): _split,
    ("str", "rsplit"): _split,
    ("list", ""): _of_list,
    ("date", "strftime"): _strftime,
    ("datetime", "strftime"): _strftime,
    ("date", "replace"): _replaced,
    ("datetime", "replace"): _replaced,
    ("datetime", "date"): _date,
    ("timedelta", ""): _total_seconds,
}


def attribute(name: str, receiver: Expr, where: str) -> Expr:
    """receiver.name. Raises Refusal."""
    if is_none(receiver):
        return receiver
    kind = kind_of(receiver)
    if name not in ATTRIBUTES.get(kind, {}):
        type_ = name_of(receiver.type)
        if name in METHODS.get(kind, {}):
            raise Refusal(f"{name} of a {type_} is a method", f"Write .{name}().")
        near = get_close_matches(name, ATTRIBUTES.get(kind, {}), n=1)
        hint = f"Did you mean .{near[0]}?" if near else ""
        raise Refusal(f"a {type_} has no attribute {name}", hint)
    if kind == "timedelta":
        return part(name, receiver)
    if name == "microsecond":
        return Call(BIGINT, "datetime.microsecond", (receiver,))
    return bind(name, (receiver,))
