"""Searching and replacing in texts, and characters by their code points.

Owns: their signatures and DuckDB's rules for NULLs and empty texts. What Polars can search only
as a constant must be one.
Does not know: patterns (patterns.py).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Outcome, Scope, batchwise, checked, formula
from eau2.operators.functions.function import (
    Function,
    LowerCall,
    Signature,
    by_formula,
    overloads,
    strict,
    text_function,
    values,
)
from eau2.types import BIGINT, BOOLEAN, INTEGER, VARCHAR

_ONE, _TWO = (VARCHAR,), (VARCHAR, VARCHAR)


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
        return strict(lambda text, by: text)(text, scope.lower(new))

    def swap(text: pl.Expr, by: pl.Expr) -> pl.Expr:
        return text.str.replace_all(old, by.fill_null(""), literal=True)

    if isinstance(new, Literal):
        return swap(text, scope.lower(new))
    return formula(pl.String(), strict(swap), text, scope.lower(new))


def _lower_translate(call: Call, scope: Scope) -> pl.Expr:
    text = scope.lower(call.args[0])
    old, new = (_constant("translate", arg, "set") for arg in call.args[1:])
    if old is None or new is None:
        return pl.lit(None, pl.String)
    table: dict[str, str] = {}
    for position, char in enumerate(old):
        table.setdefault(char, new[position : position + 1])
    return text.str.replace_many(list(table), list(table.values())) if table else text


def _position(text: pl.Expr, part: pl.Expr) -> pl.Expr:
    head = text.str.splitn(part, 2).struct.field("field_0")
    found = text.str.contains(part, literal=True)
    return (
        pl.when(part == "")
        .then(pl.lit(1, pl.Int64))
        .when(found)
        .then(head.str.len_chars().cast(pl.Int64) + 1)
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


FUNCTIONS = (
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
    text_function(
        "instr",
        "instr(text, part)",
        "Where the part first occurs, from 1; 0 if it does not.",
        "instr('eau2', 'u') = 3",
        _TWO,
        BIGINT,
        by_formula(pl.Int64(), _position),
        aliases=("position", "strpos"),
    ),
    text_function(
        "starts_with",
        "starts_with(text, part)",
        "Whether the text starts with the part.",
        "starts_with('eau2', 'eau')",
        _TWO,
        BOOLEAN,
        values(lambda x, p: x.str.starts_with(p)),
        aliases=("prefix",),
    ),
    text_function(
        "ends_with",
        "ends_with(text, part)",
        "Whether the text ends with the part.",
        "ends_with('eau2', '2')",
        _TWO,
        BOOLEAN,
        values(lambda x, p: x.str.ends_with(p)),
        aliases=("suffix",),
    ),
    text_function(
        "contains",
        "contains(text, part)",
        "Whether the part occurs in the text.",
        "contains('eau2', 'au')",
        _TWO,
        BOOLEAN,
        values(lambda x, p: x.str.contains(p, literal=True)),
    ),
    text_function(
        "split_part",
        "split_part(text, separator, n)",
        "The n-th part between separators; a negative n counts from the end.",
        "split_part('a.b.c', '.', 2) = 'b'",
        (VARCHAR, VARCHAR, BIGINT),
        VARCHAR,
        by_formula(pl.String(), _split_part),
    ),
    text_function(
        "ascii",
        "ascii(text)",
        "The code point of the first character; 0 for an empty text.",
        "ascii('a') = 97",
        _ONE,
        INTEGER,
        _first_code(0),
    ),
    text_function(
        "unicode",
        "unicode(text)",
        "The code point of the first character; -1 for an empty text.",
        "unicode('é') = 233",
        _ONE,
        INTEGER,
        _first_code(-1),
        aliases=("ord",),
    ),
    text_function(
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
