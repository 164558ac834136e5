"""Queries as DuckDB 2.0 writes them into the name of a column that a subquery computes.

Owns: the text of queries, tables, windows and orders. Comes in: ast nodes, and the function that
writes expressions. Goes out: text. Does not know: how expressions are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from eau2.records import names, replace
from eau2.sql import ast
from eau2.sql.naming_words import quoted, string

Text = Callable[[ast.Expression], str]
_NodeT = TypeVar("_NodeT", bound=ast.Node)


def query_text(node: ast.Query, text: Text) -> str:
    """A query, without brackets around it."""
    match node:
        case ast.Select():
            return _select(node, text)
        case ast.Values(_, rows):
            listed = ", ".join(f"({', '.join(map(text, row))})" for row in rows)
            return f"SELECT * FROM (VALUES {listed}) AS valueslist"
        case ast.SetOperation(_, operator, keeps_all, by_name, left, right):
            words = (
                operator.upper() + (" ALL" if keeps_all else "") + (" BY NAME" if by_name else "")
            )
            return f"({query_text(left, text)}) {words} ({query_text(right, text)})"
        case ast.Ordered(_, query):
            return query_text(query, text) + _modifiers(node, text)
        case ast.WithQuery(_, tables, recursive, query):
            listed = ", ".join(_common_table(table, text) for table in tables)
            return f"WITH {'RECURSIVE ' if recursive else ''}{listed} {query_text(query, text)}"
        case ast.Summarize(_, query):
            return f"SUMMARIZE {query_text(query, text)}"
    raise AssertionError(f"no text for {type(node).__name__}")


def _common_table(node: ast.CommonTable, text: Text) -> str:
    columns = f" ({_names(node.column_aliases)})" if node.column_aliases else ""
    words = {None: "", True: "MATERIALIZED ", False: "NOT MATERIALIZED "}[node.materialized]
    key = f" USING KEY ({_names(node.using_key)})" if node.using_key else ""
    return f"{quoted(node.name)}{columns}{key} AS {words}({query_text(node.query, text)})"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, names))


def _select(node: ast.Select, text: Text) -> str:
    windows = {name.lower(): spec for name, spec in node.windows}
    if windows:
        node = spelled_out(replace(node, windows=()), windows)
    parts = ["SELECT"]
    if node.distinct_on:
        parts.append(f"DISTINCT ON ({', '.join(map(text, node.distinct_on))})")
    elif node.distinct:
        parts.append("DISTINCT")
    parts.append(", ".join(_item(item, text) for item in node.items))
    if node.source is not None:
        parts.append(f"FROM {_table(node.source, text)}")
    if node.where is not None:
        parts.append(f"WHERE {text(node.where)}")
    if node.group_by:
        parts.append(f"GROUP BY {', '.join(_group(key, text) for key in node.group_by)}")
    if node.having is not None:
        parts.append(f"HAVING {text(node.having)}")
    if node.qualify is not None:
        parts.append(f"QUALIFY {text(node.qualify)}")
    if node.sample is not None:
        parts.append(f"USING SAMPLE {_sample(node.sample, text)}")
    return " ".join(parts) + _modifiers(node, text)


def _group(key: ast.Expression, text: Text) -> str:
    return "ALL" if isinstance(key, ast.EveryColumn) else text(key)


def grouping_text(node: ast.GroupingSet, text: Text) -> str:
    """ROLLUP, CUBE or GROUPING SETS in GROUP BY: as the sets that it stands for."""
    return f"GROUPING SETS ({','.join(_sets(node, text))})"


def _sets(node: ast.GroupingSet, text: Text) -> list[str]:
    written: list[str] = []
    chosen: list[list[ast.Expression]] = [[]]
    for element in node.elements:
        if isinstance(element, ast.GroupingSet):
            written += _sets(element, text)
        elif node.kind == "sets":
            written.append(f"({', '.join(map(text, element))})")
        elif node.kind == "rollup":
            chosen.append([*chosen[-1], *element])
        else:
            chosen += [[*before, *element] for before in chosen]
    if node.kind != "sets":
        written += [f"({', '.join(map(text, keys))})" for keys in chosen]
    return written


def _item(item: ast.SelectItem, text: Text) -> str:
    written = text(item.expression)
    return written if item.alias is None else f"{written} AS {quoted(item.alias)}"


def _modifiers(node: ast.Select | ast.Ordered, text: Text) -> str:
    order = order_text(node.order_by, text)
    written = f" {order}" if order else ""
    if node.limit is not None:
        limit = text(node.limit)
        written += f" LIMIT ({limit}) %" if node.limit_percent else f" LIMIT {limit}"
    if node.offset is not None:
        written += f" OFFSET {text(node.offset)}"
    return written


def order_text(items: tuple[ast.OrderItem, ...], text: Text) -> str:
    """ORDER BY with its keys; nothing when there are none."""
    if not items:
        return ""
    nulls = {None: "", True: " NULLS LAST", False: " NULLS FIRST"}
    keys = [
        f"{text(item.expression)}{' DESC' if item.descending else ''}{nulls[item.nulls_last]}"
        for item in items
    ]
    return f"ORDER BY {', '.join(keys)}"


_JOINS = {
    "inner": "INNER",
    "left": "LEFT",
    "right": "RIGHT",
    "full": "FULL",
    "semi": "SEMI",
    "anti": "ANTI",
    "asof": "ASOF INNER",
    "asof_left": "ASOF LEFT",
    "positional": "POSITIONAL",
}


def _table(node: ast.TableExpression, text: Text) -> str:
    match node:
        case ast.JoinClause(_, "cross", left, right):
            return f"{_table(left, text)} , {_table(right, text)}"
        case ast.JoinClause():
            return _join(node, text)
        case ast.TableName(_, name, alias, columns):
            written = quoted(name)
        case ast.TableFile(_, path, alias, columns):
            written = string(path)
        case ast.DerivedTable(_, query, alias, columns):
            written = f"({query_text(query, text)})"
        case ast.TableFunction(_, name, arguments, alias, columns, ordinality):
            written = f"{quoted(name)}({', '.join(map(text, arguments))})"
            written += " WITH ORDINALITY" if ordinality else ""
        case ast.SampledTable(_, table, sample):
            return f"{_table(table, text)} TABLESAMPLE {_sample(sample, text)}"
        case ast.PivotTable(_, table, _, _, _, alias, columns):
            written = f"{_table(table, text)} PIVOT ({_pivoted(node, text)})"
        case ast.UnpivotTable(_, table, _, _, _, nulls, alias, columns):
            word = "UNPIVOT INCLUDE NULLS" if nulls else "UNPIVOT"
            written = f"{_table(table, text)} {word} ({_unpivoted(node, text)})"
        case _:
            raise AssertionError(f"no text for {type(node).__name__}")
    if alias is not None:
        written += f" AS {quoted(alias)}"
    return f"{written}({_names(columns)})" if columns else written


def _pivoted(node: ast.PivotTable, text: Text) -> str:
    listed = ", ".join(_item(item, text) for item in node.aggregates) or "count_star()"
    for on in node.on:
        header = ", ".join(map(text, on.expressions))
        values = ", ".join(_value(item, text) for item in on.values or ())
        listed += f"{'' if on is not node.on[0] else ' FOR'} ({header}) IN ({values})"
    if node.group_by is not None:
        listed += f" GROUP BY {', '.join(map(text, node.group_by))}"
    return listed


def _value(item: ast.SelectItem, text: Text) -> str:
    """A value of PIVOT; a bare name is a text."""
    node = item.expression
    if isinstance(node, ast.Name):
        node = ast.Constant(node.span, "string", node.parts[-1])
    return _named(
        _row((node,) if not isinstance(node, ast.RowOf) else node.items, text), item.alias
    )


def _unpivoted(node: ast.UnpivotTable, text: Text) -> str:
    listed = ", ".join(_named(_row(entry, text), alias) for entry, alias in node.on)
    values = _names(node.values)
    values = f"({values})" if len(node.values) > 1 else values
    return f"{values} FOR {quoted(node.name)} IN ({listed})"


def _row(nodes: tuple[ast.Expression, ...], text: Text) -> str:
    listed = ", ".join(map(text, nodes))
    return listed if len(nodes) == 1 else f'"row"({listed})'


def _named(written: str, alias: str | None) -> str:
    return written if alias is None else f"{written} AS {quoted(alias)}"


def _join(node: ast.JoinClause, text: Text) -> str:
    natural = "NATURAL " if node.natural else ""
    sides = (
        f"{_table(node.left, text)} {natural}{_JOINS[node.kind]} JOIN {_table(node.right, text)}"
    )
    if node.condition is not None:
        sides += f" ON ({text(node.condition)})"
    if node.using:
        sides += f" USING ({_names(node.using)})"
    return f"({sides})"


def _sample(sample: ast.Sample, text: Text) -> str:
    method = (sample.method or ("system" if sample.percent else "reservoir")).capitalize()
    return f"{method}({text(sample.amount)}{'%' if sample.percent else ' ROWS'})"


def star_text(star: ast.Star, text: Text) -> str:
    """* with its modifiers."""
    written = "*" if star.qualifier is None else f"{quoted(star.qualifier)}.*"
    if star.exclude:
        names = ", ".join(".".join(map(quoted, name)) for name in star.exclude)
        written += f" EXCLUDE ({names})"
    if star.replace:
        written += f" REPLACE ({', '.join(f'{text(e)} AS {quoted(n)}' for e, n in star.replace)})"
    if star.rename:
        pairs = ", ".join(f"{quoted(old)} AS {quoted(new)}" for old, new in star.rename)
        written += f" RENAME ({pairs})"
    return written


def window_text(over: ast.WindowSpec | str, text: Text) -> str:
    """What stands behind OVER."""
    if isinstance(over, str):
        return quoted(over)
    parts = [] if over.base is None else [quoted(over.base)]
    if over.partition_by:
        parts.append(f"PARTITION BY {', '.join(map(text, over.partition_by))}")
    if over.order_by:
        parts.append(order_text(over.order_by, text))
    if over.frame is not None:
        parts.append(_frame(over.frame, text))
    return f"({' '.join(part for part in parts if part)})"


def _frame(frame: ast.Frame, text: Text) -> str:
    """A frame; the one that holds when none is written is left out."""
    kinds = (frame.start.kind, frame.end.kind)
    plain = frame.exclude == "no_others"
    if frame.unit == "range" and plain and kinds == ("unbounded_preceding", "current_row"):
        return ""
    unbounded = kinds == ("unbounded_preceding", "unbounded_following")
    unit = "ROWS" if unbounded else frame.unit.upper()
    written = f"{unit} BETWEEN {_frame_end(frame.start, text)} AND {_frame_end(frame.end, text)}"
    return written if plain else f"{written} EXCLUDE {frame.exclude.replace('_', ' ').upper()}"


def _frame_end(end: ast.FrameEnd, text: Text) -> str:
    words = end.kind.replace("_", " ").upper()
    return words if end.offset is None else f"{text(end.offset)} {words}"


def spelled_out(node: _NodeT, windows: Mapping[str, ast.WindowSpec]) -> _NodeT:
    """The tree with the windows themselves where it names them; subqueries keep their own."""
    changes: dict[str, Any] = {}
    for name in names(type(node)):
        value = getattr(node, name)
        new = _spelled_value(value, windows)
        if name == "over" and isinstance(value, str):
            new = windows.get(value.lower(), value)
        if new is not value:
            changes[name] = new
    result = replace(node, **changes) if changes else node
    if isinstance(result, ast.WindowSpec) and result.base is not None:
        base = windows.get(result.base.lower())
        if base is not None:
            return replace(
                result,
                base=None,
                partition_by=base.partition_by or result.partition_by,
                order_by=base.order_by or result.order_by,
            )
    return result


def _spelled_value(value: Any, windows: Mapping[str, ast.WindowSpec]) -> Any:
    match value:
        case ast.Query():
            return value
        case ast.Node():
            return spelled_out(value, windows)
        case tuple():
            new = tuple(_spelled_value(one, windows) for one in value)
            return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value
