"""SUMMARIZE: one row for each column of a query, with what its values are like.

Owns: which numbers there are and how they are computed. Comes in: ast.Summarize. Goes out: `Query`.
Does not know: how aggregates run.

Each row is a query of its own over one common table, so that distinct values are counted one
column at a time. What is approximate in DuckDB is exact here.
"""

from __future__ import annotations

from collections.abc import Iterator

from eau2.config import LIMITS
from eau2.errors import NotSupportedError, Span
from eau2.operators.expr import ref
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.environment import BindQuery, Context, Environment, Query
from eau2.sql.scope import Scope, VisibleColumn, VisibleTable
from eau2.sql.sharing import Definition, SharedScan, With
from eau2.sql.sources import BoundTable, Source
from eau2.types import NARROW_DECIMAL_DIGITS, Kind, SqlType, described

_QUANTILES = {"q25": "0.25", "q50": "0.5", "q75": "0.75"}


def bind_summary(
    node: ast.Summarize, context: Context, bind_query: BindQuery, outer: Environment | None
) -> Query:
    """The plan of SUMMARIZE; its rows come in the order of the query's columns."""
    bound = bind_query(node.query, context, outer)
    if len(bound.names) > LIMITS.summarized_columns:
        raise NotSupportedError(
            f"SUMMARIZE of more than {LIMITS.summarized_columns} columns is not supported",
            span=node.span,
        )
    span, number = node.span, next(context.ids)
    rows: list[ast.Query] = []
    for position, (name, old) in enumerate(zip(bound.names, bound.plan.output, strict=True)):
        own = context.column(name, old.type)
        column = VisibleColumn(name, ref(own))
        scope = Scope((VisibleTable("summarized", (column,)),))
        source = Source(SharedScan(number, (own,), (position,)), scope, bound.ordered)
        rows.append(_row(column, BoundTable(span, source), span))
    query = rows[0]
    for row in rows[1:]:
        query = ast.SetOperation(span, "union", True, False, query, row)
    summary = bind_query(query, context, outer)
    definition = Definition(number, "summarized", bound.plan)
    return replace(summary, plan=With((definition,), summary.plan))


def _row(column: VisibleColumn, table: BoundTable, span: Span) -> ast.Query:
    """What is said of one column, the only one of a table."""
    items = [
        ast.SelectItem(span, _string(span, column.name), "column_name"),
        ast.SelectItem(span, _string(span, described(column.expr.type)), "column_type"),
    ]
    items += [ast.SelectItem(span, node, called) for called, node in _numbers(column, span)]
    return ast.Select(span, tuple(items), table)


def _numbers(column: VisibleColumn, span: Span) -> Iterator[tuple[str, ast.Expression]]:
    """What is computed for one column, by the names of the result's columns, in their order."""
    type_ = column.expr.type
    value = ast.Name(span, (column.name,))
    nothing = _cast(ast.Constant(span, "null", ""), "varchar", span)

    def text(name: str, *arguments: ast.Expression) -> ast.Expression:
        return _cast(_call(name, span, value, *arguments), "varchar", span)

    yield "min", text("min")
    yield "max", text("max")
    yield "approx_unique", ast.FunctionCall(span, "count", (value,), distinct=True)
    yield "avg", text("avg") if type_.is_numeric else nothing
    yield "std", text("stddev") if type_.is_numeric else nothing
    for name, place in _QUANTILES.items():
        if type_.is_numeric or type_.is_temporal:
            # Between two wide decimals there is no exact number: one of them is taken.
            wide = type_.kind is Kind.DECIMAL and type_.precision > NARROW_DECIMAL_DIGITS
            quantile = "quantile_disc" if wide else "quantile_cont"
            found = _call(quantile, span, value, ast.Constant(span, "decimal", place))
            yield name, _cast(_as_type(found, type_, span), "varchar", span)
        else:
            yield name, nothing
    count = _call("count", span, ast.Star(span, None))
    yield "count", count
    yield "null_percentage", _nulls(_call("count", span, value), count, span)


def _nulls(known: ast.Expression, count: ast.Expression, span: Span) -> ast.Expression:
    """(1 - known / count) * 100 with two digits; NULL of no rows."""
    one, hundred = ast.Constant(span, "integer", "1"), ast.Constant(span, "integer", "100")
    zero = ast.Constant(span, "integer", "0")
    share = ast.Binary(span, "/", known, _call("nullif", span, count, zero))
    percent = ast.Binary(span, "*", ast.Binary(span, "-", one, share), hundred)
    return ast.CastTo(span, percent, ast.TypeName(span, "decimal", (9, 2)), False)


def _as_type(node: ast.Expression, type_: SqlType, span: Span) -> ast.Expression:
    """A number between two values, as one of their type."""
    if type_.kind is Kind.DECIMAL:
        parameters = (type_.precision, type_.scale)
        return ast.CastTo(span, node, ast.TypeName(span, "decimal", parameters), False)
    return _cast(node, str(type_).lower(), span)


def _cast(node: ast.Expression, name: str, span: Span) -> ast.Expression:
    return ast.CastTo(span, node, ast.TypeName(span, name), False)


def _call(name: str, span: Span, *arguments: ast.Expression) -> ast.Expression:
    return ast.FunctionCall(span, name, arguments)


def _string(span: Span, text: str) -> ast.Expression:
    return ast.Constant(span, "string", text)
