"""Every node of a syntax tree, whatever its kind.

Owns: the walk. Comes in: a node; goes out: it and all below it. Does not know: what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator

from eau2.records import names
from eau2.sql import ast


def every(root: ast.Node) -> Iterator[ast.Node]:
    """The node and all nodes below it, each before those below it."""
    waiting: list[object] = [root]
    while waiting:
        found = waiting.pop()
        if isinstance(found, tuple):
            waiting.extend(reversed(found))
        elif isinstance(found, ast.Node):
            yield found
            waiting.extend(getattr(found, name) for name in reversed(names(type(found))))


def parameters(root: ast.Node) -> tuple[int | str, ...]:
    """The parameters that are named below a node, each once, in the order of their names."""
    names = {node.name for node in every(root) if isinstance(node, ast.Parameter)}
    return tuple(sorted(names, key=lambda name: (isinstance(name, str), name)))
