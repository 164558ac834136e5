"""What was written: the abstract syntax of a statement, as frozen nodes with source spans.

Owns: the node classes. Comes in: the parser builds them. Goes out: the binder reads them.
Does not know: whether a name exists, what a type is, what a function does.

Names are kept as written, without quotes; names compare with letter case ignored, quoted or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from eau2.errors import Span


@dataclass(frozen=True, slots=True)
class Node:
    """The base of all nodes."""

    span: Span


@dataclass(frozen=True, slots=True)
class Expression(Node):
    """The base of all expressions."""


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """A column, `a` or `t.a`: the parts in order."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Star(Expression):
    """`*` or `t.*` in a select list, or the argument of count(*)."""

    qualifier: str | None


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
class Extract(Expression):
    """EXTRACT(part FROM operand); part is lower case."""

    part: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class FunctionCall(Expression):
    """name([DISTINCT] arguments). name is lower case; special forms come here too
    (POSITION(a IN b) is position(b, a); SUBSTRING(a FROM b FOR c) is substring(a, b, c);
    TRIM([BOTH|LEADING|TRAILING] x FROM y) is trim/ltrim/rtrim(y, x)).
    """

    name: str
    arguments: tuple[Expression, ...]
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Unsupported(Expression):
    """Something that the grammar knows and eau2 refuses; `what` names it for the message.

    (A window OVER, a subquery in an expression, EXISTS, FILTER, ...)
    """

    what: str


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """A type as written: lower-case name, and parameters: decimal(15, 2)."""

    name: str
    parameters: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TableExpression(Node):
    """The base of what may stand in FROM."""


@dataclass(frozen=True, slots=True)
class TableName(TableExpression):
    """A frame by name, [AS] alias [(column aliases)]."""

    name: str
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableFile(TableExpression):
    """A file or glob, FROM 'x.parquet'."""

    path: str
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DerivedTable(TableExpression):
    """(SELECT ...) [AS] alias [(column aliases)]."""

    query: Select
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JoinClause(TableExpression):
    """left [NATURAL] kind JOIN right [ON condition | USING (columns)]. A comma is kind 'cross'."""

    kind: OneOf["inner", "left", "right", "full", "cross"]
    left: TableExpression
    right: TableExpression
    condition: Expression | None = None
    using: tuple[str, ...] = ()
    natural: bool = False


@dataclass(frozen=True, slots=True)
class SelectItem(Node):
    """One entry of a select list: an expression (maybe a Star) and its alias."""

    expression: Expression
    alias: str | None


@dataclass(frozen=True, slots=True)
class OrderItem(Node):
    """One ORDER BY entry. nulls_last is None when nothing was said."""

    expression: Expression
    descending: bool
    nulls_last: bool | None


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """The base of all statements."""


@dataclass(frozen=True, slots=True)
class Select(Statement):
    """A SELECT with all its clauses."""

    items: tuple[SelectItem, ...]
    source: TableExpression | None = None
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    having: Expression | None = None
    order_by: tuple[OrderItem, ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Explain(Statement):
    """EXPLAIN [ANALYZE] query."""

    query: Select
    analyze: bool = False


@dataclass(frozen=True, slots=True)
class SetStatement(Statement):
    """SET name = value (a constant, or the word as a string); RESET name has value None."""

    name: str
    value: Constant | None


@dataclass(frozen=True, slots=True)
class ShowTables(Statement):
    """SHOW TABLES."""


@dataclass(frozen=True, slots=True)
class ShowSetting(Statement):
    """SHOW name: one setting; SHOW ALL is 'all'."""

    name: str


@dataclass(frozen=True, slots=True)
class Describe(Statement):
    """DESCRIBE table | DESCRIBE 'file' | DESCRIBE SELECT ... (also DESC)."""

    target: TableExpression | Select


@dataclass(frozen=True, slots=True)
class Drop(Statement):
    """DROP TABLE [IF EXISTS] name."""

    name: str
    if_exists: bool


@dataclass(frozen=True, slots=True)
class UnsupportedStatement(Statement):
    """A statement that the grammar knows and eau2 refuses: INSERT, UPDATE, UNION, WITH ..."""

    what: str
