"""CPython running a function row by row, with the one rule by which None differs.

Owns: `run`. Where Python raises TypeError or AttributeError because a value is None, the operation
gives None. Nothing else is changed: each operation is done by CPython itself, inside a call that
looks at its operands when it raises. Comes in: source text and a row. Goes out: `Outcome`s.
"""

from __future__ import annotations

import ast
import datetime
import math
import operator
import warnings
from collections.abc import Callable, Sequence, ValuesView
from typing import Any

from eau2.records import Record
from tests.python.forms import CONSTANTS

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}

_IN_PLACE: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.iadd,
    ast.Sub: operator.isub,
    ast.Mult: operator.imul,
    ast.Div: operator.itruediv,
    ast.FloorDiv: operator.ifloordiv,
    ast.Mod: operator.imod,
}


_LONGEST = 16_777_216
"""Characters of a text, or elements of a list, beyond which eau2 makes none."""

_UNLIFTED = frozenset({"range", "ValueError", "slice", "enumerate", "zip"})


_HOLDERS = (list, tuple, ValuesView)
"""What a None may lie in that makes an operation a TypeError."""


class IntOutsideError(Exception):
    """A whole number that is no int64: an error in eau2."""


class NoListError(Exception):
    """A comprehension goes over None."""


class ComplexError(Exception):
    """A complex number: an error in eau2."""


class Outcome(Record, frozen=True):
    """What a row gives: a value, or the name of the exception."""

    value: Any = None
    raised: str | None = None


def compiled(text: str) -> Callable[..., Any]:
    """The function `f` of a text, as CPython runs it with the rule about None."""
    tree = ast.fix_missing_locations(_Lifting().visit(ast.parse(text)))
    space: dict[str, Any] = {"math": math, "datetime": datetime, "lifted": lifted, **CONSTANTS}
    space |= {"over_list": over_list, "gone_over": gone_over}
    space |= {f"op_{kind.__name__}": call for kind, call in _OPERATORS.items()}
    space |= {f"in_place_{kind.__name__}": call for kind, call in _IN_PLACE.items()}
    return _run(tree, space)


def plain(text: str) -> Callable[..., Any]:
    """The function `f` of a text, as CPython runs it."""
    space: dict[str, Any] = {"math": math, "datetime": datetime, **CONSTANTS}
    return _run(ast.parse(text), space)


def _run(tree: ast.Module, space: dict[str, Any]) -> Callable[..., Any]:
    with warnings.catch_warnings():
        # Random programs ask of literals whether they are None.
        warnings.simplefilter("ignore", SyntaxWarning)
        exec(compile(tree, "program", "exec"), space)
    function: Callable[..., Any] = space["f"]
    return function


def run(function: Callable[..., Any], row: Sequence[Any]) -> Outcome:
    """What the function gives for a row."""
    try:
        value = function(*row)
        _check(value)
    except Exception as error:
        return Outcome(None, type(error).__name__)
    return Outcome(value)


def lifted(call: Callable[..., Any], *operands: Any) -> Any:
    """What an operation gives, or None where it raises because of a None among its operands."""
    try:
        value = call(*operands)
    except (TypeError, AttributeError):
        if _has_none(operands):
            return None
        raise
    _check(value)
    return value


def over_list(comprehension: Callable[[], Any]) -> Any:
    """What a comprehension gives; None where it goes over None."""
    try:
        return comprehension()
    except NoListError:
        return None


def gone_over(value: Any) -> Any:
    """What a comprehension goes over, also in zip and enumerate. Raises NoListError for None."""
    if value is None:
        raise NoListError
    return value


def _check(value: Any) -> None:
    if isinstance(value, str | list) and len(value) > _LONGEST:
        raise MemoryError
    if isinstance(value, complex):
        raise ComplexError(str(value))
    if isinstance(value, list):
        for item in value:
            _check(item)
    elif type(value) is int and not -(2**63) <= value < 2**63:
        raise IntOutsideError(str(value))


def _has_none(values: Any) -> bool:
    return any(v is None or (isinstance(v, _HOLDERS) and _has_none(v)) for v in values)


class _Lifting(ast.NodeTransformer):
    """Every operation inside a call of `lifted`."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        parts = [self.visit(part) for part in node.body]
        node.body = [one for part in parts for one in (part if isinstance(part, list) else [part])]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return _lifted(_name(node.op), node.left, node.right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return node
        return _lifted(_name(node.op), node.operand)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        assert isinstance(node.target, ast.Name)
        name = f"in_place_{type(node.op).__name__}"
        value = _lifted(_read(name), _read(node.target.id), self.visit(node.value))
        return ast.Assign([node.target], value)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | list[ast.AST]:
        """All names that None is unpacked into are None."""
        self.generic_visit(node)
        (target,) = node.targets
        if not isinstance(target, ast.Tuple) or isinstance(node.value, ast.Tuple | ast.List):
            return node
        names = [part.value if isinstance(part, ast.Starred) else part for part in target.elts]
        nothing: list[ast.stmt] = [ast.Assign([name], ast.Constant(None)) for name in names]
        test = ast.Compare(_read("held"), [ast.Is()], [ast.Constant(None)])
        held = ast.Assign([ast.Name("held", ast.Store())], node.value)
        return [held, ast.If(test, nothing, [ast.Assign([target], _read("held"))])]

    def visit_For(self, node: ast.For) -> ast.AST:
        """Elements that are lists are unpacked by a statement of their own."""
        over = node.iter
        own = isinstance(over, ast.Call) and isinstance(over.func, ast.Name)
        if isinstance(node.target, ast.Tuple) and not own:
            node.body.insert(0, ast.Assign([node.target], _read("element")))
            node.target = ast.Name("element", ast.Store())
        self.generic_visit(node)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if all(isinstance(op, ast.Eq | ast.NotEq | ast.Is | ast.IsNot) for op in node.ops):
            return node
        # A lambda holds each operand, since := may not stand wherever a comparison may.
        held = [f"held_{number}" for number in range(len(node.comparators) + 1)]
        made: ast.expr | None = None
        for number, op in reversed(list(enumerate(node.ops))):
            left, right = _read(held[number]), _read(held[number + 1])
            own = isinstance(op, ast.Eq | ast.NotEq | ast.Is | ast.IsNot)
            link = ast.Compare(left, [op], [right]) if own else _lifted(_name(op), left, right)
            both = link if made is None else ast.BoolOp(ast.And(), [link, made])
            inner = ast.Lambda(_arguments(held[number + 1]), both)
            made = ast.Call(inner, [node.comparators[number]], [])
        assert made is not None
        return ast.Call(ast.Lambda(_arguments(held[0]), made), [node.left], [])

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        place: ast.expr = node.slice
        if isinstance(place, ast.Slice):
            ends = [end or ast.Constant(None) for end in (place.lower, place.upper, place.step)]
            place = ast.Call(ast.Name("slice", ast.Load()), ends, [])
        item = ast.Lambda(_arguments("a", "b"), ast.Subscript(_read("a"), _read("b"), ast.Load()))
        return _lifted(item, node.value, place)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in ("math", "datetime"):
            return node
        got = ast.Lambda(_arguments("a"), ast.Attribute(_read("a"), node.attr, ast.Load()))
        return _lifted(got, node.value)

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._over_list(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._over_list(ast.ListComp(node.elt, node.generators))

    def _over_list(self, node: ast.ListComp) -> ast.AST:
        """A comprehension over None is None."""
        self.generic_visit(node)
        for generator in node.generators:
            generator.iter = _gone_over(generator.iter)
        return ast.Call(_read("over_list"), [ast.Lambda(_arguments(), node)], [])

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute) and not (
            isinstance(node.func.value, ast.Name) and node.func.value.id in ("math", "datetime")
        ):
            receiver = self.visit(node.func.value)
            method = ast.Attribute(_read("a"), node.func.attr, ast.Load())
            return self._lifted_call(method, {"a": receiver}, node)
        if node.keywords:
            return self._lifted_call(node.func, {}, node)
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _UNLIFTED:
            return node
        return _lifted(node.func, *node.args)

    def _lifted_call(
        self, called: ast.expr, operands: dict[str, ast.expr], node: ast.Call
    ) -> ast.AST:
        """A call with the arguments of another, by position and by name."""
        args = {f"a{number}": self.visit(arg) for number, arg in enumerate(node.args)}
        named = {f"b{number}": self.visit(k.value) for number, k in enumerate(node.keywords)}
        keywords = [
            ast.keyword(keyword.arg, _read(name))
            for name, keyword in zip(named, node.keywords, strict=True)
        ]
        operands = {**operands, **args, **named}
        call = ast.Call(called, [_read(name) for name in args], keywords)
        return _lifted(ast.Lambda(_arguments(*operands), call), *operands.values())

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.AST:
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """None has no format but the empty one: with any other there is no text."""
        values: list[ast.expr] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                values.append(self.visit(part.value))
                part.value = _read(f"a{len(values)}")
        names = [f"a{number}" for number in range(1, len(values) + 1)]
        return _lifted(ast.Lambda(_arguments(*names), node), *values)


def _gone_over(node: ast.expr) -> ast.expr:
    """What a comprehension goes over, with a look at whether there is something."""
    match node:
        case ast.Call(func=ast.Name(id="enumerate" | "range" | "zip"), args=args):
            named = [ast.keyword(k.arg, _gone_over(k.value)) for k in node.keywords]
            return ast.Call(node.func, [_gone_over(arg) for arg in args], named)
    return ast.Call(_read("gone_over"), [node], [])


def _name(op: ast.AST) -> ast.expr:
    return ast.Name(f"op_{type(op).__name__}", ast.Load())


def _read(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _arguments(*names: str) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


def _lifted(call: ast.expr, *operands: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("lifted", ast.Load()), [call, *operands], [])
