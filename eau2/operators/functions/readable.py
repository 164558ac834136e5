"""Numbers as people read them: sizes in bytes, and bars.

Owns: the units and the blocks. Comes in: numbers. Goes out: texts.
Does not know: formats (formats.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl

from eau2.operators.functions.distinct import Refusal, for_distinct, for_distinct_checked
from eau2.operators.functions.function import Function, Signature, overloads, text_function
from eau2.types import BIGINT, DOUBLE, VARCHAR

_BLOCKS = " ▏▎▍▌▋▊▉█"
_FULL = len(_BLOCKS) - 1
_WIDEST_BAR = 1000
_USUAL_BAR = 80.0
_BINARY = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ("bytes", "kB", "MB", "GB", "TB", "PB")


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


def _of_size(name: str, summary: str, example: str, compute: Callable[[int], str]) -> Function:
    lower = for_distinct(pl.String(), compute)
    aliases = ("formatreadablesize",) if name == "format_bytes" else ()
    return text_function(
        name, f"{name}(bytes)", summary, example, (BIGINT,), VARCHAR, lower, aliases=aliases
    )


FUNCTIONS = (
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
)
