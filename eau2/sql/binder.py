"""ast and catalog to logical plan: what a statement means.

Owns: `bind`, and the order of a whole result. Comes in: a parsed query, the catalog, parameter
values, the time. Goes out: `Bound`, a well-formed logical plan with the names of its columns.
Does not know: how plans are optimised or run. The clock is handed in.

scope.py knows the names, bind_from.py the tables, bind_select.py the clauses, bind_expr.py the
expressions, literals.py and intervals.py the constants, naming.py what a column is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import count

from eau2.catalog import Catalog
from eau2.config import LIMITS
from eau2.records import Record
from eau2.sql import ast
from eau2.sql.bind_query import bind_query
from eau2.sql.environment import Context
from eau2.sql.logical import Logical, Sort
from eau2.sql.ordering import total_order


class Bound(Record, frozen=True):
    """A bound statement. The plan's output columns are the result's, `names` what they are called.

    Names may occur more than once.
    """

    plan: Logical
    names: tuple[str, ...]


def bind(
    query: ast.Query,
    catalog: Catalog,
    parameters: Mapping[int | str, object] | None = None,
    now: datetime | None = None,
) -> Bound:
    """The logical plan of a query.

    parameters: values by position from 1, or by name. now: what current_date and now() give.
    Raises StatementError (with spans), and InputFileError for files in FROM.
    """
    context = Context(catalog, {} if parameters is None else parameters, now, count(1))
    bound = bind_query(query, context)
    plan = bound.plan
    if not bound.ordered:
        plan = Sort(plan, total_order((), plan.output), LIMITS.unordered_result_rows)
    return Bound(plan, bound.names)
