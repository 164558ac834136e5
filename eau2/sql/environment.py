"""What an expression may refer to at its place, and what is collected while binding it.

Owns: `Context` (of a statement), `Environment` (of a place in it), `Query` (what a query has
become), and what is collected: `Aggregates`, `Windows`, `Subqueries`.
Comes in: the catalog, parameters, a scope, the aliases of a select list.
Does not know: how an expression or a query is bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from eau2.catalog import Catalog
from eau2.errors import Span
from eau2.operators.expr import AggregateCall, Column, Expr, JoinKind, Literal, SortKey, WindowCall
from eau2.operators.user_functions import UserFunction
from eau2.records import Record, Struct, field, replace
from eau2.sql import ast
from eau2.sql.logical import DependentJoin, Logical
from eau2.sql.scope import Scope
from eau2.sql.shapes import Shapes
from eau2.types import SqlType


class Context(Struct):
    """What holds for a whole statement.

    spent counts the nodes bound for the sake of aliases. depth: how many queries are being bound,
    one inside the other; views: the views among them, views_read: all that were. functions: those
    of users that were looked up, by name in lower case; a name keeps its meaning in a statement.
    """

    catalog: Catalog
    parameters: Mapping[int | str, object]
    now: datetime | None
    ids: Iterator[int]
    spent: int = 0
    depth: int = 0
    views: list[str] = field(default_factory=list)
    views_read: int = 0
    functions: dict[str, UserFunction | None] = field(default_factory=dict)

    def column(self, name: str, type_: SqlType) -> Column:
        """A new column of the plan."""
        return Column(next(self.ids), name, type_)


class Query(Record, frozen=True):
    """A bound query: its plan, the names of its columns, and whether its rows are in an order.

    `ordered` means that the order of rows is a function of the data: frame order, or made by a
    Sort; it is what LIMIT and the result may rely on.
    """

    plan: Logical
    names: tuple[str, ...]
    ordered: bool


class Shared(Record, frozen=True):
    """A common table by name: its definition's number, and the names and types of its columns.

    refusal: why it cannot be read at this place.
    """

    number: int
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    ordered: bool
    refusal: str | None = None


class Alias(Record, frozen=True):
    """A name that a select list gives, with what it names and where it stands in the list."""

    position: int
    name: str
    expression: ast.Expression


class Dependent(Record, frozen=True):
    """A DependentJoin that still lacks its left side."""

    kind: JoinKind
    right: Logical
    condition: Expr | None = None
    mark: Column | None = None


class Subqueries(Struct):
    """The subqueries met in the expressions of a clause, to be joined to the clause's plan.

    known: what an expression that holds a subquery has become, by the identity of its node, so that
    what an alias or an ordinal repeats is one and the same subquery. earlier: a clause whose
    columns this one sees.
    """

    bind_query: BindQuery
    earlier: Subqueries | None = None
    joins: list[Dependent] = field(default_factory=list)
    known: dict[int, tuple[ast.Expression, Expr]] = field(default_factory=dict)

    def find(self, node: ast.Expression) -> Expr | None:
        """What the expression has become here or in an earlier clause, if it was met."""
        found = self.known.get(id(node))
        if found is not None:
            return found[1]
        return None if self.earlier is None else self.earlier.find(node)

    def add(self, node: ast.Expression, join: Dependent, expr: Expr) -> Expr:
        """Join a subquery; `expr` over its columns is what the expression becomes."""
        self.joins.append(join)
        self.known[id(node)] = (node, expr)
        return expr

    def over(self, plan: Logical) -> Logical:
        """The plan with a column for each subquery."""
        for join in self.joins:
            plan = DependentJoin(join.kind, plan, join.right, join.condition, join.mark)
        return plan


class Use(Record, frozen=True):
    """A column that was named, and where."""

    name: str
    span: Span
    columns: frozenset[int]


class Aggregates(Struct):
    """The aggregate calls met so far and the columns they will be; equal calls share one.

    subqueries: those in the arguments of the calls, and in the keys of the grouping. complete:
    whether the order in which a call takes rows is made total.
    """

    context: Context
    shapes: Shapes
    subqueries: Subqueries | None = None
    complete: bool = True
    calls: list[tuple[Column, AggregateCall]] = field(default_factory=list)
    known: dict[tuple[object, ...], Column] = field(default_factory=dict)

    def column(self, call: AggregateCall, name: str) -> Column:
        """The column that holds the result of `call`."""
        shapes = tuple(self.shapes.of(expr) for expr in call.exprs)
        order = tuple((key.descending, key.nulls_last) for key in call.order)
        key = (call.function, call.distinct, call.where is None, len(call.args), order, shapes)
        column = self.known.get(key)
        if column is None:
            column = self.context.column(name, call.type)
            self.known[key] = column
            self.calls.append((column, call))
        return column


class Windowed(Record, frozen=True):
    """A window call, the column it will be, and the window it runs over.

    uses and span are for error messages.
    """

    column: Column
    call: WindowCall
    partition: tuple[Expr, ...]
    order: tuple[SortKey, ...]
    uses: tuple[Use, ...]
    span: Span

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """Every expression that the call and its window read."""
        return (*self.call.exprs, *self.partition, *(key.expr for key in self.order))


class Windows(Struct):
    """The window calls met so far; equal calls share one column.

    named: the windows of the WINDOW clause, by case-folded name, complete. subqueries: those in
    the calls and their windows.
    """

    context: Context
    shapes: Shapes
    named: Mapping[str, ast.WindowSpec]
    subqueries: Subqueries
    calls: list[Windowed] = field(default_factory=list)
    known: dict[tuple[object, ...], Column] = field(default_factory=dict)

    def column(self, found: Windowed) -> Column:
        """The column that holds the result of the call: `found`'s, or an equal one's."""
        blank = found.call.mapped(lambda expr: Literal(expr.type, None))
        keys = tuple((key.descending, key.nulls_last) for key in found.order)
        shapes = tuple(self.shapes.of(expr) for expr in found.exprs)
        column = self.known.setdefault((blank, len(found.partition), keys, shapes), found.column)
        if column is found.column:
            self.calls.append(found)
        return column


class Unnests(Struct):
    """The lists met so far that become rows, and the columns of their elements; equal ones share.

    items: (column, list, the columns that it names).
    """

    context: Context
    shapes: Shapes
    items: list[tuple[Column, Expr, tuple[Use, ...]]] = field(default_factory=list)

    def column(self, lists: Expr, name: str, uses: tuple[Use, ...]) -> Column:
        """The column that holds the elements of a list."""
        shape = self.shapes.of(lists)
        for column, known, _ in self.items:
            if self.shapes.of(known) == shape:
                return column
        assert lists.type.element is not None
        column = self.context.column(name, lists.type.element)
        self.items.append((column, lists, uses))
        return column


class GroupKeys(Record, frozen=True):
    """What GROUP BY names: distinct expressions with names, and the sets of them (positions).

    Plain grouping is one set of all keys. column: numbers the sets above the Aggregate; None where
    there is one set.
    """

    keys: tuple[tuple[str, Expr], ...]
    sets: tuple[tuple[int, ...], ...]
    column: Column | None


class Environment(Record, frozen=True):
    """What an expression may refer to.

    aliases: of the select list, by case-folded name, those before position `visible`. With
    `aliases_first` they go before columns. aggregates, windows and subqueries collect such
    expressions; when they are None these are an error, that of the first two worded by `refusal`
    and `window_refusal`. grouping: what GROUPING() can ask about. uses collects the columns that
    were named. unnests: collects the lists that become rows, as the others. lambdas: the parameters
    of lambdas around, by case-folded name; there are `lambda_level` such lambdas. outer: where
    names are looked up that mean nothing here. tables: the common tables that are defined here, by
    case-folded name.
    """

    context: Context
    scope: Scope
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    visible: int = 0
    aliases_first: bool = False
    aggregates: Aggregates | None = None
    refusal: str = "aggregate functions are not allowed here"
    uses: list[Use] | None = None
    inside_alias: bool = False
    subqueries: Subqueries | None = None
    outer: Environment | None = None
    tables: Mapping[str, Shared] = field(default_factory=dict)
    windows: Windows | None = None
    window_refusal: str = "window functions are not allowed here"
    grouping: GroupKeys | None = None
    unnests: Unnests | None = None
    unnest_refusal: str = "unnest is not allowed here"
    lambdas: Mapping[str, Expr] = field(default_factory=dict)
    lambda_level: int = 0

    def inside(self, clause: str) -> Environment:
        """The same names in a clause that allows neither aggregate nor window functions."""
        return replace(
            self,
            aggregates=None,
            refusal=f"aggregate functions are not allowed in {clause}",
            windows=None,
            window_refusal=f"window functions are not allowed in {clause}",
            grouping=None,
            unnests=None,
            unnest_refusal=f"unnest is not allowed in {clause}",
        )


BindQuery = Callable[[ast.Query, Context, Environment | None], Query]
"""Binds a query; its third argument is what the query may refer to outside of itself."""
