"""FROM: names, files and derived tables become a plan and a scope.

Owns: what a name in FROM means (a common table, a frame, a view), and which room binds the other
table expressions. Comes in: ast table expressions. Goes out: `Source`.
Does not know: what is selected; a derived table is bound by the function that it is handed.
"""

from __future__ import annotations

from eau2.catalog import Frame
from eau2.errors import Span, UnknownTableError
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.common_tables import common_table, shared_scan
from eau2.sql.environment import BindQuery, Context, Environment
from eau2.sql.joins import bind_join
from eau2.sql.logical import OneRow, Scan
from eau2.sql.pivot import pivoted
from eau2.sql.refusals import unsupported
from eau2.sql.sampling import sampled
from eau2.sql.scope import Scope, suggestion
from eau2.sql.sources import BoundTable, Place, Source, derived, visible
from eau2.sql.spans import at
from eau2.sql.table_functions import bind_table_function
from eau2.sql.unpivot import unpivoted
from eau2.sql.views import bind_view


def bind_from(
    node: ast.TableExpression | None,
    context: Context,
    bind_query: BindQuery,
    outer: Environment | None = None,
) -> Source:
    """The source a SELECT reads; without FROM it is one row of no columns."""
    if node is None:
        return Source(OneRow(), Scope(), True)
    return _bound(node, Place(context, bind_query, outer))


def _bound(node: ast.TableExpression, place: Place) -> Source:
    match node:
        case ast.TableName():
            return _named(node, place)
        case ast.TableFile(span, path, alias, columns):
            frame = at(span, place.context.catalog.file, path)
            return _scan(frame, alias or _stem(path), columns, place.context, span)
        case ast.DerivedTable(span, query, alias, columns):
            bound = place.bind_query(query, place.context, place.outer)
            return derived(bound, alias, columns, span, "unnamed_subquery")
        case ast.JoinClause():
            return bind_join(node, place, _bound)
        case ast.TableFunction():
            return bind_table_function(node, place)
        case ast.SampledTable(_, table, sample):
            return sampled(_bound(table, place), sample, place.context)
        case ast.PivotTable(_, table):
            return pivoted(node, _bound(table, place), place)
        case BoundTable(_, source):
            return source
        case ast.UnpivotTable(_, table):
            return unpivoted(node, _bound(table, place), place)
    raise unsupported(node)


def _named(node: ast.TableName, place: Place) -> Source:
    """A common table, else a frame, else a view."""
    shared = common_table(node.name, place.outer)
    name = node.alias or node.name
    if shared is not None:
        bound = shared_scan(node, shared, place.context)
        source = derived(bound, name, node.column_aliases, node.span, name)
        return replace(source, ordered=shared.ordered)
    frame = place.context.catalog.frame(node.name)
    view = place.context.catalog.view(node.name) if frame is None else None
    if view is not None:
        return bind_view(node, view, place)
    if frame is None:
        raise UnknownTableError(
            f'there is no table "{node.name}"',
            span=node.span,
            hint=suggestion(node.name, list(place.context.catalog.names()), "Tables")
            or "There are no tables yet.",
        )
    return _scan(frame, name, node.column_aliases, place.context, node.span)


def _scan(
    frame: Frame, name: str, aliases: tuple[str, ...], context: Context, span: Span
) -> Source:
    columns = tuple(context.column(column.name, column.type) for column in frame.schema.columns)
    plan = Scan(frame, columns, tuple(range(len(columns))))
    names = tuple(column.name for column in frame.schema.columns)
    return Source(plan, Scope((visible(name, names, aliases, plan, span),)), True)


def _stem(path: str) -> str:
    """The name by which a file's columns can be qualified: the file's, without its ending.

    The files of a glob have no name in common, so there it is the glob.
    """
    if any(sign in path for sign in "*?["):
        return path
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    return name.split(".", 1)[0] or name
