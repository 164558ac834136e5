"""Functions in FROM: series of numbers and times, lists as rows, files with their options.

Owns: which table functions there are, their arguments and the names of their columns. Comes in:
ast.TableFunction and its place. Goes out: `Source`.
Does not know: how files are read, how lists become rows.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import datetime, timedelta

from eau2 import types
from eau2.config import LIMITS
from eau2.errors import (
    NotSupportedError,
    ProgrammingError,
    TypeMismatchError,
    UnknownFunctionError,
)
from eau2.operators import windows
from eau2.operators.coercion import LIST_VALUE
from eau2.operators.expr import Call, Expr, Literal, Value, ref
from eau2.operators.functions import table
from eau2.records import replace
from eau2.sql import ast, intervals, literals
from eau2.sql.bind_expr import bind_root
from eau2.sql.constant_arguments import constant_value
from eau2.sql.environment import Context, Environment, Query, Subqueries
from eau2.sql.function_names import FILES, SERIES, TABLE_FUNCTIONS, built_in
from eau2.sql.logical import (
    Logical,
    Nothing,
    OneRow,
    Project,
    Rows,
    Scan,
    Series,
    Union,
    Unnest,
    Window,
)
from eau2.sql.scope import Scope, nearest
from eau2.sql.shapes import Shapes
from eau2.sql.sources import Place, Source, derived
from eau2.sql.spans import at
from eau2.sql.user_calls import known
from eau2.types import BIGINT, TIMESTAMP


def names() -> tuple[str, ...]:
    """The names of all table functions."""
    return TABLE_FUNCTIONS


def bind_table_function(node: ast.TableFunction, place: Place) -> Source:
    """The rows of a table function. Raises statement errors, and InputFileError for files."""
    if node.name in SERIES:
        bound = _series(node, place)
    elif node.name == "unnest":
        bound = _unnested(node, place)
    elif node.name in FILES:
        bound = _files(node, place)
    elif node.name not in built_in() and known(node.name, place.context) is not None:
        bound = _of_user(node, place)
    else:
        users = place.context.catalog.functions()
        near = nearest(node.name, [*TABLE_FUNCTIONS, *users])
        hint = f"Did you mean {near}?" if near else f"There are: {', '.join(TABLE_FUNCTIONS)}."
        raise UnknownFunctionError(
            f'there is no table function "{node.name}"', span=node.span, hint=hint
        )
    if node.ordinality and "ordinality" not in bound.names[1:]:
        bound = _with_ordinality(bound, place.context)
    if node.alias is not None and len(bound.names) == 1 and node.name not in FILES:
        bound = replace(bound, names=(node.alias,))
    return derived(bound, node.alias, node.column_aliases, node.span, node.name)


def _with_ordinality(bound: Query, context: Context) -> Query:
    call = windows.bind("row_number", (), frame=None, ordered=False)
    number = context.column("ordinality", call.type)
    plan = Window(bound.plan, (), (), (), ((number, call),))
    return Query(plan, (*bound.names, "ordinality"), bound.ordered)


def _constant(node: ast.Expression, place: Place, type_: types.SqlType) -> Value:
    return constant_value(node, place.context, place.outer, type_)


def _series(node: ast.TableFunction, place: Place) -> Query:
    """range(stop), range(start, stop [, step]); generate_series includes its end."""
    arguments = node.arguments
    if not 1 <= len(arguments) <= 3:
        raise ProgrammingError(f"{node.name} takes from 1 to 3 arguments", span=node.span)
    named = next((a for a in arguments if isinstance(a, ast.NamedArgument)), None)
    if named is not None:
        raise ProgrammingError(f"{node.name} has no named arguments", span=named.span)
    if len(arguments) == 3 and intervals.is_interval(arguments[2]):
        return _times(node, place)
    varying = _varying(node, place)
    if varying is not None:
        return varying
    values = [_constant(argument, place, BIGINT) for argument in arguments]
    column = place.context.column(node.name, BIGINT)
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) < len(values):
        return Query(Nothing((column,)), (node.name,), True)
    start, stop, step = (0, *numbers, 1) if len(numbers) == 1 else (*numbers, 1)[:3]
    if step == 0:
        raise ProgrammingError("the step of a series cannot be zero", span=arguments[2].span)
    if node.name == "generate_series":
        stop += 1 if step > 0 else -1
    return Query(Series(column, start, stop, step), (node.name,), True)


def _varying(node: ast.TableFunction, place: Place) -> Query | None:
    """A series whose bounds read columns of tables that stand before: a list for each row."""
    if place.outer is None:
        return None
    env = Environment(place.context, Scope(), outer=place.outer).inside("a function in FROM")
    bounds = tuple(bind_root(argument, env) for argument in node.arguments)
    if not any(Shapes.columns(expr) for expr in bounds):
        return None
    return _elements(node, at(node.span, table.bind, node.name, bounds), OneRow(), place)


def _times(node: ast.TableFunction, place: Place) -> Query:
    """A series of timestamps by an interval."""
    first, last, step = node.arguments
    span = intervals.fold(step, place.context.parameters)
    parts = (span.months, span.days, span.micros)
    if not any(parts):
        raise ProgrammingError("the step of a series cannot be zero", span=step.span)
    if min(parts) < 0 < max(parts):
        raise NotSupportedError("a step with parts of both signs is not supported", span=step.span)
    start = _constant(first, place, TIMESTAMP)
    stop = _constant(last, place, TIMESTAMP)
    column = place.context.column(node.name, TIMESTAMP)
    if not isinstance(start, int) or not isinstance(stop, int):
        return Query(Nothing((column,)), (node.name,), True)
    upward = max(parts) > 0
    if node.name == "generate_series":
        stop += 1 if upward else -1
    plan: Logical
    if span.months == 0:
        micros = span.days * 86_400_000_000 + span.micros
        plan = Series(column, start, stop, micros)
    else:
        found = tuple((value,) for value in _by_months(node, start, stop, span))
        plan = Rows((column,), found) if found else Nothing((column,))
    return Query(plan, (node.name,), True)


_EPOCH = datetime(1970, 1, 1)


def _by_months(
    node: ast.TableFunction, start: int, stop: int, step: intervals.Interval
) -> Iterator[int]:
    """start, and each time the step after it: months differ, so each comes from the one before."""
    upward = max(step.months, step.days, step.micros) > 0
    value, made = start, 0
    while value < stop if upward else value > stop:
        made += 1
        if made > LIMITS.series_months:
            raise NotSupportedError(
                f"a series by months of more than {LIMITS.series_months} values is not supported",
                span=node.span,
            )
        yield value
        try:
            moved = _months_later(_EPOCH + timedelta(microseconds=value), step.months)
            moved += timedelta(days=step.days, microseconds=step.micros)
        except (OverflowError, ValueError):
            return  # Beyond the years 1 to 9999, so beyond any constant that can be the end.
        value = (moved - _EPOCH) // timedelta(microseconds=1)


def _months_later(instant: datetime, months: int) -> datetime:
    """The same day of another month, or its last day if it has none of that number."""
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return instant.replace(year=year, month=month + 1, day=min(instant.day, last))


def _unnested(node: ast.TableFunction, place: Place) -> Query:
    """The elements of a list as rows, in its order."""
    if len(node.arguments) != 1 or isinstance(node.arguments[0], ast.NamedArgument):
        raise ProgrammingError("unnest in FROM takes one list", span=node.span)
    (argument,) = node.arguments
    lists, below = _list(argument, place)
    if lists.type == types.NULL:
        lists = Literal(types.list_of(types.NULL), None)
    if lists.type.element is None:
        raise TypeMismatchError(f"unnest takes a list, not {lists.type}", span=argument.span)
    return _elements(node, lists, below, place)


def _of_user(node: ast.TableFunction, place: Place) -> Query:
    """The elements of the list that a user's function gives as rows."""
    call = ast.FunctionCall(node.span, node.name, node.arguments)
    lists, below = _list(call, place)
    if lists.type.element is None:
        raise TypeMismatchError(
            f"{node.name} gives {lists.type}, not a list: it cannot stand in FROM",
            span=node.span,
            hint=f"SELECT {node.name}(...) calls it.",
        )
    return _elements(node, lists, below, place)


def _list(node: ast.Expression, place: Place) -> tuple[Expr, Logical]:
    """An expression in FROM, and a row for it with the subqueries that it reads."""
    collected = Subqueries(place.bind_query)
    env = Environment(place.context, Scope(), subqueries=collected, outer=place.outer)
    lists = bind_root(node, env.inside("a function in FROM"))
    return lists, collected.over(OneRow())


def _elements(node: ast.TableFunction, lists: Expr, below: Logical, place: Place) -> Query:
    """A row for each element. Constants that are written out are constant rows."""
    assert lists.type.element is not None
    column = place.context.column(node.name, lists.type.element)
    if isinstance(lists, Call) and lists.function == LIST_VALUE and not node.ordinality:
        values = [literals.unpinned(arg) for arg in lists.args]
        constants = tuple((value.value,) for value in values if isinstance(value, Literal))
        if values and len(constants) == len(values):
            return Query(Rows((column,), constants), (node.name,), True)
    ordinality = place.context.column("ordinality", BIGINT) if node.ordinality else None
    names = (node.name, *(("ordinality",) if node.ordinality else ()))
    plan: Logical = Unnest(below, ((column, lists),), ordinality)
    if below.output:
        own = plan.output[len(below.output) :]
        plan = Project(plan, tuple((made, ref(made)) for made in own))
    return Query(plan, names, True)


def _files(node: ast.TableFunction, place: Place) -> Query:
    """The rows of files of one format and one schema, in the order in which they are named."""
    for argument in node.arguments:
        if isinstance(argument, ast.NamedArgument):
            raise NotSupportedError(
                f'the option "{argument.name}" of {node.name} is not supported', span=argument.span
            )
    if len(node.arguments) != 1:
        raise ProgrammingError(f"{node.name} takes a path or a list of paths", span=node.span)
    (argument,) = node.arguments
    written = argument.items if isinstance(argument, ast.ListOf) else (argument,)
    paths = [_path(item, place) for item in written]
    if not paths:
        raise ProgrammingError(f"{node.name} needs a path", span=argument.span)
    parts: list[Query] = []
    for path, item in zip(paths, written, strict=True):
        _check_format(node, path, item)
        frame = at(item.span, place.context.catalog.file, path)
        names = tuple(column.name for column in frame.schema.columns)
        columns = tuple(place.context.column(c.name, c.type) for c in frame.schema.columns)
        parts.append(Query(Scan(frame, columns, tuple(range(len(columns)))), names, True))
    first = parts[0]
    for part, item in zip(parts, written, strict=True):
        if _schema(part) != _schema(first):
            raise ProgrammingError("this file has other columns than the first", span=item.span)
    if len(parts) == 1:
        return first
    columns = tuple(place.context.column(c.name, c.type) for c in first.plan.output)
    return Query(Union(tuple(part.plan for part in parts), columns), first.names, True)


def _schema(query: Query) -> tuple[tuple[str, types.SqlType], ...]:
    return tuple(
        (name.casefold(), column.type)
        for name, column in zip(query.names, query.plan.output, strict=True)
    )


def _path(node: ast.Expression, place: Place) -> str:
    value = _constant(node, place, types.VARCHAR)
    if not isinstance(value, str):
        raise ProgrammingError("a path is a text", span=node.span)
    return value


_ENDINGS = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".tsv", ".csv.gz", ".tsv.gz"),
    "json": (".json", ".ndjson", ".jsonl", ".json.gz", ".ndjson.gz", ".jsonl.gz"),
}


def _check_format(node: ast.TableFunction, path: str, written: ast.Expression) -> None:
    """Files are read by what they end in, so a function reads those of its own format alone."""
    endings = _ENDINGS[FILES[node.name]]
    if not path.lower().endswith(endings):
        raise NotSupportedError(
            f"{node.name} reads files that end in {', '.join(endings)}", span=written.span
        )
