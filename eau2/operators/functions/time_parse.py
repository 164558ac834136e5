"""strptime and try_strptime: texts read as timestamps by a constant format.

Owns: which texts a format of % codes fits. Comes in: texts. Goes out: TIMESTAMPs.
Does not know: the forms that a cast reads (text_parse.py).

A format becomes one regular expression, with a group for each code, over whole columns. DuckDB
takes as many digits as a code can have and never goes back. So a number that has another digit
after it in the format must have all of its digits, and the expression has nothing to choose.
"""

from __future__ import annotations

import re
from functools import lru_cache, reduce

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import coerce, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.calendar import MICROS_PER_DAY, days_from_civil, valid_civil
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.time_formats import codes
from eau2.records import Record
from eau2.types import TIMESTAMP, VARCHAR

_SPACES = " \t\n\r\v\f"
_SPACE = "[ \\t\\n\\r\\v\\f]"
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DIGITS = {
    "d": 2, "m": 2, "y": 2, "Y": 4, "H": 2, "I": 2, "M": 2, "S": 2, "f": 6, "g": 3, "j": 3,
    "w": 1, "u": 1,
}  # fmt: skip
"""How many digits the codes that are numbers can have."""
_RANGES = {
    "d": (1, 31), "m": (1, 12), "y": (0, 99), "Y": (0, 9999), "H": (0, 23), "I": (1, 12),
    "M": (0, 59), "S": (0, 59), "f": (0, 999_999), "g": (0, 999), "j": (1, 366), "w": (0, 6),
    "u": (1, 7),
}  # fmt: skip
_WORDS = {
    "b": tuple(name[:3] for name in _MONTHS),
    "h": tuple(name[:3] for name in _MONTHS),
    "B": _MONTHS,
    "a": tuple(name[:3] for name in _DAYS),
    "A": _DAYS,
    "p": ("am", "pm"),
}
_SAYS = {
    "Y": ("year",), "y": ("year",), "m": ("month",), "b": ("month",), "h": ("month",),
    "B": ("month",), "d": ("day",), "j": ("month", "day"), "H": ("hour",), "I": ("hour",),
    "M": ("minute",), "S": ("second",), "f": ("fraction",), "g": ("fraction",), "p": ("half",),
}  # fmt: skip
"""What a code says of a moment; no format may say the same in two ways."""
_FIRST_OF_CENTURY = 69
"""Two digits of a year from this on mean 1969 to 1999, below it 2000 to 2068."""
_EPOCH = f"^{_SPACE}*(?i-u:epoch){_SPACE}*$"


class _Reader(Record, frozen=True):
    """A format: its regular expression, and the codes of groups 2, 3, ... (1 is the whole)."""

    regex: str
    codes: tuple[str, ...]


@lru_cache(maxsize=256)
def _reader(name: str, pattern: str) -> _Reader:
    """Raises statement errors for what is no format that can be read here."""
    parts = codes(name, pattern)
    if parts[0] in _SPACES:
        raise NotSupportedError(f"a format of {name} cannot begin with a space")
    written: list[str] = []
    used: list[str] = []
    for part, after in zip(parts, [*parts[1:], ""], strict=True):
        code = part[1:].removeprefix("-") if len(part) > 1 else ""
        if part in _SPACES:
            if not written[-1].endswith(f"{_SPACE}+"):
                written.append(f"{_SPACE}+")
        elif not code:
            written.append(re.escape(part))
        elif code == "%":
            written.append("%")
        elif code in _DIGITS:
            most = _DIGITS[code]
            exact = after[:1].isdecimal() or after[1:].removeprefix("-") in _DIGITS
            written.append(f"([0-9]{{{most if exact else f'1,{most}'}}})")
            used.append(code)
        elif code in _WORDS:
            written.append(f"(?i-u:({'|'.join(_WORDS[code])}))")
            used.append(code)
        else:
            raise NotSupportedError(f"the format %{code} of {name} is not supported")
    said = [part for code in used for part in _SAYS.get(code, "")]
    if len(set(said)) < len(said):
        raise NotSupportedError(f"the format {pattern!r} of {name} says something twice")
    return _Reader(f"^{_SPACE}*({''.join(written)}){_SPACE}*$", tuple(used))


def _bind(name: str, args: tuple[Expr, ...]) -> Expr:
    syntax = f"It is written {name}(text, '%Y-%m-%d')."
    if len(args) != 2:
        raise mismatch(name, args, syntax)
    text, pattern = args
    if is_null(pattern) or is_null(text):
        return Literal(TIMESTAMP, None)
    if text.type != VARCHAR or pattern.type != VARCHAR:
        raise mismatch(name, args, syntax)
    if not isinstance(pattern, Literal) or pattern.value is None:
        raise NotSupportedError(f"the format of {name} must be a string constant")
    _reader(name, str(pattern.value))
    return Call(TIMESTAMP, name, (coerce(text, VARCHAR), pattern))


def _lower(call: Call, scope: Scope) -> pl.Expr:
    text, pattern = call.args
    assert isinstance(pattern, Literal)
    reader = _reader(call.function, str(pattern.value))
    lowered = scope.lower(text)

    def run(frame: pl.DataFrame) -> pl.Series:
        texts = frame.get_column("0")
        read = _read(texts, reader)
        return pl.DataFrame({"text": texts, "read": read}).to_struct("both")

    def over(both: pl.Expr) -> Outcome:
        read, given = both.struct.field("read"), both.struct.field("text")
        shown = ("'", given, f"' does not fit the format '{pattern.value}'")
        return Outcome(read, read.is_null() & given.is_not_null(), "conversion", shown)

    dtype = pl.Struct({"text": pl.String(), "read": pl.Datetime("us")})
    computed = batchwise(dtype, run, lowered)
    safe = call.function == "try_strptime"
    return checked(pl.Datetime("us"), over, scope, computed, safe=safe)


def _read(texts: pl.Series, reader: _Reader) -> pl.Series:
    """The moments that the texts write; NULL where they do not fit."""
    groups = texts.to_frame("text").select(
        pl.col("text").str.extract_groups(reader.regex).struct.unnest()
    )
    numbers = {
        code: _number(code, pl.col(str(index))) for index, code in enumerate(reader.codes, 2)
    }
    valid = [pl.col("1").is_not_null()]
    for index, code in enumerate(reader.codes, 2):
        low, high = _RANGES.get(code, (0, 12))
        valid.append(_number(code, pl.col(str(index))).is_between(low, high))
    micros, more = _micros(numbers)
    all_valid = reduce(lambda a, b: a & b, [*valid, *more]).fill_null(False)
    result = groups.select(pl.when(all_valid).then(micros).cast(pl.Datetime("us"))).to_series()
    epoch = texts.str.contains(_EPOCH)
    start = pl.Series([0], dtype=pl.Int64).cast(pl.Datetime("us"))
    return start.new_from_index(0, len(texts)).zip_with(epoch.fill_null(False), result)


def _number(code: str, group: pl.Expr) -> pl.Expr:
    """A group's number: of a word its place, of a fraction its microseconds."""
    if code in _WORDS:
        words = _WORDS[code]
        places = [pl.lit(place, pl.Int64) for place in range(1, len(words) + 1)]
        lowered = group.str.to_lowercase()
        return pl.coalesce(
            pl.when(lowered == word).then(place) for word, place in zip(words, places, strict=True)
        )
    if code in ("f", "g"):
        return group.str.pad_end(_DIGITS[code], "0").cast(pl.Int64, strict=False)
    return group.cast(pl.Int64, strict=False)


def _micros(numbers: dict[str, pl.Expr]) -> tuple[pl.Expr, list[pl.Expr]]:
    """Microseconds since 1970, and what must hold for them; what is not written is 1900-01-01."""

    def number(*names: str, otherwise: int) -> pl.Expr:
        found = [numbers[name] for name in names if name in numbers]
        return found[0] if found else pl.lit(otherwise, pl.Int64)

    year = number("Y", otherwise=1900)
    if "y" in numbers:
        short = numbers["y"]
        year = short + pl.when(short < _FIRST_OF_CENTURY).then(2000).otherwise(1900)
    month, day = number("m", "b", "h", "B", otherwise=1), number("d", otherwise=1)
    conditions = [valid_civil(year, month, day)]
    days = days_from_civil(year, month, day)
    if "j" in numbers:
        days = days + numbers["j"] - 1
        following = days_from_civil(year + 1, pl.lit(1, pl.Int64), pl.lit(1, pl.Int64))
        conditions.append(days < following)
    hour = number("H", "I", otherwise=0)
    if "p" in numbers:
        conditions.append(hour <= 12)
        hour = hour % 12 + (numbers["p"] - 1) * 12
    seconds = (hour * 60 + number("M", otherwise=0)) * 60 + number("S", otherwise=0)
    fraction = number("f", otherwise=0)
    if "g" in numbers:
        fraction = numbers["g"] * 1000
    return days * MICROS_PER_DAY + seconds * 1_000_000 + fraction, conditions


def _entry(name: str, summary: str, fails: bool) -> Function:
    return Function(
        name,
        "date",
        f"{name}(text, format)",
        summary,
        f"{name}('29.02.2024', '%d.%m.%Y') = TIMESTAMP '2024-02-29'",
        _bind,
        _lower,
        fails=fails,
    )


FUNCTIONS = (
    _entry("strptime", "The moment that a text writes in a format of % codes.", fails=True),
    _entry("try_strptime", "The same, and NULL for a text that does not fit.", fails=False),
)
