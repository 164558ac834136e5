"""The grammar's rules for operators, constants, types and special forms as actions.

Owns: the actions' registry, and one function for each such action name: each makes one node.
Comes in: a span and the values of the parts. Goes out: ast nodes. Does not know: tokens, states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from typing import Literal as OneOf

from eau2.errors import Span, SqlSyntaxError
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.escapes import unescaped

Expression = ast.Expression

REFUSED = {
    "refuse_arrow": "The arrow -> (a lambda is written LAMBDA x: ...)",
    "refuse_field": "A field of a struct",
    "refuse_position": "A column by its position (#1)",
    "refuse_prefixed_string": "A string with a prefix",
    "refuse_similar_escape": "ESCAPE after SIMILAR TO",
    "refuse_struct": "A struct or a map",
    "refuse_time_zone": "AT TIME ZONE",
}
"""Actions that make an Unsupported expression, and what its message speaks of."""

ACTIONS: dict[str, Callable[..., Any]] = {}
"""What the parser calls, by the name in the grammar: the span, then the values of the parts."""

Function = TypeVar("Function", bound=Callable[..., Any])


def action(function: Function) -> Function:
    """Enter a function among the actions, under its name without underscores around it."""
    ACTIONS[function.__name__.strip("_")] = function
    return function


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


@action
def _any_of(span: Span, *terms: Expression) -> Expression:
    return _chain("or", terms)


@action
def _all_of(span: Span, *terms: Expression) -> Expression:
    return _chain("and", terms)


@action
def _not(span: Span, operand: Expression) -> Expression:
    return ast.Unary(span, "not", operand)


SPELLINGS = {"==": "=", "!=": "<>"}
REFUSED_SIGNS = ("->>", "<<=", ">>=")


@action
def _binary(span: Span, left: Expression, sign: str, right: Expression) -> Expression:
    if sign in REFUSED_SIGNS:
        return ast.Unsupported(span, f"The operator {sign}")
    return ast.Binary(span, SPELLINGS.get(sign, sign), left, right)


@action
def _chained(span: Span, left: Expression, sign: str, right: Expression) -> Expression:
    raise SqlSyntaxError(
        "Comparisons cannot be chained",
        span=Span(left.span.end, right.span.start),
        hint="Join two comparisons with AND.",
    )


@action
def _is_distinct(span: Span, left: Expression, right: Expression) -> Expression:
    return ast.Binary(span, "is distinct from", left, right)


@action
def _is_not_distinct(span: Span, left: Expression, right: Expression) -> Expression:
    return ast.Binary(span, "is not distinct from", left, right)


def is_test(what: str, negated: bool) -> Callable[[Span, Expression], Expression]:
    """The action of IS [NOT] what."""
    return lambda span, operand: ast.IsTest(span, operand, what, negated)


@action
def _between(span: Span, operand: Expression, low: Expression, high: Expression) -> Expression:
    return ast.Between(span, operand, low, high, False)


@action
def _not_between(span: Span, operand: Expression, low: Expression, high: Expression) -> Expression:
    return ast.Between(span, operand, low, high, True)


def like_test(ignore_case: bool, negated: bool) -> Callable[..., Expression]:
    """The action of [NOT] LIKE and ILIKE."""
    return lambda span, operand, pattern, escape: ast.Like(
        span, operand, pattern, escape, ignore_case, negated
    )


MATCHES = {
    "~~": (False, False),
    "!~~": (False, True),
    "~~*": (True, False),
    "!~~*": (True, True),
}
"""LIKE and ILIKE as signs: whether letter case is ignored, and whether the test is negated."""


@action
def _matches(span: Span, operand: Expression, sign: str, pattern: Expression) -> Expression:
    if sign in MATCHES:
        return ast.Like(span, operand, pattern, None, *MATCHES[sign])
    return ast.Binary(span, "glob" if sign == "~~~" else sign, operand, pattern)


def pattern_test(operator: str, negated: bool) -> Callable[..., Expression]:
    """The action of [NOT] GLOB and SIMILAR TO."""

    def build(span: Span, operand: Expression, pattern: Expression) -> Expression:
        test = ast.Binary(span, operator, operand, pattern)
        return ast.Unary(span, "not", test) if negated else test

    return build


@action
def _factorial(span: Span, operand: Expression) -> Expression:
    return ast.FunctionCall(span, "factorial", (operand,))


@action
def _unary(span: Span, sign: str, operand: Expression) -> Expression:
    return ast.Unary(span, sign, operand)


@action
def number(span: Span, text: str) -> ast.Constant:
    """A number: exact with a point, a float with an exponent."""
    kind: OneOf["integer", "decimal", "float"] = "integer"
    if "e" in text or "E" in text:
        kind = "float"
    elif "." in text:
        kind = "decimal"
    return ast.Constant(span, kind, text)


def unquoted(span: Span, text: str) -> str:
    """What a string says: '...' with doubled quotes, E'...' with escapes, or $tag$...$tag$."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith(("e", "E")):
        return unescaped(text, span)
    tag = text.index("$", 1) + 1
    return text[tag:-tag]


@action
def _string(span: Span, text: str) -> ast.Constant:
    return ast.Constant(span, "string", unquoted(span, text))


@action
def _string_text(span: Span, text: str) -> str:
    return unquoted(span, text)


@action
def _collated(span: Span, operand: Expression, collation: str) -> Expression:
    return ast.Collated(span, operand, collation)


@action
def _true_constant(span: Span, *word: str) -> ast.Constant:
    return ast.Constant(span, "boolean", "true")


@action
def _false_constant(span: Span) -> ast.Constant:
    return ast.Constant(span, "boolean", "false")


@action
def _null(span: Span) -> ast.Constant:
    return ast.Constant(span, "null", "")


@action
def _quoted_name(span: Span, text: str) -> str:
    return text[1:-1].replace('""', '"')


@action
def _path(span: Span, part: str) -> list[str]:
    return [part]


@action
def _longer_path(span: Span, parts: list[str], part: str) -> list[str]:
    parts.append(part)
    return parts


@action
def _column(span: Span, parts: list[str]) -> Expression:
    return ast.Name(span, tuple(parts))


@action
def _typed_constant(span: Span, type_name: str, text: str) -> Expression:
    return ast.TypedConstant(span, ast.TypeName(span, type_name.lower()), unquoted(span, text))


UNITS = {"centuries": "century", "millennia": "millennium"}


def _unit(word: str) -> str:
    word = word.lower()
    return UNITS.get(word, word.removesuffix("s"))


@action
def _interval(span: Span, amount: Expression, unit: str | None = None) -> Expression:
    return ast.IntervalConstant(span, amount, None if unit is None else _unit(unit))


@action
def _case(span: Span, operand: Expression | None, *parts: Any) -> Expression:
    *branches, otherwise = parts
    return ast.CaseWhen(span, operand, tuple(branches), otherwise)


@action
def _when(span: Span, condition: Expression, value: Expression) -> tuple[Expression, Expression]:
    return condition, value


@action
def _cast(span: Span, operand: Expression, type_name: ast.TypeName) -> Expression:
    return ast.CastTo(span, operand, type_name, False)


@action
def _try_cast(span: Span, operand: Expression, type_name: ast.TypeName) -> Expression:
    return ast.CastTo(span, operand, type_name, True)


@action
def _type(span: Span, name: str, numbers: tuple[int, ...] | None) -> ast.TypeName:
    return ast.TypeName(span, name.lower(), numbers or ())


@action
def _type_numbers(span: Span, *numbers: str) -> tuple[int, ...]:
    if not all(one.isdecimal() for one in numbers):
        raise SqlSyntaxError("A type's parameters are whole numbers", span=span)
    return tuple(int(one[:9]) for one in numbers)


@action
def _type_precision(span: Span, name: str) -> ast.TypeName:
    return ast.TypeName(span, "double" if name.lower() == "double" else f"{name.lower()} precision")


@action
def _type_varying(span: Span, name: str, numbers: tuple[int, ...] | None) -> ast.TypeName:
    plain = "varchar" if name.lower() in ("character", "char") else f"{name.lower()} varying"
    return ast.TypeName(span, plain, numbers or ())


@action
def _type_with_zone(span: Span, name: str) -> ast.TypeName:
    return ast.TypeName(span, f"{name.lower()} with time zone")


@action
def _type_without_zone(span: Span, name: str) -> ast.TypeName:
    return ast.TypeName(span, name.lower())


@action
def _type_list(span: Span, element: ast.TypeName) -> ast.TypeName:
    return replace(element, span=span, lists=element.lists + 1)


@action
def _extract(span: Span, part: str, operand: Expression) -> Expression:
    return ast.Extract(span, part.lower(), operand)


@action
def _position(span: Span, needle: Expression, text: Expression) -> Expression:
    return ast.FunctionCall(span, "position", (text, needle))


@action
def _substring_from(
    span: Span, text: Expression, start: Expression, length: Expression | None
) -> Expression:
    rest = () if length is None else (length,)
    return ast.FunctionCall(span, "substring", (text, start, *rest))


@action
def _substring_for(span: Span, text: Expression, length: Expression) -> Expression:
    one = ast.Constant(length.span, "integer", "1")
    return ast.FunctionCall(span, "substring", (text, one, length))


@action
def _substring_call(span: Span, arguments: tuple[Expression, ...]) -> Expression:
    return ast.FunctionCall(span, "substring", arguments)


@action
def _trim_call(span: Span, arguments: tuple[Expression, ...]) -> Expression:
    return ast.FunctionCall(span, "trim", arguments)


@action
def _trim_both(span: Span) -> str:
    return "trim"


@action
def _trim_leading(span: Span) -> str:
    return "ltrim"


@action
def _trim_trailing(span: Span) -> str:
    return "rtrim"


@action
def _trim_side_from(
    span: Span, name: str, characters: Expression | None, text: Expression
) -> Expression:
    return ast.FunctionCall(span, name, (text,) if characters is None else (text, characters))


@action
def _trim_from(span: Span, characters: Expression, text: Expression) -> Expression:
    return _trim_side_from(span, "trim", characters, text)


@action
def _trim_all(span: Span, text: Expression) -> Expression:
    return _trim_side_from(span, "trim", None, text)


@action
def _trim_side_arguments(span: Span, name: str, values: tuple[Expression, ...]) -> Expression:
    return ast.FunctionCall(span, name, values)


ACTIONS |= {name: refused(what) for name, what in REFUSED.items()}
ACTIONS |= {
    f"is_{'not_' if negated else ''}{what}": is_test(what, negated)
    for what in ("null", "true", "false", "unknown")
    for negated in (False, True)
}
ACTIONS |= {
    f"{'not_' if negated else ''}{'i' if ignore_case else ''}like": like_test(ignore_case, negated)
    for ignore_case in (False, True)
    for negated in (False, True)
}
ACTIONS |= {
    f"{'not_' if negated else ''}{word}": pattern_test(operator, negated)
    for word, operator in (("glob", "glob"), ("similar", "similar to"))
    for negated in (False, True)
}
ACTIONS["cast_shorthand"] = _cast
