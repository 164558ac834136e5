"""Logical plans as indented text: for golden scripts, and for reading what a rule did.

Owns: the text form. Comes in: a logical plan. Goes out: one line a node, inputs below and indented.
Does not know: what a node is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eau2.operators.expr import Column
from eau2.operators.text import (
    Names,
    aggregate_text,
    column_names,
    expr_text,
    sort_key_text,
    window_text,
)
from eau2.sql import logical, sharing
from eau2.sql.plan_exprs import expressions


def to_text(plan: logical.Logical) -> str:
    """The plan as text, two spaces of indent a level."""
    nodes = list(_nodes(plan))
    names = column_names(column for _, node in nodes for column in node.output)
    return "\n".join("  " * depth + _line(node, names) for depth, node in nodes)


def _nodes(plan: logical.Logical) -> Iterator[tuple[int, logical.Logical]]:
    """Every node with its depth, top down."""
    pending: list[tuple[int, logical.Logical]] = [(0, plan)]
    while pending:
        depth, node = pending.pop()
        yield depth, node
        pending.extend((depth + 1, below) for below in reversed(node.inputs))


def _line(node: logical.Logical, names: Names) -> str:
    match node:
        case logical.Scan(frame, columns, _):
            return f"Scan {frame.name} [{_listed(columns, names)}]"
        case logical.OneRow():
            return "OneRow"
        case logical.Nothing(columns):
            return f"Nothing [{_listed(columns, names)}]"
        case logical.Rows(columns, rows):
            return f"Rows [{_listed(columns, names)}]: {len(rows)}"
        case logical.Series(column, start, stop, step):
            return f"Series {names[column.id]} from {start} to {stop} by {step}"
        case logical.Union(_, columns):
            return f"Union [{_listed(columns, names)}]"
        case logical.Sample(_, fraction, count, seed):
            amount = f"{count} rows" if fraction is None else f"{fraction:.12g} of all"
            return f"Sample {amount} seed {seed}"
        case logical.Filter(_, condition):
            return f"Filter {expr_text(condition, names)}"
        case logical.Project(_, items):
            return "Project " + ", ".join(
                f"{names[c.id]} = {expr_text(e, names)}" for c, e in items
            )
        case logical.Aggregate(_, keys, aggregates):
            by = ", ".join(f"{names[c.id]} = {expr_text(e, names)}" for c, e in keys)
            of = ", ".join(f"{names[c.id]} = {aggregate_text(a, names)}" for c, a in aggregates)
            return f"Aggregate by [{by}] of [{of}]"
        case logical.Expand(_, keys, sets, grouping):
            by = ", ".join(f"{names[c.id]} = {expr_text(e, names)}" for c, e in keys)
            of = ", ".join(f"({', '.join(names[keys[n][0].id] for n in s)})" for s in sets)
            return f"Expand [{by}] as {names[grouping.id]} of {of}"
        case logical.Unnest(_, items, ordinality, outer):
            of = ", ".join(f"{names[c.id]} = {expr_text(e, names)}" for c, e in items)
            counted = "" if ordinality is None else f" as {names[ordinality.id]}"
            return f"Unnest{' outer' if outer else ''} {of}{counted}"
        case logical.Join() | logical.DependentJoin():
            return _join(node, names)
        case logical.Sort(_, keys, at_most_rows):
            bound = "" if at_most_rows is None else f" if at most {at_most_rows} rows"
            return "Sort " + ", ".join(sort_key_text(key, names) for key in keys) + bound
        case logical.Window(_, partition, order, ties, calls, first):
            asked = "" if first is None else f" (first {first})"
            return "Window " + window_text(partition, order, ties, calls, names) + asked
        case logical.Limit(_, count, offset):
            return f"Limit {'all' if count is None else count} offset {offset}"
        case sharing.With(definitions, _):
            return "With " + ", ".join(f"{d.name}#{d.number}" for d in definitions)
        case sharing.SharedScan(definition, columns, _):
            return f"SharedScan #{definition} [{_listed(columns, names)}]"
        case sharing.Recursive(number, name, _, _, columns, distinct):
            word = "Recursive distinct" if distinct else "Recursive"
            return f"{word} {name}#{number} [{_listed(columns, names)}]"
    shown = ", ".join(expr_text(expr, names) for expr in expressions(node))
    return f"{type(node).__name__} {shown}".rstrip()


def _join(node: logical.Join | logical.DependentJoin, names: Names) -> str:
    pairs: list[str] = []
    word = "Dependent join"
    if isinstance(node, logical.Join):
        pairs = [f"{expr_text(a, names)} = {expr_text(b, names)}" for a, b in node.equalities]
        word = "Join"
    if node.condition is not None:
        pairs.append(expr_text(node.condition, names))
    safe = " null-safe" if isinstance(node, logical.Join) and node.null_safe else ""
    mark = "" if node.mark is None else f" as {names[node.mark.id]}"
    return f"{word} {node.kind}{safe}{mark}" + (f" on {' and '.join(pairs)}" if pairs else "")


def _listed(columns: Iterable[Column], names: Names) -> str:
    return ", ".join(names[column.id] for column in columns)
