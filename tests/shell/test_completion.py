"""What the prompt offers: for a text and a place in it, which words and how they are spelled."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from eau2.records import replace
from eau2.repl import wordlists
from eau2.repl.completion import StatementCompleter
from eau2.repl.highlighting import styled
from eau2.repl.words import KEYWORDS, STATEMENTS, Known
from eau2.sql.parser import parse

WORDS = replace(
    wordlists.of_language(),
    own_functions=("doubled", "words_of"),
    tables={
        "orders": ("id", "customer", "total"),
        "order_items": ("order_id", "product", "amount", "unit price"),
        "Weather": ("day", "rain", "order"),
    },
)

ITEMS = {"order_id", "product", "amount", '"unit price"'}

pytestmark = pytest.mark.timeout(20)


def offered(marked: str) -> list[str]:
    """The texts offered at the | in `marked`."""
    cursor = marked.index("|")
    text = marked.replace("|", "", 1)
    completer = StatementCompleter(Known(WORDS))
    event = CompleteEvent(completion_requested=True)
    return [c.text for c in completer.get_completions(Document(text, cursor), event)]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("sel|", {"select"}),
        ("SEL|", {"SELECT"}),
        ("SELECT 1; dr|", {"drop"}),
        ("SELECT * FROM |", {"orders", "order_items", "Weather", "range(", "read_csv("}),
        ("SELECT * FROM oit|", {"order_items"}),
        ("SELECT * FROM weat|", {"Weather"}),
        ("SELECT * FROM orders JOIN ord|", {"orders", "order_items"}),
        ("SELECT * FROM orders, order_|", {"order_items"}),
        ("SELECT * FROM (sel|", {"select"}),
        ("SELECT o.| FROM orders o", {"id", "customer", "total"}),
        ("SELECT o.t| FROM orders AS o", {"total"}),
        ("SELECT orders.c| FROM orders", {"customer"}),
        ("SELECT * FROM orders o JOIN order_items i ON i.| = o.id", ITEMS),
        ("SELECT cust| FROM orders", {"customer"}),
        ("SELECT tot|", {"total"}),
        ("SELECT * FROM orders WHERE to|", {"total"}),
        ("SELECT * FROM orders WHERE id = 1 AND cu|", {"customer", "cume_dist("}),
        ("SELECT * FROM Weather WHERE orde|", {'"order"'}),
        ('SELECT "uni| FROM order_items', {'"unit price"'}),
        ('SELECT "ord| FROM Weather', {'"order"', '"order_id"'}),
        ('SELECT * FROM "ord|', {'"orders"', '"order_items"'}),
        ('DROP TABLE "we|', {'"Weather"'}),
        ('SELECT 1 "ord|', set()),
        ("SELECT doub|", {"doubled("}),
        ("SELECT * FROM words|", {"words_of("}),
        ("DROP FUNCTION |", {"doubled", "words_of"}),
        ("DROP FUNCTION IF EXISTS dou|", {"doubled"}),
        ("CREATE FUNCTION |", set()),
        ("CREATE FUNCTION IF NOT EXISTS |", set()),
        ("CREATE OR REPLACE FUNCTION f(|", set()),
        ("CREATE FUNCTION f(x INTEGER) RETURNS bigi|", {"bigint"}),
        ("CREATE FUNCTION f(x INTEGER) RETURNS INTEGER LANGUAGE |", {"SQL", "PYTHON"}),
        ("CREATE FUNCTION f(x INTEGER) RETURNS INTEGER AS uppe|", {"upper("}),
        ("CREATE TEMP FUNC|", {"FUNCTION"}),
        ("show func|", {"functions"}),
        ("DROP TABLE IF EXISTS |", {"Weather", "orders"}),
        ("DROP VIEW IF EXISTS we|", {"Weather"}),
        ("CREATE TABLE IF NOT EXISTS |", set()),
        ("SELECT date_tr|", {"date_trunc("}),
        ("SELECT count(tot| FROM orders", {"total"}),
        ("SELECT a FROM orders w|", {"where", "window"}),
        ("SELECT a FROM orders GROUP |", {"BY"}),
        ("SELECT CAST(a AS big|", {"bigint"}),
        ("SELECT a::varc|", {"varchar"}),
        ("SELECT x FROM orders AS n|", set()),
        ("INSERT |", {"INTO"}),
        ("INSERT INTO ord|", {"orders", "order_items"}),
        ("INSERT INTO orders (|", {"id", "customer", "total"}),
        ("INSERT INTO orders (id, to|", {"total"}),
        ("CREATE TABLE n|", set()),
        ("DROP TABLE we|", {"Weather"}),
        ("DESCRIBE we|", {"Weather"}),
        ("SET chunk|", {"chunk_rows"}),
        ("SHOW ch|", {"chunks", "chunk_rows"}),
        ("SHOW indexes f|", {"from"}),
        ("CREATE INDEX i ON we|", {"Weather"}),
        ("CREATE INDEX i ON order_items (am|", {"amount"}),
        ("SHOW CHUNKS FROM we|", {"Weather"}),
        ("WITH recent AS (SELECT 1) SELECT * FROM rec|", {"recent"}),
        (
            "WITH r AS (SELECT id, max(total) AS most, 1 FROM orders) SELECT r.| FROM r",
            {"most", "id"},
        ),
        ("WITH r AS (SELECT id FROM orders), s AS (SELECT 1 one) SELECT o| FROM s", {"one"}),
        ("SELECT mo| FROM (SELECT count(*) more, f(a, b) FROM orders) AS x", {"more"}),
        ("SELECT x.| FROM (SELECT o.id, total + 1 FROM orders o) x", {"id"}),
        ("EXPLAIN an|", {"analyze"}),
        ("SELECT 'FROM or|", set()),
        ("SELECT 'it''s FROM or|", set()),
        ("SELECT 1 -- FROM or|", set()),
        ("SELECT 1 -- FROM or|\nFROM orders", set()),
        ("SELECT /* sel| */ 1", set()),
        ("SELECT /* sel|", set()),
        ("SELECT $$ sel|", set()),
        ("SELECT 12|", set()),
        ("\\ti|", {"\\timing"}),
        (".ta|", {".tables"}),
        ("\\d ord|", {"orders", "order_items"}),
        ("\\format js|", {"json"}),
        ("\\plan SELECT * FROM we|", {"Weather"}),
        ("\\set pa|", {"pager"}),
        ("\\set format js|", {"json"}),
        ("\\set TIMING |", {"on", "off"}),
        ("\\set color a|", {"auto"}),
        ("\\set max_rows |", set()),
        ("\\set timing on o|", set()),
        ("\\x o|", {"on", "off"}),
        ("\\pager o|", {"on", "off"}),
        ("\\df date_tr|", {"date_trunc"}),
        ("\\nodes x|", set()),
    ],
)
def test_what_is_offered(marked: str, expected: set[str]) -> None:
    found = offered(marked)
    if expected:
        assert expected <= set(found)
        assert found[0] in expected
    else:
        assert found == []


@pytest.mark.parametrize(
    ("marked", "absent"),
    [
        ("SELECT * FROM |", {"total", "SELECT", "sum("}),
        ("SELECT o.| FROM orders o, Weather w", {"rain", "product"}),
        ("SELECT | FROM orders", {"rain", "product", "Weather"}),
        ("SELECT a |", {"total", "sum("}),
        ('SELECT "ord| FROM Weather', {"ord(", "order", "ORDER"}),
        ("CREATE TABLE t AS |", {"orders", "total"}),
    ],
)
def test_what_is_not_offered(marked: str, absent: set[str]) -> None:
    found = set(offered(marked))
    assert found
    assert not found & absent


def test_the_columns_of_what_is_read_come_first() -> None:
    assert offered("SELECT | FROM orders")[:4] == ["id", "customer", "total", "orders"]


def test_files_are_offered_inside_quotes_after_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rain.csv").touch()
    (tmp_path / "draft.sql").touch()
    assert offered("SELECT * FROM 'da|") == ["ta/"]
    assert offered("SELECT * FROM 'data/r|'") == ["ain.csv"]
    assert offered("SELECT * FROM orders JOIN 'data/|") == ["rain.csv"]
    assert offered("SELECT 'da|") == []
    assert set(offered("\\i d|")) == {"ata/", "raft.sql"}


def test_every_keyword_is_of_the_grammar_and_reserved_words_are_no_names() -> None:
    assert {word.lower() for word in (*KEYWORDS, *STATEMENTS)} <= WORDS.keywords
    assert {"select", "from", "order"} <= WORDS.reserved
    for word in WORDS.keywords - WORDS.reserved:
        parse(f"SELECT {word} FROM {word}")


def test_what_is_typed_is_coloured_by_what_it_is() -> None:
    text = "SELECT sum(a), 'x;' -- n\nFROM t WHERE b::bigint > 12"
    lines = [[part for part in line if part[0]] for line in styled(text, WORDS)]
    assert [[(part[0].rpartition(".")[2], part[1]) for part in line] for line in lines] == [
        [("keyword", "SELECT"), ("function", "sum"), ("string", "'x;'"), ("comment", "-- n")],
        [("keyword", "FROM"), ("keyword", "WHERE"), ("type", "bigint"), ("number", "12")],
    ]
    assert "\n".join("".join(part[1] for part in line) for line in styled(text, WORDS)) == text


def test_a_long_statement_does_not_make_typing_slow() -> None:
    text = "SELECT a, sum(b) AS c FROM t WHERE d = 'x' AND e > 12;\n" * 200
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        list(styled(text, WORDS))
        offered(f"{text} SELECT * FROM or|")
        seconds.append(time.perf_counter() - start)
    # 11 kB; a key that takes longer than a tenth of a second is felt.
    assert min(seconds) < 0.1
    pasted = text * 10
    assert {part[0] for line in styled(pasted, WORDS) for part in line} == {""}
    assert offered(f"{pasted} SELECT * FROM or|") == []
