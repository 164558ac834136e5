"""What a syntax error says, and where its caret is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eau2.errors import SqlSyntaxError
from eau2.sql.parser import parse


def error(text: str) -> SqlSyntaxError:
    with pytest.raises(SqlSyntaxError) as caught:
        parse(text)
    return caught.value


def pointed_at(text: str) -> str:
    span = error(text).span
    assert span is not None
    return text[span.start : span.end]


@pytest.mark.parametrize(
    ("text", "token", "meant"),
    [
        ("SELCT a FROM df", "SELCT", "SELECT"),
        ("selec", "selec", "SELECT"),
        ("SELECT a FRM df", "FRM", "FROM"),
        ("select * form t", "form", "FROM"),
        ("SELECT a FROM df WERE a = 1", "WERE", "WHERE"),
        ("SELECT a FROM df x WEHRE a = 1", "WEHRE", "WHERE"),
        ("select a from df GROPU by a", "GROPU", "GROUP"),
        ("select a from t ordr by a", "ordr", "ORDER"),
        ("select a from t order by a dsc", "dsc", "DESC"),
        ("select a from t limt 5", "limt", "LIMIT"),
        ("select a from t where a betwen 1 and 2", "betwen", "BETWEEN"),
        ("select a from t where a between 1 adn 2", "adn", "AND"),
        ("select a from t where a is nul", "nul", "NULL"),
        ("select a from t join u onn t.a = u.a", "onn", "ON"),
        ("select a from t jion u on true", "jion", "JOIN"),
        ("select case when a thn 1 end", "thn", "THEN"),
        ("select extract(year form a)", "form", "FROM"),
        ("insrt into t values (1)", "insrt", "INSERT"),
        ("drop tabel t", "tabel", "TABLE"),
        ("select 1; selct 2", "selct", "SELECT"),
    ],
)
def test_did_you_mean(text: str, token: str, meant: str) -> None:
    found = error(text)
    assert pointed_at(text) == token
    assert found.hint == f"Did you mean {meant}?"
    assert found.message.startswith(f'Syntax error at "{token}": expected ')


@pytest.mark.parametrize(
    ("text", "token", "expected"),
    [
        ("SELECT a, , b FROM df", ",", "an expression, WHERE, GROUP BY, HAVING, ORDER BY or LIMIT"),
        ("select from t", "from", "an expression"),
        ("select a from where", "where", "a name, a string in single quotes or an opening ("),
        ("select a from t order a", "a", "BY"),
        ("select a from t where and", "and", "an expression"),
        ("select a from t natural u", "u", "JOIN"),
        ("select (a from t", "from", "an operator, a comma or a closing )"),
        ("select cast(a int)", "int", "an operator or AS"),
        ("select count(* from t", "from", "a comma, a closing ), ORDER BY, LIKE or NOT"),
        ("select a from t where a in ()", ")", "an expression"),
        ("select interval 3 fortnight", "fortnight", "a unit of time"),
        ("select a..b", ".", "a name"),
        ("select a from t limit 3 4", "4", "an operator, OFFSET or the end of the statement"),
        ("hello", "hello", "SELECT, EXPLAIN, DESCRIBE, SHOW, SET or RESET"),
    ],
)
def test_what_was_expected(text: str, token: str, expected: str) -> None:
    found = error(text)
    assert found.message == f'Syntax error at "{token}": expected {expected}'
    assert pointed_at(text) == token
    assert found.hint is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select", "an expression"),
        ("select a from t limit ", "an expression"),
        ("select case when 1 then 2", "an operator, WHEN, ELSE or END"),
        ("select a from t union", "SELECT or an opening ("),
        ("drop", "TABLE"),
        ("set a =", "a value"),
    ],
)
def test_the_end_came_too_soon(text: str, expected: str) -> None:
    found = error(text)
    assert found.message == f"Syntax error at the end of the statement: expected {expected}"
    assert found.span is not None
    assert found.span.start == len(text.rstrip())


@pytest.mark.parametrize(
    ("text", "start", "message"),
    [
        ("select 'abc", 7, "This string has no end: a closing ' is missing"),
        ("select 'abc''def", 7, "This string has no end: a closing ' is missing"),
        ("select $$a$", 7, "This string has no end: its closing $...$ is missing"),
        ('select "abc', 7, 'This quoted name has no end: a closing " is missing'),
        ('select ""', 7, "A quoted name may not be empty"),
        ("select 1 /* /* */", 9, "This comment has no end"),
        ("select 1a", 7, "This number runs into a word"),
        ("select 1__0", 7, "This number runs into a word"),
        ("select 0x1F", 7, "This number runs into a word"),
        ("select a \x00", 9, "The character '\\x00' has no meaning here"),
        ("select " + "a" * 201, 7, "A name may have at most 200 characters"),
        ("select a < b < c", 12, "Comparisons cannot be chained"),
        ("select a::int(1.5)", 13, "A type's parameters are whole numbers"),
        ("select '\ud800'", 8, "The text holds a lone surrogate"),
    ],
)
def test_other_errors(text: str, start: int, message: str) -> None:
    found = error(text)
    assert found.message == message
    assert found.span is not None
    assert found.span.start == start


def test_an_earlier_error_comes_before_unreadable_text() -> None:
    assert pointed_at("select from t where a = 'x") == "from"


def test_the_caret_stands_under_the_token() -> None:
    shown = str(error("select a\nfrom t\nwher a = 1"))
    line, caret, hint = shown.splitlines()[1:]
    assert line == "line 3: wher a = 1"
    assert caret == "        ^^^^"
    assert hint == "Did you mean WHERE?"


PIECES = """
select from where group by order limit ( ) , . a b t 1 2.5 'x' * + - * = < and or not in between is
null case when then end join on using as count cast :: interval ' " /* ; $1 ? [ ] { } | & ~ ! @ over
filter exists union with explain set drop describe distinct é -- $$
"""


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*PIECES.split(), "\x00", "\ud800"]), max_size=25).map(" ".join))
def test_any_text_parses_or_is_a_syntax_error(text: str) -> None:
    found = problem(text)
    if found is not None:
        assert found.render()
        assert found.span is None or 0 <= found.span.start <= found.span.end <= len(text)


def problem(text: str) -> SqlSyntaxError | None:
    try:
        return None if parse(text) else SqlSyntaxError("nothing was parsed")
    except SqlSyntaxError as found:
        return found
