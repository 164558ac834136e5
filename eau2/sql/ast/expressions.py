"""What can be written where a value is asked for.

Owns: the expression nodes. Comes in: the parser builds them. Goes out: the binder reads them.
Does not know: queries, beyond that some expressions hold one.
"""

from __future__ import annotations

from typing import Literal as OneOf

from eau2.sql.ast.base import Expression, Node, OrderItem, Query, TypeName


class Name(Expression, frozen=True):
    """A column, `a` or `t.a`: the parts in order."""

    parts: tuple[str, ...]


class Star(Expression, frozen=True):
    """`*` or `t.*` in a select list, the argument of count(*), or COLUMNS(*).

    exclude: names, maybe qualified. replace: (expression, name) pairs. rename: (name, new name)
    pairs. like: (operator, pattern) of `* LIKE 'a%'`; the operator is like, ilike, glob or
    similar, with "not " before it when negated.
    """

    qualifier: str | None
    exclude: tuple[tuple[str, ...], ...] = ()
    replace: tuple[tuple[Expression, str], ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    like: tuple[str, str] | None = None


class Columns(Expression, frozen=True):
    """COLUMNS('regex'), COLUMNS(*), COLUMNS([names]): the expression around it, for each of them.

    unpacked: written *COLUMNS(...), all of them as arguments of one call.
    """

    pattern: str | None
    star: Star | None
    names: tuple[str, ...] = ()
    qualifier: str | None = None
    unpacked: bool = False


class EveryColumn(Expression, frozen=True):
    """ALL in GROUP BY ALL and ORDER BY ALL."""


class Constant(Expression, frozen=True):
    """A literal. kind says how it was written; the text is what stood there, without quotes.

    integer: digits. decimal: digits with a point, exact. float: with an exponent. string.
    boolean: 'true' or 'false'. null: ''.
    """

    kind: OneOf["integer", "decimal", "float", "string", "boolean", "null"]
    text: str


class TypedConstant(Expression, frozen=True):
    """DATE '2020-01-31', TIMESTAMP '...'."""

    type: TypeName
    text: str


class IntervalConstant(Expression, frozen=True):
    """INTERVAL '3 months', INTERVAL 3 MONTH, INTERVAL '3' MONTH, INTERVAL (x) DAY.

    amount is any expression; unit is lower case and singular, or None when the text has the units.
    """

    amount: Expression
    unit: str | None


class Parameter(Expression, frozen=True):
    """`?` (its position, from 1), `$1`, `$name` or `:name`."""

    name: str | int


class DefaultValue(Expression, frozen=True):
    """DEFAULT in the VALUES of an INSERT: NULL, since columns have no defaults."""


class Unary(Expression, frozen=True):
    """operator: '-', '+', 'not'."""

    operator: str
    operand: Expression


class Binary(Expression, frozen=True):
    """operator: + - * / // % ** || = <> < <= > >= and or, and the two below.

    'is distinct from', 'is not distinct from'.
    """

    operator: str
    left: Expression
    right: Expression


class IsTest(Expression, frozen=True):
    """operand IS [NOT] NULL | TRUE | FALSE | UNKNOWN (what: 'null', 'true', 'false', 'unknown')."""

    operand: Expression
    what: str
    negated: bool


class Between(Expression, frozen=True):
    """operand [NOT] BETWEEN low AND high."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool


class In(Expression, frozen=True):
    """operand [NOT] IN (items)."""

    operand: Expression
    items: tuple[Expression, ...]
    negated: bool


class Like(Expression, frozen=True):
    """operand [NOT] LIKE | ILIKE pattern [ESCAPE escape]."""

    operand: Expression
    pattern: Expression
    escape: Expression | None
    ignore_case: bool
    negated: bool


class CaseWhen(Expression, frozen=True):
    """CASE [operand] WHEN ... THEN ... [ELSE ...] END."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None


class CastTo(Expression, frozen=True):
    """CAST(x AS t), x::t; TRY_CAST when `safe`."""

    operand: Expression
    type: TypeName
    safe: bool


class Collated(Expression, frozen=True):
    """operand COLLATE collation."""

    operand: Expression
    collation: str


class Extract(Expression, frozen=True):
    """EXTRACT(part FROM operand); part is lower case."""

    part: str
    operand: Expression


class FrameEnd(Node, frozen=True):
    """One end of a window frame; offset for "preceding" and "following"."""

    kind: OneOf[
        "unbounded_preceding", "preceding", "current_row", "following", "unbounded_following"
    ]
    offset: Expression | None = None


class Frame(Node, frozen=True):
    """ROWS | RANGE | GROUPS BETWEEN start AND end [EXCLUDE ...]; without an end CURRENT ROW is."""

    unit: OneOf["rows", "range", "groups"]
    start: FrameEnd
    end: FrameEnd
    exclude: OneOf["no_others", "current_row", "group", "ties"] = "no_others"


class WindowSpec(Node, frozen=True):
    """What stands behind OVER, or in the WINDOW clause. base: the named window that it extends."""

    base: str | None = None
    partition_by: tuple[Expression, ...] = ()
    order_by: tuple[OrderItem, ...] = ()
    frame: Frame | None = None


class FunctionCall(Expression, frozen=True):
    """name([DISTINCT] arguments). name is lower case; special forms come here too
    (POSITION(a IN b) is position(b, a); SUBSTRING(a FROM b FOR c) is substring(a, b, c);
    TRIM([BOTH|LEADING|TRAILING] x FROM y) is trim/ltrim/rtrim(y, x); GROUPING(a, b) too).

    order_by: inside the brackets, or of WITHIN GROUP. where: FILTER (WHERE ...). over: a window's
    specification or name. ignore_nulls: True or False where IGNORE or RESPECT NULLS is written.
    method: written a.name(b), which means name(a, b); only the column's name shows it.
    """

    name: str
    arguments: tuple[Expression, ...]
    distinct: bool = False
    order_by: tuple[OrderItem, ...] = ()
    within_group: bool = False
    where: Expression | None = None
    over: WindowSpec | str | None = None
    ignore_nulls: bool | None = None
    method: bool = False


class NamedArgument(Expression, frozen=True):
    """name := value, name => value, in the arguments of a function."""

    name: str
    value: Expression


class Lambda(Expression, frozen=True):
    """LAMBDA x, i: body, or x -> body."""

    parameters: tuple[str, ...]
    body: Expression


COMPREHENSION = "list comprehension"
"""What the call [x FOR y IN list IF z] is called: no function has such a name.

Its arguments are the list, the lambda y: x, and the lambda y: z.
"""


class ListOf(Expression, frozen=True):
    """[a, b, c] or, which only its name shows, ARRAY[a, b, c]."""

    items: tuple[Expression, ...]
    array: bool = False


class Subscript(Expression, frozen=True):
    """operand[index]."""

    operand: Expression
    index: Expression


class Slice(Expression, frozen=True):
    """operand[start:stop:step]; each may be left out."""

    operand: Expression
    start: Expression | None
    stop: Expression | None
    step: Expression | None = None


class RowOf(Expression, frozen=True):
    """(a, b), ROW(a, b): rows that are compared, or the left side of IN."""

    items: tuple[Expression, ...]


class Subquery(Expression, frozen=True):
    """(SELECT ...) as a value; `as_list` for ARRAY(SELECT ...)."""

    query: Query
    as_list: bool = False


class Exists(Expression, frozen=True):
    """EXISTS (SELECT ...); NOT EXISTS is a Unary around it."""

    query: Query


class InQuery(Expression, frozen=True):
    """operand [NOT] IN (SELECT ...); the operand may be a RowOf."""

    operand: Expression
    query: Query
    negated: bool


class Quantified(Expression, frozen=True):
    """operand <operator> ANY | ALL (SELECT ... or a list); SOME is ANY."""

    operator: str
    operand: Expression
    quantifier: OneOf["any", "all"]
    right: Query | Expression


class GroupingSet(Expression, frozen=True):
    """ROLLUP (...), CUBE (...), GROUPING SETS (...) in GROUP BY.

    elements: of ROLLUP and CUBE tuples of expressions, each one step; of GROUPING SETS tuples, each
    one set, or nested GroupingSets.
    """

    kind: OneOf["rollup", "cube", "sets"]
    elements: tuple[tuple[Expression, ...] | GroupingSet, ...]


class Unsupported(Expression, frozen=True):
    """Something that the grammar knows and eau2 refuses; `what` names it for the message.

    (A window OVER, a subquery in an expression, EXISTS, FILTER, ...)
    """

    what: str
