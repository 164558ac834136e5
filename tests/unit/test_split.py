"""Cutting text into statements: every semicolon that ends one, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eau2.sql.split import split


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("", (), ""),
        (" -- nothing; here", (), ""),
        ("select 1", (), "select 1"),
        ("select 1;", ("select 1;",), ""),
        ("select 1; select 2", ("select 1;",), " select 2"),
        ("select ';' ;", ("select ';' ;",), ""),
        ("select 'it''s;' ; x", ("select 'it''s;' ;",), " x"),
        ('select ";""" ;', ('select ";""" ;',), ""),
        ("select 1 -- a; b\n;", ("select 1 -- a; b\n;",), ""),
        ("select /* ; */ 1;", ("select /* ; */ 1;",), ""),
        (r"select E'it\';' ; x", (r"select E'it\';' ;",), " x"),
        (r"select e'a''\\' ; x", (r"select e'a''\\' ;",), " x"),
        (r"select name'a\' ; x", (r"select name'a\' ;",), " x"),
        (r"select E'open\';", (), r"select E'open\';"),
        ("select 'open; ", (), "select 'open; "),
        ("select $$;';$$ ; x", ("select $$;';$$ ;",), " x"),
        ("select $a$;$$;$a$ ; x", ("select $a$;$$;$a$ ;",), " x"),
        ("select $a, $b; x", ("select $a, $b;",), " x"),
        ("select $1$ ; x", ("select $1$ ;",), " x"),
        ("select a$$ ; b$$ ; x", ("select a$$ ;", " b$$ ;"), " x"),
        ("select $$open; ", (), "select $$open; "),
        ("select $a$open; $$", (), "select $a$open; $$"),
        ("select /* open; ", (), "select /* open; "),
        ("/* open; ", (), "/* open; "),
        (";;; ;", (), ""),
        ("select 1; -- done", ("select 1;",), ""),
    ],
)
def test_split(text: str, statements: tuple[str, ...], rest: str) -> None:
    assert split(text) == (statements, rest)


def test_a_later_statement_keeps_its_line() -> None:
    found = split("select 1;\n\nselect\n 2;\nselect 3").statements
    assert found[1].count("\n", 0, found[1].index("select")) == 2
    assert split("a;\nb;\nc").rest == "\n\nc"


@given(st.text(alphabet="a';\"-/*\n ", max_size=30))
def test_no_text_is_lost(text: str) -> None:
    statements, rest = split(text)
    kept = "".join((*statements, rest))
    assert kept.count("a") == text.count("a") or "--" in text or "/*" in text
    for statement in statements:
        assert statement.endswith(";")
        assert split(statement) == ((statement,), "")
