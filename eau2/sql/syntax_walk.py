"""Walking and rewriting syntax trees of expressions, whatever their nodes are.

Owns: the parts of an expression, and an expression with parts replaced. Comes in: ast expressions.
Goes out: their parts, or new expressions. Does not know: what any node means.

A query inside an expression is not entered: its names are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eau2.records import names, replace
from eau2.sql import ast

_LEAVES = frozenset({ast.Constant, ast.Name, ast.TypedConstant, ast.Parameter, str, int, bool})


_known: dict[type[ast.Node], tuple[str, ...]] = {}


def _names(class_: type[ast.Node]) -> tuple[str, ...]:
    """The fields of a class of nodes, looked up once."""
    if class_ not in _known:
        _known[class_] = tuple(name for name in names(class_) if name != "span")
    return _known[class_]


def parts(node: ast.Expression) -> Iterator[ast.Node]:
    """The node and all nodes below it, in no order, without recursion."""
    waiting: list[object] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(part)
        elif isinstance(part, ast.Node):
            yield part
            if type(part) not in _LEAVES and not isinstance(part, ast.Query):
                waiting.extend(getattr(part, name) for name in _names(type(part)))


Rewrite = Callable[[ast.Node], tuple[ast.Node, ...] | None]
"""What takes a node's place: one node, among arguments any number; None keeps it."""


def rewritten(node: ast.Expression, visit: Rewrite) -> ast.Expression:
    """The expression with parts replaced; what replaces a part is not looked into."""
    (new,) = _rewritten(node, visit)
    assert isinstance(new, ast.Expression)
    return new


def _rewritten(node: ast.Node, visit: Rewrite) -> tuple[ast.Node, ...]:
    found = visit(node)
    if found is not None:
        return found
    if type(node) in _LEAVES or isinstance(node, ast.Query):
        return (node,)
    changes: dict[str, object] = {}
    for name in _names(type(node)):
        old = getattr(node, name)
        new = _field(old, visit)
        if new is not old:
            changes[name] = new
    return (replace(node, **changes) if changes else node,)


def _field(value: object, visit: Rewrite) -> object:
    if isinstance(value, ast.Node):
        new = _rewritten(value, visit)
        return new[0] if len(new) == 1 else new
    if not isinstance(value, tuple):
        return value
    items: list[object] = []
    for item in value:
        if isinstance(item, ast.Node):
            items.extend(_rewritten(item, visit))
        else:
            items.append(_field(item, visit))
    same = len(items) == len(value) and all(a is b for a, b in zip(items, value, strict=True))
    return value if same else tuple(items)
