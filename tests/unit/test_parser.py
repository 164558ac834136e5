"""The parser by itself: statements, spans, limits, what is refused, and the shipped tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eau2.config import LIMITS
from eau2.errors import Span, SqlSyntaxError
from eau2.records import names
from eau2.sql import ast, generate, tables
from eau2.sql.parser import parse, parse_one


def expression(text: str) -> ast.Expression:
    query = parse_one(f"SELECT {text} FROM t")
    assert isinstance(query, ast.Select)
    return query.items[0].expression


def nodes(value: Any) -> list[ast.Node]:
    """All nodes of a tree."""
    found: list[ast.Node] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Node):
            found.append(one)
            waiting += [getattr(one, name) for name in names(type(one))]
        elif isinstance(one, tuple) and not isinstance(one, Span):
            waiting += one
    return found


def read(text: str, span: Span) -> str:
    return text[span.start : span.end]


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("SET threads = 4", ast.SetStatement(Span(0, 15), "threads", None)),
        ("RESET threads", ast.SetStatement(Span(0, 13), "threads", None)),
        ("SHOW TABLES", ast.ShowTables(Span(0, 11))),
        ("SHOW nodes", ast.ShowNodes(Span(0, 10))),
        ("SHOW CHUNKS", ast.ShowChunks(Span(0, 11), None)),
        ('show chunks from "a b"', ast.ShowChunks(Span(0, 22), "a b")),
        ("show threads", ast.ShowSetting(Span(0, 12), "threads")),
        ("SHOW ALL", ast.ShowSetting(Span(0, 8), "all")),
        ("DROP TABLE t", ast.Drop(Span(0, 12), "t", False)),
        ('drop table if exists "a b"', ast.Drop(Span(0, 26), "a b", True)),
        ("DROP TABLE if", ast.Drop(Span(0, 13), "if", False)),
        ("DESCRIBE t", ast.Describe(Span(0, 10), ast.TableName(Span(9, 10), "t"))),
        ("DESC 'x.csv'", ast.Describe(Span(0, 12), ast.TableFile(Span(5, 12), "x.csv"))),
    ],
)
def test_statements_other_than_queries(text: str, statement: ast.Statement) -> None:
    parsed = parse_one(text)
    if isinstance(parsed, ast.SetStatement) and parsed.value is not None:
        assert parsed.value == ast.Constant(Span(14, 15), "integer", "4")
        parsed = ast.SetStatement(parsed.span, parsed.name, None)
    assert parsed == statement


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("'a b'", "string", "a b"),
        ("on", "boolean", "true"),
        ("false", "boolean", "false"),
        ("lots", "string", "lots"),
        ("- 1.5", "decimal", "-1.5"),
        ("NULL", "null", ""),
    ],
)
@pytest.mark.parametrize("sign", ["=", "TO"])
def test_values_of_settings(text: str, kind: str, value: str, sign: str) -> None:
    statement = parse_one(f"SET x {sign} {text};")
    assert isinstance(statement, ast.SetStatement)
    assert statement.value is not None
    assert (statement.name, statement.value.kind, statement.value.text) == ("x", kind, value)


def test_explain_and_describe_of_a_query() -> None:
    plain, analyzed, described = parse(
        "EXPLAIN SELECT 1; explain analyze (select 1); DESC SELECT 1"
    )
    assert isinstance(plain, ast.Explain)
    assert not plain.analyze
    assert isinstance(analyzed, ast.Explain)
    assert analyzed.analyze
    assert isinstance(described, ast.Describe)
    assert isinstance(described.target, ast.Select)


def test_several_statements_and_empty_ones() -> None:
    text = ";; SELECT 1; -- one\n ;SELECT 2 /* two; */ ; "
    statements = parse(text)
    assert [read(text, one.span) for one in statements] == ["SELECT 1", "SELECT 2"]


@pytest.mark.parametrize("text", ["", "  ", ";", " ; ; -- nothing", "/* nothing */"])
def test_no_statement_is_an_error(text: str) -> None:
    with pytest.raises(SqlSyntaxError, match="There is no statement"):
        parse(text)


def test_parse_one_refuses_a_second_statement() -> None:
    with pytest.raises(SqlSyntaxError, match="Only one statement") as caught:
        parse_one("SELECT 1; SELECT 2")
    assert caught.value.span == Span(10, 18)


def test_spans_hold_what_was_written() -> None:
    text = (
        "SELECT a + b * c AS x, count(DISTINCT  d ), t.*, CASE WHEN (a) = 1 THEN 'y' END\n"
        "FROM (SELECT 1) q JOIN 'f.csv' AS f USING (a), u z WHERE NOT a IN (1, 2)\n"
        "GROUP BY a  HAVING sum(a) > .5 ORDER BY a::int DESC LIMIT 3"
    )
    query = parse_one(f"\n {text} ;")
    shown = {read(f"\n {text} ;", node.span) for node in nodes(query)}
    assert shown >= {
        text,
        "a + b * c AS x",
        "a + b * c",
        "b * c",
        "count(DISTINCT  d )",
        "t.*",
        "CASE WHEN (a) = 1 THEN 'y' END",
        "(a) = 1",
        "(SELECT 1) q",
        "SELECT 1",
        "'f.csv' AS f",
        "(SELECT 1) q JOIN 'f.csv' AS f USING (a)",
        "(SELECT 1) q JOIN 'f.csv' AS f USING (a), u z",
        "u z",
        "NOT a IN (1, 2)",
        "a IN (1, 2)",
        "sum(a) > .5",
        "a::int DESC",
        "a::int",
        "int",
    }


def test_every_span_lies_within_its_parent() -> None:
    text = "SELECT -a ** 2, (b OR c) AND d AND e, INTERVAL '3' MONTH, trim('x' from s) FROM t, u"
    for node in nodes(parse_one(text)):
        assert node.span.start < node.span.end
        for child in nodes(node):
            assert node.span.start <= child.span.start
            assert child.span.end <= node.span.end


def test_numbers_say_how_they_were_written() -> None:
    kinds = {
        "1": "integer",
        "1_000": "integer",
        "1.": "decimal",
        ".5": "decimal",
        "1.50": "decimal",
        "1e3": "float",
        ".5E-3": "float",
    }
    for text, kind in kinds.items():
        constant = expression(text)
        assert isinstance(constant, ast.Constant)
        assert (constant.kind, constant.text) == (kind, text)


def test_names_keep_their_letters_and_functions_do_not() -> None:
    assert expression('"a ""b"".c".D') == ast.Name(Span(7, 20), ('a "b".c', "D"))
    call = expression("SUM(a)")
    assert isinstance(call, ast.FunctionCall)
    assert call.name == "sum"


def test_strings() -> None:
    for text, value in {
        "'it''s'": "it's",
        "''": "",
        "$$a'b$$": "a'b",
        "$x$a$$b$x$": "a$$b",
    }.items():
        constant = expression(text)
        assert isinstance(constant, ast.Constant)
        assert constant.text == value


def test_parameters_count_from_one_in_each_statement() -> None:
    found = [
        [node.name for node in nodes(statement) if isinstance(node, ast.Parameter)]
        for statement in parse("SELECT ?, ?; SELECT ?, $3, $x, :y_1")
    ]
    assert [sorted(map(str, one)) for one in found] == [["1", "2"], ["1", "3", "x", "y_1"]]


def test_units_are_singular() -> None:
    for text, unit in {"day": "day", "MONTHS": "month", "centuries": "century"}.items():
        interval = expression(f"INTERVAL 3 {text}")
        assert isinstance(interval, ast.IntervalConstant)
        assert interval.unit == unit
    plain = expression("INTERVAL '1 month'")
    assert isinstance(plain, ast.IntervalConstant)
    assert plain.unit is None


REFUSED_EXPRESSIONS = {
    "{'a': {'b': 1}}": "A struct or a map",
    "map {'a': 1}": "A struct or a map",
    "sum(*)": "sum(*)",
    "main.sum(a)": "A function of a schema",
    "a -> b": "The arrow -> (a lambda is written LAMBDA x: ...)",
    "a ->> b": "The operator ->>",
    "a <<= b": "The operator <<=",
    "#1": "A column by its position (#1)",
    "(t).a": "A field of a struct",
    "s NOT SIMILAR TO 'a' ESCAPE 'b'": "ESCAPE after SIMILAR TO",
    "d AT TIME ZONE 'UTC'": "AT TIME ZONE",
    "b'01'": "A string with a prefix",
    "s.t.*": "A table name with a point",
    "columns(lambda c: true)": "COLUMNS of anything but a string, * or names",
}


@pytest.mark.parametrize("text", REFUSED_EXPRESSIONS)
def test_refused_expressions(text: str) -> None:
    whole = f"SELECT 1, ({text}) FROM t" if "*" not in text[:5] else f"SELECT {text}"
    [refused] = [one for one in nodes(parse_one(whole)) if isinstance(one, ast.Unsupported)]
    assert refused.what == REFUSED_EXPRESSIONS[text]
    assert read(whole, refused.span) in text or read(whole, refused.span) == f"({text})"


REFUSED_STATEMENTS = {
    "COPY t TO 'x' (FORMAT csv)": ("COPY", "COPY"),
    "PRAGMA x": ("PRAGMA", "PRAGMA"),
    "BEGIN": ("BEGIN", "BEGIN"),
    "DROP SEQUENCE v": ("DROP SEQUENCE", "DROP SEQUENCE v"),
    "DROP TABLE a, b": (
        "DROP of several objects, with CASCADE or RESTRICT",
        "DROP TABLE a, b",
    ),
    "CREATE UNIQUE INDEX i ON t (a)": ("CREATE UNIQUE", "CREATE UNIQUE INDEX i ON t (a)"),
    "CREATE TABLE t (a INT, PRIMARY KEY (a))": (
        "A constraint or default of a column",
        "PRIMARY KEY (a)",
    ),
    "CREATE TABLE t (a STRUCT(b INT)[])": ("A type with such parameters", "STRUCT(b INT)"),
    "SELECT a::int[3] FROM t": ("A list of a fixed length", "int[3]"),
    "INSERT OR IGNORE INTO t VALUES (1)": ("INSERT OR", "INSERT OR IGNORE INTO t VALUES (1)"),
    "INSERT INTO t AS u VALUES (1)": ("INSERT with an alias", "INSERT INTO t AS u VALUES (1)"),
    "INSERT INTO t VALUES (1) RETURNING a": (
        "ON CONFLICT or RETURNING",
        "INSERT INTO t VALUES (1) RETURNING a",
    ),
    "PREPARE p(int) AS SELECT $1": ("PREPARE with types", "PREPARE p(int) AS SELECT $1"),
    "EXPLAIN DELETE FROM t": ("DELETE", "DELETE"),
    "EXPLAIN INSERT INTO t VALUES (1)": (
        "EXPLAIN of a statement that is no query",
        "INSERT INTO t VALUES (1)",
    ),
    "EXPLAIN (FORMAT json) SELECT 1": ("EXPLAIN with options", "(FORMAT json) SELECT 1"),
    "SELECT * EXCEPT (a) FROM t": ("EXCEPT after * (write EXCLUDE)", "(a) FROM t"),
    "FROM VALUES (1), (2) t(a)": (
        "VALUES in FROM without brackets",
        "VALUES (1), (2) t(a)",
    ),
    "FROM (DESCRIBE t)": ("DESCRIBE or SHOW as a table", "(DESCRIBE t)"),
    "FROM t AT (VERSION => 1)": ("AT a version of a table", "t AT (VERSION => 1)"),
    "FROM t PIVOT (sum(a) FOR b IN an_enum)": (
        "PIVOT over the values of an ENUM",
        "b IN an_enum",
    ),
    "FROM t ASOF SEMI JOIN u USING (a)": ("This kind of ASOF JOIN", "ASOF SEMI"),
    "SELECT a FROM s.t": ("A table name with a point", "s.t"),
    "SHOW tables FROM t": ("SHOW TABLES FROM", "SHOW tables FROM t"),
    "SHOW CHUNKS FROM s.t": ("A table name with a point", "s.t"),
    "SHOW ALL TABLES": ("This form of SHOW", "SHOW ALL TABLES"),
    "SET GLOBAL x = 1": ("SET with a scope", "SET GLOBAL x = 1"),
}


@pytest.mark.parametrize("text", REFUSED_STATEMENTS)
def test_refused_statements(text: str) -> None:
    refused, after = parse(f"{text}; SELECT 1")
    assert isinstance(refused, ast.UnsupportedStatement)
    assert (refused.what, read(text, refused.span)) == REFUSED_STATEMENTS[text]
    assert isinstance(after, ast.Select)


def test_limit_all_is_no_limit() -> None:
    query = parse_one("SELECT a FROM t LIMIT ALL OFFSET 2")
    assert isinstance(query, ast.Select)
    assert query.limit is None
    assert query.offset is not None


@pytest.mark.parametrize("word", ["AND", "OR"])
def test_a_chain_of_thousands_is_a_tree_of_few_levels(word: str) -> None:
    query = parse_one("SELECT 1 WHERE " + f" {word} ".join(f"a{n}" for n in range(5000)))
    assert isinstance(query, ast.Select)
    assert query.where is not None
    level: list[ast.Expression] = [query.where]
    names: list[str] = []
    depth = 0
    while level:
        depth += 1
        names += [name for one in level if isinstance(one, ast.Name) for name in one.parts]
        level = [
            side for one in level if isinstance(one, ast.Binary) for side in (one.left, one.right)
        ]
    assert depth <= 20
    assert sorted(names) == sorted(f"a{n}" for n in range(5000))


def test_a_short_chain_leans_to_the_left() -> None:
    chain = expression("a AND b AND c AND d")
    assert isinstance(chain, ast.Binary)
    assert chain.right == ast.Name(Span(25, 26), ("d",))


def test_a_long_list_parses() -> None:
    listed = expression(f"a IN ({', '.join(map(str, range(50_000)))})")
    assert isinstance(listed, ast.In)
    assert len(listed.items) == 50_000
    assert listed.items[-1] == ast.Constant(listed.items[-1].span, "integer", "49999")


@pytest.mark.parametrize(
    ("before", "inner", "after"),
    [
        ("(", "1", ")"),
        ("- ", "1", ""),
        ("NOT ", "a", ""),
        ("f(", "a", ")"),
        ("CASE WHEN a THEN ", "1", " END"),
        ("CAST(", "a", " AS int)"),
        ("", "1", " + 1"),
        ("", "1", "::int"),
        ("", "a", " IS NULL"),
    ],
)
def test_depth_is_bounded_and_recursion_is_not_needed(before: str, inner: str, after: str) -> None:
    allowed = LIMITS.expression_depth - 10
    assert parse(f"SELECT {before * allowed}{inner}{after * allowed}")
    with pytest.raises(SqlSyntaxError, match="nests deeper than 250 levels") as caught:
        parse(f"SELECT {before * 20_000}{inner}{after * 20_000}")
    assert caught.value.span is not None


def test_nested_queries_are_bounded_too() -> None:
    with pytest.raises(SqlSyntaxError, match="nests deeper"):
        parse("SELECT 1 FROM " + "(SELECT 1 FROM " * 5000 + "t" + ")" * 5000)


@pytest.mark.parametrize("text", ["(" * 100_000, "CASE " * 100_000, "'" * 100_001, "/*" * 100_000])
def test_hostile_text_is_an_error(text: str) -> None:
    with pytest.raises(SqlSyntaxError):
        parse("SELECT " + text)


def test_a_statement_of_the_longest_length() -> None:
    padding = " " * (LIMITS.statement_chars - len("SELECT 1"))
    assert parse(f"SELECT{padding} 1")
    with pytest.raises(SqlSyntaxError, match="1,048,577 characters"):
        parse(f"SELECT {padding} 1")


def test_the_shipped_tables_are_built_from_the_shipped_grammar() -> None:
    grammar = (tables.folder() / tables.GRAMMAR).read_text(encoding="utf-8")
    built = tables.to_text(generate.build(grammar))
    assert (tables.folder() / tables.TABLES).read_text(encoding="utf-8") == built
    assert json.loads(built)["grammar"] == generate.digest(grammar)


def test_a_grammar_with_a_conflict_is_refused() -> None:
    with pytest.raises(ValueError, match="conflicts"):
        generate.build(
            'script: sum\nsum: sum "+" sum | NUMBER\nNUMBER: /[0-9]+/\n%declare SKIPPED\n'
        )


def test_parsing_does_not_import_lark() -> None:
    program = "import sys, eau2.sql.parser as p; p.parse('SELECT 1'); print('lark' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"


TPCH = Path(__file__).parent.parent / "tpch" / "queries"


@pytest.mark.parametrize("path", sorted(TPCH.glob("*.sql")), ids=lambda path: path.stem)
def test_tpch_parses(path: Path) -> None:
    query = parse_one(path.read_text(encoding="utf-8"))
    assert isinstance(query, ast.Query)
    assert not [one for one in nodes(query) if isinstance(one, ast.Unsupported)]
