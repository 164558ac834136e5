"""Functions of text. Positions count characters (code points) from 1.

Owns: their signatures and DuckDB's rules for NULLs, empty texts and positions outside.
Does not know: searching and replacing (text_search.py), patterns (patterns.py), upper and lower
case (letter_case.py).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.config import LIMITS
from eau2.operators.coercion import cast, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions import letter_case
from eau2.operators.functions.checks import Outcome, Scope, checked, formula
from eau2.operators.functions.function import (
    Function,
    LowerCall,
    by_formula,
    mismatch,
    strict,
    text_function,
    values,
)
from eau2.types import BIGINT, INTEGER, VARCHAR

_NO_FILL = "the fill of lpad and rpad is empty"
_TOO_LONG = (f"a text would have more than {LIMITS.made_text_chars:,} characters",)
_SPACES = " \u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def _length(text: pl.Expr) -> pl.Expr:
    return text.str.len_chars().cast(pl.Int64)


def _trim(strip: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> LowerCall:
    def compute(text: pl.Expr, characters: pl.Expr | None = None) -> pl.Expr:
        if characters is None:
            return strip(text, pl.lit(_SPACES))
        return formula(pl.String(), strict(strip), text, characters)

    return values(compute)


def _substring(text: pl.Expr, start: pl.Expr, length: pl.Expr | None = None) -> pl.Expr:
    """The window of `length` characters from `start`, cut to the text.

    A negative start counts from the end; a negative length ends the window before the start.
    """
    size = _length(text)
    zero = pl.lit(0, pl.Int64)
    first = pl.when(start < 0).then(size + start).otherwise(start - 1)
    other = size if length is None else first + length
    low = pl.max_horizontal(pl.min_horizontal(first, other), zero)
    high = pl.min_horizontal(pl.max_horizontal(first, other), size)
    return text.str.slice(low, pl.max_horizontal(high - low, zero))


def _lower_substring(call: Call, scope: Scope) -> pl.Expr:
    text, *window = call.args
    numbers = [arg.value for arg in window if isinstance(arg, Literal)]
    if len(numbers) == len(window) == 2:
        start, length = numbers
        if isinstance(start, int) and isinstance(length, int) and start >= 1 and length >= 0:
            return scope.lower(text).str.slice(start - 1, length)
    return by_formula(pl.String(), _substring)(call, scope)


def _left(text: pl.Expr, count: pl.Expr) -> pl.Expr:
    size = _length(text)
    kept = pl.when(count < 0).then(size + count).otherwise(count)
    return _substring(text, pl.lit(1, pl.Int64), pl.max_horizontal(kept, pl.lit(0, pl.Int64)))


def _right(text: pl.Expr, count: pl.Expr) -> pl.Expr:
    size = _length(text)
    kept = pl.when(count < 0).then(size + count).otherwise(count)
    kept = pl.max_horizontal(pl.min_horizontal(kept, size), pl.lit(0, pl.Int64))
    return text.str.slice(size - kept, kept)


def _bind_concat(name: str, args: tuple[Expr, ...]) -> Expr:
    """`||`, concat and concat_ws take values of any type."""
    least = {"||": 2, "concat": 1, "concat_ws": 2}[name]
    if len(args) < least or (name == "||" and len(args) > 2):
        raise mismatch(name, args, f"{name} takes at least {least} arguments.")
    if name == "||" and all(is_null(arg) for arg in args):
        return Literal(VARCHAR, None)
    return Call(VARCHAR, name, tuple(cast(arg, VARCHAR) for arg in args))


def _lower_concat(call: Call, scope: Scope) -> pl.Expr:
    return pl.concat_str([scope.lower(arg) for arg in call.args], ignore_nulls=True)


def _lower_concat_ws(call: Call, scope: Scope) -> pl.Expr:
    separator, *parts = (scope.lower(arg) for arg in call.args)
    result = pl.concat_str([separator + part for part in parts], ignore_nulls=True)
    # Every part that is not NULL brought a separator in front; the first one goes.
    kept = result.str.slice(separator.str.len_chars())
    return pl.when(separator.is_not_null()).then(kept)


def _lower_repeat(call: Call, scope: Scope) -> pl.Expr:
    def over(text: pl.Expr, count: pl.Expr) -> Outcome:
        # As floats, where no product overflows and those near the limit are exact.
        size = _length(text).cast(pl.Float64) * count.cast(pl.Float64)
        bad = size > LIMITS.made_text_chars
        times = pl.when(bad | (size <= 0.0)).then(pl.lit(0, pl.Int64)).otherwise(count)
        result = text.repeat_by(times).list.join("")
        known = text.is_not_null() & count.is_not_null()
        return Outcome(pl.when(known).then(result), bad, "range", _TOO_LONG)

    return checked(pl.String(), over, scope, *(scope.lower(arg) for arg in call.args))


def _pad(at_start: bool) -> LowerCall:
    def over(text: pl.Expr, length: pl.Expr, fill: pl.Expr) -> Outcome:
        wanted = pl.max_horizontal(length.cast(pl.Int64), pl.lit(0, pl.Int64))
        long = wanted > LIMITS.made_text_chars
        added = pl.max_horizontal(wanted - _length(text), pl.lit(0, pl.Int64))
        missing = pl.when(long).then(pl.lit(0, pl.Int64)).otherwise(added)
        padding = fill.repeat_by(missing).list.join("").str.slice(0, missing)
        kept = text.str.slice(0, wanted)
        result = padding + kept if at_start else kept + padding
        bad = (added > 0) & (long | (fill == ""))
        known = text.is_not_null() & length.is_not_null() & fill.is_not_null()
        reason = pl.when(fill == "").then(pl.lit(_NO_FILL)).otherwise(pl.lit(*_TOO_LONG))
        return Outcome(pl.when(known).then(result), bad, "range", (reason,))

    return lambda call, scope: checked(
        pl.String(), over, scope, *(scope.lower(arg) for arg in call.args)
    )


_ONE, _TWO = (VARCHAR,), (VARCHAR, VARCHAR)


def _overlay(text: pl.Expr, by: pl.Expr, start: pl.Expr, length: pl.Expr | None = None) -> pl.Expr:
    """The characters from `start`, as many as are put there or as `length` says, give way."""
    size = by.str.len_chars().cast(pl.Int64)
    count = size if length is None else pl.when(length >= 0).then(length).otherwise(size)
    zero = pl.lit(0, pl.Int64)
    head = text.str.slice(0, pl.max_horizontal(start - 1, zero))
    return head + by + text.str.slice(pl.max_horizontal(start - 1 + count, zero))


def _lower_overlay(call: Call, scope: Scope) -> pl.Expr:
    return by_formula(pl.String(), _overlay)(call, scope)


FUNCTIONS = (
    Function(
        "||",
        "text",
        "a || b",
        "Both texts joined; values of other types are written as text.",
        "'eau' || 2 = 'eau2'",
        _bind_concat,
        values(lambda a, b: a + b),
        operator=True,
    ),
    Function(
        "concat",
        "text",
        "concat(x, ...)",
        "All arguments joined as text; NULLs are left out.",
        "concat('eau', NULL, 2) = 'eau2'",
        _bind_concat,
        _lower_concat,
        null_rule="own",
    ),
    Function(
        "concat_ws",
        "text",
        "concat_ws(separator, x, ...)",
        "The arguments joined with a separator between them; NULLs are left out.",
        "concat_ws('-', 1, NULL, 2) = '1-2'",
        _bind_concat,
        _lower_concat_ws,
        null_rule="own",
    ),
    text_function(
        "length",
        "length(text)",
        "The number of characters.",
        "length('água') = 4",
        _ONE,
        BIGINT,
        values(_length),
        aliases=("len", "char_length", "character_length"),
    ),
    text_function(
        "strlen",
        "strlen(text)",
        "The number of bytes in UTF-8.",
        "strlen('água') = 5",
        _ONE,
        BIGINT,
        values(lambda x: x.str.len_bytes().cast(pl.Int64)),
    ),
    text_function(
        "lower",
        "lower(text)",
        "In lower case.",
        "lower('EAU') = 'eau'",
        _ONE,
        VARCHAR,
        values(letter_case.lower),
        aliases=("lcase",),
    ),
    text_function(
        "upper",
        "upper(text)",
        "In upper case.",
        "upper('eau') = 'EAU'",
        _ONE,
        VARCHAR,
        values(letter_case.upper),
        aliases=("ucase",),
    ),
    text_function(
        "trim",
        "trim(text[, characters])",
        "Without spaces, or the given characters, at both ends.",
        "trim('  eau ') = 'eau'",
        _TWO,
        VARCHAR,
        _trim(lambda x, c: x.str.strip_chars(c)),
        shorter=True,
    ),
    text_function(
        "ltrim",
        "ltrim(text[, characters])",
        "Without spaces, or the given characters, at the start.",
        "ltrim('xxeau', 'x') = 'eau'",
        _TWO,
        VARCHAR,
        _trim(lambda x, c: x.str.strip_chars_start(c)),
        shorter=True,
    ),
    text_function(
        "rtrim",
        "rtrim(text[, characters])",
        "Without spaces, or the given characters, at the end.",
        "rtrim('eau  ') = 'eau'",
        _TWO,
        VARCHAR,
        _trim(lambda x, c: x.str.strip_chars_end(c)),
        shorter=True,
    ),
    text_function(
        "substring",
        "substring(text, start[, length])",
        "The part from the character at start; a negative start counts from the end.",
        "substring('eau2', 2, 2) = 'au'",
        (VARCHAR, BIGINT, BIGINT),
        VARCHAR,
        _lower_substring,
        shorter=True,
        aliases=("substr",),
    ),
    text_function(
        "left",
        "left(text, n)",
        "The first n characters; with a negative n all but the last -n.",
        "left('eau2', 3) = 'eau'",
        (VARCHAR, BIGINT),
        VARCHAR,
        by_formula(pl.String(), _left),
    ),
    text_function(
        "right",
        "right(text, n)",
        "The last n characters; with a negative n all but the first -n.",
        "right('eau2', 1) = '2'",
        (VARCHAR, BIGINT),
        VARCHAR,
        by_formula(pl.String(), _right),
    ),
    text_function(
        "reverse",
        "reverse(text)",
        "The characters in reverse order.",
        "reverse('eau') = 'uae'",
        _ONE,
        VARCHAR,
        values(lambda x: x.str.reverse()),
    ),
    text_function(
        "repeat",
        "repeat(text, n)",
        "The text n times.",
        "repeat('ab', 2) = 'abab'",
        (VARCHAR, BIGINT),
        VARCHAR,
        _lower_repeat,
        fails=True,
    ),
    text_function(
        "lpad",
        "lpad(text, length, fill)",
        "Filled at the start to a length, or cut to it.",
        "lpad('7', 3, '0') = '007'",
        (VARCHAR, INTEGER, VARCHAR),
        VARCHAR,
        _pad(at_start=True),
        fails=True,
    ),
    text_function(
        "rpad",
        "rpad(text, length, fill)",
        "Filled at the end to a length, or cut to it.",
        "rpad('7', 3, '.') = '7..'",
        (VARCHAR, INTEGER, VARCHAR),
        VARCHAR,
        _pad(at_start=False),
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
