"""Operators of patterns beside LIKE: GLOB, SIMILAR TO, ~ and ^@.

Owns: what a GLOB pattern matches; that the others are calls of functions under another spelling.
Does not know: LIKE and regular expressions themselves (patterns.py).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from eau2.operators.coercion import coerce, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Scope, batchwise
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.patterns import bind_like, bind_matches
from eau2.types import BOOLEAN, VARCHAR

_NEVER = r"[^\s\S]"
"""A regular expression that matches nothing."""


def _bind_glob(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2 or not all(is_null(arg) or arg.type == VARCHAR for arg in args):
        raise mismatch("GLOB", args, "Cast the operands to VARCHAR.")
    if any(is_null(arg) for arg in args):
        return Literal(BOOLEAN, None)
    return Call(BOOLEAN, name, tuple(coerce(arg, VARCHAR) for arg in args))


def _lower_glob(call: Call, scope: Scope) -> pl.Expr:
    value, pattern = call.args
    text = scope.lower(value)
    if isinstance(pattern, Literal):
        if pattern.value is None:
            return pl.lit(None, pl.Boolean)
        return text.str.contains(glob_regex(str(pattern.value)))
    return batchwise(pl.Boolean(), _matched, text, scope.lower(pattern))


def _matched(frame: pl.DataFrame) -> pl.Series:
    """With patterns that vary by row: each distinct one is translated once for a batch."""
    distinct = frame.get_column("1").drop_nulls().unique()
    written = [glob_regex(pattern) for pattern in distinct.to_list()]
    table = pl.DataFrame({"1": distinct, "regex": pl.Series(written, dtype=pl.String())})
    rows = frame.join(table, on="1", how="left", maintain_order="left")
    return rows.select(pl.col("0").str.contains(pl.col("regex"))).to_series()


def glob_regex(pattern: str) -> str:
    """The regular expression that matches the same whole texts."""
    written, position = [], 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            written.append(".*")
        elif char == "?":
            written.append(".")
        elif char == "[":
            members, position = _members(pattern, position)
            if members is None:
                return _NEVER
            written.append(members)
        elif char == "\\":
            if position == len(pattern):
                return _NEVER
            written.append(_code(pattern[position]))
            position += 1
        else:
            written.append(_code(char))
    return rf"(?s)\A{''.join(written)}\z"


def _members(pattern: str, position: int) -> tuple[str | None, int]:
    """A set in brackets, and where it ends; None for one without an end."""
    inverted = pattern[position : position + 1] == "!"
    position += inverted
    start = position
    parts: list[str] = []
    while position < len(pattern):
        char = pattern[position]
        if char == "]" and position > start:
            if not parts:
                return ("." if inverted else _NEVER), position + 1
            return f"[{'^' if inverted else ''}{''.join(parts)}]", position + 1
        end = pattern[position + 2 : position + 3]
        if pattern[position + 1 : position + 2] == "-" and end not in ("", "]"):
            if char <= end:
                parts.append(f"{_code(char)}-{_code(end)}")
            position += 3
        else:
            parts.append(_code(char))
            position += 1
    return None, position


def _code(char: str) -> str:
    return rf"\x{{{ord(char):x}}}"


def _bind_match(
    function: str, negated: bool, flags: str
) -> Callable[[str, tuple[Expr, ...]], Expr]:
    """A regular expression as an operator."""

    def bind(name: str, args: tuple[Expr, ...]) -> Expr:
        options = (Literal(VARCHAR, flags),) if flags else ()
        whole = function == "regexp_full_match"
        call = bind_matches(whole)(function, (*args, *options))
        return Call(BOOLEAN, "not", (call,)) if negated else call

    return bind


def _bind_starts(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2 or not all(is_null(arg) or arg.type == VARCHAR for arg in args):
        raise mismatch(name, args, "Cast the operands to VARCHAR.")
    return Call(BOOLEAN, "starts_with", tuple(coerce(arg, VARCHAR) for arg in args))


def _unreached(call: Call, scope: Scope) -> pl.Expr:
    raise AssertionError(f"{call.function} is bound to a function")


def _operator(
    name: str, syntax: str, summary: str, example: str, bind: Callable[..., Expr]
) -> Function:
    return Function(name, "pattern", syntax, summary, example, bind, _unreached, operator=True)


def _bind_escape(ignore_case: bool, negated: bool) -> Callable[[str, tuple[Expr, ...]], Expr]:
    def bind(name: str, args: tuple[Expr, ...]) -> Expr:
        if len(args) != 3:
            raise mismatch(name, args, f"It is written {name}(text, pattern, escape).")
        call = bind_like("ilike" if ignore_case else "like", args)
        return Call(BOOLEAN, "not", (call,)) if negated else call

    return bind


def _with_escape(ignore_case: bool, negated: bool) -> Function:
    """LIKE with its escape character, as a function."""
    word = f"{'i' if ignore_case else ''}like"
    name = f"{'not_' if negated else ''}{word}_escape"
    return Function(
        name,
        "pattern",
        f"{name}(text, pattern, escape)",
        f"The same as text {'NOT ' if negated else ''}{word.upper()} pattern ESCAPE escape.",
        f"{name}('{'eau' if negated else '5%'}', '%$%', '$')",
        _bind_escape(ignore_case, negated),
        _unreached,
    )


FUNCTIONS = (
    *(_with_escape(case, negated) for case in (False, True) for negated in (False, True)),
    Function(
        "glob",
        "pattern",
        "x GLOB pattern",
        "Whether the whole text matches: * is any text, ? any character, [a-z] one of them.",
        "'eau2' GLOB 'e*[0-9]'",
        _bind_glob,
        _lower_glob,
        operator=True,
    ),
    _operator(
        "similar to",
        "x SIMILAR TO pattern",
        "Whether the regular expression matches the whole text.",
        "'eau2' SIMILAR TO '[a-z]+[0-9]'",
        _bind_match("regexp_full_match", False, ""),
    ),
    _operator(
        "~",
        "x ~ pattern",
        "Whether the regular expression matches somewhere in the text.",
        "'eau2' ~ '[0-9]'",
        _bind_match("regexp_matches", False, ""),
    ),
    _operator(
        "!~",
        "x !~ pattern",
        "Whether the regular expression matches nowhere in the text.",
        "'eau' !~ '[0-9]'",
        _bind_match("regexp_matches", True, ""),
    ),
    _operator(
        "~*",
        "x ~* pattern",
        "The operator ~ without regard to case.",
        "'eau' ~* 'EAU'",
        _bind_match("regexp_matches", False, "i"),
    ),
    _operator(
        "!~*",
        "x !~* pattern",
        "The operator !~ without regard to case.",
        "'eau' !~* 'B'",
        _bind_match("regexp_matches", True, "i"),
    ),
    _operator(
        "^@",
        "x ^@ part",
        "Whether the text starts with the part.",
        "'eau2' ^@ 'eau'",
        _bind_starts,
    ),
)
