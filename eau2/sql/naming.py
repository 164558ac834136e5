"""What a result column is called when the statement gives it no alias.

Owns: the text of an expression as DuckDB 2.0 writes it into column names, e.g. `sum((a + 1))`.
Comes in: ast expressions. Goes out: names. Does not know: types, tables, what a function does.
"""

from __future__ import annotations

import re

from eau2.sql import ast

_PLAIN_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_KEYWORD_TEXT = """
absolute access action add admin after aggregate all also alter always analyse analyze and anti
any approx array as asc asof assertion assignment asymmetric at attach attribute authorization
backward before begin between bigint binary bit boolean both by cache call called cascade
cascaded case cast catalog centuries century chain char character characteristics check
checkpoint class close cluster coalesce collate collation column columns comment comments commit
committed compression concurrently configuration conflict connect connection constraint
constraints content continue conversion copy cost create cross csv cube current cursor cycle
data database day days deallocate dec decade decades decimal declare default defaults deferrable
deferred definer delete delimiter delimiters depends desc describe detach dictionary disable
discard disconnect distance distinct do document domain double drop each else enable encoding
encrypted end enum error escape event exact except exclude excluding exclusive execute exists
explain export export_state extension extensions external extract false family fetch filter
first float following for force foreign forward freeze from full function functions generated
glob global grant granted group grouping grouping_id groups handler having header hold hour
hours identity if ignore ilike immediate immutable implicit import in include including
increment index indexes inherit inherits initially inline inner inout input insensitive insert
install instead int integer intersect interval into invoker is isnull isolation join json key
label lambda language large last lateral leading leakproof left level like limit listen load
local location lock locked logged macro map mapping match matched materialized maxvalue merge
method microsecond microseconds millennia millennium millisecond milliseconds minute minutes
minvalue mode month months move name names national natural nchar nearest new next no none not
nothing notify notnull nowait null nullif nulls numeric object of off offset oids old on only
operator option options or order ordinality others out outer over overlaps overlay overriding
owned owner parallel parser partial partition partitioned passing password percent permissive
persistent pivot pivot_longer pivot_wider placing plans policy position positional pragma
preceding precision prepare prepared preserve primary prior privileges procedural procedure
program publication qualify quarter quarters quote range read real reassign recheck recursive
ref references referencing refresh register reindex relative release rename repeatable replace
replica reset resource resources respect restart restrict returning returns revoke right role
rollback rollup row rows rule sample savepoint schema schemas scope scroll search second seconds
secret secure security select semi sequence sequences serializable server session set setof sets
share show similar similarity simple skip smallint snapshot some sorted source sql stable
standalone start statement statistics stdin stdout storage stored strict strip struct
subscription substring summarize symmetric sysid system table tables tablesample tablespace
target temp template temporary text then ties time timestamp to trailing transaction transform
treat trigger trim true truncate trusted try_cast tuple type types unbounded uncommitted
unencrypted union unique unknown unlisten unlogged unpack unpivot until update use user using
vacuum valid validate validator value values varchar variable variadic varying verbose version
view views virtual volatile week weeks when where whitespace window with within without work
wrapper write xml xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse
xmlpi xmlroot xmlserialize xmltable year years yes zone
"""
_KEYWORDS = frozenset(_KEYWORD_TEXT.split())
"""The words that DuckDB 2.0 puts in double quotes when they are names inside an expression."""

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


def quoted(name: str) -> str:
    """An identifier, in double quotes where DuckDB would write them."""
    if _PLAIN_IDENTIFIER.match(name) and name.lower() not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def type_text(type_: ast.TypeName) -> str:
    """A type as it stands in a column name, e.g. DECIMAL(15, 2)."""
    word = _TYPE_WORDS.get(type_.name, type_.name.upper())
    if not type_.parameters:
        return word
    return f"{word}({', '.join(map(str, type_.parameters))})"


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
        case ast.Star(_, qualifier):
            return "*" if qualifier is None else f"{quoted(qualifier)}.*"
        case ast.Constant():
            return _constant(node)
        case ast.TypedConstant(_, type_, text):
            return f"CAST({_string(text)} AS {type_text(type_)})"
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
        case ast.Extract(_, part, operand):
            return f"date_part('{_UPPER_PARTS.get(part, part)}', {expression_text(operand)})"
        case ast.FunctionCall():
            return _call(node)
        case ast.Unsupported(_, what):
            return what
    return _test(node)


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


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _constant(node: ast.Constant) -> str:
    if node.kind == "string":
        return _string(node.text)
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
    operator = {"<>": "!="}.get(node.operator, node.operator.upper())
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


def _call(node: ast.FunctionCall) -> str:
    if node.name in ("current_date", "current_timestamp", "localtimestamp"):
        return node.name
    stars = all(isinstance(item, ast.Star) and item.qualifier is None for item in node.arguments)
    if node.name == "count" and stars:
        return ("count_star()" if node.over is None else "count()") + _behind(node)
    arguments = ", ".join(expression_text(item) for item in node.arguments)
    if node.distinct:
        arguments = "DISTINCT " + arguments
    if node.name in ("coalesce", "ifnull"):
        return f"COALESCE({arguments})"
    if node.name in ("grouping", "grouping_id"):
        return f"GROUPING({arguments})"
    if node.within_group and not node.arguments:
        return f"{quoted(node.name)}() WITHIN GROUP ( {_order(node.order_by)}){_behind(node)}"
    if node.order_by:
        arguments += f" {_order(node.order_by)}"
    if node.ignore_nulls:
        arguments += " IGNORE NULLS"
    return f"{_function(node)}({arguments}){_behind(node)}"


def _function(node: ast.FunctionCall) -> str:
    """The function's name: of WITHIN GROUP and of some windows not the one that was written."""
    if node.within_group:
        return node.name.replace("percentile", "quantile")
    if node.over is not None and node.name in ("first", "last"):
        return f"{node.name}_value"
    return quoted(node.name)


def _behind(node: ast.FunctionCall) -> str:
    """What stands behind the brackets of a call."""
    text = "" if node.where is None else f" FILTER (WHERE {expression_text(node.where)})"
    if isinstance(node.over, ast.WindowSpec):
        return f"{text} OVER ({_window(node.over)})"
    return text if node.over is None else f"{text} OVER {quoted(node.over)}"


def _window(spec: ast.WindowSpec) -> str:
    parts: list[str] = []
    if spec.partition_by:
        parts.append("PARTITION BY " + ", ".join(map(expression_text, spec.partition_by)))
    if spec.order_by:
        parts.append(_order(spec.order_by))
    frame = None if spec.frame is None else _frame(spec.frame)
    return " ".join(parts if frame is None else [*parts, frame])


def _order(items: tuple[ast.OrderItem, ...]) -> str:
    return "ORDER BY " + ", ".join(map(_order_item, items))


def _order_item(item: ast.OrderItem) -> str:
    nulls = {None: "", True: " NULLS LAST", False: " NULLS FIRST"}[item.nulls_last]
    return f"{expression_text(item.expression)}{' DESC' if item.descending else ''}{nulls}"


def _frame(frame: ast.Frame) -> str | None:
    """A frame with both ends; None for the one that goes without saying."""
    unit, kinds = frame.unit.upper(), (frame.start.kind, frame.end.kind)
    if kinds == ("unbounded_preceding", "unbounded_following"):
        unit = "ROWS"
    exclude = ""
    if frame.exclude != "no_others":
        exclude = " EXCLUDE " + frame.exclude.replace("_", " ").upper()
    elif unit == "RANGE" and kinds == ("unbounded_preceding", "current_row"):
        return None
    return f"{unit} BETWEEN {_frame_end(frame.start)} AND {_frame_end(frame.end)}{exclude}"


def _frame_end(end: ast.FrameEnd) -> str:
    text = end.kind.replace("_", " ").upper()
    return text if end.offset is None else f"{expression_text(end.offset)} {text}"
