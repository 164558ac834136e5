"""Python's str: its methods, indexes and slices, and the texts of numbers.

Owns: how each is computed, by CPython's own methods or, for whole columns, by what gives the same.
Does not know: the types that a method takes (python/methods.py).

The kernels' upper and lower case follow another version of Unicode than CPython's, so they are
taken only for columns of ASCII.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from eau2.config import LIMITS
from eau2.operators.expr import Call
from eau2.operators.functions.checks import Scope, formula, marked
from eau2.operators.functions.function import Function, LowerCall
from eau2.operators.functions.python_calls import (
    Columns,
    Compute,
    Quick,
    over_columns,
    python_entry,
    python_function,
    said,
    spread,
)
from eau2.operators.functions.python_values import limited

_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001))))
"""What strip() takes away: Python counts four control characters that Unicode does not."""


def _is_ascii(text: pl.Series) -> bool:
    return bool((text.str.len_bytes() == text.str.len_chars()).all())


def _cased(change: Callable[[pl.Series], pl.Series]) -> Quick:
    return lambda columns: change(columns[0]) if _is_ascii(columns[0]) else None


def _stripped(strip: Callable[[pl.Series, str], pl.Series]) -> Quick:
    """By constant characters; of none at all nothing is taken away."""

    def quick(columns: Columns) -> pl.Series | None:
        if len(columns) == 1:
            return strip(columns[0], _BLANKS)
        if len(columns[1]) != 1:
            return None
        characters = columns[1].item()
        if characters == "":
            return columns[0]
        return strip(columns[0], _BLANKS if characters is None else characters)

    return quick


def _replaced(columns: Columns) -> pl.Series | None:
    """Constants for constants."""
    if len(columns) != 3 or len(columns[1]) != 1 or len(columns[2]) != 1:
        return None
    old, new = columns[1].item(), columns[2].item()
    if not old or new is None:
        return None
    return columns[0].str.replace_all(old, new, literal=True)


def _split(columns: Columns) -> pl.Series | None:
    """By a constant; without one, between runs of blanks."""
    if len(columns) == 2 and len(columns[1]) == 1 and columns[1].null_count():
        words = columns[0].str.replace_all(f"[{_BLANKS}]+", " ").str.strip_chars(" ")
        parts = pl.when(pl.col("words") == "").then([]).otherwise(pl.col("words").str.split(" "))
        frame = words.alias("words").to_frame()
        return frame.select(pl.when(pl.col("words").is_not_null()).then(parts)).to_series()
    if len(columns) != 2 or len(columns[1]) != 1 or not columns[1].item():
        return None
    return columns[0].str.split(columns[1].item())


def _found(columns: Columns) -> pl.Series | None:
    """find: of ASCII the engine's place in bytes is the place in characters."""
    if len(columns) != 2 or not _is_ascii(columns[0]):
        return None
    text, part = spread(columns)
    frame = pl.DataFrame([text.alias("text"), part.alias("part")])
    place = pl.col("text").str.find(pl.col("part"), literal=True).cast(pl.Int64).fill_null(-1)
    known = pl.all_horizontal(pl.all().is_not_null())
    return frame.select(pl.when(known).then(place)).to_series()


def _item(columns: Columns) -> pl.Series | None:
    text, place = spread(columns)
    length = text.str.len_chars().cast(pl.Int64)
    if ((place >= length) | (place < -length)).any():
        return None
    frame = pl.DataFrame([text.alias("text"), place.alias("place")])
    known = pl.all_horizontal(pl.all().is_not_null())
    one = pl.col("text").str.slice(pl.col("place"), 1)
    return frame.select(pl.when(known).then(one)).to_series()


def slice_bounds(length: pl.Expr, start: pl.Expr, stop: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Where a slice of step 1 begins, and how long it is; NULL is a bound that was left out."""
    zero = pl.lit(0, pl.Int64)

    def inside(bound: pl.Expr, otherwise: pl.Expr) -> pl.Expr:
        at = pl.when(bound < 0).then(pl.max_horizontal(bound + length, zero)).otherwise(bound)
        return pl.min_horizontal(pl.coalesce(at, otherwise), length)

    first = inside(start, zero)
    return first, pl.max_horizontal(inside(stop, length) - first, zero)


def _lower_slice(call: Call, scope: Scope) -> pl.Expr:
    def over(text: pl.Expr, start: pl.Expr, stop: pl.Expr) -> pl.Expr:
        length = text.str.len_chars().cast(pl.Int64)
        cut = text.str.slice(*slice_bounds(length, start, stop))
        return pl.when(text.is_not_null()).then(cut)

    return formula(pl.String(), over, *(scope.lower(arg) for arg in call.args))


def _steps(text: str | None, start: int | None, stop: int | None, step: int | None) -> str | None:
    return None if text is None else text[start:stop:step]


def _get(text: str, place: int) -> str:
    return text[place]


def _times(text: str, count: int) -> str:
    limited(len(text) * count)
    return text * count


def _padded(name: str) -> Compute:
    method = getattr(str, name)

    def over(text: str, width: int, *fill: str) -> str:
        limited(width)
        result: str = method(text, width, *fill)
        return result

    return over


def _expanded(text: str, size: int = 8) -> str:
    limited(text.count("\t") * size)
    return text.expandtabs(size)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    most = text.count(old) if count < 0 else min(count, text.count(old))
    limited(len(text) + most * (len(new) - len(old)))
    return text.replace(old, new, count)


def _optional(name: str, needed: int = 1) -> Compute:
    """A method of which only the first arguments must be there: None is what is left out."""
    method = getattr(str, name)

    def over(*args: Any) -> Any:
        return None if any(arg is None for arg in args[:needed]) else method(*args)

    return over


def _split_by(name: str) -> Compute:
    method = getattr(str, name)

    def over(text: str | None, separator: str | None, most: int = -1) -> list[str] | None:
        return None if text is None or most is None else method(text, separator, most)

    return over


def _joined(separator: str, parts: list[str]) -> str:
    return separator.join(parts)


def _quick_join(columns: Columns) -> pl.Series | None:
    separator, parts = columns
    if len(separator) != 1 or separator.null_count():
        return None
    return _bounded(parts.list.join(separator.item(), ignore_nulls=False))


def _code(text: str) -> int:
    if len(text) != 1:
        raise TypeError(f"ord() expected a character, but string of length {len(text)} found")
    return ord(text)


def _character(code: int) -> str:
    if 0xD800 <= code < 0xE000:
        raise ValueError(f"chr({code}) is half of a surrogate pair, which has no form here")
    if not 0 <= code < 0x110000:
        raise ValueError("chr() arg not in range(0x110000)")
    return chr(code)


def _bounded(texts: pl.Series) -> pl.Series:
    """The texts, none of them too long. A loop that doubles a text would else fill the memory."""
    longest = texts.str.len_bytes().max()
    if isinstance(longest, int) and longest > LIMITS.made_text_chars:
        characters = texts.str.len_chars().max()
        assert isinstance(characters, int)
        try:
            limited(characters)
        except MemoryError as error:
            raise ValueError(marked("function", said(error))) from error
    return texts


def _plus(columns: Columns) -> pl.Series:
    one, two = spread(columns)
    return _bounded(one + two)


def _parts(columns: Columns) -> pl.Series:
    """The parts of an f-string one after the other."""
    frame = pl.DataFrame([c.alias(str(n)) for n, c in enumerate(spread(columns))])
    return _bounded(frame.select(pl.concat_str(pl.all(), ignore_nulls=False)).to_series())


def _over(compute: Callable[[Columns], pl.Series]) -> LowerCall:
    return lambda call, scope: over_columns(
        pl.String(), compute, *(scope.lower(arg) for arg in call.args)
    )


_TESTS = (
    "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower",
    "isnumeric", "isprintable", "isspace", "istitle", "isupper",
)  # fmt: skip
_ONE, _TWO, _TEST = "str -> str", "str, str -> str", "str -> bool"
_PLACES = "str, str, int?, int? -> int"

FUNCTIONS: tuple[Function, ...] = (
    *(
        python_function(f"str.{name}", _ONE, getattr(str, name))
        for name in ("capitalize", "casefold", "swapcase", "title")
    ),
    *(python_function(f"str.{name}", _TEST, getattr(str, name)) for name in _TESTS),
    *(
        python_function(f"str.{name}", _TWO, getattr(str, name))
        for name in ("removeprefix", "removesuffix")
    ),
    python_function("str.splitlines", "str, bool? -> list[str]", str.splitlines),
    python_function("str.upper", _ONE, str.upper, quick=_cased(lambda x: x.str.to_uppercase())),
    python_function("str.lower", _ONE, str.lower, quick=_cased(lambda x: x.str.to_lowercase())),
    *(
        python_function(
            f"str.{name}", "str, str? -> str", _optional(name), quick=_stripped(strip), nulls=True
        )
        for name, strip in (
            ("strip", lambda x, chars: x.str.strip_chars(chars)),
            ("lstrip", lambda x, chars: x.str.strip_chars_start(chars)),
            ("rstrip", lambda x, chars: x.str.strip_chars_end(chars)),
        )
    ),
    python_function("str.find", _PLACES, _optional("find", 2), quick=_found, nulls=True),
    *(
        python_function(f"str.{name}", _PLACES, _optional(name, 2), nulls=True)
        for name in ("count", "rfind")
    ),
    *(
        python_function(
            f"str.{name}", "str, str, int?, int? -> bool", _optional(name, 2), nulls=True
        )
        for name in ("startswith", "endswith")
    ),
    *(
        python_function(f"str.{name}", _PLACES, _optional(name, 2), fails=True, nulls=True)
        for name in ("index", "rindex")
    ),
    *(
        python_function(f"str.{name}", "str, int, str? -> str", _padded(name), fails=True)
        for name in ("center", "ljust", "rjust")
    ),
    python_function("str.zfill", "str, int -> str", _padded("zfill"), fails=True),
    python_function("str.expandtabs", "str, int? -> str", _expanded, fails=True),
    python_function(
        "str.replace", "str, str, str, int? -> str", _replace, quick=_replaced, fails=True
    ),
    *(
        python_function(
            f"str.{name}",
            "str, str, int? -> list[str]",
            _split_by(name),
            quick=_split if name == "split" else None,
            fails=True,
            nulls=True,
        )
        for name in ("split", "rsplit")
    ),
    python_function("str.join", "str, list[str] -> str", _joined, quick=_quick_join, elements=True),
    python_function("str.*", "str, int -> str", _times, fails=True),
    python_entry("str.+", _TWO, "One text after the other.", _over(_plus)),
    python_entry("str.parts", "str... -> str", "The parts of an f-string.", _over(_parts)),
    python_function("str.[]", "str, int -> str", _get, quick=_item, fails=True),
    python_entry("str.[:]", "str, int, int -> str", "A slice of a text.", _lower_slice, nulls=True),
    python_function("str.[::]", "str, int, int, int -> str", _steps, fails=True, nulls=True),
    python_function("str.[::-1]", _ONE, lambda text: text[::-1]),
    python_function("str.ord", "str -> int", _code, fails=True),
    python_function("int.chr", "int -> str", _character, fails=True),
    *(
        python_function(f"int.{name}", "int -> str", compute)
        for name, compute in (("hex", hex), ("oct", oct), ("bin", bin))
    ),
    python_function("int.bit_length", "int -> int", int.bit_length),
    python_function("int.bit_count", "int -> int", int.bit_count),
    python_function("float.is_integer", "float -> bool", float.is_integer),
    python_function("float.hex", "float -> str", float.hex),
    python_function("str.list", "str -> list[str]", list),
)
