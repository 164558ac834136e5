"""strftime, dayname, monthname: dates and timestamps as texts in a constant format.

Owns: DuckDB's % codes, and how they are written for any year.
Comes in: a DATE or TIMESTAMP. Goes out: texts. Does not know: how texts are read (time_parse.py).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.coercion import coerce, is_null, is_string_literal
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Scope, formula
from eau2.operators.functions.date_parts import moment as moment_of
from eau2.operators.functions.function import Function, Signature, mismatch, overloads
from eau2.types import TIMESTAMP, VARCHAR

_CHRONO = {
    "a": "%a", "A": "%A", "b": "%b", "h": "%b", "B": "%B", "d": "%d", "H": "%H", "I": "%I",
    "j": "%j", "m": "%m", "M": "%M", "p": "%p", "S": "%S", "f": "%6f", "g": "%3f", "n": "%9f",
    "u": "%u", "w": "%w", "U": "%U", "W": "%W", "V": "%V", "-d": "%-d", "-m": "%-m", "-H": "%-H",
    "-I": "%-I", "-M": "%-M", "-S": "%-S", "-j": "%-j", "%": "%%", "z": "+00", "Z": "",
}  # fmt: skip
"""What the kernels write alike; a TIMESTAMP is in UTC, whose name DuckDB leaves out."""
_LONGER = {"c": "%Y-%m-%d %H:%M:%S", "x": "%Y-%m-%d", "X": "%H:%M:%S", "T": "%H:%M:%S"}
_YEARS = ("Y", "G", "y", "-y")


def codes(name: str, pattern: str) -> list[str]:
    """The format as single characters and, with a % before them, codes.

    Raises TypeMismatchError for what is no format, NotSupportedError for an unknown code.
    """
    found: list[str] = []
    rest = pattern
    if not pattern:
        raise TypeMismatchError(f"the format of {name} is empty")
    while rest:
        if rest[0] != "%":
            found.append(rest[0])
            rest = rest[1:]
            continue
        code = rest[1:3] if rest[1:2] == "-" else rest[1:2]
        if code in ("", "-"):
            raise TypeMismatchError(f"the format of {name} ends with %{code}")
        if code not in _CHRONO and code not in _LONGER and code not in _YEARS:
            raise NotSupportedError(f"the format %{code} of {name} is not supported")
        rest = rest[1 + len(code) :]
        if code in _LONGER:
            rest = _LONGER[code] + rest
        else:
            found.append("%" + code)
    return found


def _bind_strftime(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, "It is written strftime(x, '%Y-%m-%d').")
    moment, pattern = args
    if is_string_literal(moment) and pattern.type.is_temporal:
        moment, pattern = pattern, moment
    if is_null(pattern):
        return Literal(VARCHAR, None)
    if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        raise NotSupportedError("the format of strftime must be a string constant")
    codes(name, pattern.value)
    return Call(VARCHAR, name, (coerce(moment_of(name, moment), TIMESTAMP), pattern))


def _lower_strftime(call: Call, scope: Scope) -> pl.Expr:
    moment, pattern = call.args
    assert isinstance(pattern, Literal)
    parts: list[str] = []
    for code in codes(call.function, str(pattern.value)):
        plain = "" if code[0] != "%" or code[1:] in _YEARS else _CHRONO[code[1:]]
        text = plain if code[0] == "%" else code
        if text and parts and not parts[-1].startswith("\0"):
            parts[-1] += text
        elif text:
            parts.append(text)
        elif code[1:] in _YEARS:
            parts.append("\0" + code[1:])

    def written(value: pl.Expr) -> pl.Expr:
        if not parts:
            return pl.when(value.is_not_null()).then(pl.lit(""))
        return pl.concat_str([_part(value, part) for part in parts])

    return formula(pl.String(), written, scope.lower(moment))


def _part(value: pl.Expr, part: str) -> pl.Expr:
    return _year(value, part[1:]) if part.startswith("\0") else value.dt.strftime(part)


def _year(value: pl.Expr, code: str) -> pl.Expr:
    """The year in at least four digits, or its last two."""
    year = (value.dt.iso_year() if code == "G" else value.dt.year()).cast(pl.Int64)
    if code == "-y":
        return (year.abs() % 100).cast(pl.String)
    if code == "y":
        return (year.abs() % 100).cast(pl.String).str.zfill(2)
    text = year.cast(pl.String)
    return pl.when(year.is_between(0, 9999)).then(text.str.zfill(4)).otherwise(text)


def _text_part(pattern: str) -> Callable[[Call, Scope], pl.Expr]:
    return lambda call, scope: scope.lower(call.args[0]).dt.strftime(pattern)


FUNCTIONS = (
    Function(
        "monthname",
        "date",
        "monthname(x)",
        "The English name of the month.",
        "monthname(DATE '2024-02-29') = 'February'",
        overloads("monthname(x)", Signature((TIMESTAMP,), VARCHAR)),
        _text_part("%B"),
    ),
    Function(
        "dayname",
        "date",
        "dayname(x)",
        "The English name of the day of the week.",
        "dayname(DATE '2024-02-29') = 'Thursday'",
        overloads("dayname(x)", Signature((TIMESTAMP,), VARCHAR)),
        _text_part("%A"),
    ),
    Function(
        "strftime",
        "date",
        "strftime(x, format)",
        "The moment as text in a format of % codes.",
        "strftime(DATE '2024-02-29', '%d.%m.%Y') = '29.02.2024'",
        _bind_strftime,
        _lower_strftime,
    ),
)
