"""The table of scalar functions and operators: every one is an entry of its family's file.

Owns: names and aliases, `bind` (a name and arguments to an expression), the documentation.
Does not know: how a function is computed, aggregates.
"""

from __future__ import annotations

from difflib import get_close_matches

from eau2.errors import UnknownFunctionError
from eau2.operators.expr import Expr
from eau2.operators.functions import (
    ages,
    arithmetic,
    assertions,
    bits,
    comparison,
    conditional,
    date_parts,
    dates,
    encodings,
    epochs,
    formats,
    globs,
    interval_arithmetic,
    interval_parts,
    let,
    list_aggregates,
    list_lambdas,
    list_sets,
    list_texts,
    lists,
    logic,
    mathematics,
    native,
    paths,
    patterns,
    python_differences,
    python_lists,
    python_mappings,
    python_mathematics,
    python_numbers,
    python_sequences,
    python_texts,
    python_times,
    python_values,
    readable,
    similarity,
    spans,
    special,
    strings,
    text_search,
    time_buckets,
    time_formats,
    time_parse,
    times,
    whole_numbers,
)
from eau2.operators.functions.function import Function

FUNCTIONS: tuple[Function, ...] = (
    *arithmetic.FUNCTIONS,
    *bits.FUNCTIONS,
    *comparison.FUNCTIONS,
    *logic.FUNCTIONS,
    *conditional.FUNCTIONS,
    *assertions.FUNCTIONS,
    *mathematics.FUNCTIONS,
    *special.FUNCTIONS,
    *whole_numbers.FUNCTIONS,
    *strings.FUNCTIONS,
    *text_search.FUNCTIONS,
    *paths.FUNCTIONS,
    *readable.FUNCTIONS,
    *similarity.FUNCTIONS,
    *encodings.FUNCTIONS,
    *formats.FUNCTIONS,
    *patterns.FUNCTIONS,
    *globs.FUNCTIONS,
    *date_parts.FUNCTIONS,
    *dates.FUNCTIONS,
    *spans.FUNCTIONS,
    *epochs.FUNCTIONS,
    *time_formats.FUNCTIONS,
    *time_parse.FUNCTIONS,
    *ages.FUNCTIONS,
    *time_buckets.FUNCTIONS,
    *times.FUNCTIONS,
    *interval_arithmetic.FUNCTIONS,
    *interval_parts.FUNCTIONS,
    *lists.FUNCTIONS,
    *list_sets.FUNCTIONS,
    *list_aggregates.FUNCTIONS,
    *list_texts.FUNCTIONS,
    *list_lambdas.FUNCTIONS,
    *let.FUNCTIONS,
    *native.FUNCTIONS,
)
PYTHON: tuple[Function, ...] = (
    *python_numbers.FUNCTIONS,
    *python_values.FUNCTIONS,
    *python_texts.FUNCTIONS,
    *python_lists.FUNCTIONS,
    *python_mappings.FUNCTIONS,
    *python_sequences.FUNCTIONS,
    *python_mathematics.FUNCTIONS,
    *python_times.FUNCTIONS,
    *python_differences.FUNCTIONS,
)
"""What only functions written in Python call; no text of SQL can name them."""

_OF_SQL: dict[str, Function] = {function.name: function for function in FUNCTIONS}
_BY_NAME: dict[str, Function] = _OF_SQL | {function.name: function for function in PYTHON}
_BY_ALIAS: dict[str, Function] = {
    alias: function for function in FUNCTIONS for alias in function.aliases
}


_OF_LISTS = {
    "length": "array_length",
    "||": "list_joined",
    "contains": "list_contains",
}
"""What functions of texts are called where an argument is a list."""


_SIGNS = {"&&": "list_has_any", "@>": "list_has_all", "<@": "list_has_all"}
"""Operators between lists; the last one has its sides exchanged."""


def lookup(name: str) -> Function:
    """The entry that a Call names. Raises KeyError for a name that no Call can have."""
    return _BY_NAME[name]


def find(name: str) -> Function | None:
    """The entry of a function or operator by its name or one of its other names."""
    lowered = name.lower()
    return _OF_SQL.get(lowered) or _BY_ALIAS.get(lowered)


def bind(name: str, args: tuple[Expr, ...]) -> Expr:
    """The call of a function with its implicit casts and result type made explicit.

    Raises UnknownNameError for a name that is no function, TypeMismatchError for arguments that it
    does not take, NotSupportedError for uses of it that eau2 has not; all without a span.
    """
    function = find(name)
    if name in _SIGNS and any(arg.type.is_list for arg in args):
        function = _BY_NAME[_SIGNS[name]]
        args = args[::-1] if name == "<@" else args
    if function is None:
        near = get_close_matches(name.lower(), names(), n=3, cutoff=0.6)
        hint = f"Did you mean {' or '.join(near)}?" if near else None
        raise UnknownFunctionError(f'there is no function "{name}"', hint=hint)
    if function.name in _OF_LISTS and any(arg.type.is_list for arg in args):
        function = _BY_NAME[_OF_LISTS[function.name]]
    return function.bind(function.name, args)


def names() -> tuple[str, ...]:
    """All names that can be called like a function, sorted."""
    plain = [function.name for function in FUNCTIONS if not function.operator]
    return tuple(sorted([*plain, *_BY_ALIAS]))


def documentation() -> tuple[Function, ...]:
    """Every entry that statements can name, by family and name, for the reference and the shell."""
    named = [function for function in FUNCTIONS if function.example]
    return tuple(sorted(named, key=lambda function: (function.family, function.name)))
