"""What a result column is called when the statement gives it no alias.

Owns: the text of an expression as DuckDB 2.0 writes it into column names, e.g. `sum((a + 1))`.
Comes in: ast expressions. Goes out: names. Does not know: types, tables, what a function does.
"""

from __future__ import annotations

from eau2.sql import ast, naming_queries
from eau2.sql.naming_words import quoted, string

_TYPE_WORDS = {
    "int": "INTEGER",
    "dec": "DECIMAL",
    "numeric": "DECIMAL",
    "real": "FLOAT",
    "char": "VARCHAR",
    "character": "VARCHAR",
    "character varying": "VARCHAR",
    "double precision": "DOUBLE",
}

_INTERVAL_FUNCTIONS = {
    "year": ("to_years", "INTEGER"),
    "month": ("to_months", "INTEGER"),
    "day": ("to_days", "INTEGER"),
    "hour": ("to_hours", "BIGINT"),
    "minute": ("to_minutes", "BIGINT"),
    "second": ("to_seconds", None),
    "millisecond": ("to_milliseconds", None),
    "microsecond": ("to_microseconds", "BIGINT"),
    "week": ("to_weeks", "INTEGER"),
    "quarter": ("to_quarters", "INTEGER"),
    "decade": ("to_decades", "INTEGER"),
    "century": ("to_centuries", "INTEGER"),
    "millennium": ("to_millennia", "INTEGER"),
}

_UPPER_PARTS = {
    part: name
    for name in ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "WEEK", "QUARTER", "DECADE")
    for part in (name.lower(), name.lower() + "s")
} | {
    "century": "CENTURY",
    "centuries": "CENTURY",
    "millennium": "MILLENNIUM",
    "millennia": "MILLENNIUM",
    "millisecond": "MILLISECONDS",
    "milliseconds": "MILLISECONDS",
    "microsecond": "MICROSECONDS",
    "microseconds": "MICROSECONDS",
}

_LIKE_OPERATORS = {
    (False, False): "~~",
    (False, True): "!~~",
    (True, False): "~~*",
    (True, True): "!~~*",
}


def expression_name(node: ast.Expression) -> str:
    """The name of a result column that `node` computes. A plain column's name is its own."""
    if isinstance(node, ast.Name):
        return node.parts[-1]
    return expression_text(node)


def type_text(type_: ast.TypeName) -> str:
    """A type as it stands in a column name, e.g. DECIMAL(15, 2)."""
    word = _TYPE_WORDS.get(type_.name, type_.name.upper())
    if type_.parameters:
        word = f"{word}({', '.join(map(str, type_.parameters))})"
    return word + "[]" * type_.lists


def folded_minus(node: ast.Expression) -> ast.Expression:
    """`-` before a number becomes part of the number, as often as it stands there."""
    negative = False
    inner = node
    while isinstance(inner, ast.Unary) and inner.operator == "-":
        negative = not negative
        inner = inner.operand
    if inner is node or not isinstance(inner, ast.Constant):
        return node
    if inner.kind not in ("integer", "decimal", "float"):
        return node
    return ast.Constant(node.span, inner.kind, "-" + inner.text if negative else inner.text)


def expression_text(node: ast.Expression) -> str:
    """The text of an expression inside a column name."""
    match node:
        case ast.Name(_, parts):
            return ".".join(quoted(part) for part in parts)
        case ast.Star():
            return naming_queries.star_text(node, expression_text)
        case ast.Constant():
            return _constant(node)
        case ast.TypedConstant(_, type_, text):
            return f"CAST({string(text)} AS {type_text(type_)})"
        case ast.IntervalConstant():
            return _interval(node)
        case ast.Parameter(_, name):
            return f"${name}"
        case ast.Unary():
            return _unary(node)
        case ast.Binary():
            return _binary(node)
        case ast.CaseWhen():
            return _case(node)
        case ast.CastTo(_, operand, type_, safe):
            word = "TRY_CAST" if safe else "CAST"
            return f"{word}({expression_text(operand)} AS {type_text(type_)})"
        case ast.Collated(_, operand, collation):
            return f"{expression_text(operand)} COLLATE {quoted(collation)}"
        case ast.Extract(_, part, operand):
            return f"date_part('{_UPPER_PARTS.get(part, part)}', {expression_text(operand)})"
        case ast.FunctionCall():
            return _call(node)
        case ast.Unsupported(_, what):
            return what
        case ast.ListOf() | ast.Subscript() | ast.Slice() | ast.RowOf() | ast.Lambda():
            return _composed(node)
        case ast.NamedArgument(_, name, value):
            return f"{quoted(name)} := {expression_text(value)}"
        case ast.Columns(_, pattern, star):
            chosen = string(pattern or "") if star is None else expression_text(star)
            return f"COLUMNS({chosen})"
        case ast.EveryColumn():
            return "COLUMNS(*)"
        case ast.DefaultValue():
            return "DEFAULT"
        case ast.GroupingSet():
            return naming_queries.grouping_text(node, expression_text)
        case ast.Subquery() | ast.Exists() | ast.InQuery() | ast.Quantified():
            return _subquery(node)
    return _test(node)


def _composed(node: ast.Expression) -> str:
    match node:
        case ast.ListOf(_, items, array):
            listed = ", ".join(map(expression_text, items))
            return f"(ARRAY[{listed}])" if array else f"list_value({listed})"
        case ast.RowOf(_, items):
            return f'"row"({", ".join(map(expression_text, items))})'
        case ast.Subscript(_, operand, index):
            return f"{expression_text(operand)}[{expression_text(index)}]"
        case ast.Slice(_, operand, start, stop, step):
            bounds = ["" if one is None else expression_text(one) for one in (start, stop)]
            if step is not None:
                bounds = [bounds[0], bounds[1] or "-", expression_text(step)]
            return f"{expression_text(operand)}[{':'.join(bounds)}]"
        case ast.Lambda(_, parameters, body):
            return f"(lambda {', '.join(parameters)}: {expression_text(body)})"
    raise AssertionError(f"no text for {type(node).__name__}")


_OPPOSITES = {"=": "!=", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def _subquery(node: ast.Expression) -> str:
    match node:
        case ast.Subquery(_, query, as_list):
            inner = naming_queries.query_text(query, expression_text)
            if not as_list:
                return f"({inner})"
            test = "CASE  WHEN ((array_agg(#1) IS NULL)) THEN (list_value()) ELSE array_agg(#1) END"
            return f"(SELECT {test} FROM ({inner}))"
        case ast.Exists(_, query):
            return f"EXISTS({naming_queries.query_text(query, expression_text)})"
        case ast.InQuery(_, operand, query, negated):
            inner = naming_queries.query_text(query, expression_text)
            return _negated(f"({expression_text(operand)} = ANY({inner}))", negated)
        case ast.Quantified(_, operator, operand, quantifier, right):
            if isinstance(right, ast.Query):
                inner = naming_queries.query_text(right, expression_text)
            else:
                inner = f"SELECT unnest({expression_text(right)})"
            sign = _OPPOSITES[operator] if quantifier == "all" else operator
            sign = "!=" if sign == "<>" else sign
            return _negated(
                f"({expression_text(operand)} {sign} ANY({inner}))", quantifier == "all"
            )
    raise AssertionError(f"no text for {type(node).__name__}")


def _test(node: ast.Expression) -> str:
    match node:
        case ast.IsTest(_, operand, what, negated):
            inner = expression_text(operand)
            if what in ("null", "unknown"):
                return f"({inner} IS {'NOT ' if negated else ''}NULL)"
            word = "IS DISTINCT FROM" if negated else "IS NOT DISTINCT FROM"
            return f"(CAST({inner} AS BOOLEAN) {word} {what})"
        case ast.Between(_, operand, low, high, negated):
            text = " ".join((expression_text(operand), "BETWEEN", expression_text(low), "AND"))
            return _negated(f"({text} {expression_text(high)})", negated)
        case ast.In(_, operand, items, negated):
            text = ", ".join(expression_text(item) for item in items)
            return _negated(f"({expression_text(operand)} IN ({text}))", negated)
        case ast.Like(_, operand, pattern, None, ignore_case, negated):
            operator = _LIKE_OPERATORS[ignore_case, negated]
            return f"({expression_text(operand)} {operator} {expression_text(pattern)})"
        case ast.Like(_, operand, pattern, escape, ignore_case, negated) if escape is not None:
            function = "ilike_escape" if ignore_case else "like_escape"
            parts = ", ".join(expression_text(part) for part in (operand, pattern, escape))
            return _negated(f"{function}({parts})", negated)
    raise AssertionError(f"no text for {type(node).__name__}")


def _negated(text: str, negated: bool) -> str:
    return f"(NOT {text})" if negated else text


def _constant(node: ast.Constant) -> str:
    if node.kind == "string":
        return string(node.text)
    if node.kind == "null":
        return "NULL"
    return node.text


def _interval(node: ast.IntervalConstant) -> str:
    if node.unit is None:
        return f"CAST({expression_text(node.amount)} AS INTERVAL)"
    function, type_ = _INTERVAL_FUNCTIONS.get(node.unit, (f"to_{node.unit}s", "INTEGER"))
    amount = f"CAST({expression_text(node.amount)} AS DOUBLE)"
    if type_ is not None:
        amount = f"CAST(trunc({amount}) AS {type_})"
    return f"{function}({amount})"


def _unary(node: ast.Unary) -> str:
    folded = folded_minus(node)
    if isinstance(folded, ast.Constant):
        return _constant(folded)
    inner = expression_text(node.operand)
    return f"(NOT {inner})" if node.operator == "not" else f"({node.operator}({inner}))"


def _binary(node: ast.Binary) -> str:
    if node.operator in ("and", "or"):
        word = f" {node.operator.upper()} "
        return f"({word.join(expression_text(part) for part in chain(node))})"
    if node.operator in _MATCHES:
        function, negated, flags = _MATCHES[node.operator]
        arguments = [expression_text(node.left), expression_text(node.right), *flags]
        return _negated(f"{function}({', '.join(arguments)})", negated)
    operator = {"<>": "!=", "glob": "~~~"}.get(node.operator, node.operator.upper())
    return f"({expression_text(node.left)} {operator} {expression_text(node.right)})"


def chain(node: ast.Binary) -> list[ast.Expression]:
    """The parts of a chain of one associative operator in order, without recursion."""
    parts: list[ast.Expression] = []
    waiting: list[ast.Expression] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Binary) and part.operator == node.operator:
            waiting += (part.right, part.left)
        else:
            parts.append(part)
    return parts


def _case(node: ast.CaseWhen) -> str:
    parts = ["CASE "]
    for when, then in node.branches:
        test = expression_text(when)
        if node.operand is not None:
            test = f"({expression_text(node.operand)} = {test})"
        parts.append(f"WHEN ({test}) THEN ({expression_text(then)})")
    otherwise = "NULL" if node.otherwise is None else expression_text(node.otherwise)
    return f"{' '.join(parts)} ELSE {otherwise} END"


_MATCHES: dict[str, tuple[str, bool, tuple[str, ...]]] = {
    "similar to": ("regexp_full_match", False, ()),
    "~": ("regexp_matches", False, ()),
    "!~": ("regexp_matches", True, ()),
    "~*": ("regexp_matches", False, ("'i'",)),
    "!~*": ("regexp_matches", True, ("'i'",)),
}

_ORDERED_SETS = {"percentile_cont": "quantile_cont", "percentile_disc": "quantile_disc"}


def _comprehension(node: ast.FunctionCall) -> str:
    """What DuckDB makes of a comprehension with a condition: structs that are taken apart again."""
    values, made, kept = node.arguments
    assert isinstance(made, ast.Lambda)
    assert isinstance(kept, ast.Lambda)
    fields = f'filter" := {expression_text(kept.body)}, result := {expression_text(made.body)}'
    both = f'(lambda {", ".join(made.parameters)}: struct_pack("{fields}))'
    chosen, result = (f"(lambda elem: struct_extract(elem, '{f}'))" for f in ("filter", "result"))
    pairs = f"list_apply({expression_text(values)}, {both})"
    return f"list_apply(list_filter({pairs}, {chosen}), {result})"


def _call(node: ast.FunctionCall) -> str:
    counts_rows = node.name == "count" and all(
        isinstance(item, ast.Star) and item.qualifier is None for item in node.arguments
    )
    if node.name in ("current_date", "current_timestamp", "localtimestamp"):
        return node.name
    if node.name == ast.COMPREHENSION:
        return _comprehension(node)
    name = {
        "coalesce": "COALESCE",
        "ifnull": "COALESCE",
        "grouping": "GROUPING",
        "grouping_id": "GROUPING",
        "try": "TRY",
    }.get(node.name) or quoted(node.name)
    if node.over is not None:
        name = f"{node.name}_value" if node.name in ("first", "last") else node.name
    given = node.arguments
    if node.method:
        name, given = f"{expression_text(given[0])}.{name}", given[1:]
    arguments = ", ".join(expression_text(item) for item in given)
    if node.distinct:
        arguments = "DISTINCT " + arguments
    if counts_rows:
        name, arguments = ("count_star" if node.over is None else "count"), ""
    order = naming_queries.order_text(node.order_by, expression_text)
    after = ""
    if node.within_group and node.name in _ORDERED_SETS:
        name, arguments = _ORDERED_SETS[node.name], f"{arguments} {order}"
    elif node.within_group:
        after = f" WITHIN GROUP ( {order})"
    elif order:
        arguments = f"{arguments} {order}".lstrip()
    if node.ignore_nulls:
        arguments += " IGNORE NULLS"
    if node.where is not None:
        after += f" FILTER (WHERE {expression_text(node.where)})"
    if node.over is not None:
        after += f" OVER {naming_queries.window_text(node.over, expression_text)}"
    return f"{name}({arguments}){after}"
