"""format and printf: values written into a constant text.

Owns: both languages of formats, as far as their meaning is certain; the rest is refused by name.
Comes in: a constant format and any values. Goes out: texts.
Does not know: formats of dates (time_formats.py).

DuckDB formats with the fmt library, after it has made DOUBLEs of decimals, and texts of all that is
neither number nor boolean. Python's format() writes the subset that is kept here in the same way;
it runs once for each distinct value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Literal as OneOf

import polars as pl

from eau2.config import LIMITS
from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.coercion import cast, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Scope
from eau2.operators.functions.distinct import distinct_values
from eau2.operators.functions.function import Function, mismatch
from eau2.records import Record
from eau2.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    HUGEINT,
    INTEGER,
    SMALLINT,
    TINYINT,
    VARCHAR,
    SqlType,
)

_Written = OneOf["boolean", "integer", "float", "text"]

_FORMAT_PART = re.compile(r"([^{}]+)|(\{\{|\}\})|\{([0-9]*)(?::([^{}]*))?\}", re.DOTALL)
_FORMAT_SPEC = re.compile(
    r"(?:(?P<fill>[ -~]?)(?P<align>[<>^]))?(?P<sign>[+ -]?)(?P<zero>0?)"
    r"(?P<width>[0-9]*)(?:\.(?P<precision>[0-9]+))?(?P<type>[a-zA-Z]?)"
)
_GROUPED_SPEC = re.compile(r"(?P<group>[,_'])(?:\.(?P<precision>[0-9]+))?(?P<type>[a-zA-Z]?)")
_PRINTF_PART = re.compile(
    r"([^%]+)|(%%)|%(?P<flags>[-+ 0,']*)(?P<width>[0-9]*)(?:\.(?P<precision>[0-9]+))?"
    r"(?P<size>l?l?)(?P<type>[a-zA-Z])",
    re.DOTALL,
)
_SIGNED = (TINYINT, SMALLINT, INTEGER, BIGINT)
"""Of these fmt knows the sign."""
_TYPES: dict[_Written, str] = {
    "integer": "dxXbo",
    "boolean": "dxXbo",
    "float": "fFeEgG",
    "text": "s",
}


class _Field(Record, frozen=True):
    """Where a value is written: which argument, and how in Python's language of formats.

    apostrophes: they part the thousands. unsigned: a negative integer is its 64 bits. endless: how
    infinity and NaN are written, and how what came of that is padded, as a text.
    """

    argument: int
    kind: _Written
    spec: str
    apostrophes: bool = False
    unsigned: bool = False
    endless: tuple[str, str] = ("", "")

    def text(self, value: object) -> str:
        """The value as it is written."""
        if self.unsigned and isinstance(value, int) and value < 0:
            value += 1 << 64
        if isinstance(value, float) and not math.isfinite(value):
            return format(format(value, self.endless[0]), self.endless[1])
        if self.kind == "boolean" and self.spec[-1:] in ("", "s", *"<>^0123456789"):
            value = "true" if value else "false"
        written = format(value, self.spec)
        return written.replace(",", "'") if self.apostrophes else written


def _kind(type_: SqlType) -> _Written:
    if type_ == BOOLEAN:
        return "boolean"
    if type_.is_integer:
        return "integer"
    return "float" if type_.is_float else "text"


def _bind(name: str, args: tuple[Expr, ...]) -> Expr:
    if not args:
        raise mismatch(name, args, f"It is written {name}(format, x, ...).")
    if any(is_null(arg) for arg in args):
        return Literal(VARCHAR, None)
    pattern, *others = args
    if not isinstance(pattern, Literal):
        raise NotSupportedError(f"the format of {name} must be a constant")
    if pattern.type != VARCHAR:
        raise mismatch(name, args, f"It is written {name}(format, x, ...).")
    if pattern.value is None:
        return pattern
    shown: list[Expr] = []
    for arg in others:
        if arg.type == BOOLEAN or arg.type.is_integer:
            shown.append(arg)
        else:
            shown.append(cast(arg, DOUBLE if arg.type.is_numeric else VARCHAR))
    call = Call(VARCHAR, name, (pattern, *shown))
    for _ in _parts(call):
        pass
    return call


def _parts(call: Call) -> Iterator[str | _Field]:
    """The literal texts and fields of the format in order. Raises statement errors."""
    pattern, *args = call.args
    assert isinstance(pattern, Literal)
    parse = _format_field if call.function == "format" else _printf_field
    expression = _FORMAT_PART if call.function == "format" else _PRINTF_PART
    text, position, numbered = str(pattern.value), 0, 0
    indexes: set[bool] = set()
    while position < len(text):
        found = expression.match(text, position)
        if found is None:
            raise NotSupportedError(
                f"{text[position : position + 12]!r} in the format of {call.function} is not"
                " supported",
                hint="See docs/dialect.md for what a format can say.",
            )
        position = found.end()
        if found[1] or found[2]:
            yield found[1] or found[2][0]
            continue
        given = found[3] if call.function == "format" else ""
        indexes.add(bool(given))
        if len(indexes) > 1:
            raise TypeMismatchError("a format has either {} or {0}, {1}, ..., not both")
        index = int(given) if given else numbered
        numbered += 1
        if index >= len(args):
            raise TypeMismatchError(
                f"the format of {call.function} has more fields than there are values"
            )
        yield parse(found, index, args[index].type)


def _refuse(what: str, type_: SqlType) -> NotSupportedError:
    return NotSupportedError(f"the format {what!r} of a {type_} is not supported")


def _check_size(*numbers: str | None) -> None:
    limit = LIMITS.format_width_chars
    if any(number and (len(number) > 9 or int(number) > limit) for number in numbers):
        raise NotSupportedError(f"a format of more than {limit} characters is not supported")


def _format_field(found: re.Match[str], index: int, type_: SqlType) -> _Field:
    """A field of format: {}, {:d}, {:,}, {:>8}, {:.2f} and so on."""
    kind, written = _kind(type_), found[4] or ""
    grouped = _GROUPED_SPEC.fullmatch(written)
    if grouped is not None:
        return _grouped_field(grouped, index, type_)
    spec = _FORMAT_SPEC.fullmatch(written)
    if spec is None:
        raise _refuse(written, type_)
    letter, precision = spec["type"], spec["precision"]
    _check_size(spec["width"], precision)
    number = letter if kind == "boolean" else kind in ("integer", "float")
    if letter and letter not in _TYPES[kind]:
        raise _refuse(written, type_)
    if spec["align"] and (spec["zero"] or spec["fill"] in ("{", "}")):
        raise _refuse(written, type_)
    if not number and (spec["sign"] or spec["zero"]):
        raise _refuse(written, type_)
    if precision and not (kind == "text" or (kind == "float" and letter)):
        raise _refuse(written, type_)
    if spec["sign"] and not (kind == "float" or type_ in _SIGNED):
        raise _refuse(written, type_)
    if precision and letter in ("g", "G") and int(precision) == 0:
        raise _refuse(written, type_)
    padding = f"{spec['fill'] or ''}{spec['align']}" if spec["align"] else spec["zero"] + "<"
    return _Field(
        index, kind, written, endless=_endless(spec["sign"], letter, padding, spec["width"])
    )


def _endless(sign: str, letter: str, padding: str, width: str) -> tuple[str, str]:
    return f"{sign}{'F' if letter.isupper() else 'f'}", f"{padding}{width}"


def _grouped_field(spec: re.Match[str], index: int, type_: SqlType) -> _Field:
    """A number with its thousands apart: {:,}, {:_}, {:'} or {:,.2f}."""
    kind, letter, precision = _kind(type_), spec["type"], spec["precision"]
    _check_size(precision)
    allowed = {"integer": ("", "d"), "float": ("", "f", "F")}.get(kind, ())
    if letter not in allowed or (precision and not (kind == "float" and letter)):
        raise _refuse(spec[0], type_)
    sign = "," if spec["group"] == "'" else spec["group"]
    digits = f".{precision}" if precision else ""
    return _Field(
        index,
        kind,
        f"{sign}{digits}{letter}",
        apostrophes=spec["group"] == "'",
        endless=_endless("", letter, "<", ""),
    )


def _printf_field(found: re.Match[str], index: int, type_: SqlType) -> _Field:
    """A field of printf: %d, %5d, %s, %.2f and so on."""
    kind, letter, precision, flags = _kind(type_), found["type"], found["precision"], found["flags"]
    _check_size(found["width"], precision)
    letter = "d" if letter == "i" else letter
    group = "," if "," in flags else "'" if "'" in flags else ""
    word = letter == "s"
    unsure = (
        letter not in _TYPES[kind].replace("b", "") + ("s" if kind == "boolean" else "")
        or len(set(flags)) != len(flags)
        or ("0" in flags and ("-" in flags or group or word))
        or (word and (set(flags) - {"-"} or found["size"]))
        or (precision is not None and not (kind == "text" or letter in "fFeEgG"))
        or (group and letter not in "dfF")
        or (letter in "gG" and precision is not None and int(precision) == 0)
        or ("," in flags and "'" in flags)
        or (letter in "xXo" and type_ == HUGEINT)
    )
    if unsure:
        raise _refuse(found[0], type_)
    align = "<" if "-" in flags else ">" if word else ""
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if sign and letter in "xXo":
        raise _refuse(found[0], type_)
    spec = align + sign + ("0" if "0" in flags else "")
    spec += found["width"] + ("," if group else "")
    spec += f".{precision}" if precision is not None else ""
    shown = "" if word and kind == "boolean" else letter
    padding = "0<" if "0" in flags else align or ">"
    endless = _endless(sign, letter, padding, found["width"])
    return _Field(index, kind, spec + shown, group == "'", letter in "xXo", endless)


def _lower(call: Call, scope: Scope) -> pl.Expr:
    values = [scope.lower(arg) for arg in call.args[1:]]
    parts: list[pl.Expr] = []
    used: set[int] = set()
    for part in _parts(call):
        if isinstance(part, str):
            parts.append(pl.lit(part))
        else:
            used.add(part.argument)
            parts.append(distinct_values(pl.String(), part.text, values[part.argument]))
    unused = [value for index, value in enumerate(values) if index not in used]
    blank = [pl.when(value.is_not_null()).then(pl.lit("")) for value in unused]
    return pl.concat_str([*parts, *blank]) if parts or blank else pl.lit("")


def _entry(name: str, summary: str, example: str, bind: Callable[..., Expr]) -> Function:
    return Function(name, "text", f"{name}(format, x, ...)", summary, example, bind, _lower)


FUNCTIONS = (
    _entry(
        "format",
        "The format with each {} replaced by a value; {:.2f}, {:>8} and {:,} say how.",
        "format('{}: {:.2f}', 'pi', 3.14159) = 'pi: 3.14'",
        _bind,
    ),
    _entry(
        "printf",
        "The format with %d, %s, %.2f and their like replaced by values.",
        "printf('%s: %5.2f', 'pi', 3.14159) = 'pi:  3.14'",
        _bind,
    ),
)
