"""Texts to lists and back: splitting, all matches of a regular expression, joining.

Owns: these functions. Comes in: bound calls. Goes out: Polars expressions.
Does not know: how regular expressions are translated (patterns.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from eau2.errors import NotSupportedError, TypeMismatchError
from eau2.operators.coercion import cast, coerce, is_null
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.checks import Scope
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.list_calls import as_list, by_columns, list_function
from eau2.operators.functions.patterns import count_groups, regex_argument, text_argument
from eau2.types import BIGINT, NULL, VARCHAR, list_of

Columns = Sequence[pl.Series]
_TEXTS = list_of(VARCHAR)
_CHARACTER = "(?s)."
_CONTEXT = re.compile(r"(?<!\\)(?:\\\\)*(?:[\^$]|\\[bBAz])")
"""What matches by the text around it: a group cannot be found in the match alone."""


def _frame(columns: Columns) -> pl.DataFrame:
    return pl.DataFrame([column.alias(str(n)) for n, column in enumerate(columns)])


def _bind_split(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written {name}(text, separator).")
    return Call(_TEXTS, name, tuple(text_argument(name, arg) for arg in args))


def _split(call: Call, columns: Columns) -> pl.Series:
    """An empty separator gives characters; NULL splits nothing."""
    text, separator = pl.col("0"), pl.col("1")
    split = text.str.split(separator.fill_null("\x00"))
    whole = pl.concat_list(text)
    characters = text.str.extract_all(_CHARACTER)
    parts = pl.when(separator.is_null()).then(whole).when(separator == "").then(characters)
    return (
        _frame(columns).select(pl.when(text.is_not_null()).then(parts.otherwise(split))).to_series()
    )


def _bind_split_regex(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) not in (2, 3):
        raise mismatch(name, args, f"It is written {name}(text, pattern[, options]).")
    text = text_argument(name, args[0])
    if is_null(args[1]):
        return Call(_TEXTS, "string_split", (text, Literal(VARCHAR, None)))
    regex = regex_argument(name, args, 2)
    if isinstance(args[1], Literal) and args[1].value == "":
        return Call(_TEXTS, "string_split", (text, Literal(VARCHAR, "")))
    _refuse_empty(name, regex)
    return Call(_TEXTS, name, (text, regex))


def _refuse_empty(name: str, regex: Literal) -> None:
    """The kernels and DuckDB find other matches of no characters."""
    bare = _CONTEXT.sub("", str(regex.value))
    try:
        matches = pl.Series([""]).str.contains(bare).item()
    except pl.exceptions.ComputeError:
        matches = True
    if matches:
        raise NotSupportedError(f"a pattern of {name} that matches the empty text is not supported")


def _lower_split_regex(call: Call, scope: Scope) -> pl.Expr:
    text, regex = call.args
    assert isinstance(regex, Literal)
    return scope.lower(text).str.split(str(regex.value), literal=False)


def _bind_extract_all(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) not in (2, 3, 4):
        raise mismatch(name, args, f"It is written {name}(text, pattern[, group[, options]]).")
    text = text_argument(name, args[0])
    if is_null(args[1]):
        return Literal(_TEXTS, None)
    group = args[2] if len(args) > 2 else Literal(BIGINT, 0)
    if not isinstance(group, Literal) or not isinstance(group.value, int):
        raise NotSupportedError(f"the group of {name} must be a number constant")
    regex = regex_argument(name, args, 3)
    if not 0 <= group.value <= count_groups(str(regex.value)):
        raise TypeMismatchError(f"the pattern of {name} has no group {group.value}")
    _refuse_empty(name, regex)
    if group.value and _CONTEXT.search(str(regex.value)):
        raise NotSupportedError(
            f"a group of a pattern with ^, $ or \\b in {name} is not supported",
        )
    return Call(_TEXTS, name, (text, regex, Literal(BIGINT, group.value)))


def _lower_extract_all(call: Call, scope: Scope) -> pl.Expr:
    text, regex, group = call.args
    assert isinstance(regex, Literal)
    assert isinstance(group, Literal)
    found = scope.lower(text).str.extract_all(str(regex.value))
    if not group.value:
        return found
    part = pl.element().str.extract(str(regex.value), int(group.value))
    return found.list.eval(part)


def _bind_joined(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written {name}(list, separator).")
    lists = as_list(name, args[0], args)
    separator = text_argument(name, args[1])
    if lists.type == list_of(NULL):
        return Call(VARCHAR, name, (coerce(lists, _TEXTS), separator))
    return Call(VARCHAR, name, (cast(lists, _TEXTS), separator))


def _joined(call: Call, columns: Columns) -> pl.Series:
    """The texts of the elements that are not NULL; NULL if there are elements and all are NULL."""
    lists, separator = pl.col("0"), pl.col("1").fill_null("")
    there = lists.list.drop_nulls()
    nothing = (there.list.len() == 0) & (lists.list.len() > 0)
    joined = there.list.join(separator)
    return _frame(columns).select(pl.when(~nothing).then(joined)).to_series()


FUNCTIONS: tuple[Function, ...] = (
    list_function(
        "string_split",
        "string_split(text, separator)",
        "The parts of the text between separators.",
        "string_split('a-b', '-') = ['a', 'b']",
        _bind_split,
        by_columns(_split),
        aliases=("str_split", "string_to_array", "split"),
        null_rule="own",
    ),
    list_function(
        "string_split_regex",
        "string_split_regex(text, pattern[, options])",
        "The parts of the text between the matches of a regular expression.",
        "string_split_regex('a1b', '[0-9]') = ['a', 'b']",
        _bind_split_regex,
        _lower_split_regex,
        aliases=("str_split_regex", "regexp_split_to_array"),
    ),
    list_function(
        "regexp_extract_all",
        "regexp_extract_all(text, pattern[, group[, options]])",
        "Every match of a regular expression, or of one of its groups.",
        "regexp_extract_all('a1b2', '[0-9]') = ['1', '2']",
        _bind_extract_all,
        _lower_extract_all,
    ),
    list_function(
        "array_to_string",
        "array_to_string(list, separator)",
        "The texts of the elements, joined; NULL elements are left out.",
        "array_to_string([1, 2], '-') = '1-2'",
        _bind_joined,
        by_columns(_joined),
        null_rule="own",
    ),
)
