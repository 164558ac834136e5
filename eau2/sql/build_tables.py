"""The grammar's rules for FROM as actions: tables, joins, aliases, samples, pivots.

Owns: one function for each action name of the section on FROM. Comes in: a span and the values of
the parts. Goes out: table expressions. Does not know: tokens, states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args
from typing import Literal as OneOf

from eau2.errors import Span, SqlSyntaxError
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.build_expressions import ACTIONS as ACTIONS
from eau2.sql.build_expressions import action, unquoted
from eau2.sql.build_queries import Tail, all_of_table, tailed_brackets

Expression = ast.Expression
Table = ast.TableExpression
Alias = tuple[str, tuple[str, ...]]
Items = tuple[ast.SelectItem, ...]
JoinKind = OneOf["inner", "left", "right", "full", "semi", "anti", "asof", "asof_left"]

NO_ALIAS: tuple[None, tuple[str, ...]] = (None, ())


def join_kind(kind: JoinKind) -> Callable[[Span], JoinKind]:
    """The action of the word before JOIN."""
    return lambda span: kind


@action
def _comma(span: Span, left: Table, right: Table) -> Table:
    return ast.JoinClause(span, "cross", left, right)


@action
def _cross_join(span: Span, left: Table, right: Table) -> Table:
    return _pivoted_last(span, right, lambda table: ast.JoinClause(span, "cross", left, table))


@action
def _positional_join(span: Span, left: Table, right: Table) -> Table:
    return _pivoted_last(span, right, lambda table: ast.JoinClause(span, "positional", left, table))


def _pivoted_last(span: Span, right: Table, join: Callable[[Table], Table]) -> Table:
    """A join without condition. A PIVOT behind it that has no brackets is of all that is joined."""
    match right:
        case ast.PivotTable() | ast.UnpivotTable() if right.span.start == right.table.span.start:
            return replace(right, span=span, table=_pivoted_last(span, right.table, join))
        case ast.SampledTable(_, ast.PivotTable() | ast.UnpivotTable()):
            raise SqlSyntaxError("Put brackets around what is joined here", span=right.span)
    return join(right)


@action
def _join_on(
    span: Span, left: Table, kind: JoinKind | None, right: Table, condition: Expression
) -> Table:
    return ast.JoinClause(span, kind or "inner", left, right, condition=condition)


@action
def _join_using(
    span: Span, left: Table, kind: JoinKind | None, right: Table, columns: tuple[str, ...]
) -> Table:
    return ast.JoinClause(span, kind or "inner", left, right, using=columns)


@action
def _natural_join(span: Span, left: Table, kind: JoinKind | None, right: Table) -> Table:
    def joined(table: Table) -> Table:
        return ast.JoinClause(span, kind or "inner", left, table, natural=True)

    return _pivoted_last(span, right, joined)


@action
def _table(span: Span, name: str, given: Alias | None = None) -> Table:
    return ast.TableName(span, name, *(given or NO_ALIAS))


@action
def _file(span: Span, text: str, given: Alias | None = None) -> Table:
    return ast.TableFile(span, unquoted(span, text), *(given or NO_ALIAS))


@action
def _aliased(span: Span, inner: Table, given: Alias | None) -> Table:
    if given is None:
        return inner
    match inner:
        case (
            ast.TableName(alias=None)
            | ast.TableFile(alias=None)
            | ast.TableFunction(alias=None)
            | ast.DerivedTable(alias=None)
        ):
            return replace(inner, span=span, alias=given[0], column_aliases=given[1])
    return ast.DerivedTable(span, all_of_table(inner.span, inner), *given)


@action
def _prefixed_alias(span: Span, name: str, table: Table) -> Table:
    return _aliased(span, table, (name, ()))


@action
def _derived(span: Span, query: ast.Query) -> Table:
    return ast.DerivedTable(span, query)


@action
def _derived_tailed(span: Span, left: Table, tail: Tail) -> Table:
    match left:
        case ast.DerivedTable(alias=None, lateral=False):
            return ast.DerivedTable(span, tailed_brackets(span, left.query, tail))
    raise SqlSyntaxError("These brackets should hold a query", span=left.span)


@action
def _joined_in_brackets(span: Span, inner: Table) -> Table:
    # The span tells that there are brackets: see _pivoted_last.
    pivoted = isinstance(inner, ast.PivotTable | ast.UnpivotTable)
    return replace(inner, span=span) if pivoted else inner


@action
def _lateral(span: Span, query: ast.Query, given: Alias | None) -> Table:
    alias, columns = given or NO_ALIAS
    return ast.DerivedTable(span, query, alias, columns, lateral=True)


@action
def _table_function(
    span: Span,
    name: str,
    arguments: tuple[Expression, ...] | None,
    ordinality: bool | None,
    given: Alias | None,
) -> Table:
    named = tuple(map(_named, arguments or ()))
    alias, columns = given or NO_ALIAS
    return ast.TableFunction(span, name.lower(), named, alias, columns, bool(ordinality))


def _named(argument: Expression) -> Expression:
    """`name = value` is another spelling of `name := value` here."""
    match argument:
        case ast.Binary(span, "=", ast.Name(_, (name,)), value):
            return ast.NamedArgument(span, name, value)
    return argument


@action
def _sampled(span: Span, table: Table, sample: ast.Sample) -> Table:
    return ast.SampledTable(span, table, sample)


Amount = tuple[Expression, bool]
"""How many, and whether that is a percentage."""


@action
def _sample_rows(span: Span, amount: Expression) -> Amount:
    return amount, False


@action
def _sample_percent(span: Span, amount: Expression) -> Amount:
    return amount, True


@action
def _sample(
    span: Span, amount: Amount, method: str | None = None, seed: str | None = None
) -> ast.Sample:
    if seed is not None and not seed.isdecimal():
        raise SqlSyntaxError("The seed of a sample is a whole number", span=span)
    name = None if method is None else method.lower()
    return ast.Sample(span, *amount, name, None if seed is None else int(seed[:18]))


@action
def _sample_method(span: Span, method: str, amount: Amount, seed: str | None) -> ast.Sample:
    return _sample(span, amount, method, seed)


@action
def _sample_repeatable(span: Span, amount: Amount, seed: str | None) -> ast.Sample:
    return _sample(span, amount, None, seed)


def _several(header: Expression) -> tuple[Expression, ...]:
    return header.items if isinstance(header, ast.RowOf) else (header,)


@action
def _pivot_on(span: Span, header: Expression, values: Items) -> ast.PivotOn:
    return ast.PivotOn(span, _several(header), values)


@action
def _pivot_column(span: Span, header: Expression, values: Items | None = None) -> ast.PivotOn:
    operators = isinstance(header, ast.Binary | ast.Unary) and header.span.start == span.start
    if values is not None and operators:
        # Without brackets `a % 3 IN (1, 2)` is one test, of which the values are false and true.
        test = ast.In(span, header, tuple(item.expression for item in values), False)
        return ast.PivotOn(span, (test,), None)
    return ast.PivotOn(span, _several(header), values)


@action
def _pivot_comparison(
    span: Span, left: Expression, operator: str, right: Expression
) -> ast.PivotOn:
    return ast.PivotOn(span, (ACTIONS["binary"](span, left, operator, right),), None)


@action
def _pivot_columns(span: Span, *columns: ast.PivotOn) -> tuple[ast.PivotOn, ...]:
    return columns


Pivoted = tuple[Items, tuple[ast.PivotOn, ...], tuple[Expression, ...] | None]
"""The aggregates, the columns whose values become columns, and what is grouped by."""


@action
def _pivoted(span: Span, aggregates: Items, *more: Any) -> Pivoted:
    *on, group_by = more
    return aggregates, tuple(on), group_by


@action
def _pivot(span: Span, table: Table, pivoted: Pivoted, given: Alias | None) -> Table:
    return ast.PivotTable(span, table, *pivoted, *(given or NO_ALIAS))


@action
def _pivot_clauses(
    span: Span,
    on: tuple[ast.PivotOn, ...],
    aggregates: Items | None,
    group_by: tuple[Expression, ...] | None,
) -> Pivoted:
    return aggregates or (), on, group_by


@action
def _pivot_without_columns(
    span: Span, aggregates: Items, group_by: tuple[Expression, ...] | None
) -> Pivoted:
    return aggregates, (), group_by


@action
def _pivot_query(span: Span, table: Table, pivoted: Pivoted) -> ast.Query:
    aggregates, on, group_by = pivoted
    if not on:
        keys = group_by or ()
        items = (*(ast.SelectItem(key.span, key, None) for key in keys), *aggregates)
        return ast.Select(span, items, table, group_by=keys)
    return all_of_table(span, ast.PivotTable(span, table, *pivoted))


@action
def _pivot_groups_alone(span: Span, group_by: tuple[Expression, ...]) -> Pivoted:
    return (), (), group_by


Unpivoted = tuple[str, tuple[str, ...], Items]
"""The column for the names, those for the values, and the columns that are read."""


@action
def _unpivoted(span: Span, values: tuple[str, ...], name: str, items: Items) -> Unpivoted:
    return name, values, items


@action
def _names(span: Span, *names: str) -> tuple[str, ...]:
    return names


def _unpivot_table(span: Span, table: Table, unpivoted: Unpivoted) -> ast.UnpivotTable:
    name, values, items = unpivoted
    on = tuple((_several(item.expression), item.alias) for item in items)
    return ast.UnpivotTable(span, table, name, values, on)


@action
def _unpivot(
    span: Span, table: Table, nulls: bool | None, unpivoted: Unpivoted, given: Alias | None
) -> Table:
    alias, columns = given or NO_ALIAS
    return replace(
        _unpivot_table(span, table, unpivoted),
        include_nulls=bool(nulls),
        alias=alias,
        column_aliases=columns,
    )


@action
def _unpivot_into(span: Span, name: str, *values: str) -> tuple[str, tuple[str, ...]]:
    return name, values


@action
def _unpivot_query(
    span: Span, table: Table, items: Items, into: tuple[str, tuple[str, ...]] | None
) -> ast.Query:
    name, values = into or ("name", ("value",))
    return all_of_table(span, _unpivot_table(span, table, (name, values, items)))


@action
def _alias(span: Span, name: str, columns: tuple[str, ...] | None) -> Alias:
    return name, columns or ()


@action
def _string_alias(span: Span, text: str, columns: tuple[str, ...] | None) -> Alias:
    return unquoted(span, text), columns or ()


@action
def _column_names(span: Span, *names: str) -> tuple[str, ...]:
    return names


@action
def _table_path(span: Span, name: str) -> str:
    return name


ACTIONS |= {kind: join_kind(kind) for kind in get_args(JoinKind)}
