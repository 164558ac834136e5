"""Which errors and which zeros the engines are free to choose: the differences that are none.

Owns: the questions by which fuzz.py accepts an outcome. Comes in: a query and its tables. Goes out:
whether another outcome is as good. Does not know: the two answers.

Whether an expression is evaluated at all may depend on the plan: a column of a derived table that
nobody reads, a condition beside another one, a constant over no rows, an operand beside one that is
NULL in every row, one side of an INTERSECT. Where DuckDB with its optimiser and DuckDB without it
disagree about raising, or eau2 with its rules and without, or where DuckDB raises for a part of the
query that no CASE guards when it is asked for that part alone, or where eau2 raises as well once
DISTINCT ON and FILTER drop no row, either outcome is accepted; an answer is still compared with
DuckDB's.

min, max and the keys of GROUP BY give 0.0 for -0.0 (docs/dialect.md), so what is divided by them
may be infinite with another sign. NaN has no sign here; DuckDB's texts of it may show one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from eau2.engine import rule_names
from tests.oracle.query import Compound, Expr, Item, Query, Statement
from tests.oracle.sides import Answer, DuckSide, EauSide, Refusal, Setup
from tests.oracle.tables import Table

_CONSTANT_CAST = re.compile(r"\bCAST\((?:-?[\d.]+(?:e-?\d+)?|'[^']*') AS \w+(?:\(\d+, ?\d+\))?\)")
"""A cast of a constant. Where one fails, the query fails here, over no rows too."""


def as_written(sql: str, tables: tuple[Table, ...]) -> Answer:
    """eau2's answer with every rule of its optimiser off."""
    side = EauSide(tables, Setup(without=rule_names()))
    try:
        return side.run(sql)
    finally:
        side.close()


def dropped(sql: str, clauses: tuple[str, ...]) -> str:
    """The text without these clauses, each of which ends with an opening bracket, and its like."""
    for clause in clauses:
        while (at := sql.find(clause)) >= 0:
            depth, end = 1, at + len(clause)
            while depth and end < len(sql):
                depth += {"(": 1, ")": -1}.get(sql[end], 0)
                end += 1
            sql = sql[:at] + sql[end:]
    return sql


def only_kept_rows(query: Statement, tables: tuple[Table, ...]) -> bool:
    """Whether eau2 raises for rows that a DISTINCT ON, a FILTER or a WHERE drops.

    Of a condition also: an operand need not be computed beside one that is NULL in every row.
    """
    texts = [dropped(query.sql, ("DISTINCT ON (", " FILTER (")), *parts_alone(query.sql)]
    for text in texts:
        answer = as_written(text, tables) if text != query.sql else None
        if isinstance(answer, Refusal) and answer.fault == "data":
            return True
    return False


_DIGITS = 26


def narrower(tables: tuple[Table, ...]) -> tuple[Table, ...]:
    """The tables with decimals of 38 digits as ones of fewer, where no value has more.

    DuckDB brings decimals whose common type needs more than 38 digits to one with fewer behind the
    point; eau2 compares them as they are.
    """
    return tuple(
        replace(
            table,
            columns=tuple(
                replace(column, type=f"DECIMAL({_DIGITS},{column.parameters[1]})")
                if column.type.startswith("DECIMAL(38,") and fits(table, number)
                else column
                for number, column in enumerate(table.columns)
            ),
        )
        for table in tables
    )


def fits(table: Table, number: int) -> bool:
    """Whether all values of a decimal column have few digits."""
    values = [row[number] for row in table.rows]
    digits = [len(value.as_tuple().digits) for value in values if isinstance(value, Decimal)]
    return max(digits, default=0) < _DIGITS


def parts_alone(sql: str) -> Iterator[str]:
    """The query with each condition left out, and with each part of one in its place.

    The part stands where it is computed for every row, and keeps every row.
    """
    for found in re.finditer(r" WHERE (?=\()", sql):
        start = found.end()
        end = closing(sql, start)
        yield sql[:start] + "(true)" + sql[end:]
        for opening in range(start, end):
            if sql[opening] == "(" and sql[opening + 1 : opening + 7] != "SELECT":
                part = sql[opening : closing(sql, opening)]
                yield f"{sql[:start]}({part} IS NULL OR {part} IS NOT NULL){sql[end:]}"


def closing(sql: str, opening: int) -> int:
    """Behind the bracket that closes the one at `opening`; strings hold none."""
    depth = 0
    for at in range(opening, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[at], 0)
        if not depth:
            return at + 1
    return len(sql)


def sign_of_zero(query: Statement, tables: tuple[Table, ...]) -> bool:
    """Whether the query divides, and the tables have a zero below zero: which one is open."""
    zeros = (
        isinstance(value, float) and value == 0 and math.copysign(1, value) < 0
        for table in tables
        for row in table.rows
        for value in row
    )
    return " / " in query.sql and any(zeros)


def without_nan_signs(table: pa.Table) -> pa.Table:
    """An answer of DuckDB's whose texts spell every NaN alike: which sign it has is no meaning."""
    columns = [
        pc.replace_substring(column, "-nan", "nan") if pa.types.is_string(column.type) else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def without_signs(answer: pa.Table) -> pa.Table:
    """The answer with every infinity above zero."""
    columns = [
        pc.if_else(pc.is_inf(column), pa.scalar(math.inf, column.type), column)
        if pa.types.is_floating(column.type)
        else column
        for column in answer.columns
    ]
    return pa.Table.from_arrays(columns, names=answer.column_names)


def unoptimized(query: Statement, tables: tuple[Table, ...]) -> Answer:
    """DuckDB's answer without its optimiser."""
    side = DuckSide(tables, optimizer=False)
    try:
        return side.run(query.sql)
    finally:
        side.close()


GUARDS = ("CASE ", "COALESCE(", "NULLIF(", "TRY_CAST(")


def unguarded(expr: Expr) -> Iterator[Expr]:
    """The parts of an expression that are computed for every row, the whole one first."""
    yield expr
    if not expr.sql.startswith(GUARDS):
        for part in expr.children:
            yield from unguarded(part)


def constants(query: Statement) -> Iterator[Expr]:
    """The parts of a query, of its conditions too, that name no column and no CASE guards."""
    for expr in query.expressions():
        for part in unguarded(expr):
            if part.children and re.search(r"\bx\d|[a-z]\w*\(\*", part.sql) is None:
                yield part


def cast_that_raises(query: Statement, tables: tuple[Table, ...], raised: Refusal) -> bool:
    """Whether eau2 raised as it does for a constant cast of the query alone, and DuckDB too."""
    if any(guard in query.sql for guard in GUARDS):
        return False
    sides: tuple[DuckSide, EauSide] = (DuckSide(tables, optimizer=False), EauSide(tables, Setup()))
    try:
        for cast in _CONSTANT_CAST.findall(query.sql):
            theirs, ours = (side.run(f"SELECT {cast}") for side in sides)
            if isinstance(theirs, Refusal) and isinstance(ours, Refusal):
                same = ours.message.splitlines()[0] == raised.message.splitlines()[0]
                if same and theirs.fault == ours.fault == "data":
                    return True
        return False
    finally:
        for side in sides:
            side.close()


_TEXT_CONSTANT = re.compile(
    r"""[Cc]ould not convert (?:string )?["']([^"']*)["'] to ([A-Z]\w*(?:\(\d+, ?\d+\))?)"""
)


def text_that_raises(sql: str, tables: tuple[Table, ...], raised: Refusal) -> bool:
    """Whether what was raised is about a text constant that neither engine can cast.

    Each casts some of them while it plans, also where no row needs it.
    """
    found = _TEXT_CONSTANT.search(raised.message)
    if found is None or f"'{found[1]}'" not in sql:
        return False
    sides: tuple[DuckSide, EauSide] = (DuckSide(tables), EauSide(tables, Setup()))
    try:
        answers = [side.run(f"SELECT CAST('{found[1]}' AS {found[2]})") for side in sides]
        return all(isinstance(a, Refusal) and a.fault == "data" for a in answers)
    finally:
        for side in sides:
            side.close()


def depends_on_evaluation(query: Statement, tables: tuple[Table, ...]) -> bool:
    """Whether DuckDB raises for the query's data when it is made to compute more of it."""
    side = DuckSide(tables, optimizer=False)
    try:
        if isinstance(side.run(query.sql), Refusal):
            return True
        for part in constants(query):
            answer = side.run(f"SELECT {part.sql}")
            if isinstance(answer, Refusal) and answer.fault == "data":
                return True
        if isinstance(query, Compound):
            # A side need not be computed where the other one has no rows.
            sides = (query.left, query.right)
            whole = (replace(part, tables=query.tables + part.tables) for part in sides)
            return any(depends_on_evaluation(part, tables) for part in whole)
        if not isinstance(query, Query):
            return False
        for item in query.items:
            for part in unguarded(item.expr):
                alone = replace(
                    query,
                    items=(Item(part, "p"),),
                    written="",
                    order=(),
                    order_all=None,
                    limit=None,
                    offset=None,
                    distinct=False,
                )
                answer = side.run(alone.sql)
                if isinstance(answer, Refusal) and answer.fault == "data":
                    return True
        return False
    finally:
        side.close()
