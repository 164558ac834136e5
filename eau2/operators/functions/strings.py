"""Functions of text. Positions count characters (code points) from 1.

Owns: their signatures and DuckDB's rules for NULLs, empty texts and positions outside.
Does not know: patterns (patterns.py), upper and lower case (letter_case.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.coercion import cast, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions import letter_case
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked, formula
from eau2.operators.functions.function import (
    Function,
    LowerCall,
    Signature,
    mismatch,
    overloads,
    values,
)
from eau2.types import BIGINT, BOOLEAN, INTEGER, VARCHAR, SqlType

_NO_FILL = ("the fill of lpad and rpad is empty",)
_SPACES = " \u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def _strict(compute: Callable[..., pl.Expr]) -> Callable[..., pl.Expr]:
    """The formula where every operand has a value, NULL elsewhere."""

    def over(*operands: pl.Expr) -> pl.Expr:
        known = reduce(lambda a, b: a & b, (x.is_not_null() for x in operands))
        return pl.when(known).then(compute(*operands))

    return over


def _by_formula(dtype: pl.DataType, compute: Callable[..., pl.Expr]) -> LowerCall:
    return values(partial(formula, dtype, _strict(compute)))


def _length(text: pl.Expr) -> pl.Expr:
    return text.str.len_chars().cast(pl.Int64)


def _trim(strip: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> LowerCall:
    def compute(text: pl.Expr, characters: pl.Expr | None = None) -> pl.Expr:
        if characters is None:
            return strip(text, pl.lit(_SPACES))
        return formula(pl.String(), _strict(strip), text, characters)

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
    return _by_formula(pl.String(), _substring)(call, scope)


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
    parts = [scope.lower(arg).fill_null("") for arg in call.args]
    return pl.concat_str(parts)


def _lower_concat_ws(call: Call, scope: Scope) -> pl.Expr:
    separator, *parts = (scope.lower(arg) for arg in call.args)
    result: pl.Expr = pl.lit("")
    for part in parts:
        result = result + (separator + part).fill_null("")
    # Every part that is not NULL brought a separator in front; the first one goes.
    kept = result.str.slice(separator.str.len_chars())
    return pl.when(separator.is_not_null()).then(kept)


def _constant(name: str, arg: Expr, what: str) -> str | None:
    if not isinstance(arg, Literal):
        raise NotSupportedError(f"the {what} of {name} must be a constant")
    assert arg.value is None or isinstance(arg.value, str)
    return arg.value


def _bind_constants(syntax: str, *positions: int) -> Callable[[str, tuple[Expr, ...]], Expr]:
    """All arguments are texts; those at `positions` must be constants."""

    def bind(name: str, args: tuple[Expr, ...]) -> Expr:
        plain = overloads(syntax, Signature((VARCHAR, VARCHAR, VARCHAR), VARCHAR))
        call = plain(name, args)
        for position in positions:
            _constant(name, call.children[position], f"argument {position + 1}")
        return call

    return bind


def _lower_replace(call: Call, scope: Scope) -> pl.Expr:
    text = scope.lower(call.args[0])
    old = _constant("replace", call.args[1], "pattern")
    new = call.args[2]
    if old is None or (isinstance(new, Literal) and new.value is None):
        return pl.lit(None, pl.String)
    if old == "":
        return _strict(lambda text, by: text)(text, scope.lower(new))

    def swap(text: pl.Expr, by: pl.Expr) -> pl.Expr:
        return text.str.replace_all(old, by.fill_null(""), literal=True)

    if isinstance(new, Literal):
        return swap(text, scope.lower(new))
    return formula(pl.String(), _strict(swap), text, scope.lower(new))


def _lower_translate(call: Call, scope: Scope) -> pl.Expr:
    text = scope.lower(call.args[0])
    old, new = (_constant("translate", arg, "set") for arg in call.args[1:])
    if old is None or new is None:
        return pl.lit(None, pl.String)
    table: dict[str, str] = {}
    for position, char in enumerate(old):
        table.setdefault(char, new[position : position + 1])
    return text.str.replace_many(list(table), list(table.values())) if table else text


def _repeat(text: pl.Expr, count: pl.Expr) -> pl.Expr:
    times = pl.max_horizontal(count, pl.lit(0, pl.Int64))
    return text.repeat_by(times).list.join("")


def _pad(at_start: bool) -> LowerCall:
    def over(text: pl.Expr, length: pl.Expr, fill: pl.Expr) -> Outcome:
        wanted = pl.max_horizontal(length.cast(pl.Int64), pl.lit(0, pl.Int64))
        missing = pl.max_horizontal(wanted - _length(text), pl.lit(0, pl.Int64))
        padding = fill.repeat_by(missing).list.join("").str.slice(0, missing)
        kept = text.str.slice(0, wanted)
        result = padding + kept if at_start else kept + padding
        bad = (missing > 0) & (fill == "")
        known = text.is_not_null() & length.is_not_null() & fill.is_not_null()
        return Outcome(pl.when(known).then(result), bad, "range", _NO_FILL)

    return lambda call, scope: checked(
        pl.String(), over, scope, *(scope.lower(arg) for arg in call.args)
    )


def _position(text: pl.Expr, part: pl.Expr) -> pl.Expr:
    head = text.str.splitn(part, 2).struct.field("field_0")
    found = text.str.contains(part, literal=True)
    return (
        pl.when(part == "")
        .then(pl.lit(1, pl.Int64))
        .when(found)
        .then(_length(head) + 1)
        .when(~found)
        .then(pl.lit(0, pl.Int64))
    )


def _split_part(text: pl.Expr, separator: pl.Expr, index: pl.Expr) -> pl.Expr:
    parts = text.str.split(separator)
    place = pl.when(index > 0).then(index - 1).otherwise(index)
    return pl.when(index != 0).then(parts.list.get(place, null_on_oob=True)).fill_null("")


def _first_code(empty: int) -> LowerCall:
    def compute(text: pl.Expr) -> pl.Expr:
        return batchwise(
            pl.Int32(), lambda frame: _codes(frame.to_series().str.head(1), empty), text
        )

    return values(compute)


def _codes(heads: pl.Series, empty: int) -> pl.Series:
    known = heads.drop_nulls().unique()
    codes = pl.Series([ord(char) if char else empty for char in known], dtype=pl.Int32)
    if known.is_empty():
        return heads.cast(pl.Int32)
    return heads.replace_strict(known, codes, default=None, return_dtype=pl.Int32)


def _lower_chr(call: Call, scope: Scope) -> pl.Expr:
    def over(code: pl.Expr) -> Outcome:
        bad = (code < 0) | (code > 0x10FFFF) | code.is_between(0xD800, 0xDFFF)
        kept = pl.when(~bad).then(code)
        return Outcome(kept, bad, "range", ("chr: ", code, " is no Unicode code point"))

    codes = checked(pl.Int32(), over, scope, scope.lower(call.args[0]))
    return batchwise(pl.String(), lambda frame: _characters(frame.to_series()), codes)


def _characters(codes: pl.Series) -> pl.Series:
    known = codes.drop_nulls().unique()
    if known.is_empty():
        return codes.cast(pl.String)
    chars = pl.Series([chr(code) for code in known], dtype=pl.String)
    return codes.replace_strict(known, chars, default=None, return_dtype=pl.String)


def _text(
    name: str,
    syntax: str,
    summary: str,
    example: str,
    parameters: tuple[SqlType, ...],
    result: SqlType,
    lower: LowerCall,
    *,
    shorter: bool = False,
    aliases: tuple[str, ...] = (),
    fails: bool = False,
) -> Function:
    """An entry with one signature; `shorter` if the last argument may be left out."""
    signatures = [Signature(parameters, result)]
    if shorter:
        signatures.append(Signature(parameters[:-1], result))
    bind = overloads(syntax, *signatures)
    return Function(
        name, "text", syntax, summary, example, bind, lower, aliases=aliases, fails=fails
    )


_ONE, _TWO = (VARCHAR,), (VARCHAR, VARCHAR)

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
    _text(
        "length",
        "length(text)",
        "The number of characters.",
        "length('água') = 4",
        _ONE,
        BIGINT,
        values(_length),
        aliases=("len", "char_length", "character_length"),
    ),
    _text(
        "strlen",
        "strlen(text)",
        "The number of bytes in UTF-8.",
        "strlen('água') = 5",
        _ONE,
        BIGINT,
        values(lambda x: x.str.len_bytes().cast(pl.Int64)),
    ),
    _text(
        "lower",
        "lower(text)",
        "In lower case.",
        "lower('EAU') = 'eau'",
        _ONE,
        VARCHAR,
        values(letter_case.lower),
        aliases=("lcase",),
    ),
    _text(
        "upper",
        "upper(text)",
        "In upper case.",
        "upper('eau') = 'EAU'",
        _ONE,
        VARCHAR,
        values(letter_case.upper),
        aliases=("ucase",),
    ),
    _text(
        "trim",
        "trim(text[, characters])",
        "Without spaces, or the given characters, at both ends.",
        "trim('  eau ') = 'eau'",
        _TWO,
        VARCHAR,
        _trim(lambda x, c: x.str.strip_chars(c)),
        shorter=True,
    ),
    _text(
        "ltrim",
        "ltrim(text[, characters])",
        "Without spaces, or the given characters, at the start.",
        "ltrim('xxeau', 'x') = 'eau'",
        _TWO,
        VARCHAR,
        _trim(lambda x, c: x.str.strip_chars_start(c)),
        shorter=True,
    ),
    _text(
        "rtrim",
        "rtrim(text[, characters])",
        "Without spaces, or the given characters, at the end.",
        "rtrim('eau  ') = 'eau'",
        _TWO,
        VARCHAR,
        _trim(lambda x, c: x.str.strip_chars_end(c)),
        shorter=True,
    ),
    _text(
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
    _text(
        "left",
        "left(text, n)",
        "The first n characters; with a negative n all but the last -n.",
        "left('eau2', 3) = 'eau'",
        (VARCHAR, BIGINT),
        VARCHAR,
        _by_formula(pl.String(), _left),
    ),
    _text(
        "right",
        "right(text, n)",
        "The last n characters; with a negative n all but the first -n.",
        "right('eau2', 1) = '2'",
        (VARCHAR, BIGINT),
        VARCHAR,
        _by_formula(pl.String(), _right),
    ),
    Function(
        "replace",
        "text",
        "replace(text, old, new)",
        "With every occurrence of old replaced.",
        "replace('eau2', '2', '') = 'eau'",
        _bind_constants("replace(text, old, new)", 1),
        _lower_replace,
    ),
    Function(
        "translate",
        "text",
        "translate(text, from, to)",
        "With each character of from replaced by the one at the same place in to, or removed.",
        "translate('eau', 'ae', 'b') = 'bu'",
        _bind_constants("translate(text, from, to)", 1, 2),
        _lower_translate,
    ),
    _text(
        "reverse",
        "reverse(text)",
        "The characters in reverse order.",
        "reverse('eau') = 'uae'",
        _ONE,
        VARCHAR,
        values(lambda x: x.str.reverse()),
    ),
    _text(
        "repeat",
        "repeat(text, n)",
        "The text n times.",
        "repeat('ab', 2) = 'abab'",
        (VARCHAR, BIGINT),
        VARCHAR,
        _by_formula(pl.String(), _repeat),
    ),
    _text(
        "lpad",
        "lpad(text, length, fill)",
        "Filled at the start to a length, or cut to it.",
        "lpad('7', 3, '0') = '007'",
        (VARCHAR, INTEGER, VARCHAR),
        VARCHAR,
        _pad(at_start=True),
        fails=True,
    ),
    _text(
        "rpad",
        "rpad(text, length, fill)",
        "Filled at the end to a length, or cut to it.",
        "rpad('7', 3, '.') = '7..'",
        (VARCHAR, INTEGER, VARCHAR),
        VARCHAR,
        _pad(at_start=False),
        fails=True,
    ),
    _text(
        "instr",
        "instr(text, part)",
        "Where the part first occurs, from 1; 0 if it does not.",
        "instr('eau2', 'u') = 3",
        _TWO,
        BIGINT,
        _by_formula(pl.Int64(), _position),
        aliases=("position", "strpos"),
    ),
    _text(
        "starts_with",
        "starts_with(text, part)",
        "Whether the text starts with the part.",
        "starts_with('eau2', 'eau')",
        _TWO,
        BOOLEAN,
        values(lambda x, p: x.str.starts_with(p)),
        aliases=("prefix",),
    ),
    _text(
        "ends_with",
        "ends_with(text, part)",
        "Whether the text ends with the part.",
        "ends_with('eau2', '2')",
        _TWO,
        BOOLEAN,
        values(lambda x, p: x.str.ends_with(p)),
        aliases=("suffix",),
    ),
    _text(
        "contains",
        "contains(text, part)",
        "Whether the part occurs in the text.",
        "contains('eau2', 'au')",
        _TWO,
        BOOLEAN,
        values(lambda x, p: x.str.contains(p, literal=True)),
    ),
    _text(
        "split_part",
        "split_part(text, separator, n)",
        "The n-th part between separators; a negative n counts from the end.",
        "split_part('a.b.c', '.', 2) = 'b'",
        (VARCHAR, VARCHAR, BIGINT),
        VARCHAR,
        _by_formula(pl.String(), _split_part),
    ),
    _text(
        "ascii",
        "ascii(text)",
        "The code point of the first character; 0 for an empty text.",
        "ascii('a') = 97",
        _ONE,
        INTEGER,
        _first_code(0),
    ),
    _text(
        "unicode",
        "unicode(text)",
        "The code point of the first character; -1 for an empty text.",
        "unicode('é') = 233",
        _ONE,
        INTEGER,
        _first_code(-1),
        aliases=("ord",),
    ),
    _text(
        "chr",
        "chr(code)",
        "The character with this code point.",
        "chr(233) = 'é'",
        (INTEGER,),
        VARCHAR,
        _lower_chr,
        fails=True,
    ),
)
