"""The vocabulary of functions in Python: what their operators, calls and methods become.

Owns: the one face that the compiler sees of the files beside it, and the list of everything that
is there. Comes in: bound expressions and names. Goes out: bound expressions with Python's meaning.
Does not know: the text of a function, statements, names of variables.

Where Python raises a TypeError or AttributeError because a value is None, the result is NULL;
equality, `is`, `in` and truth are never NULL. Every other exception fails the query, with its own
text and with `where`, which is like "f (app.py, line 3)". A Refusal says what is not there at all.
"""

from __future__ import annotations

from eau2.python.arguments import OF_RANGES, OVER_LISTS, SIGNATURES, refused_name, word_of
from eau2.python.builtin_functions import BUILTINS, DATETIME, WORDS, call
from eau2.python.comparisons import compare, condition, contained, truth
from eau2.python.differences import binary, timedelta, unary
from eau2.python.indexes import index, slice_
from eau2.python.kinds import (
    TIMEDELTA,
    Refusal,
    converted,
    literal,
    make_list,
    name_of,
    unified,
    without_differences,
)
from eau2.python.mathematics import MATH
from eau2.python.mathematics import WORDS as MATH_WORDS
from eau2.python.methods import ATTRIBUTES, METHODS, Word, attribute, kind_of, method
from eau2.python.operators import failure
from eau2.python.texts import formatted, joined

__all__ = [
    "ATTRIBUTES",
    "BUILTINS",
    "DATETIME",
    "MATH",
    "METHODS",
    "OF_RANGES",
    "OVER_LISTS",
    "SIGNATURES",
    "TIMEDELTA",
    "TIMEDELTA_ARGUMENTS",
    "Refusal",
    "attribute",
    "binary",
    "call",
    "compare",
    "condition",
    "contained",
    "converted",
    "documentation",
    "failure",
    "formatted",
    "index",
    "joined",
    "kind_of",
    "literal",
    "make_list",
    "method",
    "name_of",
    "refused_name",
    "slice_",
    "timedelta",
    "truth",
    "unary",
    "unified",
    "without_differences",
    "word_of",
]

TIMEDELTA_ARGUMENTS = (
    "days",
    "seconds",
    "microseconds",
    "milliseconds",
    "minutes",
    "hours",
    "weeks",
)
"""What timedelta() takes, in the order of its places."""

_OPERATORS: tuple[tuple[str, str], ...] = (
    ("+ - *", "of numbers; + also of str and of lists, * also with an int"),
    ("/ // %", "of numbers, as in Python: // rounds down, by zero is a ZeroDivisionError"),
    ("+ -", "of a date or datetime and a timedelta; - of two dates or two datetimes"),
    ("+ - / // %", "of two timedeltas; * / // also of one and a number"),
    ("**", "of an int and a constant int, and of floats"),
    ("<< >> & | ^ ~", "of ints; & | ^ also of bools"),
    ("== != < <= > >=", "of values of one type, of numbers of any; chained too"),
    (
        "in, not in",
        "of a list, of a str in a str, of constant dicts and sets; "
        "timedeltas are written out: x in (a, b)",
    ),
    ("is None, is not None", ""),
    ("and, or, not", "with Python's truth"),
    ("x[i], x[a:b:c]", "of str and lists; negative indexes count from the end"),
    ("d[k], d.get(k, default)", "of constant dicts"),
    ("f-strings", "with constant format specifications"),
)
_BUILTIN_REMARKS: dict[str, str] = {
    "abs": "of a number",
    "all": "of a list or a generator",
    "any": "of a list or a generator",
    "format": "the specification must be constant",
    "int": "of a number or a str; a base for a str",
    "list": "of a str: its characters; of a list or a generator",
    "max": "of several values, or of a list or a generator, which alone has a default",
    "min": "of several values, or of a list or a generator, which alone has a default",
    "pow": "as x ** y",
    "round": "half to even; the digits must be constant",
    "sorted": "of a list or a generator; None where reverse is None",
    "sum": "of ints; of floats write math.fsum",
}


def documentation() -> list[tuple[str, str, str]]:
    """Everything that is there: its kind, how it is written, a remark."""
    rows = [("operator", syntax, remark) for syntax, remark in _OPERATORS]
    rows += [
        ("function", _syntax(name, WORDS.get(name)), _BUILTIN_REMARKS.get(name, ""))
        for name in sorted(BUILTINS)
    ]
    rows += [("math", _math(name), _remark(MATH_WORDS.get(name))) for name in sorted(MATH)]
    rows += [("datetime", _syntax(name, WORDS[name]), "") for name in sorted(DATETIME)]
    units = ", ".join(TIMEDELTA_ARGUMENTS)
    rows += [("datetime", "datetime.timedelta(...)", f"{units}: numbers, by place or by name")]
    for kind, methods in METHODS.items():
        rows += [
            (kind, _syntax(f".{n}", w, word_of(kind, n)), w.remark)
            for n, w in sorted(methods.items())
        ]
        rows += [(kind, f".{name}", "") for name in ATTRIBUTES.get(kind, {})]
    return rows


def _math(name: str) -> str:
    return f"math.{name}" if MATH[name] is not None else _syntax(f"math.{name}", MATH_WORDS[name])


def _remark(word: Word | None) -> str:
    return "" if word is None else word.remark


def _syntax(name: str, word: Word | None, key: str = "") -> str:
    """A name with what it takes: names if there are any, else types, else nothing is said.

    key: the name in the table of signatures, if it is another one.
    """
    names = SIGNATURES.get(key or name)
    if names is not None:
        return f"{name}({names})"
    if word is None:
        return f"{name}(...)"
    needed = ", ".join(map(name_of, word.parameters[: word.needed]))
    optional = ", ".join(map(name_of, word.parameters[word.needed :]))
    if not optional:
        return f"{name}({needed})"
    return f"{name}({needed}[, {optional}])" if needed else f"{name}([{optional}])"
