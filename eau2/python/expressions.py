"""Expressions of Python to bound expressions.

Owns: which syntax there is, in which order operands are computed, and that a condition decides what
is computed beside it. Comes in: syntax trees, and a `Reader` that knows what names mean. Goes out:
bound expressions. Does not know: what an operator or a method computes (vocabulary.py), statements.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from eau2.config import LIMITS
from eau2.errors import FunctionDefinitionError, StatementError
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.facts import can_raise
from eau2.python import mappings, refused, vocabulary
from eau2.python.annotations import named
from eau2.python.calls import read_call
from eau2.python.comprehensions import comprehension
from eau2.python.division import is_divmod, of_divmod
from eau2.python.names import Constant, Foreign, Meaning, Module
from eau2.python.program import chosen, shared
from eau2.python.reader import Missing, Reader
from eau2.python.vocabulary import Refusal
from eau2.types import BOOLEAN

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}
_UNARY: dict[type[ast.unaryop], str] = {
    ast.USub: "-",
    ast.UAdd: "+",
    ast.Invert: "~",
    ast.Not: "not",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
_CONVERSIONS = {-1: "", ord("s"): "s", ord("r"): "r", ord("a"): "a"}
TRUE, FALSE = Literal(BOOLEAN, True), Literal(BOOLEAN, False)


def expression(node: ast.expr, reader: Reader) -> Expr:
    """The value of an expression. Raises FunctionDefinitionError."""
    reader.depth += 1
    try:
        if reader.depth > LIMITS.function_depth:
            raise reader.refuse(node, "an expression is nested too deep", "Use locals.")
        return _read(node, reader)
    except Refusal as refusal:
        raise reader.refuse(node, refusal.message, refusal.hint or None) from None
    except FunctionDefinitionError:
        raise
    except StatementError as error:
        raise reader.refuse(node, error.message, error.hint) from None
    finally:
        reader.depth -= 1


def condition(node: ast.expr, reader: Reader) -> Expr:
    """The expression where only its truth counts, and NULL counts as false."""
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [condition(value, reader) for value in values]
            return _chain("and" if isinstance(op, ast.And) else "or", parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _negated(condition(operand, reader), reader.where(node))
        case ast.Compare(comparators=[_]):
            return vocabulary.condition(expression(node, reader))
        case ast.Compare():
            return _comparison(node, reader, all_of=True)
    return vocabulary.condition(expression(node, reader))


def _negated(test: Expr, where: str) -> Expr:
    return vocabulary.unary("not", test, where)


def _chain(operator: str, parts: Sequence[Expr]) -> Expr:
    """Conditions joined; what may raise is computed only where those before leave it open."""
    result = parts[-1]
    for part in reversed(parts[:-1]):
        # AND and OR keep rows from their right side only by what cannot raise itself; and beside
        # a constant that decides them they are not computed.
        if can_raise(part) and (can_raise(result) or isinstance(result, Literal)):
            both = operator == "and"
            result = chosen(part, result, FALSE) if both else chosen(part, TRUE, result)
        else:
            # NULL AND x looks at x; None and x does not.
            decided = operator == "and" and can_raise(result)
            left = vocabulary.truth(part) if decided else part
            result = Call(BOOLEAN, operator, (left, result))
    return result


def _read(node: ast.expr, reader: Reader) -> Expr:
    match node:
        case ast.Constant(value=value):
            return vocabulary.literal(value)
        case ast.Name(id=name):
            return _named(node, name, reader)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)) if (
            type(value) is int
        ):
            return vocabulary.literal(-value)
        case ast.UnaryOp(op=op, operand=operand):
            return vocabulary.unary(
                _UNARY[type(op)], expression(operand, reader), reader.where(node)
            )
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(node, left, op, right, reader)
        case ast.BoolOp(op=op, values=values):
            return _logic(isinstance(op, ast.And), values, reader)
        case ast.Compare():
            return _comparison(node, reader)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            sides = [expression(part, reader) for part in (body, orelse)]
            then, other = vocabulary.unified(sides, reader.where(node), "the branches")
            return chosen(condition(test, reader), then, other)
        case ast.Attribute(value=value, attr=name):
            return _attribute(node, value, name, reader)
        case ast.Subscript(value=value, slice=place):
            return _subscript(value, place, reader, reader.where(node))
        case ast.List(elts=elements):
            items = [expression(element, reader) for element in elements]
            return vocabulary.make_list(items, reader.where(node))
        case ast.JoinedStr(values=values):
            parts = [_part(value, reader) for value in values]
            return vocabulary.joined(parts, reader.where(node))
        case ast.Call():
            looked_up = mappings.read_method(node, reader, expression)
            return looked_up or read_call(node, reader, expression, condition)
        case ast.ListComp(elt=element, generators=generators):
            made = comprehension(node, element, generators, reader, expression, condition)
            return vocabulary.without_differences(made)
    raise _outside(node, reader)


def _outside(node: ast.expr, reader: Reader) -> FunctionDefinitionError:
    message, hint = refused.EXPRESSIONS.get(
        type(node), (f"{type(node).__name__} is not there", "Write it with what is there.")
    )
    return reader.refuse(node, message, hint)


def _named(node: ast.expr, name: str, reader: Reader) -> Expr:
    """The value of a name: a local, or a constant that is captured."""
    value = reader.env.get(name)
    if isinstance(value, Missing):
        raise reader.refuse(node, value.reason, value.hint)
    if value is not None:
        return value
    return _meant(node, name, reader.names(name), reader)


def _meant(node: ast.expr, name: str, meaning: Meaning | None, reader: Reader) -> Expr:
    match meaning:
        case Constant(value=dict() | set() | frozenset() as captured):
            raise reader.refuse(
                node,
                f"{name} is a {type(captured).__name__}, which is no value here",
                mappings.USES,
            )
        case Constant(value=captured):
            return vocabulary.literal(captured)
        case Foreign(what=what, hint=hint):
            raise reader.refuse(node, what, hint)
        case None:
            raise reader.refuse(
                node, f"the name {name} is not defined", refused.WORDS.get(name, "Define it above.")
            )
    raise reader.refuse(node, f"{name} is not a value", "Call it, or leave it out.")


def _attribute(node: ast.expr, value: ast.expr, name: str, reader: Reader) -> Expr:
    if not _is_local(value, reader):
        inner = named(value, reader.names)
        if isinstance(inner, Module):
            return _meant(node, ast.unparse(node), named(node, reader.names), reader)
    return vocabulary.attribute(name, expression(value, reader), reader.where(node))


def _is_local(node: ast.expr, reader: Reader) -> bool:
    return isinstance(node, ast.Name) and node.id in reader.env


def _binary(
    node: ast.expr, left: ast.expr, op: ast.operator, right: ast.expr, reader: Reader
) -> Expr:
    sign = _BINARY.get(type(op))
    if sign is None:
        raise reader.refuse(node, "matrices are not there", "Write out what is multiplied.")
    one, two = expression(left, reader), expression(right, reader)
    return vocabulary.binary(sign, one, two, reader.where(node))


def _logic(both: bool, values: Sequence[ast.expr], reader: Reader) -> Expr:
    """`a and b` is a where a is false, and else b; `a or b` the other way round."""
    first, *others = values
    if not others:
        return expression(first, reader)
    where = reader.where(first)
    rest = _logic(both, others, reader)
    what = "the sides of and" if both else "the sides of or"

    def decided(value: Expr) -> Expr:
        left, right = vocabulary.unified((value, rest), where, what)
        test = vocabulary.condition(value)
        return chosen(test, right, left) if both else chosen(test, left, right)

    return shared(expression(first, reader), reader.scopes, decided)


def _comparison(node: ast.Compare, reader: Reader, all_of: bool = False) -> Expr:
    """A chain of comparisons; each operand is computed once, and only if those before hold."""
    where = reader.where(node)

    def links(left: Expr, place: int) -> Expr:
        op, written = _COMPARISONS[type(node.ops[place])], node.comparators[place]
        if place == len(node.ops) - 1:
            return _compared(op, left, written, reader, where)
        right = expression(written, reader)

        def both(value: Expr) -> Expr:
            test = vocabulary.compare(op, left, value, where)
            return chosen(vocabulary.condition(test), links(value, place + 1), test)

        def conditions(value: Expr) -> Expr:
            test = vocabulary.condition(vocabulary.compare(op, left, value, where))
            return _chain("and", (test, vocabulary.condition(links(value, place + 1))))

        return shared(right, reader.scopes, conditions if all_of else both)

    return links(expression(node.left, reader), 0)


def _compared(op: str, left: Expr, written: ast.expr, reader: Reader, where: str) -> Expr:
    """The last link of a chain; beside `in` a tuple or a set of values is as good as a list."""
    found = mappings.held(written, reader) if op in ("in", "not in") else None
    if found is not None:
        return mappings.contains(op, left, found, where)
    if op in ("in", "not in") and isinstance(written, ast.Tuple | ast.Set | ast.List):
        items = tuple([expression(element, reader) for element in written.elts])
        return vocabulary.contained(op, left, items, where)
    return vocabulary.compare(op, left, expression(written, reader), where)


def _subscript(value: ast.expr, place: ast.expr, reader: Reader, where: str) -> Expr:
    if is_divmod(value, reader):
        return of_divmod(value, place, reader, expression)
    found = mappings.held(value, reader)
    if found is not None and not isinstance(place, ast.Slice):
        return mappings.item(found, expression(place, reader), reader, where)
    receiver = expression(value, reader)
    if isinstance(place, ast.Slice):
        ends = [
            None if end is None else expression(end, reader)
            for end in (place.lower, place.upper, place.step)
        ]
        return vocabulary.slice_(receiver, ends[0], ends[1], ends[2], where)
    return vocabulary.index(receiver, expression(place, reader), where)


def _part(node: ast.expr, reader: Reader) -> Expr:
    """A part of an f-string."""
    match node:
        case ast.Constant(value=str(text)):
            return vocabulary.literal(text)
        case ast.FormattedValue(value=value, conversion=conversion, format_spec=spec):
            written = "" if spec is None else _constant_text(spec, reader)
            inner = expression(value, reader)
            where = reader.where(node)
            return vocabulary.formatted(inner, written, _CONVERSIONS[conversion], where)
    raise _outside(node, reader)


def _constant_text(node: ast.expr, reader: Reader) -> str:
    if isinstance(node, ast.JoinedStr):
        parts = node.values
        texts = [p.value for p in parts if isinstance(p, ast.Constant)]
        if len(texts) == len(parts):
            return "".join(map(str, texts))
    raise reader.refuse(
        node, "a format that depends on values", "Formats are constants: f'{x:.2f}'."
    )
