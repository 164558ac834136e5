"""LIKE, ILIKE and regular expressions.

Owns: the translation of patterns into the kernels' regular expressions, which know Unicode classes
where DuckDB's know ASCII.
Does not know: other functions on strings (strings.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.coercion import coerce, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Scope, batchwise
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.letter_case import lower, lower_text
from eau2.types import BIGINT, BOOLEAN, VARCHAR

_ASCII_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}


def _text(name: str, arg: Expr) -> Expr:
    if is_null(arg) or arg.type == VARCHAR:
        return coerce(arg, VARCHAR)
    raise mismatch(name, (arg,), "Cast it to VARCHAR.")


def _constant(name: str, arg: Expr, what: str) -> Literal:
    if isinstance(arg, Literal) and isinstance(arg.value, str):
        return arg
    raise NotSupportedError(f"the {what} of {name} must be a string constant")


def bind_like(name: str, args: tuple[Expr, ...]) -> Expr:
    """LIKE (`name` "like") or ILIKE, with an escape as a third argument."""
    if len(args) not in (2, 3):
        raise mismatch(name, args, f"It is written x {name.upper()} pattern.")
    value = _text(name, args[0])
    if is_null(args[1]) or is_null(args[0]):
        return Literal(BOOLEAN, None)
    pattern = _text(name, args[1])
    escape = _constant(name.upper(), args[2], "escape") if len(args) == 3 else None
    if _is_pattern(pattern):
        assert isinstance(pattern, Literal)
        like_parts(str(pattern.value), str(escape.value) if escape else "")
    return Call(BOOLEAN, name, (value, pattern, *((escape,) if escape else ())))


def like_parts(pattern: str, escape: str) -> list[str | None]:
    """The pattern as literal texts, None for `%` and "" for `_`.

    Raises TypeMismatchError for an escape that is no single character or ends the pattern.
    """
    if len(escape) > 1:
        raise TypeMismatchError("the escape of LIKE must be one character or empty")
    parts: list[str | None] = []
    rest = iter(pattern)
    literal = ""
    for char in rest:
        if char == escape:
            following = next(rest, None)
            if following is None:
                raise TypeMismatchError("the pattern of LIKE ends with its escape character")
            literal += following
        elif char in "%_":
            parts += [literal] if literal else []
            literal = ""
            parts.append(None if char == "%" else "")
        else:
            literal += char
    return [*parts, literal] if literal else parts


def like_regex(parts: list[str | None]) -> str:
    """The regular expression that matches the whole text."""
    written = {None: ".*", "": "."}
    return r"(?s)\A" + "".join(written.get(p) or re.escape(str(p)) for p in parts) + r"\z"


def _lower_like(call: Call, scope: Scope) -> pl.Expr:
    value = scope.lower(call.args[0])
    if not _is_pattern(call.args[1]):
        return _matches(value, scope.lower(call.args[1]), _escape(call))
    parts = _call_parts(call)
    match parts:
        case []:
            return value == ""
        case [None]:
            return pl.when(value.is_not_null()).then(pl.lit(True))
        case [str(text)] if text:
            return value == text
        case [str(text), None] if text:
            return value.str.starts_with(text)
        case [None, str(text)] if text:
            return value.str.ends_with(text)
        case [None, str(text), None] if text:
            return value.str.contains(text, literal=True)
        case _:
            return value.str.contains(like_regex(parts))


def _is_pattern(expr: Expr) -> bool:
    """Whether the pattern is known before rows are seen. (Rules may have made a NULL of it.)"""
    return isinstance(expr, Literal) and expr.value is not None


def _call_parts(call: Call) -> list[str | None]:
    pattern = call.args[1]
    assert isinstance(pattern, Literal)
    return like_parts(str(pattern.value), _escape(call))


def _escape(call: Call) -> str:
    escape = call.args[2] if len(call.args) > 2 else None
    return str(escape.value) if isinstance(escape, Literal) else ""


def _matches(value: pl.Expr, pattern: pl.Expr, escape: str) -> pl.Expr:
    """LIKE with patterns that vary by row: each distinct one is translated once for a batch."""

    def compute(frame: pl.DataFrame) -> pl.Series:
        distinct = frame.get_column("1").drop_nulls().unique()
        written = [like_regex(like_parts(one, escape)) for one in distinct.to_list()]
        expressions = pl.DataFrame({"1": distinct, "regex": pl.Series(written, dtype=pl.String())})
        rows = frame.join(expressions, on="1", how="left", maintain_order="left")
        return rows.select(pl.col("0").str.contains(pl.col("regex"))).to_series()

    return batchwise(pl.Boolean(), compute, value, pattern)


def _lower_ilike(call: Call, scope: Scope) -> pl.Expr:
    """LIKE over both sides in lower case, as DuckDB compares."""
    value = lower(scope.lower(call.args[0]))
    if not _is_pattern(call.args[1]):
        return _matches(value, lower(scope.lower(call.args[1])), _escape(call))
    lowered = [lower_text(part) if part else part for part in _call_parts(call)]
    return value.str.contains(like_regex(lowered))


def _ascii_regex(pattern: str) -> str:
    r"""The pattern with \d, \w, \s and \b as ASCII classes.

    Raises NotSupportedError for what the kernels cannot do as DuckDB does.
    """
    written, in_class, i = [], False, 0
    while i < len(pattern):
        char = pattern[i]
        if char == "\\" and i + 1 < len(pattern):
            code = pattern[i + 1]
            written.append(_ascii_escape(code, in_class))
            i += 2
            continue
        if char == "[" and not in_class:
            in_class = True
        elif char == "]" and in_class and pattern[i - 1] not in "[":
            in_class = False
        elif char in "&~" and in_class and pattern[i : i + 2] == char * 2:
            written.append("\\")
        written.append(char)
        i += 1
    translated = "".join(written)
    try:
        pl.Series([""]).str.contains(translated)
    except pl.exceptions.ComputeError as error:
        text = f"not a regular expression: {pattern!r}: {error}"
        raise TypeMismatchError(text) from error
    return translated


def _ascii_escape(code: str, in_class: bool) -> str:
    ascii_class = _ASCII_CLASSES.get(code.lower())
    if ascii_class is not None:
        negated = code.isupper()
        if in_class:
            if negated:
                raise NotSupportedError(f"\\{code} inside [] is not supported")
            return ascii_class
        return f"[{'^' if negated else ''}{ascii_class}]"
    if code in "bB":
        return f"(?-u:\\{code})" if code == "b" else "\\B"
    if code in "QEC" or code.isdigit():
        raise NotSupportedError(f"\\{code} in a regular expression is not supported")
    return f"\\{code}"


def _flags(name: str, args: tuple[Expr, ...], position: int, allowed: str) -> str:
    if len(args) <= position:
        return ""
    flags = str(_constant(name, args[position], "options").value)
    for flag in flags:
        if flag not in allowed:
            raise NotSupportedError(f"the option {flag!r} of {name} is not supported")
    return flags


def _regex(name: str, arg: Expr, flags: str) -> Literal:
    pattern = _ascii_regex(str(_constant(name, arg, "pattern").value))
    modes = "s" if "s" in flags else ""
    modes += "i" if "i" in flags else ""
    return Literal(VARCHAR, f"(?{modes})(?:{pattern})" if modes else f"(?:{pattern})")


def text_argument(name: str, arg: Expr) -> Expr:
    """An argument that must be a text, or NULL."""
    return _text(name, arg)


def regex_argument(name: str, args: tuple[Expr, ...], options: int) -> Literal:
    """The second argument as a regular expression of the kernels, by the options at a position."""
    return _regex(name, args[1], _flags(name, args, options, "icns"))


def bind_matches(whole: bool) -> Callable[[str, tuple[Expr, ...]], Expr]:
    """How a test with a regular expression is bound, over the whole text or a part of it."""

    def bind(name: str, args: tuple[Expr, ...]) -> Expr:
        if len(args) not in (2, 3):
            raise mismatch(name, args, f"It is written {name}(text, pattern[, options]).")
        if is_null(args[1]):
            return Literal(BOOLEAN, None)
        regex = _regex(name, args[1], _flags(name, args, 2, "icns"))
        if whole:
            regex = Literal(VARCHAR, rf"\A(?:{regex.value})\z")
        return Call(BOOLEAN, name, (_text(name, args[0]), regex))

    return bind


def _lower_matches(call: Call, scope: Scope) -> pl.Expr:
    value, regex = call.args
    assert isinstance(regex, Literal)
    return scope.lower(value).str.contains(str(regex.value))


def _bind_regexp_replace(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) not in (3, 4):
        raise mismatch(name, args, f"It is written {name}(text, pattern, by[, options]).")
    flags = _flags(name, args, 3, "icnsg")
    replacement = str(_constant(name, args[2], "replacement").value)
    dollar = re.sub(r"\\([0-9])", r"${\1}", replacement.replace("$", "$$"))
    by = Literal(VARCHAR, dollar.replace("\\\\", "\\"))
    everywhere = Literal(BOOLEAN, "g" in flags)
    return Call(VARCHAR, name, (_text(name, args[0]), _regex(name, args[1], flags), by, everywhere))


def _lower_regexp_replace(call: Call, scope: Scope) -> pl.Expr:
    value, regex, by, everywhere = call.args
    assert isinstance(regex, Literal)
    assert isinstance(by, Literal)
    assert isinstance(everywhere, Literal)
    text = scope.lower(value)
    if everywhere.value:
        return text.str.replace_all(str(regex.value), str(by.value))
    return text.str.replace(str(regex.value), str(by.value))


def _bind_regexp_extract(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) not in (2, 3, 4):
        raise mismatch(name, args, f"It is written {name}(text, pattern[, group[, options]]).")
    group = args[2] if len(args) > 2 else Literal(BIGINT, 0)
    if not isinstance(group, Literal) or not isinstance(group.value, int):
        raise NotSupportedError(f"the group of {name} must be a number constant")
    regex = _regex(name, args[1], _flags(name, args, 3, "icns"))
    if not 0 <= group.value <= count_groups(str(regex.value)):
        raise TypeMismatchError(f"the pattern of {name} has no group {group.value}")
    return Call(VARCHAR, name, (_text(name, args[0]), regex, Literal(BIGINT, group.value)))


def count_groups(regex: str) -> int:
    """The number of groups that capture."""
    dtype = pl.Series([""]).str.extract_groups(regex).dtype
    return len(dtype.fields) if isinstance(dtype, pl.Struct) else 0


def _lower_regexp_extract(call: Call, scope: Scope) -> pl.Expr:
    value, regex, group = call.args
    assert isinstance(regex, Literal)
    assert isinstance(group, Literal)
    assert isinstance(group.value, int)
    text = scope.lower(value)
    found = text.str.extract(str(regex.value), group.value).fill_null("")
    return pl.when(text.is_not_null()).then(found)


FUNCTIONS = (
    Function(
        "like",
        "pattern",
        "x LIKE pattern [ESCAPE c]",
        "Whether the whole text matches: % is any text, _ any character.",
        "'eau2' LIKE 'e%_'",
        bind_like,
        _lower_like,
        operator=True,
    ),
    Function(
        "ilike",
        "pattern",
        "x ILIKE pattern [ESCAPE c]",
        "LIKE without regard to case.",
        "'EAU2' ILIKE 'e%'",
        bind_like,
        _lower_ilike,
        operator=True,
    ),
    Function(
        "regexp_matches",
        "pattern",
        "regexp_matches(text, pattern[, options])",
        "Whether the regular expression matches somewhere in the text.",
        "regexp_matches('eau2', '[0-9]')",
        bind_matches(False),
        _lower_matches,
    ),
    Function(
        "regexp_full_match",
        "pattern",
        "regexp_full_match(text, pattern[, options])",
        "Whether the regular expression matches the whole text.",
        "regexp_full_match('eau2', '[a-z]+[0-9]')",
        bind_matches(True),
        _lower_matches,
    ),
    Function(
        "regexp_replace",
        "pattern",
        "regexp_replace(text, pattern, by[, options])",
        "The text with the first match replaced, or with the option 'g' every match.",
        "regexp_replace('eau2', '[aeu]', '-', 'g') = '---2'",
        _bind_regexp_replace,
        _lower_regexp_replace,
    ),
    Function(
        "regexp_extract",
        "pattern",
        "regexp_extract(text, pattern[, group])",
        "The first match or one of its groups; empty when there is none.",
        "regexp_extract('eau2', '[0-9]+') = '2'",
        _bind_regexp_extract,
        _lower_regexp_extract,
    ),
)
