"""The words that the prompt knows: of the language, and of what the shell is connected to.

Owns: the snapshot that completion and highlighting read while another thread makes the next one.
Does not know: where words come from (wordlists.py), the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eau2.records import Record, field

_KEYWORD_TEXT: Final = """
SELECT FROM WHERE GROUP ORDER BY LIMIT JOIN LEFT ON USING AS AND OR NOT IN IS NULL LIKE BETWEEN
HAVING DISTINCT UNION ALL CASE WHEN THEN ELSE END DESC ASC OVER PARTITION CAST WITH
ANALYZE ANTI ANY ASOF COLUMNS CREATE CROSS DEALLOCATE DESCRIBE DROP ESCAPE EXCEPT EXCLUDE EXECUTE
EXISTS EXPLAIN EXTRACT FALSE FILTER FIRST FOLLOWING FULL GLOB GROUPING GROUPS IF IGNORE ILIKE
INNER INSERT INTERSECT INTERVAL INTO LAST LATERAL NATURAL NULLS OFFSET ONLY OUTER PERCENT PIVOT
POSITIONAL PRECEDING PREPARE QUALIFY RANGE RECURSIVE RENAME REPLACE RESET RESPECT RIGHT ROW ROWS
SAMPLE SEMI SET SETS SHOW SIMILAR SOME SUMMARIZE TABLE TABLESAMPLE TEMPORARY TO TRUE TRY_CAST
UNPIVOT VALUES VIEW WINDOW FUNCTION LANGUAGE RETURNS
"""
KEYWORDS: Final = tuple(_KEYWORD_TEXT.split())
"""What completion offers, the frequent ones first.

The grammar knows more words: those of statements that eau2 refuses.
"""

_STATEMENT_TEXT: Final = """
SELECT FROM WITH VALUES INSERT CREATE DROP EXPLAIN DESCRIBE SHOW SET RESET SUMMARIZE PIVOT
UNPIVOT PREPARE EXECUTE DEALLOCATE TABLE
"""
STATEMENTS: Final = tuple(_STATEMENT_TEXT.split())
"""The words that a statement begins with."""


class Words(Record, frozen=True):
    """All of them at one moment. The language's are in lower case.

    own_functions: those that users have defined. tables: of each table and view its columns; none
    while they are not known. reserved: the words that are no names without quotes.
    """

    keywords: frozenset[str] = frozenset()
    reserved: frozenset[str] = frozenset()
    functions: tuple[str, ...] = ()
    table_functions: tuple[str, ...] = ()
    own_functions: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Known:
    """The newest snapshot. Replaced as a whole, so that readers need no lock."""

    def __init__(self, words: Words | None = None) -> None:
        self.words = words or Words()
