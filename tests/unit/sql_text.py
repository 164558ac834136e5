"""Syntax trees written as SQL again, with brackets around everything.

Owns: the SQL of each node. What DuckDB reads in it is what our parser understood.
"""

from __future__ import annotations

from eau2.sql import ast

SIGNS = {"and": "AND", "or": "OR"}


def quoted(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def string(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def expression(node: ast.Expression) -> str:
    """An expression, in brackets unless it is atomic."""
    match node:
        case ast.Name(parts=parts):
            return ".".join(map(quoted, parts))
        case ast.Star(qualifier=qualifier):
            return "*" if qualifier is None else f"{quoted(qualifier)}.*"
        case ast.Constant(kind="string", text=text):
            return string(text)
        case ast.Constant(kind="null"):
            return "NULL"
        case ast.Constant(text=text):
            return text
        case ast.TypedConstant(type=type_, text=text):
            return f"{type_.name} {string(text)}"
        case ast.IntervalConstant(amount=amount, unit=None):
            return f"INTERVAL {expression(amount)}"
        case ast.IntervalConstant(amount=amount, unit=unit):
            return f"(INTERVAL ({expression(amount)}) {unit})"
        case ast.Parameter(name=int(number)):
            return f"${number}"
        case ast.Parameter(name=name):
            return f"${name}"
        case ast.CaseWhen(operand=operand, branches=branches, otherwise=otherwise):
            words = ["(CASE", *([] if operand is None else [expression(operand)])]
            words += [f"WHEN {expression(one)} THEN {expression(two)}" for one, two in branches]
            words += [] if otherwise is None else [f"ELSE {expression(otherwise)}"]
            return " ".join([*words, "END)"])
        case ast.CastTo(operand=operand, type=type_, safe=safe):
            numbers = f"({', '.join(map(str, type_.parameters))})" if type_.parameters else ""
            word = "TRY_CAST" if safe else "CAST"
            return f"{word}({expression(operand)} AS {type_.name}{numbers})"
        case ast.Extract(part=part, operand=operand):
            return f"EXTRACT({string(part)} FROM {expression(operand)})"
        case ast.FunctionCall(name="position", arguments=(text, needle)):
            return f"POSITION({expression(needle)} IN {expression(text)})"
        case ast.FunctionCall(name=name, arguments=arguments, distinct=distinct):
            listed = ", ".join(map(expression, arguments))
            spelled = name if name.isidentifier() else quoted(name)
            return f"{spelled}({'DISTINCT ' if distinct else ''}{listed})"
        case ast.RowOf(items=items):
            return f"row({', '.join(map(expression, items))})"
        case _:
            return f"({operation(node)})"


def operation(node: ast.Expression) -> str:
    """An expression of operators, without the outer brackets."""
    match node:
        case ast.Unary(operator=sign, operand=operand):
            return f"{sign} {expression(operand)}"
        case ast.Binary(operator=sign, left=left, right=right):
            return f"{expression(left)} {SIGNS.get(sign, sign)} {expression(right)}"
        case ast.IsTest(operand=operand, what=what, negated=negated):
            return f"{expression(operand)} IS {'NOT ' if negated else ''}{what}"
        case ast.Between(operand=operand, low=low, high=high, negated=negated):
            test = "NOT BETWEEN" if negated else "BETWEEN"
            return f"{expression(operand)} {test} {expression(low)} AND {expression(high)}"
        case ast.In(operand=operand, items=items, negated=negated):
            test = "NOT IN" if negated else "IN"
            return f"{expression(operand)} {test} ({', '.join(map(expression, items))})"
        case ast.Like():
            test = ("NOT " if node.negated else "") + ("ILIKE" if node.ignore_case else "LIKE")
            last = "" if node.escape is None else f" ESCAPE {expression(node.escape)}"
            return f"{expression(node.operand)} {test} {expression(node.pattern)}{last}"
    raise AssertionError(f"no SQL for {type(node).__name__}")


def table(node: ast.TableExpression) -> str:
    """What stands in FROM."""
    match node:
        case ast.JoinClause(kind="cross", left=left, right=right):
            return f"({table(left)} CROSS JOIN {table(right)})"
        case ast.JoinClause():
            natural = "NATURAL " if node.natural else ""
            text = f"({table(node.left)} {natural}{node.kind} JOIN {table(node.right)}"
            if node.condition is not None:
                text += f" ON {expression(node.condition)}"
            if node.using:
                text += f" USING ({', '.join(map(quoted, node.using))})"
            return text + ")"
        case ast.TableName(name=name):
            text = quoted(name)
        case ast.TableFile(path=path):
            text = string(path)
        case ast.DerivedTable(query=ast.Select() as query):
            text = f"({select(query)})"
        case _:
            raise AssertionError(f"no SQL for {type(node).__name__}")
    if node.alias is not None:
        text += f" AS {quoted(node.alias)}"
    if node.column_aliases:
        text += f"({', '.join(map(quoted, node.column_aliases))})"
    return text


def select(node: ast.Select) -> str:
    """A query."""
    items = [
        expression(item.expression) + ("" if item.alias is None else f" AS {quoted(item.alias)}")
        for item in node.items
    ]
    text = f"SELECT {'DISTINCT ' if node.distinct else ''}{', '.join(items)}"
    if node.source is not None:
        text += f" FROM {table(node.source)}"
    if node.where is not None:
        text += f" WHERE {expression(node.where)}"
    if node.group_by:
        text += f" GROUP BY {', '.join(map(expression, node.group_by))}"
    if node.having is not None:
        text += f" HAVING {expression(node.having)}"
    if node.order_by:
        text += f" ORDER BY {', '.join(map(order_item, node.order_by))}"
    if node.limit is not None:
        text += f" LIMIT {expression(node.limit)}"
    if node.offset is not None:
        text += f" OFFSET {expression(node.offset)}"
    return text


def order_item(item: ast.OrderItem) -> str:
    """An ORDER BY entry. DESC is said, ASC is not: both are then the same to DuckDB as written."""
    nulls = {None: "", True: " NULLS LAST", False: " NULLS FIRST"}[item.nulls_last]
    return f"{expression(item.expression)}{' DESC' if item.descending else ''}{nulls}"
