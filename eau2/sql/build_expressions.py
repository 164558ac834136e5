"""The grammar's expression rules as actions: each makes one node of the syntax tree.

Owns: one function for each action name of the grammar's section on expressions. Comes in: a span
and the values of the parts. Goes out: ast nodes. Does not know: tokens, states, the rest of SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal as OneOf
from typing import Any

from eau2.errors import Span, SqlSyntaxError
from eau2.sql import ast

Expression = ast.Expression

REFUSED = {
    "refuse_collate": "COLLATE",
    "refuse_exists": "EXISTS",
    "refuse_filter": "FILTER after an aggregate",
    "refuse_group_by_all": "GROUP BY ALL",
    "refuse_grouping_sets": "GROUPING SETS",
    "refuse_lambda": "A lambda",
    "refuse_list": "A list",
    "refuse_method": "A function call with a point",
    "refuse_named_argument": "A named argument",
    "refuse_order_by_all": "ORDER BY ALL",
    "refuse_ordered_aggregate": "ORDER BY in an aggregate",
    "refuse_pattern": "GLOB or SIMILAR TO",
    "refuse_prefixed_string": "A string with a prefix",
    "refuse_quantified": "ANY or ALL after a comparison",
    "refuse_row": "A row of several values",
    "refuse_star_changes": "EXCLUDE or REPLACE after *",
    "refuse_struct": "A struct",
    "refuse_subquery": "A subquery in an expression",
    "refuse_subscript": "A subscript",
    "refuse_time_zone": "AT TIME ZONE",
    "refuse_window": "A window function (OVER)",
}
"""Actions that make an Unsupported expression, and what its message speaks of."""

CHAINS = ("all_of", "any_of")
LEVEL_CHAIN = 8
"""Up to so many terms a chain of AND leans to the left as written; longer, it is balanced."""


def refused(what: str) -> Callable[..., Expression]:
    """The action that stands for an expression eau2 does not have."""
    return lambda span, *parts: ast.Unsupported(span, what)


def chain_depth(count: int) -> int:
    """How many levels the tree of a chain of `count` terms has."""
    return count - 1 if count <= LEVEL_CHAIN else count.bit_length()


def _chain(operator: str, terms: tuple[Expression, ...]) -> Expression:
    """The terms joined by an associative operator, thousands of them in a tree of few levels."""
    if len(terms) <= LEVEL_CHAIN:
        tree = terms[0]
        for term in terms[1:]:
            tree = ast.Binary(Span(tree.span.start, term.span.end), operator, tree, term)
        return tree
    half = (len(terms) + 1) // 2
    left, right = _chain(operator, terms[:half]), _chain(operator, terms[half:])
    return ast.Binary(Span(left.span.start, right.span.end), operator, left, right)


def any_of(span: Span, *terms: Expression) -> Expression:
    return _chain("or", terms)


def all_of(span: Span, *terms: Expression) -> Expression:
    return _chain("and", terms)


def not_(span: Span, operand: Expression) -> Expression:
    return ast.Unary(span, "not", operand)


SPELLINGS = {"==": "=", "!=": "<>", "^": "**"}


def binary(span: Span, left: Expression, sign: str, right: Expression) -> Expression:
    if isinstance(right, ast.Unsupported) and right.what == REFUSED["refuse_quantified"]:
        return right
    return ast.Binary(span, SPELLINGS.get(sign, sign), left, right)


def chained(span: Span, left: Expression, sign: str, right: Expression) -> Expression:
    raise SqlSyntaxError(
        "Comparisons cannot be chained",
        span=Span(left.span.end, right.span.start),
        hint="Join two comparisons with AND.",
    )


def is_distinct(span: Span, left: Expression, right: Expression) -> Expression:
    return ast.Binary(span, "is distinct from", left, right)


def is_not_distinct(span: Span, left: Expression, right: Expression) -> Expression:
    return ast.Binary(span, "is not distinct from", left, right)


def is_test(what: str, negated: bool) -> Callable[[Span, Expression], Expression]:
    """The action of IS [NOT] what."""
    return lambda span, operand: ast.IsTest(span, operand, what, negated)


def between(span: Span, operand: Expression, low: Expression, high: Expression) -> Expression:
    return ast.Between(span, operand, low, high, False)


def not_between(span: Span, operand: Expression, low: Expression, high: Expression) -> Expression:
    return ast.Between(span, operand, low, high, True)


def like_test(ignore_case: bool, negated: bool) -> Callable[..., Expression]:
    """The action of [NOT] LIKE and ILIKE."""
    return lambda span, operand, pattern, escape: ast.Like(
        span, operand, pattern, escape, ignore_case, negated
    )


Members = tuple[Expression, ...] | ast.Unsupported


def members(span: Span, *items: Expression) -> Members:
    return items


def in_(span: Span, operand: Expression, items: Members) -> Expression:
    return items if isinstance(items, ast.Unsupported) else ast.In(span, operand, items, False)


def not_in(span: Span, operand: Expression, items: Members) -> Expression:
    return items if isinstance(items, ast.Unsupported) else ast.In(span, operand, items, True)


def concatenate(span: Span, left: Expression, right: Expression) -> Expression:
    return ast.Binary(span, "||", left, right)


def unary(span: Span, sign: str, operand: Expression) -> Expression:
    return ast.Unary(span, sign, operand)


def parentheses(span: Span, inner: Expression) -> Expression:
    return inner


def number(span: Span, text: str) -> ast.Constant:
    text = text.replace("_", "")
    kind: OneOf["integer", "decimal", "float"] = "integer"
    if "e" in text or "E" in text:
        kind = "float"
    elif "." in text:
        kind = "decimal"
    return ast.Constant(span, kind, text)


def unquoted(text: str) -> str:
    """What a string says: '...' with doubled quotes, or $tag$...$tag$."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    tag = text.index("$", 1) + 1
    return text[tag:-tag]


def string(span: Span, text: str) -> ast.Constant:
    return ast.Constant(span, "string", unquoted(text))


def string_text(span: Span, text: str) -> str:
    return unquoted(text)


def true_constant(span: Span, *word: str) -> ast.Constant:
    return ast.Constant(span, "boolean", "true")


def false_constant(span: Span) -> ast.Constant:
    return ast.Constant(span, "boolean", "false")


def null(span: Span) -> ast.Constant:
    return ast.Constant(span, "null", "")


def quoted_name(span: Span, text: str) -> str:
    return text[1:-1].replace('""', '"')


def path(span: Span, part: str) -> list[str]:
    return [part]


def longer_path(span: Span, parts: list[str], part: str) -> list[str]:
    parts.append(part)
    return parts


def column(span: Span, parts: list[str]) -> Expression:
    return ast.Name(span, tuple(parts))


def typed_constant(span: Span, type_name: str, text: str) -> Expression:
    return ast.TypedConstant(span, ast.TypeName(span, type_name.lower()), unquoted(text))


UNITS = {"centuries": "century", "millennia": "millennium"}


def _unit(word: str) -> str:
    word = word.lower()
    return UNITS.get(word, word.removesuffix("s"))


def interval(span: Span, amount: Expression, unit: str | None = None) -> Expression:
    return ast.IntervalConstant(span, amount, None if unit is None else _unit(unit))


def case(span: Span, operand: Expression | None, *parts: Any) -> Expression:
    *branches, otherwise = parts
    return ast.CaseWhen(span, operand, tuple(branches), otherwise)


def when(span: Span, condition: Expression, value: Expression) -> tuple[Expression, Expression]:
    return condition, value


def cast(span: Span, operand: Expression, type_name: ast.TypeName) -> Expression:
    return ast.CastTo(span, operand, type_name, False)


def try_cast(span: Span, operand: Expression, type_name: ast.TypeName) -> Expression:
    return ast.CastTo(span, operand, type_name, True)


def type_(span: Span, name: str, numbers: tuple[int, ...] | None) -> ast.TypeName:
    return ast.TypeName(span, name.lower(), numbers or ())


def type_numbers(span: Span, *numbers: str) -> tuple[int, ...]:
    if not all(one.isdecimal() for one in numbers):
        raise SqlSyntaxError("A type's parameters are whole numbers", span=span)
    return tuple(int(one[:9]) for one in numbers)


def type_precision(span: Span, name: str) -> ast.TypeName:
    return ast.TypeName(span, "double" if name.lower() == "double" else f"{name.lower()} precision")


def type_varying(span: Span, name: str, numbers: tuple[int, ...] | None) -> ast.TypeName:
    plain = "varchar" if name.lower() in ("character", "char") else f"{name.lower()} varying"
    return ast.TypeName(span, plain, numbers or ())


def type_with_zone(span: Span, name: str) -> ast.TypeName:
    return ast.TypeName(span, f"{name.lower()} with time zone")


def type_without_zone(span: Span, name: str) -> ast.TypeName:
    return ast.TypeName(span, name.lower())


def type_list(span: Span, element: ast.TypeName) -> ast.TypeName:
    return ast.TypeName(span, f"{element.name}[]")


def extract(span: Span, part: str, operand: Expression) -> Expression:
    return ast.Extract(span, part.lower(), operand)


def position(span: Span, needle: Expression, text: Expression) -> Expression:
    return ast.FunctionCall(span, "position", (text, needle))


def substring_from(
    span: Span, text: Expression, start: Expression, length: Expression | None
) -> Expression:
    rest = () if length is None else (length,)
    return ast.FunctionCall(span, "substring", (text, start, *rest))


def substring_for(span: Span, text: Expression, length: Expression) -> Expression:
    one = ast.Constant(length.span, "integer", "1")
    return ast.FunctionCall(span, "substring", (text, one, length))


def substring_call(span: Span, arguments: tuple[Expression, ...]) -> Expression:
    return ast.FunctionCall(span, "substring", arguments)


def trim_call(span: Span, arguments: tuple[Expression, ...]) -> Expression:
    return ast.FunctionCall(span, "trim", arguments)


def trim_both(span: Span) -> str:
    return "trim"


def trim_leading(span: Span) -> str:
    return "ltrim"


def trim_trailing(span: Span) -> str:
    return "rtrim"


def trim_side_from(
    span: Span, name: str, characters: Expression | None, text: Expression
) -> Expression:
    return ast.FunctionCall(span, name, (text,) if characters is None else (text, characters))


def trim_from(span: Span, characters: Expression, text: Expression) -> Expression:
    return trim_side_from(span, "trim", characters, text)


def trim_all(span: Span, text: Expression) -> Expression:
    return trim_side_from(span, "trim", None, text)


def trim_side_arguments(span: Span, name: str, values: tuple[Expression, ...]) -> Expression:
    return ast.FunctionCall(span, name, values)


def arguments(span: Span, *values: Expression) -> tuple[Expression, ...]:
    return values


def call(span: Span, name: str, values: tuple[Expression, ...] = ()) -> Expression:
    return ast.FunctionCall(span, name.lower(), values)


def call_distinct(span: Span, name: str, values: tuple[Expression, ...]) -> Expression:
    return ast.FunctionCall(span, name.lower(), values, distinct=True)


def all_columns(span: Span) -> ast.Star:
    return ast.Star(span, None)


def call_star(span: Span, name: str, star: ast.Star) -> Expression:
    if name.lower() != "count":
        return ast.Unsupported(span, f"{name.lower()}(*)")
    return ast.FunctionCall(span, "count", (star,))


def refuse_operator(span: Span, *parts: Expression | str) -> Expression:
    sign = next(part for part in parts if isinstance(part, str))
    return ast.Unsupported(span, f"The operator {sign}")


ACTIONS: dict[str, Callable[..., Any]] = {
    **{name: refused(what) for name, what in REFUSED.items()},
    **{
        f"is_{'not_' if negated else ''}{what}": is_test(what, negated)
        for what in ("null", "true", "false", "unknown")
        for negated in (False, True)
    },
    "like": like_test(ignore_case=False, negated=False),
    "not_like": like_test(ignore_case=False, negated=True),
    "ilike": like_test(ignore_case=True, negated=False),
    "not_ilike": like_test(ignore_case=True, negated=True),
    "type": type_,
    "cast_shorthand": cast,
    **{
        action.__name__: action
        for action in (
            all_columns, all_of, any_of, arguments, between, binary, call, call_distinct,
            call_star, case, cast, chained, column, concatenate, extract, false_constant, in_,
            interval, is_distinct, is_not_distinct, longer_path, members, not_, not_between,
            not_in, null, number, parentheses, path, position, quoted_name, refuse_operator,
            string, string_text, substring_call, substring_for, substring_from, trim_all,
            trim_both, trim_call, trim_from, trim_leading, trim_side_arguments, trim_side_from,
            trim_trailing, true_constant, try_cast, type_list, type_numbers, type_precision, type_varying,
            type_with_zone, type_without_zone, typed_constant, unary, when,
        )
    },
}  # fmt: skip
