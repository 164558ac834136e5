"""Subqueries in expressions: each becomes a join on top of its clause's plan, and a column of it.

Owns: scalar subqueries, EXISTS, IN and comparisons with ANY and ALL of a query's rows, and which
columns a subquery reads from outside. Comes in: bound operands, the subquery, the place it stands
at. Goes out: expressions over columns that the place's `Subqueries` will make.
Does not know: how a query is bound, how a join that depends on its left side is computed.

A comparison with ANY is a mark that is NULL where SQL says so; NOT IN and ALL are its negation.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.errors import NotSupportedError, ProgrammingError, Span, TypeMismatchError
from eau2.operators import coercion
from eau2.operators.expr import Expr, ref
from eau2.operators.functions import table
from eau2.records import replace
from eau2.sql import ast
from eau2.sql.environment import Dependent, Environment, Query, Subqueries
from eau2.sql.logical import Filter, Logical, Project, Sort, transform
from eau2.sql.plan_exprs import expressions, mapped
from eau2.sql.row_values import Compare, compare_any
from eau2.sql.shapes import Shapes
from eau2.types import BOOLEAN, NULL, VARCHAR

_NEGATED = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def bind_exists(node: ast.Exists, env: Environment) -> Expr:
    """TRUE where the query has a row."""
    collected = _collected(node, env)
    known = collected.find(node)
    if known is not None:
        return known
    plan = without_order(collected.bind_query(node.query, env.context, env).plan)
    mark = env.context.column("exists", BOOLEAN)
    return collected.add(node, Dependent("mark", plan, None, mark), ref(mark))


def bind_scalar(node: ast.Subquery, env: Environment) -> Expr:
    """The one value of the one row; NULL when there is no row."""
    if node.as_list:
        raise NotSupportedError("ARRAY(query) is not supported", span=node.span)
    collected = _collected(node, env)
    known = collected.find(node)
    if known is not None:
        return known
    bound = collected.bind_query(node.query, env.context, env)
    _check_width(bound, 1, node.query.span)
    plan = without_order(bound.plan)
    return collected.add(node, Dependent("single", plan), ref(plan.output[0]))


def bind_any(
    node: ast.InQuery | ast.Quantified,
    query: ast.Query,
    operands: tuple[Expr, ...],
    env: Environment,
    compare: Compare,
) -> Expr:
    """Operands <operator> ANY or ALL of the query's rows; for IN the operator is = ANY."""
    collected = _collected(node, env)
    known = collected.find(node)
    if known is not None:
        return known
    operator, negated = "=", False
    if isinstance(node, ast.InQuery):
        negated = node.negated
    elif node.quantifier == "all":
        # x > ALL (q) is NOT x <= ANY (q), also where it is NULL.
        operator, negated = _NEGATED[node.operator], True
    else:
        operator = node.operator
    bound = collected.bind_query(query, env.context, env)
    _check_width(bound, len(operands), query.span)
    plan = without_order(bound.plan)
    rows = tuple(ref(column) for column in plan.output)
    for operand, row in zip(operands, rows, strict=True):
        _check_comparable(operand, row, node.span)
    condition = compare_any(operator, operands, rows, node.span, compare)
    mark = env.context.column("found", BOOLEAN)
    found: Expr = table.bind("not", (ref(mark),)) if negated else ref(mark)
    return collected.add(node, Dependent("mark", plan, condition, mark), found)


def _collected(node: ast.Expression, env: Environment) -> Subqueries:
    if env.subqueries is None:
        raise NotSupportedError("a subquery cannot stand here", span=node.span)
    return env.subqueries


def _check_width(bound: Query, wanted: int, span: Span) -> None:
    width = len(bound.names)
    if width != wanted:
        raise ProgrammingError(
            f"this subquery returns {width} column{'' if width == 1 else 's'}, "
            f"but {wanted} {'is' if wanted == 1 else 'are'} expected",
            span=span,
        )


def _check_comparable(operand: Expr, row: Expr, span: Span) -> None:
    """A text and something else are only compared where one of them was cast."""
    texts = (operand.type == VARCHAR, row.type == VARCHAR)
    if texts[0] == texts[1] or NULL in (operand.type, row.type):
        return
    if not coercion.is_string_literal(operand):
        raise TypeMismatchError(
            f"{operand.type} and {row.type} cannot be compared here without a cast", span=span
        )


def free_columns(join: Dependent) -> frozenset[int]:
    """The ids of the columns that the join's right side and condition read from outside of it."""
    condition = frozenset[int]() if join.condition is None else Shapes.columns(join.condition)
    return (condition | free_of(join.right)) - {column.id for column in join.right.output}


def free_of(plan: Logical) -> frozenset[int]:
    """The ids of the columns that a plan reads and does not make."""
    read: set[int] = set()
    made: set[int] = set()
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        made.update(column.id for column in node.output)
        for expr in expressions(node):
            read |= Shapes.columns(expr)
        waiting.extend(node.inputs)
    return frozenset(read - made)


def replaced(join: Dependent, visit: Callable[[Expr], Expr]) -> Dependent:
    """The join with every expression in it, at any depth, rewritten."""
    condition = None if join.condition is None else visit(join.condition)
    right = transform(join.right, lambda node: mapped(node, visit))
    return replace(join, right=right, condition=condition)


def without_order(plan: Logical) -> Logical:
    """The plan without sorting that what stands above it does not need."""
    match plan:
        case Sort(below, _, _):
            return without_order(below)
        case Filter(below, condition):
            return Filter(without_order(below), condition)
        case Project(below, items):
            return Project(without_order(below), items)
    return plan
