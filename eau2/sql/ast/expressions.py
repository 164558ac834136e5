"""What can be written where a value is asked for.

Owns: the expression nodes. Comes in: the parser builds them. Goes out: the binder reads them.
Does not know: queries, beyond that some expressions hold one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from eau2.sql.ast.base import Expression, Node, OrderItem, Query, TypeName


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """A column, `a` or `t.a`: the parts in order."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Star(Expression):
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


@dataclass(frozen=True, slots=True)
class Columns(Expression):
    """COLUMNS('regex'), COLUMNS(*), COLUMNS([names]): the expression around it, for each of them.

    unpacked: written *COLUMNS(...), all of them as arguments of one call.
    """

    pattern: str | None
    star: Star | None
    names: tuple[str, ...] = ()
    qualifier: str | None = None
    unpacked: bool = False


@dataclass(frozen=True, slots=True)
class EveryColumn(Expression):
    """ALL in GROUP BY ALL and ORDER BY ALL."""


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A literal. kind says how it was written; the text is what stood there, without quotes.

    integer: digits. decimal: digits with a point, exact. float: with an exponent. string.
    boolean: 'true' or 'false'. null: ''.
    """

    kind: OneOf["integer", "decimal", "float", "string", "boolean", "null"]
    text: str


@dataclass(frozen=True, slots=True)
class TypedConstant(Expression):
    """DATE '2020-01-31', TIMESTAMP '...'."""

    type: TypeName
    text: str


@dataclass(frozen=True, slots=True)
class IntervalConstant(Expression):
    """INTERVAL '3 months', INTERVAL 3 MONTH, INTERVAL '3' MONTH, INTERVAL (x) DAY.

    amount is any expression; unit is lower case and singular, or None when the text has the units.
    """

    amount: Expression
    unit: str | None


@dataclass(frozen=True, slots=True)
class Parameter(Expression):
    """`?` (its position, from 1), `$1`, `$name` or `:name`."""

    name: str | int


@dataclass(frozen=True, slots=True)
class DefaultValue(Expression):
    """DEFAULT in the VALUES of an INSERT: NULL, since columns have no defaults."""


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """operator: '-', '+', 'not'."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """operator: + - * / // % ** || = <> < <= > >= and or, and the two below.

    'is distinct from', 'is not distinct from'.
    """

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class IsTest(Expression):
    """operand IS [NOT] NULL | TRUE | FALSE | UNKNOWN (what: 'null', 'true', 'false', 'unknown')."""

    operand: Expression
    what: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Between(Expression):
    """operand [NOT] BETWEEN low AND high."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True, slots=True)
class In(Expression):
    """operand [NOT] IN (items)."""

    operand: Expression
    items: tuple[Expression, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Like(Expression):
    """operand [NOT] LIKE | ILIKE pattern [ESCAPE escape]."""

    operand: Expression
    pattern: Expression
    escape: Expression | None
    ignore_case: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class CaseWhen(Expression):
    """CASE [operand] WHEN ... THEN ... [ELSE ...] END."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None


@dataclass(frozen=True, slots=True)
class CastTo(Expression):
    """CAST(x AS t), x::t; TRY_CAST when `safe`."""

    operand: Expression
    type: TypeName
    safe: bool


@dataclass(frozen=True, slots=True)
class Collated(Expression):
    """operand COLLATE collation."""

    operand: Expression
    collation: str


@dataclass(frozen=True, slots=True)
class Extract(Expression):
    """EXTRACT(part FROM operand); part is lower case."""

    part: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class FrameEnd(Node):
    """One end of a window frame; offset for "preceding" and "following"."""

    kind: OneOf[
        "unbounded_preceding", "preceding", "current_row", "following", "unbounded_following"
    ]
    offset: Expression | None = None


@dataclass(frozen=True, slots=True)
class Frame(Node):
    """ROWS | RANGE | GROUPS BETWEEN start AND end [EXCLUDE ...]; without an end CURRENT ROW is."""

    unit: OneOf["rows", "range", "groups"]
    start: FrameEnd
    end: FrameEnd
    exclude: OneOf["no_others", "current_row", "group", "ties"] = "no_others"


@dataclass(frozen=True, slots=True)
class WindowSpec(Node):
    """What stands behind OVER, or in the WINDOW clause. base: the named window that it extends."""

    base: str | None = None
    partition_by: tuple[Expression, ...] = ()
    order_by: tuple[OrderItem, ...] = ()
    frame: Frame | None = None


@dataclass(frozen=True, slots=True)
class FunctionCall(Expression):
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


@dataclass(frozen=True, slots=True)
class NamedArgument(Expression):
    """name := value, name => value, in the arguments of a function."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Lambda(Expression):
    """LAMBDA x, i: body, or x -> body."""

    parameters: tuple[str, ...]
    body: Expression


COMPREHENSION = "list comprehension"
"""What the call [x FOR y IN list IF z] is called: no function has such a name.

Its arguments are the list, the lambda y: x, and the lambda y: z.
"""


@dataclass(frozen=True, slots=True)
class ListOf(Expression):
    """[a, b, c] or, which only its name shows, ARRAY[a, b, c]."""

    items: tuple[Expression, ...]
    array: bool = False


@dataclass(frozen=True, slots=True)
class Subscript(Expression):
    """operand[index]."""

    operand: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Slice(Expression):
    """operand[start:stop:step]; each may be left out."""

    operand: Expression
    start: Expression | None
    stop: Expression | None
    step: Expression | None = None


@dataclass(frozen=True, slots=True)
class RowOf(Expression):
    """(a, b), ROW(a, b): rows that are compared, or the left side of IN."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Subquery(Expression):
    """(SELECT ...) as a value; `as_list` for ARRAY(SELECT ...)."""

    query: Query
    as_list: bool = False


@dataclass(frozen=True, slots=True)
class Exists(Expression):
    """EXISTS (SELECT ...); NOT EXISTS is a Unary around it."""

    query: Query


@dataclass(frozen=True, slots=True)
class InQuery(Expression):
    """operand [NOT] IN (SELECT ...); the operand may be a RowOf."""

    operand: Expression
    query: Query
    negated: bool


@dataclass(frozen=True, slots=True)
class Quantified(Expression):
    """operand <operator> ANY | ALL (SELECT ... or a list); SOME is ANY."""

    operator: str
    operand: Expression
    quantifier: OneOf["any", "all"]
    right: Query | Expression


@dataclass(frozen=True, slots=True)
class GroupingSet(Expression):
    """ROLLUP (...), CUBE (...), GROUPING SETS (...) in GROUP BY.

    elements: of ROLLUP and CUBE tuples of expressions, each one step; of GROUPING SETS tuples, each
    one set, or nested GroupingSets.
    """

    kind: OneOf["rollup", "cube", "sets"]
    elements: tuple[tuple[Expression, ...] | GroupingSet, ...]


@dataclass(frozen=True, slots=True)
class Unsupported(Expression):
    """Something that the grammar knows and eau2 refuses; `what` names it for the message.

    (A window OVER, a subquery in an expression, EXISTS, FILTER, ...)
    """

    what: str
