"""WITH: common tables by name, and recursive ones.

Owns: which definition a name means, and what a recursive definition may look like. Comes in:
ast.WithQuery, names in FROM. Goes out: `Query` with its definitions, scans of a definition.
Does not know: whether a definition is computed once, how rounds are run.

A definition that nothing reads is bound for its errors and left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from eau2.errors import NotSupportedError, ProgrammingError, UnknownNameError
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.bind_name import levels
from eau2.sql.environment import BindQuery, Context, Environment, Query, Shared
from eau2.sql.logical import Logical
from eau2.sql.scope import Scope
from eau2.sql.set_operations import combined, in_types
from eau2.sql.sharing import Definition, Recursive, SharedScan, With
from eau2.sql.subqueries import without_order


def bind_with(
    node: ast.WithQuery, context: Context, bind_query: BindQuery, outer: Environment | None
) -> Query:
    """The plan of a query with common tables, each of which sees those before it."""
    tables: dict[str, Shared] = {}
    definitions: list[Definition] = []
    for table in node.tables:
        if table.name.casefold() in tables:
            raise ProgrammingError(
                f'the common table "{table.name}" is defined twice', span=table.span
            )
        if table.using_key:
            raise NotSupportedError("USING KEY is not supported", span=table.span)
        env = _environment(context, outer, tables)
        if node.recursive:
            bound = _recursive(table, context, bind_query, env)
        else:
            bound = bind_query(table.query, context, env)
        number = next(context.ids)
        names = _names(table, bound.names)
        tables[table.name.casefold()] = Shared(number, names, bound.plan.output, bound.ordered)
        definitions.append(Definition(number, table.name, bound.plan, table.materialized))
    result = bind_query(node.query, context, _environment(context, outer, tables))
    kept = _read(tuple(definitions), result.plan)
    return replace(result, plan=With(kept, result.plan)) if kept else result


def common_table(name: str, outer: Environment | None) -> Shared | None:
    """What the name means as a common table, in the nearest WITH that defines it."""
    if outer is None:
        return None
    for place in levels(outer):
        found = place.tables.get(name.casefold())
        if found is not None:
            return found
    return None


def shared_scan(node: ast.TableName, table: Shared, context: Context) -> Query:
    """The rows of a common table, in columns of their own."""
    if table.refusal is not None:
        raise UnknownNameError(table.refusal, span=node.span)
    columns = tuple(
        context.column(name, column.type)
        for name, column in zip(table.names, table.columns, strict=True)
    )
    plan = SharedScan(table.number, columns, tuple(range(len(columns))))
    return Query(plan, table.names, table.ordered)


def _environment(
    context: Context, outer: Environment | None, tables: Mapping[str, Shared]
) -> Environment:
    """A place outside of a query that knows these common tables and no columns."""
    return Environment(context, Scope(), outer=outer, tables=dict(tables))


def _names(table: ast.CommonTable, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a common table's columns; those that are written rename the first of them."""
    aliases = table.column_aliases
    if len(aliases) > len(names):
        raise ProgrammingError(
            f'the common table "{table.name}" has {len(names)} columns, '
            f"but {len(aliases)} names for them",
            span=table.span,
        )
    return (*aliases, *names[len(aliases) :])


def _recursive(
    table: ast.CommonTable, context: Context, bind_query: BindQuery, env: Environment
) -> Query:
    """A definition in WITH RECURSIVE: base UNION [ALL] step, where the step reads the table."""
    query = table.query
    refusal = Shared(
        0,
        (),
        (),
        False,
        f'"{table.name}" is read outside of the recursive step: '
        "a recursive query is <base> UNION [ALL] <step>, and the step alone reads it",
    )
    hidden = _environment(context, env.outer, {**env.tables, table.name.casefold(): refusal})
    union = query
    while isinstance(union, ast.Ordered):
        union = union.query
    if not isinstance(union, ast.SetOperation) or union.operator != "union" or union.by_name:
        return bind_query(query, context, hidden)
    base = bind_query(union.left, context, hidden)
    names = _names(table, base.names)
    number = next(context.ids)
    columns = tuple(
        context.column(name, column.type)
        for name, column in zip(names, base.plan.output, strict=True)
    )
    inside = Shared(number, names, columns, False)
    seeing = _environment(context, env.outer, {**env.tables, table.name.casefold(): inside})
    step = bind_query(union.right, context, seeing)
    if isinstance(query, ast.Ordered):
        raise NotSupportedError(
            "ORDER BY and LIMIT of a UNION in WITH RECURSIVE are not supported",
            span=query.span,
            hint="Write them in the query that reads it.",
        )
    if len(step.names) != len(names):
        raise ProgrammingError(
            f"the base of this recursive query has {len(names)} columns, "
            f"its step {len(step.names)}",
            span=union.right.span,
        )
    types = tuple(column.type for column in columns)
    if number not in scanned(step.plan):
        # DuckDB takes every UNION here for a recursive one: it has the types of its base.
        plan = in_types(step.plan, step.names, types, context, union.right.span)
        return combined(union, base, replace(step, plan=plan), context)
    plan = in_types(without_order(step.plan), names, types, context, union.right.span)
    rounds = Recursive(number, table.name, without_order(base.plan), plan, columns, not union.all)
    return Query(rounds, names, False)


def scanned(plan: Logical) -> frozenset[int]:
    """The numbers of the definitions that the plan scans."""
    found: set[int] = set()
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        if isinstance(node, SharedScan):
            found.add(node.definition)
        waiting.extend(node.inputs)
    return frozenset(found)


def _read(definitions: tuple[Definition, ...], plan: Logical) -> tuple[Definition, ...]:
    """The definitions that the plan reads, directly or through others."""
    needed = set(scanned(plan))
    kept: list[Definition] = []
    for definition in reversed(definitions):
        if definition.number in needed:
            needed |= scanned(definition.plan)
            kept.append(definition)
    return tuple(reversed(kept))
