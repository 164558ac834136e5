"""The grammar's rules for statements as actions, and what one statement gathers while it is read.

Owns: one function for each action name of the section on statements, the refusal of whole
statements, and the depth that each action adds. Comes in: a span and the values of the parts.
Goes out: statements. Does not know: tokens, states.

A clause that eau2 refuses, and for which the syntax tree has no node, is noted, and the statement
as a whole becomes an UnsupportedStatement that points at it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eau2.errors import Span
from eau2.records import replace
from eau2.sql import ast, build_calls, build_tables
from eau2.sql.build_expressions import CHAINS, action, chain_depth, number
from eau2.sql.build_queries import all_of_table, tail_levels

REFUSED = {
    "refuse_asof_kind": "This kind of ASOF JOIN",
    "refuse_bare_values": "VALUES in FROM without brackets",
    "refuse_constraint": "A constraint or default of a column",
    "refuse_create_index": "CREATE INDEX with OR REPLACE or TEMP",
    "refuse_described": "DESCRIBE or SHOW as a table",
    "refuse_drop_ending": "DROP of several objects, with CASCADE or RESTRICT",
    "refuse_explain": "EXPLAIN of a statement that is no query",
    "refuse_explain_options": "EXPLAIN with options",
    "refuse_insert": "ON CONFLICT or RETURNING",
    "refuse_insert_alias": "INSERT with an alias",
    "refuse_insert_or": "INSERT OR",
    "refuse_pivot_enum": "PIVOT over the values of an ENUM",
    "refuse_prepare_types": "PREPARE with types",
    "refuse_scoped_set": "SET with a scope",
    "refuse_show": "This form of SHOW",
    "refuse_star_except": "EXCEPT after * (write EXCLUDE)",
    "refuse_version": "AT a version of a table",
}
"""Actions that refuse a whole statement, and what its message speaks of."""

REFUSED_FUNCTIONS = {
    "refuse_default_parameter": "A parameter with a default",
    "refuse_table_function": "A function that RETURNS TABLE",
    "refuse_untyped_function": "CREATE FUNCTION without RETURNS",
    "refuse_untyped_parameter": "A parameter without a type",
}
"""The same, of functions."""
_TYPED = "Write CREATE FUNCTION name(a BIGINT, b DOUBLE) RETURNS DOUBLE AS (expression)."
_LISTED = "A function that RETURNS a list, such as VARCHAR[], can be called in FROM."

UNBUILT = ast.Select(Span(0, 0), ())
"""What stands in a refused statement for a part that was not built."""

Expression = ast.Expression


class StatementReader:
    """What is gathered while one statement is read: how many `?`, and the first thing refused."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parameters = 0
        self.refusal: ast.UnsupportedStatement | None = None

    def actions(self) -> dict[str, Callable[..., Any]]:
        """All the grammar's actions; those that gather something are this reader's methods."""
        return {
            **build_calls.ACTIONS,
            **build_tables.ACTIONS,
            "parameter": self.parameter,
            "statement": self.statement,
            "written": self.written,
            "refuse_array_type": self.refuse_array_type,
            "show_from": self.show_from,
            "create_function": self.create_function,
            "refuse_schema": self.refuse_schema,
            "refuse_type": self.refuse_type,
            "refuse_statement": self.refuse_statement,
            "refuse_create": self.refuse_create,
            "refuse_drop": self.refuse_drop,
            **{name: self.refused(what) for name, what in REFUSED.items()},
            **{name: self.refused(what, _hint(name)) for name, what in REFUSED_FUNCTIONS.items()},
        }

    def refuse(self, span: Span, what: str, hint: str | None = None) -> None:
        """Note something refused; the first counts."""
        if self.refusal is None:
            self.refusal = ast.UnsupportedStatement(span, what, hint)

    def refused(self, what: str, hint: str | None = None) -> Callable[..., object]:
        """The action that notes a clause as refused."""

        def note(span: Span, *parts: Any) -> object:
            self.refuse(span, what, hint)
            return UNBUILT

        return note

    def refuse_type(self, span: Span, *parts: Any) -> ast.TypeName:
        self.refuse(span, "A type with such parameters")
        return ast.TypeName(span, "")

    def refuse_array_type(self, span: Span, *parts: Any) -> ast.TypeName:
        self.refuse(span, "A list of a fixed length")
        return ast.TypeName(span, "")

    def statement(self, span: Span, body: ast.Statement) -> ast.Statement:
        """The end of a statement: what was refused takes its place."""
        refusal = self.refusal
        self.parameters, self.refusal = 0, None
        return refusal or body

    def parameter(self, span: Span, text: str) -> ast.Expression:
        if text == "?":
            self.parameters += 1
            return ast.Parameter(span, self.parameters)
        name = text[1:]
        return ast.Parameter(span, int(name) if name.isdecimal() else name)

    def written(self, span: Span, statement: ast.Statement) -> tuple[ast.Statement, str]:
        """A statement within a statement, and its text."""
        return statement, self.text[span.start : span.end]

    def create_function(
        self,
        span: Span,
        replaced: bool | None,
        temporary: bool | None,
        if_not_exists: bool | None,
        name: str,
        parameters: tuple[ast.FunctionParameter, ...] | None,
        result: ast.TypeName,
        language: str | None,
        body: Expression,
    ) -> ast.Statement:
        return ast.CreateFunction(
            span,
            name,
            parameters or (),
            result,
            (language or "sql").lower(),
            body,
            self.text[body.span.start : body.span.end],
            replace=bool(replaced),
            if_not_exists=bool(if_not_exists),
            temporary=bool(temporary),
        )

    def show_from(self, span: Span, what: str, name: str) -> ast.Statement:
        if what.lower() == "indexes":
            return ast.ShowIndexes(span, name)
        if what.lower() != "chunks":
            self.refuse(span, f"SHOW {what.upper()} FROM")
        return ast.ShowChunks(span, name)

    def refuse_schema(self, span: Span, *parts: str) -> str:
        self.refuse(span, "A table name with a point")
        return parts[-1]

    def refuse_statement(self, span: Span, word: str) -> None:
        self.refuse(Span(span.start, span.start + len(word)), word.upper())

    def refuse_create(self, span: Span, *parts: Any) -> None:
        what = parts[-1].upper()
        hints = {
            "MACRO": _TYPED,
            "UNIQUE": "CREATE INDEX makes one that finds rows and checks nothing.",
        }
        self.refuse(span, f"CREATE {what}", hints.get(what))

    def refuse_drop(self, span: Span, word: str) -> None:
        self.refuse(span, f"DROP {word.upper()}")


def _hint(refused: str) -> str:
    return _LISTED if refused == "refuse_table_function" else _TYPED


def deepens(action: str, given: Sequence[Any]) -> int:
    """How many levels the action with these arguments adds to the syntax tree."""
    if action in CHAINS:
        return chain_depth(len(given))
    if action == "tail":
        return tail_levels(given)
    return 0 if action in FLAT else 1


@action
def _script(span: Span, *statements: ast.Statement | None) -> tuple[ast.Statement, ...]:
    return tuple(one for one in statements if one is not None)


@action
def _explain(span: Span, query: ast.Query) -> ast.Statement:
    return ast.Explain(span, query)


@action
def _explain_analyze(span: Span, query: ast.Query) -> ast.Statement:
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
    match name.lower():
        case "tables":
            return ast.ShowTables(span)
        case "nodes":
            return ast.ShowNodes(span)
        case "chunks":
            return ast.ShowChunks(span, None)
        case "indexes":
            return ast.ShowIndexes(span, None)
        case "functions":
            return ast.ShowFunctions(span)
    return ast.ShowSetting(span, name)


@action
def _show_all(span: Span) -> ast.Statement:
    return ast.ShowSetting(span, "all")


@action
def _describe(span: Span, target: ast.TableExpression | ast.Query) -> ast.Statement:
    return ast.Describe(span, target)


@action
def _summarize(span: Span, target: ast.TableExpression | ast.Query) -> ast.Query:
    query = target if isinstance(target, ast.Query) else all_of_table(target.span, target)
    return ast.Summarize(span, query)


@action
def _drop_table(span: Span, if_exists: bool | None, name: str) -> ast.Statement:
    return ast.Drop(span, name, bool(if_exists))


@action
def _drop_index(span: Span, if_exists: bool | None, name: str) -> ast.Statement:
    return ast.DropIndex(span, name, bool(if_exists))


@action
def _drop_function(span: Span, if_exists: bool | None, name: str) -> ast.Statement:
    return ast.DropFunction(span, name, bool(if_exists))


@action
def _function_parameters(
    span: Span, *parameters: ast.FunctionParameter
) -> tuple[ast.FunctionParameter, ...]:
    return parameters


@action
def _function_parameter(span: Span, name: str, type_: ast.TypeName) -> ast.FunctionParameter:
    return ast.FunctionParameter(span, name, type_)


@action
def _create_index(
    span: Span, if_not_exists: bool | None, name: str, table: str, columns: tuple[str, ...]
) -> ast.Statement:
    return ast.CreateIndex(span, name, table, columns, bool(if_not_exists))


@action
def _drop_view(span: Span, if_exists: bool | None, name: str) -> ast.Statement:
    return ast.Drop(span, name, bool(if_exists), view=True)


@action
def _create_table(
    span: Span,
    replaced: bool | None,
    temporary: bool | None,
    if_not_exists: bool | None,
    name: str,
    columns: tuple[ast.ColumnDefinition, ...],
) -> ast.Statement:
    return ast.CreateTable(
        span,
        name,
        columns,
        replace=bool(replaced),
        if_not_exists=bool(if_not_exists),
        temporary=bool(temporary),
    )


@action
def _create_table_as(
    span: Span,
    replaced: bool | None,
    temporary: bool | None,
    if_not_exists: bool | None,
    name: str,
    columns: tuple[str, ...] | None,
    query: ast.Query,
    with_data: str | None,
) -> ast.Statement:
    return ast.CreateTable(
        span,
        name,
        (),
        query,
        columns or (),
        replace=bool(replaced),
        if_not_exists=bool(if_not_exists),
        temporary=bool(temporary),
        with_data=with_data is None or len(with_data.split()) == 2,
    )


@action
def _columns(span: Span, *columns: ast.ColumnDefinition) -> tuple[ast.ColumnDefinition, ...]:
    return columns


@action
def _column_definition(span: Span, name: str, type_: ast.TypeName) -> ast.ColumnDefinition:
    return ast.ColumnDefinition(span, name, type_)


@action
def _column_not_null(span: Span, name: str, type_: ast.TypeName) -> ast.ColumnDefinition:
    return ast.ColumnDefinition(span, name, type_, not_null=True)


Inserted = tuple[str, tuple[str, ...], ast.Query | None, bool]


@action
def _inserted(
    span: Span,
    name: str,
    columns: tuple[str, ...] | None,
    by_name: bool | None,
    query: ast.Query,
) -> Inserted:
    return name, columns or (), query, bool(by_name)


@action
def _insert_defaults(span: Span, name: str, columns: tuple[str, ...] | None) -> Inserted:
    return name, columns or (), None, False


@action
def _insert(span: Span, inserted: Inserted) -> ast.Statement:
    return ast.Insert(span, *inserted)


@action
def _execute(span: Span, name: str, arguments: tuple[Expression, ...] = ()) -> ast.Statement:
    return ast.Execute(span, name, arguments)


@action
def _deallocate(span: Span, name: str | None = None) -> ast.Statement:
    return ast.Deallocate(span, name)


@action
def _create_view(
    span: Span,
    replaced: bool | None,
    temporary: bool | None,
    if_not_exists: bool | None,
    name: str,
    columns: tuple[str, ...] | None,
    written: tuple[ast.Query, str],
) -> ast.Statement:
    query, text = written
    return ast.CreateView(
        span,
        name,
        columns or (),
        query,
        text,
        replace=bool(replaced),
        if_not_exists=bool(if_not_exists),
        temporary=bool(temporary),
    )


@action
def _prepare(span: Span, name: str, written: tuple[ast.Statement, str]) -> ast.Statement:
    return ast.Prepare(span, name, *written)


_FLAT_TEXT = """
alias any all arguments array_of asof asof_left anti bounds column_names columns current_row
distinct_on except exclude exclude_current_row expressions false fetch first following
from_alone from_clause from_first full function_parameters group group_by_clause groupings groups
having_clause
in_list in_query in_tailed inner inside insert_defaults inserted intersect joined_in_brackets
left limit limit_percent longer_path names no_limit no_others none offset
order_item order_items path pivot_columns pivoted preceding qualify_clause quoted_name range
rename renaming replace replacement right row rows sample_percent sample_rows script select_item
select_item_prefixed select_item_string select_list semi statement string_alias string_text
table_path tail_bounds tail_order ties trim_both trim_leading trim_trailing true type_numbers
union unpivot_into unpivoted when where_clause window_clause window_definition
with with_recursive words written
"""
FLAT = frozenset(_FLAT_TEXT.split())
"""Actions that add no level to the syntax tree."""
