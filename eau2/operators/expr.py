"""Bound expressions: names are columns, types are known, coercions are explicit. Plain data.

Owns: the expression nodes shared by logical plans and operators, and how to walk and rewrite them.
Does not know: SQL text, frames, how an expression is computed (lowering.py does).

Every node has a `type`. Values in literals are *physical*: a decimal is its scaled integer, a date
days since 1970-01-01, a timestamp microseconds since then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import is_not
from typing import Literal as OneOf

from eau2.records import Record, replace
from eau2.types import BOOLEAN, SqlType

Value = bool | int | float | str | None
LEANING_PARTS = 16
"""A chain of AND or OR of up to so many parts leans to the left."""

JoinKind = OneOf[
    "inner", "left", "right", "full", "cross", "semi", "anti", "mark", "single", "asof", "asof_left"
]


class Column(Record, frozen=True):
    """A column of a plan. `id` is unique within one statement; `name` is only for people."""

    id: int
    name: str
    type: SqlType

    @property
    def label(self) -> str:
        """Its name inside kernels, where it cannot collide with another column's."""
        return f"c{self.id}"


class Expr(Record, frozen=True):
    """The base of all bound expressions."""

    type: SqlType

    @property
    def children(self) -> tuple[Expr, ...]:
        """The direct sub-expressions, in order."""
        return ()

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        """The same node over other children (as many as it has)."""
        assert not children
        return self


class ColumnRef(Expr, frozen=True):
    """The value of the column with this id."""

    id: int

    @property
    def label(self) -> str:
        """The column's name inside kernels."""
        return f"c{self.id}"


class Literal(Expr, frozen=True):
    """A constant; None is NULL."""

    value: Value


class Call(Expr, frozen=True):
    """A scalar function or operator of the function tables, applied.

    `checked` is False only where statistics prove that the result cannot leave its type.
    """

    function: str
    args: tuple[Expr, ...]
    checked: bool = True

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args

    def with_children(self, children: tuple[Expr, ...]) -> Call:
        return Call(self.type, self.function, children, self.checked)


class Cast(Expr, frozen=True):
    """A conversion. With `safe` a value that does not convert gives NULL (TRY_CAST)."""

    arg: Expr
    safe: bool = False
    checked: bool = True

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    def with_children(self, children: tuple[Expr, ...]) -> Cast:
        return Cast(self.type, children[0], self.safe, self.checked)


class Case(Expr, frozen=True):
    """The result of the first branch whose condition is true, else `otherwise`.

    A branch that is not taken is not evaluated: its errors do not happen.
    """

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (*tuple(e for branch in self.branches for e in branch), self.otherwise)

    def with_children(self, children: tuple[Expr, ...]) -> Case:
        pairs = tuple(zip(children[:-1:2], children[1::2], strict=True))
        return Case(self.type, pairs, children[-1])


class InList(Expr, frozen=True):
    """`arg` IN a list of constants, all of arg's type and none NULL; type BOOLEAN.

    With `has_null` the SQL list held a NULL too: what is not found is NULL, not false.
    """

    arg: Expr
    values: tuple[bool | int | float | str, ...]
    has_null: bool = False

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)

    def with_children(self, children: tuple[Expr, ...]) -> InList:
        return InList(self.type, children[0], self.values, self.has_null)


class LambdaParameter(Expr, frozen=True):
    """A parameter of a lambda around it. level: how many lambdas are around that one."""

    level: int
    index: int


class Lambda(Expr, frozen=True):
    """A function of elements, as an argument of list_transform and its like; type: the body's."""

    parameters: tuple[LambdaParameter, ...]
    body: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.body,)

    def with_children(self, children: tuple[Expr, ...]) -> Lambda:
        return replace(self, body=children[0])


class SortKey(Record, frozen=True):
    """One ORDER BY key."""

    expr: Expr
    descending: bool = False
    nulls_last: bool = True


class AggregateCall(Record, frozen=True):
    """An aggregate function applied to its arguments (none for count(*)).

    distinct: over the distinct values. where: only rows for which it is true count (FILTER).
    order: in which order rows are taken, where that shows; the binder makes it total. wide: an
    integer or decimal sum is kept in 128 bits; False only where statistics prove that 64 suffice.
    exponents: for float sums, the (lowest, highest) binary exponents that the argument's finite,
    non-zero values can have, where statistics prove them; None otherwise. finite: statistics prove
    that no argument is NaN or infinite. present: they prove that the first argument is never NULL.
    """

    function: str
    args: tuple[Expr, ...]
    type: SqlType
    distinct: bool = False
    where: Expr | None = None
    order: tuple[SortKey, ...] = ()
    wide: bool = True
    exponents: tuple[int, int] | None = None
    present: bool = False
    finite: bool = False

    @property
    def arg(self) -> Expr | None:
        """The first argument, over which most aggregates run; None for count(*)."""
        return self.args[0] if self.args else None

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """Every expression that the call reads."""
        where = () if self.where is None else (self.where,)
        return (*self.args, *where, *(key.expr for key in self.order))

    def mapped(self, visit: Callable[[Expr], Expr]) -> AggregateCall:
        """The same call with `visit` applied to each of its expressions."""
        args = tuple([visit(arg) for arg in self.args])
        where = None if self.where is None else visit(self.where)
        order = tuple([replace(key, expr=visit(key.expr)) for key in self.order])
        if where is self.where and not order and not any(map(is_not, args, self.args)):
            return self
        return replace(self, args=args, where=where, order=order)


class FrameBound(Record, frozen=True):
    """One end of a window frame; the offset of "preceding" and "following" is an expression.

    In ROWS and GROUPS frames it is a BIGINT; in RANGE frames it is the key's value at that end of
    the frame: the key of the row plus or minus what was written (operators/windows.py makes it).
    """

    kind: OneOf[
        "unbounded_preceding", "preceding", "current_row", "following", "unbounded_following"
    ]
    offset: Expr | None = None


class WindowFrame(Record, frozen=True):
    """The rows around a row over which a window function runs."""

    unit: OneOf["rows", "range", "groups"]
    start: FrameBound
    end: FrameBound
    exclude: OneOf["no_others", "current_row", "group", "ties"] = "no_others"


class WindowCall(Record, frozen=True):
    """A window function, or an aggregate, over the rows of a frame; one value for each row.

    frame: None for functions that look at the whole partition (row_number, rank, lag, ...).
    ignore_nulls: rows whose first argument is NULL are passed over. where: only rows for which it
    is true count (aggregates only). order: in which order an aggregate takes the frame's rows;
    empty for the window's own.
    """

    function: str
    args: tuple[Expr, ...]
    type: SqlType
    frame: WindowFrame | None = None
    distinct: bool = False
    where: Expr | None = None
    ignore_nulls: bool = False
    order: tuple[SortKey, ...] = ()

    @property
    def exprs(self) -> tuple[Expr, ...]:
        """Every expression that the call reads."""
        where = () if self.where is None else (self.where,)
        ends = () if self.frame is None else (self.frame.start, self.frame.end)
        offsets = (end.offset for end in ends if end.offset is not None)
        return (*self.args, *where, *offsets, *(key.expr for key in self.order))

    def mapped(self, visit: Callable[[Expr], Expr]) -> WindowCall:
        """The same call with `visit` applied to each of its expressions."""

        def bound(end: FrameBound) -> FrameBound:
            return end if end.offset is None else replace(end, offset=visit(end.offset))

        frame = self.frame
        if frame is not None:
            frame = replace(frame, start=bound(frame.start), end=bound(frame.end))
        return replace(
            self,
            args=tuple(visit(arg) for arg in self.args),
            where=None if self.where is None else visit(self.where),
            frame=frame,
            order=tuple(replace(key, expr=visit(key.expr)) for key in self.order),
        )


def ref(column: Column) -> ColumnRef:
    """A reference to `column`."""
    return ColumnRef(column.type, column.id)


def transform(expr: Expr, visit: Callable[[Expr], Expr]) -> Expr:
    """Rewrite bottom-up: children first, then `visit` on the node over its new children."""
    children = expr.children
    if children:
        new = tuple([transform(child, visit) for child in children])
        if any(map(is_not, children, new)):
            expr = expr.with_children(new)
    return visit(expr)


def walk(expr: Expr) -> Iterator[Expr]:
    """The node and everything below it, top down."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        yield node
        children = node.children
        if children:
            waiting.extend(children[::-1])


def size_of(expr: Expr) -> int:
    """How many nodes the expression has."""
    return sum(1 for _ in walk(expr))


def columns_of(expr: Expr) -> frozenset[int]:
    """The ids of all columns the expression reads."""
    # By hand and not by walk: nothing is asked more often while a statement is planned.
    found: list[int] = []
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ColumnRef):
            found.append(node.id)
        else:
            waiting.extend(node.children)
    return frozenset(found)


def reads_parameters(expr: Expr) -> bool:
    """Whether it reads a parameter of a lambda that is not in it, or is a lambda itself.

    What one lambda of a call lists, its others may read too: the values of a let do.
    """
    waiting: list[tuple[Expr, frozenset[LambdaParameter]]] = [(expr, frozenset())]
    while waiting:
        node, known = waiting.pop()
        if isinstance(node, LambdaParameter) and node not in known:
            return True
        lambdas = [child for child in node.children if isinstance(child, Lambda)]
        known = known.union(*(child.parameters for child in lambdas)) if lambdas else known
        waiting += [(child, known) for child in node.children]
    return isinstance(expr, Lambda)


def substitute(expr: Expr, mapping: dict[int, Expr]) -> Expr:
    """Replace references to the columns in `mapping` by its expressions."""
    lambdas = False

    def visit(node: Expr) -> Expr:
        nonlocal lambdas
        if isinstance(node, ColumnRef):
            return mapping.get(node.id, node)
        lambdas = lambdas or isinstance(node, Lambda)
        return node

    def place(node: Expr, depth: int) -> Expr | None:
        if not isinstance(node, ColumnRef):
            return None
        return moved(mapping.get(node.id, node), 0, depth)

    found = transform(expr, visit)
    return placed(expr, place, 0) if lambdas else found


Place = Callable[[Expr, int], Expr | None]
"""What takes the place of a node inside so many lambdas; None leaves it where it is."""


def placed(expr: Expr, place: Place, depth: int) -> Expr:
    """`expr`, which stands inside `depth` lambdas, with what `place` gives for its largest parts.

    What it gives is taken as it is, and must be written for that depth.
    """
    found = place(expr, depth)
    if found is not None:
        return found
    children = expr.children
    if not children:
        return expr
    inner = depth + isinstance(expr, Lambda)
    new = tuple([placed(child, place, inner) for child in children])
    return expr.with_children(new) if any(map(is_not, new, children)) else expr


def moved(expr: Expr, depth: int, to: int) -> Expr:
    """`expr`, which stands inside `depth` lambdas, as it is written inside `to` of them.

    It reads parameters of levels below `depth`, which others brought, and of levels from `depth`
    on, which its own lambdas bring. Only the latter change when it moves.
    """
    by = to - depth
    if by == 0 or not expr.children:
        return expr

    def visit(node: Expr) -> Expr:
        match node:
            case LambdaParameter(level=level) if level >= depth:
                return replace(node, level=level + by)
            case Lambda(parameters=parameters) if parameters and parameters[0].level >= depth:
                raised = tuple([replace(p, level=p.level + by) for p in parameters])
                return replace(node, parameters=raised)
        return node

    return transform(expr, visit)


def conjuncts(expr: Expr) -> tuple[Expr, ...]:
    """The parts of a conjunction, in order: `a AND (b AND c)` gives a, b, c."""
    if isinstance(expr, Call) and expr.function == "and":
        return tuple([part for arg in expr.args for part in conjuncts(arg)])
    return (expr,)


def conjunction(parts: tuple[Expr, ...]) -> Expr:
    """The parts joined by AND; TRUE for none."""
    return chain("and", parts) if parts else Literal(BOOLEAN, True)


def chain(function: str, parts: tuple[Expr, ...]) -> Expr:
    """The parts, one or more, joined by "and" or "or" in order.

    Short chains lean to the left, as they are written. Long ones are balanced, so that the tree
    stays flat; a part is still evaluated after, and protected by, those before it.
    """
    if len(parts) <= LEANING_PARTS:
        return reduce(lambda a, b: Call(BOOLEAN, function, (a, b)), parts)
    middle = len(parts) // 2
    halves = (chain(function, parts[:middle]), chain(function, parts[middle:]))
    return Call(BOOLEAN, function, halves)
