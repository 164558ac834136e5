"""Lists in place of constant dicts and sets that are gone over: for k in d, sorted(d), d.values().

Owns: where a list of one is taken, and which local is such a constant. Comes in: the statements of
a function and a Reader. Goes out: statements in which lists are written out, and a Reader to which
these locals are constants. Does not know: what a dict may hold, looking into one (mappings.py).

Else a name of a dict is no value, so that nothing takes a dict for the list of its keys.
"""

from __future__ import annotations

import ast
import copy
from typing import Any, TypeVar

from eau2.python.annotations import named
from eau2.python.mappings import Held, displayed, held, no_method, taken
from eau2.python.names import Constant, Foreign, Meaning, Names, Type, Word
from eau2.python.reader import Reader
from eau2.python.vocabulary import Refusal

_WORDS = frozenset({"len", "list", "sorted", "sum", "min", "max", "any", "all"})
_MATH = frozenset({"math.fsum", "math.prod"})
_UNCHANGED = "It stays what it was when the function was defined; give names other values instead."
_Node = TypeVar("_Node", bound=ast.AST)


class _Stores(ast.NodeVisitor):
    """The names that statements give values, with how often; those of comprehensions apart."""

    def __init__(self) -> None:
        self.own: list[str] = []
        self.inner: list[str] = []
        self._inside = False

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._inside, before = True, self._inside
        self.visit(node.target)
        self._inside = before
        for part in (node.iter, *node.ifs):
            self.visit(part)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            (self.inner if self._inside else self.own).append(node.id)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.own += [node.name] if node.name else []
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.own += [node.name] if node.name else []


def prepared(node: ast.FunctionDef, reader: Reader) -> tuple[list[ast.stmt], Reader]:
    """The statements of a function with lists where constant dicts are gone over, and a reader.

    A local that is given a constant dict once, before all that read it, is a constant there.
    Raises FunctionDefinitionError.
    """
    stores = _Stores()
    for statement in node.body:
        stores.visit(statement)
    parameters = {argument.arg for argument in node.args.args}
    names = _within(reader.names, {}, frozenset(stores.own))
    reader = replace_names(reader, names)
    once = {name for name in stores.own if stores.own.count(name) == 1} - parameters
    once -= {*stores.inner, *reader.env}
    constants: dict[str, Constant] = {}
    body: list[ast.stmt] = []
    for statement in node.body:
        found = _constant_local(statement, once, node, reader)
        if found is None:
            body.append(statement)
        else:
            constants |= found
            reader = replace_names(reader, _within(names, dict(constants), frozenset()))
    hidden = {*reader.env, *stores.inner}.difference(constants)
    turning = _Listing(reader, frozenset(hidden))
    turned = [turning.visit(copy.deepcopy(statement)) for statement in body]
    return turned or [ast.copy_location(ast.Pass(), node)], reader


def replace_names(reader: Reader, names: Names) -> Reader:
    """The reader with other meanings of names."""
    changed = reader.over(reader.env)
    changed.names = names
    return changed


def _within(names: Names, constants: dict[str, Constant], own: frozenset[str]) -> Names:
    """What names mean where these are constants, and what is outside is hidden by locals."""

    def meaning(name: str) -> Meaning | None:
        if name in constants:
            return constants[name]
        return None if name in own else names(name)

    return meaning


def _constant_local(
    statement: ast.stmt, once: set[str], node: ast.FunctionDef, reader: Reader
) -> dict[str, Constant] | None:
    """The name that the statement makes a constant dict or set, if it is read only behind it."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() | ast.Set() as value):
            pass
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict() | ast.Set() as value):
            pass
        case _:
            return None
    reads = [
        part for part in ast.walk(node)
        if isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load)
    ]  # fmt: skip
    behind = (statement.end_lineno or 0, statement.end_col_offset or 0)
    if name not in once or any((part.lineno, part.col_offset) < behind for part in reads):
        return None
    found = displayed(value, reader)
    if found is None:
        return None
    return {name: Constant(found)}


class _Listing(ast.NodeTransformer):
    """Lists where the elements of a constant dict or set are taken. hidden: names of locals."""

    def __init__(self, reader: Reader, hidden: frozenset[str]) -> None:
        self._reader, self._hidden = reader, hidden

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        node.iter = self._listed(node.iter, "for")
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.iter = self._listed(node.iter, "for")
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        for place, (op, written_) in enumerate(zip(node.ops, node.comparators, strict=True)):
            if isinstance(op, ast.In | ast.NotIn) and isinstance(written_, ast.Call):
                called = written_.func.attr if isinstance(written_.func, ast.Attribute) else ""
                listed = self._listed(written_, "in")
                if called == "keys" and listed is not written_:
                    assert isinstance(written_.func, ast.Attribute)
                    listed = written_.func.value
                node.comparators[place] = listed
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if not isinstance(node.ctx, ast.Load) and self._held(node.value) is not None:
            raise self._reader.refuse(node, "a constant dict does not change", _UNCHANGED)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not node.args:
            return node
        word = self._word(node.func)
        alone = len(node.args) == 1 or word == "sum"
        if word == "len" and alone and not node.keywords:
            found = self._entries(node.args[0], "len")
            if found is not None:
                return ast.copy_location(ast.Constant(len(found)), node)
        elif word and alone:
            node.args[0] = self._listed(node.args[0], word)
        return node

    def _word(self, function: ast.expr) -> str:
        """The function that takes its first argument apart; "" for any other."""
        match function:
            case ast.Name(id=name) if name in self._hidden:
                return ""
            case ast.Name(id="enumerate") if isinstance(self._reader.names("enumerate"), Foreign):
                return "list"
            case ast.Attribute(attr="join"):
                return "list"
        match named(function, self._reader.names):
            case Word(name=word) if word in _WORDS or word in _MATH:
                return word
            case Type(type=type_) if type_ is list:
                return "list"
        return ""

    def _held(self, node: ast.expr) -> Held | None:
        if isinstance(node, ast.Name) and node.id in self._hidden:
            return None
        return held(node, self._reader)

    def _listed(self, node: ast.expr, use: str) -> ast.expr:
        found = self._entries(node, use)
        if found is None:
            return node
        parts = [_at(ast.Constant(value), node) for value in found]
        return _at(ast.List(list[ast.expr](parts), ast.Load()), node)

    def _entries(self, node: ast.expr, use: str) -> list[Any] | None:
        """The elements that are taken of a constant dict or set; None for anything else."""
        called = "keys"
        match node:
            case ast.Call(func=ast.Attribute(value=inner, attr="keys" | "values" as called)) if (
                not node.args and not node.keywords
            ):
                found = self._held(inner)
                found = found if isinstance(found, dict) else None
            case ast.Call(func=ast.Attribute(value=inner, attr="items") as function):
                pairs = self._held(inner)
                if pairs is not None:
                    raise no_method(node, function, pairs, self._reader)
                return None
            case _:
                found = self._held(node)
        if found is None:
            return None
        try:
            return list(taken(found, called, use))
        except Refusal as refusal:
            raise self._reader.refuse(node, refusal.message, refusal.hint or None) from None


def _at(node: _Node, place: ast.AST) -> _Node:
    return ast.copy_location(node, place)
