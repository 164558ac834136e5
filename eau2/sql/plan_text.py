"""Logical plans as indented text: for golden scripts and for reading what a rule did.

Owns: the text form. Comes in: a logical plan. Goes out: one line a node, inputs below and indented.
Does not know: what a node is for.
"""

from __future__ import annotations

from eau2.errors import InternalError
from eau2.operators.text import aggregate_text, expr_text, key_text
from eau2.sql import logical


def to_text(plan: logical.Logical) -> str:
    """The plan as text, two spaces of indent a level."""
    lines: list[str] = []
    pending: list[tuple[int, logical.Logical]] = [(0, plan)]
    while pending:
        depth, node = pending.pop()
        lines.append("  " * depth + _line(node))
        pending.extend((depth + 1, below) for below in reversed(node.inputs))
    return "\n".join(lines)


def _line(node: logical.Logical) -> str:
    match node:
        case logical.Scan(frame, columns, _):
            return f"Scan {frame.name} [{', '.join(_named(c) for c in columns)}]"
        case logical.OneRow():
            return "OneRow"
        case logical.Nothing(columns):
            return f"Nothing [{', '.join(_named(c) for c in columns)}]"
        case logical.Filter(_, condition):
            return f"Filter {expr_text(condition)}"
        case logical.Project(_, items):
            return "Project " + ", ".join(f"{_named(c)} = {expr_text(e)}" for c, e in items)
        case logical.Aggregate(_, keys, aggregates):
            by = ", ".join(f"{_named(c)} = {expr_text(e)}" for c, e in keys)
            of = ", ".join(f"{_named(c)} = {aggregate_text(a)}" for c, a in aggregates)
            return f"Aggregate by [{by}] of [{of}]"
        case logical.Join():
            return _join(node)
        case logical.Sort(_, keys, at_most_rows):
            bound = "" if at_most_rows is None else f" if at most {at_most_rows} rows"
            return "Sort " + ", ".join(key_text(key) for key in keys) + bound
        case logical.Limit(_, count, offset):
            return f"Limit {'all' if count is None else count} offset {offset}"
    raise InternalError(f"no text for {type(node).__name__}")


def _join(node: logical.Join) -> str:
    pairs = [f"{expr_text(a)} = {expr_text(b)}" for a, b in node.equalities]
    if node.condition is not None:
        pairs.append(expr_text(node.condition))
    safe = " null-safe" if node.null_safe else ""
    return f"Join {node.kind}{safe}" + (f" on {' and '.join(pairs)}" if pairs else "")


def _named(column: logical.Column) -> str:
    return f"{column.name}#{column.id}"
