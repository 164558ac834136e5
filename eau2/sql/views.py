"""Views: a query under a name, bound where it is read as if it stood there in brackets.

Owns: that a view sees nothing of the statement around it, that views may read views but never
themselves, and how an error inside a view is told. Comes in: a name in FROM and what it means.
Goes out: `Source`. Does not know: where views are kept.
"""

from __future__ import annotations

from eau2.catalog import View
from eau2.config import LIMITS
from eau2.errors import NotSupportedError, ProgrammingError, StatementError
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.environment import Query
from eau2.sql.parser import parse_one
from eau2.sql.sources import Place, Source, derived


def bind_view(node: ast.TableName, view: View, place: Place) -> Source:
    """The rows of a view. Raises statement errors that point at the name in FROM."""
    reading = place.context.views
    place.context.views_read += 1
    _check(node, view, reading, place.context.views_read)
    reading.append(view.name)
    try:
        bound = _bound(view, place)
    except StatementError as error:
        message = f'the view "{view.name}" cannot be read: {error.message}'
        raise type(error)(message, span=node.span, hint=error.hint) from None
    finally:
        reading.pop()
    name = node.alias or node.name
    return derived(bound, name, node.column_aliases, node.span, name)


def _check(node: ast.TableName, view: View, reading: list[str], read: int) -> None:
    folded = [name.casefold() for name in reading]
    if view.name.casefold() in folded:
        circle = [*reading[folded.index(view.name.casefold()) :], view.name]
        raise ProgrammingError(
            f'the view "{view.name}" reads itself: {" reads ".join(circle)}', span=node.span
        )
    if len(reading) >= LIMITS.view_depth:
        raise NotSupportedError(
            f"views read one another more than {LIMITS.view_depth} deep", span=node.span
        )
    if read > LIMITS.views_read:
        raise NotSupportedError(
            f"a statement reads views more than {LIMITS.views_read} times, with all that they read",
            span=node.span,
        )


def _bound(view: View, place: Place) -> Query:
    statement = parse_one(view.text)
    if not isinstance(statement, ast.Query):
        raise ProgrammingError("it is no query")
    bound = place.bind_query(statement, place.context, None)
    if len(view.column_names) > len(bound.names):
        raise ProgrammingError(
            f"it names {len(view.column_names)} columns, but its query has {len(bound.names)}"
        )
    names = (*view.column_names, *bound.names[len(view.column_names) :])
    return replace(bound, names=names)
