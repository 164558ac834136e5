"""Parts of file paths, sizes in bytes for people, bars, and parts of texts put in place of others.

Owns: parse_filename, parse_dirname, parse_dirpath, format_bytes, bar, overlay, bit_length.
Does not know: files; a path is a text here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Scope
from eau2.operators.functions.distinct import Refusal, for_distinct, for_distinct_checked
from eau2.operators.functions.function import (
    Function,
    Signature,
    by_formula,
    mismatch,
    overloads,
    text_function,
    values,
)
from eau2.types import BIGINT, BOOLEAN, DOUBLE, VARCHAR

_SEPARATORS = {"system": "/", "forward_slash": "/", "backslash": "\\"}
_BOTH = "/\\"
_BLOCKS = " ▏▎▍▌▋▊▉█"
_FULL = len(_BLOCKS) - 1
_WIDEST_BAR = 1000
_USUAL_BAR = 80.0
_BINARY = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ("bytes", "kB", "MB", "GB", "TB", "PB")


def _bind_path(name: str, args: tuple[Expr, ...]) -> Expr:
    """The path, whether the ending goes, and the characters that separate, both constants."""
    trims = name == "parse_filename"
    syntax = f"It is written {name}(path{'[, trim]' if trims else ''}[, separator])."
    if not 1 <= len(args) <= 2 + trims:
        raise mismatch(name, args, syntax)
    trim, separators = Literal(BOOLEAN, False), Literal(VARCHAR, _BOTH)
    for position, arg in enumerate(args[1:], 1):
        if not isinstance(arg, Literal):
            raise NotSupportedError(f"argument {position + 1} of {name} must be a constant")
        if arg.type == BOOLEAN and trims and position == 1:
            trim = arg
        elif arg.type == VARCHAR or is_null(arg):
            separators = Literal(VARCHAR, _SEPARATORS.get(str(arg.value), _BOTH))
        else:
            raise mismatch(name, args, syntax)
    path = coerce(args[0], VARCHAR) if is_null(args[0]) else args[0]
    if path.type != VARCHAR:
        raise mismatch(name, args, syntax)
    return Call(VARCHAR, name, (path, trim, separators))


def _first(path: str, separators: str) -> int:
    places = [path.find(separator) for separator in separators]
    return min((place for place in places if place >= 0), default=-1)


def _last(path: str, separators: str) -> int:
    return max(path.rfind(separator) for separator in separators)


def _filename(path: str, trim: bool, separators: str) -> str:
    name = path[_last(path, separators) + 1 :]
    return name[: name.rfind(".")] if trim and "." in name else name


def _dirname(path: str, _: bool, separators: str) -> str:
    place = _first(path, separators)
    return path[: max(place, 1)] if place >= 0 else ""


def _dirpath(path: str, _: bool, separators: str) -> str:
    place = _last(path, separators)
    return path if place == 0 and len(path) == 1 else path[: max(place, 0)]


def _size(units: tuple[str, ...], factor: int) -> Callable[[int], str]:
    """A number of bytes in the largest unit of which there is one; cut to one decimal."""

    def written(count: int) -> str:
        sign, rest = "-" if count < 0 else "", abs(count)
        below = 0
        level = 0
        while rest >= factor and level < len(units) - 1:
            rest, below = divmod(rest, factor)
            level += 1
        if level == 0:
            return f"{sign}{rest} {'byte' if rest == 1 else 'bytes'}"
        return f"{sign}{rest}.{below * 10 // factor} {units[level]}"

    return written


def _bar(x: float, low: float, high: float, width: float = _USUAL_BAR) -> str | Refusal:
    if not math.isfinite(width) or not 1 <= width <= _WIDEST_BAR:
        return Refusal(f"bar: the width must be from 1 to {_WIDEST_BAR}, not {width}")
    if math.isnan(x) or math.isnan(low) or math.isnan(high) or x <= low:
        share = 0.0
    elif x >= high:
        share = width
    else:
        share = width * (x - low) / (high - low)
    if not math.isfinite(share):
        return Refusal("bar: the limits must be finite")
    full, rest = divmod(int(share * _FULL), _FULL)
    drawn = _BLOCKS[_FULL] * full + (_BLOCKS[rest] if rest else "")
    return drawn.ljust(int(width))


def _overlay(text: pl.Expr, by: pl.Expr, start: pl.Expr, length: pl.Expr | None = None) -> pl.Expr:
    """The characters from `start`, as many as are put there or as `length` says, give way."""
    size = by.str.len_chars().cast(pl.Int64)
    count = size if length is None else pl.when(length >= 0).then(length).otherwise(size)
    zero = pl.lit(0, pl.Int64)
    head = text.str.slice(0, pl.max_horizontal(start - 1, zero))
    return head + by + text.str.slice(pl.max_horizontal(start - 1 + count, zero))


def _lower_overlay(call: Call, scope: Scope) -> pl.Expr:
    return by_formula(pl.String(), _overlay)(call, scope)


def _of_path(name: str, summary: str, example: str, compute: Callable[..., str]) -> Function:
    syntax = f"{name}(path{'[, trim]' if name == 'parse_filename' else ''}[, separator])"
    lower = for_distinct(pl.String(), compute)
    return Function(name, "text", syntax, summary, example, _bind_path, lower)


def _of_size(name: str, summary: str, example: str, compute: Callable[[int], str]) -> Function:
    lower = for_distinct(pl.String(), compute)
    aliases = ("formatreadablesize",) if name == "format_bytes" else ()
    return text_function(
        name, f"{name}(bytes)", summary, example, (BIGINT,), VARCHAR, lower, aliases=aliases
    )


FUNCTIONS = (
    _of_path(
        "parse_filename",
        "The last part of a path, without its ending if trim is true.",
        "parse_filename('a/b.csv') = 'b.csv'",
        _filename,
    ),
    _of_path("parse_dirname", "The first part of a path.", "parse_dirname('a/b/c') = 'a'", _dirname),
    _of_path(
        "parse_dirpath",
        "A path without its last part.",
        "parse_dirpath('a/b/c') = 'a/b'",
        _dirpath,
    ),
    _of_size(
        "format_bytes",
        "A number of bytes in units of 1024.",
        "format_bytes(16384) = '16.0 KiB'",
        _size(_BINARY, 1024),
    ),
    _of_size(
        "formatreadabledecimalsize",
        "A number of bytes in units of 1000.",
        "formatReadableDecimalSize(16000) = '16.0 kB'",
        _size(_DECIMAL, 1000),
    ),
    Function(
        "bar",
        "text",
        "bar(x, low, high[, width])",
        "A bar that is full when x is high, and empty when it is low.",
        "bar(5, 0, 10, 4) = '██  '",
        overloads(
            "bar(x, low, high[, width])",
            Signature((DOUBLE, DOUBLE, DOUBLE), VARCHAR),
            Signature((DOUBLE, DOUBLE, DOUBLE, DOUBLE), VARCHAR),
        ),
        for_distinct_checked(pl.String(), _bar),
        fails=True,
    ),
    text_function(
        "overlay",
        "overlay(text, by, start[, length])",
        "With the characters from start on replaced, as many as are put there or as length says.",
        "overlay('eau2', 'x', 2, 2) = 'ex2'",
        (VARCHAR, VARCHAR, BIGINT, BIGINT),
        VARCHAR,
        _lower_overlay,
        shorter=True,
    ),
    text_function(
        "bit_length",
        "bit_length(text)",
        "The number of bits in UTF-8.",
        "bit_length('eau') = 24",
        (VARCHAR,),
        BIGINT,
        values(lambda x: x.str.len_bytes().cast(pl.Int64) * 8),
    ),
)
