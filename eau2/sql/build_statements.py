"""The grammar's rules for statements, queries and FROM as actions.

Owns: one function for each action name outside the section on expressions, and what one statement
gathers while it is read. Comes in: a span and the values of the parts. Goes out: statements.
Does not know: tokens, states.

A clause that eau2 refuses, and for which the syntax tree has no node, is noted, and the statement
as a whole becomes an UnsupportedStatement that points at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args
from typing import Literal as OneOf

from eau2.errors import Span
from eau2.sql import ast
from eau2.sql.build_expressions import ACTIONS, CHAINS, action, chain_depth, number, unquoted

REFUSED = {
    "refuse_anti": "ANTI JOIN",
    "refuse_asof": "ASOF JOIN",
    "refuse_distinct_on": "DISTINCT ON",
    "refuse_except": "EXCEPT",
    "refuse_fetch": "FETCH (use LIMIT)",
    "refuse_intersect": "INTERSECT",
    "refuse_lateral": "LATERAL",
    "refuse_pivot": "PIVOT",
    "refuse_positional": "POSITIONAL JOIN",
    "refuse_qualify": "QUALIFY",
    "refuse_sample": "TABLESAMPLE",
    "refuse_scoped_set": "SET with a scope",
    "refuse_semi": "SEMI JOIN",
    "refuse_show": "This form of SHOW",
    "refuse_table_function": "A function in FROM",
    "refuse_union": "UNION",
    "refuse_windows": "WINDOW",
}
"""Actions that refuse a whole statement, and what its message speaks of."""

Expression = ast.Expression
Alias = tuple[str, tuple[str, ...]]
JoinKind = OneOf["inner", "left", "right", "full", "cross"]


class StatementReader:
    """What is gathered while one statement is read: how many `?`, and the first thing refused."""

    def __init__(self) -> None:
        self.parameters = 0
        self.refusal: ast.UnsupportedStatement | None = None

    def actions(self) -> dict[str, Callable[..., Any]]:
        """All the grammar's actions; those that gather something are this reader's methods."""
        return {
            **ACTIONS,
            "parameter": self.parameter,
            "statement": self.statement,
            "parenthesised": self.parenthesised,
            "refuse_schema": self.refuse_schema,
            "refuse_statement": self.refuse_statement,
            "refuse_query": self.refuse_query,
            "refuse_drop": self.refuse_drop,
            **{name: self.refused(what) for name, what in REFUSED.items()},
        }

    def refuse(self, span: Span, what: str) -> None:
        """Note something refused; the first counts."""
        if self.refusal is None:
            self.refusal = ast.UnsupportedStatement(span, what)

    def refused(self, what: str) -> Callable[..., None]:
        """The action that notes a clause as refused."""
        return lambda span, *parts: self.refuse(span, what)

    def statement(self, span: Span, body: ast.Statement) -> ast.Statement:
        """The end of a statement: what was refused takes its place."""
        refusal = self.refusal
        self.__init__()  # type: ignore[misc]
        return refusal or body

    def parameter(self, span: Span, text: str) -> ast.Expression:
        if text == "?":
            self.parameters += 1
            return ast.Parameter(span, self.parameters)
        name = text[1:]
        return ast.Parameter(span, int(name) if name.isdecimal() else name)

    def parenthesised(
        self, span: Span, inner: ast.TableExpression, alias: Alias | None
    ) -> ast.TableExpression:
        if alias is None:
            return inner
        name, columns = alias
        match inner:
            case ast.TableName() | ast.TableFile() | ast.DerivedTable() if inner.alias is None:
                return replace(inner, span=span, alias=name, column_aliases=columns)
        self.refuse(span, "An alias for a join in parentheses")
        return inner

    def refuse_schema(self, span: Span, *parts: str) -> str:
        self.refuse(span, "A table name with a point")
        return parts[-1]

    def refuse_statement(self, span: Span, word: str) -> None:
        self.refuse(Span(span.start, span.start + len(word)), word.upper())

    def refuse_query(self, span: Span, word: str) -> ast.Select:
        what = "FROM before SELECT" if word.upper() == "FROM" else word.upper()
        self.refuse(Span(span.start, span.start + len(word)), what)
        return ast.Select(span, ())

    def refuse_drop(self, span: Span, word: str) -> None:
        self.refuse(span, f"DROP {word.upper()}")


def deepens(action: str, count: int) -> int:
    """How many levels the action adds to the syntax tree."""
    if action in CHAINS:
        return chain_depth(count)
    return 0 if action in FLAT else 1


@action
def _script(span: Span, *statements: ast.Statement | None) -> tuple[ast.Statement, ...]:
    return tuple(one for one in statements if one is not None)


@action
def _true(span: Span, *parts: object) -> bool:
    return True


@action
def _false(span: Span) -> bool:
    return False


@action
def _first(span: Span, value: Any, *more: object) -> Any:
    return value


@action
def _explain(span: Span, query: ast.Select) -> ast.Statement:
    return ast.Explain(span, query)


@action
def _explain_analyze(span: Span, query: ast.Select) -> ast.Statement:
    return ast.Explain(span, query, analyze=True)


@action
def _set(span: Span, name: str, value: ast.Constant) -> ast.Statement:
    return ast.SetStatement(span, name, value)


@action
def _reset(span: Span, name: str) -> ast.Statement:
    return ast.SetStatement(span, name, None)


@action
def _setting_name(span: Span, *parts: str) -> str:
    return ".".join(parts)


@action
def _setting_word(span: Span, word: str) -> ast.Constant:
    return ast.Constant(span, "string", word)


@action
def _negative_number(span: Span, text: str) -> ast.Constant:
    positive = number(span, text)
    return replace(positive, text=f"-{positive.text}")


@action
def _show(span: Span, name: str) -> ast.Statement:
    return ast.ShowTables(span) if name.lower() == "tables" else ast.ShowSetting(span, name)


@action
def _show_all(span: Span) -> ast.Statement:
    return ast.ShowSetting(span, "all")


@action
def _describe(span: Span, target: ast.TableExpression | ast.Select) -> ast.Statement:
    return ast.Describe(span, target)


@action
def _drop(span: Span, if_exists: bool | None, name: str) -> ast.Statement:
    return ast.Drop(span, name, bool(if_exists))


@action
def _selected(span: Span, distinct: bool | None, *items: ast.SelectItem) -> ast.Select:
    return ast.Select(span, items, distinct=bool(distinct))


@action
def _select_item(
    span: Span, expression: ast.Expression, alias: str | None = None
) -> ast.SelectItem:
    return ast.SelectItem(span, expression, alias)


@action
def _select_item_string(span: Span, expression: ast.Expression, text: str) -> ast.SelectItem:
    return ast.SelectItem(span, expression, unquoted(text))


@action
def _select_item_prefixed(span: Span, alias: str, expression: ast.Expression) -> ast.SelectItem:
    return ast.SelectItem(span, expression, alias)


@action
def _select_all_of(span: Span, path: list[str]) -> ast.SelectItem:
    star: ast.Expression = ast.Star(span, path[0])
    if len(path) > 1:
        star = ast.Unsupported(span, "A table name with a point")
    return ast.SelectItem(span, star, None)


@action
def _from_clause(span: Span, query: ast.Select, source: ast.TableExpression) -> ast.Select:
    return replace(query, span=span, source=source)


@action
def _where_clause(span: Span, query: ast.Select, condition: ast.Expression) -> ast.Select:
    return replace(query, span=span, where=condition)


@action
def _group_by_clause(span: Span, query: ast.Select, *keys: ast.Expression) -> ast.Select:
    return replace(query, span=span, group_by=tuple(map(_grouping, keys)))


def _grouping(key: ast.Expression) -> ast.Expression:
    """ROLLUP and CUBE look like calls; they are not functions."""
    match key:
        case ast.FunctionCall(span=span, name="rollup" | "cube" as name):
            return ast.Unsupported(span, name.upper())
    return key


@action
def _having_clause(span: Span, query: ast.Select, condition: ast.Expression) -> ast.Select:
    return replace(query, span=span, having=condition)


@action
def _order_by_clause(span: Span, query: ast.Select, *items: ast.OrderItem) -> ast.Select:
    return replace(query, span=span, order_by=items)


@action
def _order_item(
    span: Span, key: ast.Expression, descending: bool | None, nulls_last: bool | None
) -> ast.OrderItem:
    return ast.OrderItem(span, key, bool(descending), nulls_last)


Bound = tuple[str, ast.Expression | None]


@action
def _limit(span: Span, count: ast.Expression) -> Bound:
    return "limit", count


@action
def _no_limit(span: Span) -> Bound:
    return "limit", None


@action
def _offset(span: Span, count: ast.Expression) -> Bound:
    return "offset", count


@action
def _limits(span: Span, query: ast.Select, *bounds: Bound) -> ast.Select:
    given = dict(bounds)
    return replace(query, span=span, limit=given.get("limit"), offset=given.get("offset"))


@action
def _comma(
    span: Span, left: ast.TableExpression, *right: ast.TableExpression
) -> ast.TableExpression:
    return ast.JoinClause(span, "cross", left, right[-1])


@action
def _cross_join(
    span: Span, left: ast.TableExpression, right: ast.TableExpression
) -> ast.TableExpression:
    return ast.JoinClause(span, "cross", left, right)


@action
def _join_on(
    span: Span,
    left: ast.TableExpression,
    kind: JoinKind | None,
    right: ast.TableExpression,
    condition: ast.Expression,
) -> ast.TableExpression:
    return ast.JoinClause(span, kind or "inner", left, right, condition=condition)


@action
def _join_using(
    span: Span,
    left: ast.TableExpression,
    kind: JoinKind | None,
    right: ast.TableExpression,
    columns: tuple[str, ...],
) -> ast.TableExpression:
    return ast.JoinClause(span, kind or "inner", left, right, using=columns)


@action
def _natural_join(
    span: Span,
    left: ast.TableExpression,
    kind: JoinKind | None,
    right: ast.TableExpression,
) -> ast.TableExpression:
    return ast.JoinClause(span, kind or "inner", left, right, natural=True)


def join_kind(kind: JoinKind) -> Callable[[Span], JoinKind]:
    """The action of the word before JOIN."""
    return lambda span: kind


NO_ALIAS: tuple[None, tuple[str, ...]] = (None, ())


@action
def _table(span: Span, name: str, *more: Alias | None) -> ast.TableExpression:
    alias, columns = (more[-1] if more else None) or NO_ALIAS
    return ast.TableName(span, name, alias, columns)


@action
def _file(span: Span, text: str, given: Alias | None = None) -> ast.TableExpression:
    alias, columns = given or NO_ALIAS
    return ast.TableFile(span, unquoted(text), alias, columns)


@action
def _derived(span: Span, *parts: Any) -> ast.TableExpression:
    query, given = parts[-2:]
    alias, columns = given or NO_ALIAS
    return ast.DerivedTable(span, query, alias, columns)


@action
def _alias(span: Span, name: str, columns: tuple[str, ...] | None) -> Alias:
    return name, columns or ()


@action
def _column_names(span: Span, *names: str) -> tuple[str, ...]:
    return names


@action
def _table_path(span: Span, name: str) -> str:
    return name


ACTIONS |= {kind: join_kind(kind) for kind in get_args(JoinKind) if kind != "cross"}

FLAT = frozenset(
    (
        "alias",
        "arguments",
        "column_names",
        "first",
        "from_clause",
        "group_by_clause",
        "having_clause",
        "inner",
        "left",
        "right",
        "full",
        "limit",
        "limits",
        "longer_path",
        "members",
        "no_limit",
        "offset",
        "order_by_clause",
        "order_item",
        "path",
        "quoted_name",
        "script",
        "select_item",
        "select_item_string",
        "select_item_prefixed",
        "statement",
        "table_path",
        "true",
        "false",
        "type_numbers",
        "when",
        "where_clause",
        "string_text",
        "trim_both",
        "trim_leading",
        "trim_trailing",
    )
)
"""Actions that add no level to the syntax tree."""
