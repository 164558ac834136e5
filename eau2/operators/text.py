"""Operators as indented text, one a line: for EXPLAIN, golden tests and people.

Owns: how operators and bound expressions are written, as close to SQL as can be. Comes in: a tree.
Goes out: text that depends on the tree alone. Does not know: how to read it back (codec.py is for
that), logical plans.

A column is shown by its name. Where two columns of a tree share a name, each has its id behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eau2.operators.base import Operator
from eau2.operators.constant_text import interval_text, literal_text
from eau2.operators.expand import Expand
from eau2.operators.expr import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    ColumnRef,
    Expr,
    FrameBound,
    InList,
    Lambda,
    LambdaParameter,
    Literal,
    SortKey,
    WindowCall,
    WindowFrame,
)
from eau2.operators.filter import Filter
from eau2.operators.group import FinalAggregate, PartialAggregate
from eau2.operators.join import Join
from eau2.operators.partition_top import PartitionTop
from eau2.operators.project import Project
from eau2.operators.sample import Sample
from eau2.operators.scan import ScanChunks, StageInput
from eau2.operators.series import Series
from eau2.operators.sort import Limit, Sort, TopK
from eau2.operators.union import Union
from eau2.operators.unnest import Unnest
from eau2.operators.values import NoRows, OneRow, Rows
from eau2.operators.window import Window
from eau2.records import names as fields

_SHOWN_VALUES = 10
"""Of a longer IN list only the first so many are shown."""

_SHOWN_ENTRIES = 80
"""Of the text of a longer dict only so many characters are shown."""

_INFIX: dict[str, tuple[str, int]] = {
    "or": ("OR", 1),
    "and": ("AND", 2),
    "=": ("=", 4),
    "<>": ("<>", 4),
    "<": ("<", 4),
    "<=": ("<=", 4),
    ">": (">", 4),
    ">=": (">=", 4),
    "is_distinct": ("IS DISTINCT FROM", 4),
    "is_not_distinct": ("IS NOT DISTINCT FROM", 4),
    "||": ("||", 5),
    "+": ("+", 6),
    "-": ("-", 6),
    "*": ("*", 7),
    "/": ("/", 7),
    "//": ("//", 7),
    "%": ("%", 7),
}
_NOT, _COMPARISON, _SUM, _SIGN, _ATOM = 3, 4, 6, 8, 9

Names = Mapping[int, str]


def to_text(operator: Operator, names: Names | None = None) -> str:
    """The tree, one operator a line, inputs indented by two spaces below what reads them.

    names: what to call columns; by default they are called as the tree itself has them, which does
    not know the columns that only an earlier stage saw.
    """
    known = column_names(columns_in(operator)) if names is None else names
    return "\n".join(_lines(operator, known, ""))


def expr_text(expr: Expr, names: Names | None = None) -> str:
    """The expression much like SQL. A column not in `names` (by id) is shown by its label."""
    return _expr(expr, {} if names is None else names)[0]


def column_names(columns: Iterator[Column]) -> Names:
    """What to call each column: its name, with the id behind it where others have that name."""
    found = {column.id: column.name for column in columns}
    ids: dict[str, int] = {}
    for name in found.values():
        ids[name] = ids.get(name, 0) + 1
    return {
        id_: _quoted(name) if ids[name] == 1 else f"{_quoted(name)}#{id_}"
        for id_, name in found.items()
    }


def aggregate_text(call: AggregateCall, names: Names | None = None) -> str:
    """The call much like SQL, with what statistics have proved about a sum behind it."""
    if call.arg is None:
        inside = "*"
    else:
        inside = ", ".join(expr_text(arg, names) for arg in call.args)
    if call.order:
        inside += f" ORDER BY {', '.join(sort_key_text(key, names) for key in call.order)}"
    where = "" if call.where is None else f" FILTER (WHERE {expr_text(call.where, names)})"
    function = "count" if call.function == "count_star" else call.function
    distinct = "DISTINCT " if call.distinct else ""
    proved = "" if call.wide else " [64 bits]"
    if call.exponents is not None:
        proved += f" [exponents {call.exponents[0]} to {call.exponents[1]}]"
    return f"{function}({distinct}{inside}){where}{proved}"


def window_text(
    partition: tuple[Expr, ...],
    order: tuple[SortKey, ...],
    ties: tuple[SortKey, ...],
    calls: tuple[tuple[Column, WindowCall], ...],
    names: Names,
) -> str:
    """What a Window computes: its partitions, its order, then the calls."""
    parts = []
    if partition:
        parts.append("by " + ", ".join(expr_text(expr, names) for expr in partition))
    for word, keys in (("order", order), ("ties", ties)):
        if keys:
            parts.append(f"{word} " + ", ".join(sort_key_text(key, names) for key in keys))
    shown = ", ".join(_assigned(c, window_call_text(call, names), names) for c, call in calls)
    return f"{' '.join(parts)}: {shown}" if parts else shown


def window_call_text(call: WindowCall, names: Names | None = None) -> str:
    """The call much like SQL, with its frame behind it."""
    inside = ", ".join(expr_text(arg, names) for arg in call.args)
    if call.function == "count_star":
        inside = "*"
    if call.order:
        inside += f" ORDER BY {', '.join(sort_key_text(key, names) for key in call.order)}"
    if call.ignore_nulls:
        inside += " IGNORE NULLS"
    distinct = "DISTINCT " if call.distinct else ""
    where = "" if call.where is None else f" FILTER (WHERE {expr_text(call.where, names)})"
    function = "count" if call.function == "count_star" else call.function
    frame = "" if call.frame is None else f" {_frame(call.frame, names)}"
    return f"{function}({distinct}{inside}){where}{frame}"


def _frame(frame: WindowFrame, names: Names | None) -> str:
    ends = f"{_end(frame.start, frame, names)} AND {_end(frame.end, frame, names)}"
    others = frame.exclude.replace("_", " ").upper()
    exclude = "" if frame.exclude == "no_others" else f" EXCLUDE {others}"
    return f"{frame.unit.upper()} BETWEEN {ends}{exclude}"


def _end(end: FrameBound, frame: WindowFrame, names: Names | None) -> str:
    """An end of a frame; one of a RANGE frame is shown as the key's value there."""
    kind = end.kind.replace("_", " ").upper()
    if end.offset is None:
        return kind
    shown = expr_text(end.offset, names)
    return f"KEY {shown}" if frame.unit == "range" else f"{shown} {kind}"


def sort_key_text(key: SortKey, names: Names | None = None) -> str:
    """The key as ORDER BY has it; NULLS LAST goes without saying."""
    direction = " DESC" if key.descending else ""
    nulls = "" if key.nulls_last else " NULLS FIRST"
    return f"{expr_text(key.expr, names)}{direction}{nulls}"


def _lines(operator: Operator, names: Names, indent: str) -> Iterator[str]:
    yield f"{indent}{_line(operator, names)}".rstrip()
    for node in operator.inputs:
        yield from _lines(node, names, indent + "  ")


def _line(operator: Operator, names: Names) -> str:
    match operator:
        case ScanChunks(columns, stored):
            pairs = zip(columns, stored, strict=True)
            return "Scan " + ", ".join(_assigned(c, _quoted(name), names) for c, name in pairs)
        case StageInput(stage):
            read = ((column, expr_text(expr, names)) for column, expr in operator.items)
            text = ", ".join(_assigned(column, name, names) for column, name in read)
            return f"Stage {stage}: {text}" if text else f"Stage {stage}"
        case OneRow():
            return "OneRow"
        case NoRows(columns):
            return f"NoRows {_columns(columns, names)}"
        case Rows(columns, values):
            return f"Rows {_columns(columns, names)}: {len(values[0])}"
        case Series(column, start, stop, step):
            return f"Series {_name(column.id, names)} from {start} to {stop} by {step}"
        case Union(_, columns):
            return f"Union {_columns(columns, names)}"
        case Sample(_, fraction, count, seed):
            amount = f"{count} rows" if fraction is None else f"{fraction:.12g} of all"
            return f"Sample {amount}, seed {seed}"
        case Filter(_, condition):
            return f"Filter {expr_text(condition, names)}"
        case Project(_, items):
            shown = (_assigned(column, expr_text(expr, names), names) for column, expr in items)
            return "Project " + ", ".join(shown)
        case Expand():
            return _expand(operator, names)
        case Unnest(_, items, ordinality, outer):
            return _unnest(items, ordinality, outer, names)
        case PartialAggregate(_, keys, aggregates):
            shown = (_assigned(column, expr_text(expr, names), names) for column, expr in keys)
            return "PartialAggregate" + _aggregates(", ".join(shown), aggregates, names)
        case FinalAggregate(_, keys, aggregates, merged):
            name = "FinalAggregate (merged)" if merged else "FinalAggregate"
            return name + _aggregates(_columns(keys, names), aggregates, names)
        case Join():
            return _join(operator, names)
        case Sort(_, keys, at_most_rows):
            text = "Sort " + ", ".join(sort_key_text(key, names) for key in keys)
            return text if at_most_rows is None else f"{text} (if at most {at_most_rows} rows)"
        case Window(_, partition, order, ties, calls):
            return "Window " + window_text(partition, order, ties, calls, names)
        case PartitionTop(_, partition, key, count):
            by = ", ".join(expr_text(expr, names) for expr in partition) or "nothing"
            return f"PartitionTop {count} of {by} by {sort_key_text(key, names)}"
        case Limit(_, count, offset):
            return f"Limit {'all' if count is None else count}{_offset(offset)}"
        case TopK(_, keys, count, offset):
            by = ", ".join(sort_key_text(key, names) for key in keys)
            return f"TopK {count}{_offset(offset)} by {by}"
    return type(operator).__name__


def _offset(offset: int) -> str:
    return f" offset {offset}" if offset else ""


def _expand(node: Expand, names: Names) -> str:
    keys = [_assigned(column, expr_text(expr, names), names) for column, expr in node.keys]
    listed = [_name(column.id, names) for column, _ in node.keys]
    sets = ", ".join(f"({', '.join(listed[n] for n in members)})" for members in node.sets)
    return f"Expand {', '.join((*keys, _name(node.grouping.id, names)))} for {sets}"


def _unnest(
    items: tuple[tuple[Column, Expr], ...], ordinality: Column | None, outer: bool, names: Names
) -> str:
    shown = [_assigned(column, expr_text(expr, names), names) for column, expr in items]
    shown += [] if ordinality is None else [f"{_name(ordinality.id, names)} := ordinality"]
    return f"Unnest{' outer' if outer else ''} {', '.join(shown)}"


def _join(join: Join, names: Names) -> str:
    equals = " IS NOT DISTINCT FROM " if join.null_safe else " = "
    parts = [
        f"{_at(left, _COMPARISON + 1, names)}{equals}{_at(right, _COMPARISON + 1, names)}"
        for left, right in join.equalities
    ]
    text = f"Join {join.kind}"
    if join.mark is not None:
        text += f" as {_name(join.mark.id, names)}"
    if parts:
        text += " on " + " AND ".join(parts)
    if join.condition is not None:
        text += f" if {expr_text(join.condition, names)}"
    return text


def _aggregates(
    keys: str, aggregates: tuple[tuple[Column, AggregateCall], ...], names: Names
) -> str:
    by = f" by {keys}" if keys else ""
    shown = ", ".join(_assigned(c, aggregate_text(call, names), names) for c, call in aggregates)
    return f"{by}: {shown}" if shown else by


def _columns(columns: tuple[Column, ...], names: Names) -> str:
    return ", ".join(_name(column.id, names) for column in columns)


def _assigned(column: Column, text: str, names: Names) -> str:
    name = _name(column.id, names)
    return name if name == text else f"{name} := {text}"


def _name(id_: int, names: Names) -> str:
    return names.get(id_, f"c{id_}")


def _quoted(name: str) -> str:
    plain = name.isidentifier() and name.isascii()
    return name if plain else '"' + name.replace('"', '""') + '"'


def columns_in(operator: Operator) -> Iterator[Column]:
    """Every Column a tree mentions; references only carry ids."""
    for name in fields(type(operator)):
        value = getattr(operator, name)
        if isinstance(value, Column):
            yield value
        if isinstance(value, tuple):
            for item in value:
                candidate = item[0] if isinstance(item, tuple) and item else item
                if isinstance(candidate, Column):
                    yield candidate
    for node in operator.inputs:
        yield from columns_in(node)


def _at(expr: Expr, level: int, names: Names) -> str:
    """The expression, in parentheses if it binds less tightly than `level`."""
    text, own = _expr(expr, names)
    return text if own >= level else f"({text})"


def _expr(expr: Expr, names: Names) -> tuple[str, int]:
    """The text of an expression, and how tightly it binds."""
    match expr:
        case ColumnRef():
            return _name(expr.id, names), _ATOM
        case Literal():
            text = literal_text(expr.value, expr.type)
            return text, _SIGN if text.startswith("-") else _ATOM
        case Cast(type=type_, arg=arg, safe=safe):
            word = "TRY_CAST" if safe else "CAST"
            return f"{word}({_expr(arg, names)[0]} AS {type_})", _ATOM
        case Case(branches=branches, otherwise=otherwise):
            whens = " ".join(
                f"WHEN {_expr(condition, names)[0]} THEN {_expr(value, names)[0]}"
                for condition, value in branches
            )
            return f"CASE {whens} ELSE {_expr(otherwise, names)[0]} END", _ATOM
        case InList():
            return _in_list(expr, names), _COMPARISON
        case Call():
            return _call(expr, names)
        case LambdaParameter():
            return parameter_name(expr), _ATOM
        case Lambda(parameters=parameters, body=body):
            listed = ", ".join(map(parameter_name, parameters))
            return f"LAMBDA {listed}: {_expr(body, names)[0]}", _ATOM
    return type(expr).__name__, _ATOM


def parameter_name(parameter: LambdaParameter) -> str:
    """A parameter by a letter for its lambda: x, y, z, then w; all but the first with a number."""
    return "xyzw"[min(parameter.level, 3)] + (str(parameter.index) if parameter.index else "")


def _in_list(expr: InList, names: Names) -> str:
    shown = [literal_text(value, expr.arg.type) for value in expr.values[:_SHOWN_VALUES]]
    if len(expr.values) > _SHOWN_VALUES:
        shown.append(f"... {len(expr.values) - _SHOWN_VALUES} more")
    if expr.has_null:
        shown.append("NULL")
    return f"{_at(expr.arg, _COMPARISON + 1, names)} IN ({', '.join(shown)})"


def _call(call: Call, names: Names) -> tuple[str, int]:
    match call.function, call.args:
        case "let", (*values, Lambda(parameters=parameters, body=body)):
            bodies = [value.body for value in values if isinstance(value, Lambda)]
            given = zip(parameters, bodies, strict=False)
            parts = [f"{parameter_name(p)} := {_expr(value, names)[0]}" for p, value in given]
            return f"let({', '.join((*parts, _expr(body, names)[0]))})", _ATOM
        case function, (left, right) if function in _INFIX:
            word, level = _INFIX[function]
            # Comparisons do not chain, so both sides of one are set apart.
            lower = level + 1 if level == _COMPARISON else level
            return f"{_at(left, lower, names)} {word} {_at(right, level + 1, names)}", level
        case "not", (arg,):
            return f"NOT {_at(arg, _NOT, names)}", _NOT
        case "negate", (arg,):
            return f"-{_at(arg, _SIGN + 1, names)}", _SIGN
        case "is_null", (arg,):
            return f"{_at(arg, _COMPARISON + 1, names)} IS NULL", _COMPARISON
        case "is_not_null", (arg,):
            return f"{_at(arg, _COMPARISON + 1, names)} IS NOT NULL", _COMPARISON
        case ("like" | "ilike") as word, (arg, pattern, *escape):
            text = f"{_at(arg, 5, names)} {word.upper()} {_at(pattern, 5, names)}"
            shown = [e for e in escape if not (isinstance(e, Literal) and e.value in ("", None))]
            text += "".join(f" ESCAPE {_at(e, 5, names)}" for e in shown)
            return text, _COMPARISON
        case "add_interval", (arg, Literal() as months, Literal() as days, Literal() as micros):
            interval = interval_text(months.value, days.value, micros.value)
            return f"{_at(arg, _SUM, names)} + {interval}", _SUM
        case "dict.[]" | "dict.get", (key, Literal(value=str() as entries), *args):
            if len(entries) > _SHOWN_ENTRIES:
                entries = f"{entries[:_SHOWN_ENTRIES]}..."
            texts = [_expr(arg, names)[0] for arg in args]
            inside = ", ".join(
                (_expr(key, names)[0], literal_text(entries, call.args[1].type), *texts)
            )
            return f"{call.function}({inside})", _ATOM
        case "native", (Literal(value=name), *args):
            # As it is called.
            return f"{name}({', '.join(_expr(arg, names)[0] for arg in args)})", _ATOM
    return f"{call.function}({', '.join(_expr(arg, names)[0] for arg in call.args)})", _ATOM
