"""How alike two texts are: edit distances, Jaccard, Jaro and Jaro-Winkler.

Owns: the algorithms, over characters (code points) like DuckDB's, computed once for each distinct
pair of texts. Does not know: patterns, searching.

Sources: V. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals",
1966; R. Lowrance and R. Wagner, "An extension of the string-to-string correction problem", 1975;
M. Jaro, "Advances in record-linkage methodology", 1989; W. Winkler, "String comparator metrics and
enhanced decision rules", 1990.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from eau2.operators.functions.distinct import Refusal, for_distinct, for_distinct_checked
from eau2.operators.functions.function import Function, Signature, overloads
from eau2.types import BIGINT, DOUBLE, VARCHAR, SqlType

_PREFIX_LENGTH = 4
_PREFIX_WEIGHT = 0.1
_WINKLER_FROM = 0.7
"""Less similar texts get nothing for a common prefix."""


def _hamming(a: str, b: str) -> int | Refusal:
    if len(a) != len(b):
        return Refusal("hamming: the texts must be of equal length")
    if not a:
        return Refusal("hamming: the texts must not be empty")
    return sum(x != y for x, y in zip(a, b, strict=True))


def _levenshtein(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            best = min(row[j] + 1, row[j - 1] + 1, above + (x != y))
            above, row[j] = row[j], best
    return row[-1]


def _damerau_levenshtein(a: str, b: str) -> int:
    """With exchanges of neighbours, between which anything may have been edited."""
    far = len(a) + len(b)
    last_rows: dict[str, int] = {}
    table = [[far] * (len(b) + 2) for _ in range(len(a) + 2)]
    for i in range(len(a) + 1):
        table[i + 1][1] = i
    for j in range(len(b) + 1):
        table[1][j + 1] = j
    for i, x in enumerate(a, 1):
        last_column = 0
        for j, y in enumerate(b, 1):
            row, column = last_rows.get(y, 0), last_column
            if x == y:
                last_column = j
            exchanged = table[row][column] + (i - row - 1) + 1 + (j - column - 1)
            replaced = table[i][j] + (x != y)
            table[i + 1][j + 1] = min(exchanged, replaced, table[i + 1][j] + 1, table[i][j + 1] + 1)
        last_rows[x] = i
    return table[-1][-1]


def _jaccard(a: str, b: str) -> float | Refusal:
    if not a or not b:
        return Refusal("jaccard: the texts must not be empty")
    one, other = set(a), set(b)
    return len(one & other) / len(one | other)


def _jaro(a: str, b: str, cutoff: float = 0.0) -> float:
    """The share of characters that match nearby, less those in another order."""
    found = _matched(a, b)
    return found if found >= cutoff else 0.0


def _matched(a: str, b: str) -> float:
    if not a or not b:
        return 0.0
    window = max(max(len(a), len(b)) // 2 - 1, 0)
    used = [False] * len(b)
    matches: list[str] = []
    for i, x in enumerate(a):
        for j in range(max(i - window, 0), min(i + window + 1, len(b))):
            if not used[j] and b[j] == x:
                used[j] = True
                matches.append(x)
                break
    if not matches:
        return 0.0
    others = [y for y, taken in zip(b, used, strict=True) if taken]
    exchanged = sum(x != y for x, y in zip(matches, others, strict=True)) // 2
    count = len(matches)
    return (count / len(a) + count / len(b) + (count - exchanged) / count) / 3.0


def _jaro_winkler(a: str, b: str, cutoff: float = 0.0) -> float:
    """Jaro's similarity, raised for a common prefix of up to four characters."""
    similarity = _matched(a, b)
    if similarity > _WINKLER_FROM:
        pairs = zip(a[:_PREFIX_LENGTH], b[:_PREFIX_LENGTH], strict=False)
        prefix = 0
        for x, y in pairs:
            if x != y:
                break
            prefix += 1
        similarity += prefix * _PREFIX_WEIGHT * (1.0 - similarity)
        similarity = min(similarity, 1.0)
    return similarity if similarity >= cutoff else 0.0


def _of_texts(
    name: str,
    summary: str,
    example: str,
    compute: Callable[..., Any],
    result: SqlType,
    *,
    aliases: tuple[str, ...] = (),
    cutoff: bool = False,
    fails: bool = False,
) -> Function:
    dtype = pl.Int64() if result == BIGINT else pl.Float64()
    lower = for_distinct_checked(dtype, compute) if fails else for_distinct(dtype, compute)
    syntax = f"{name}(a, b[, cutoff])" if cutoff else f"{name}(a, b)"
    signatures = [Signature((VARCHAR, VARCHAR), result)]
    if cutoff:
        signatures.append(Signature((VARCHAR, VARCHAR, DOUBLE), result))
    bind = overloads(syntax, *signatures)
    return Function(
        name, "text", syntax, summary, example, bind, lower, aliases=aliases, fails=fails
    )


FUNCTIONS = (
    _of_texts(
        "hamming",
        "At how many places two texts of equal length differ.",
        "hamming('eau', 'bau') = 1",
        _hamming,
        BIGINT,
        aliases=("mismatches",),
        fails=True,
    ),
    _of_texts(
        "levenshtein",
        "How many characters must be inserted, deleted or replaced to make one of the other.",
        "levenshtein('kitten', 'sitting') = 3",
        _levenshtein,
        BIGINT,
        aliases=("editdist3",),
    ),
    _of_texts(
        "damerau_levenshtein",
        "Like levenshtein, where exchanging two neighbours counts once.",
        "damerau_levenshtein('eau', 'aeu') = 1",
        _damerau_levenshtein,
        BIGINT,
    ),
    _of_texts(
        "jaccard",
        "The share of characters that both texts have among those that one has.",
        "jaccard('abc', 'bcd') = 0.5",
        _jaccard,
        DOUBLE,
        fails=True,
    ),
    _of_texts(
        "jaro_similarity",
        "From 0 to 1 how alike the texts are; 0 when that is less than the cutoff.",
        "round(jaro_similarity('martha', 'marhta'), 4) = 0.9444",
        _jaro,
        DOUBLE,
        cutoff=True,
    ),
    _of_texts(
        "jaro_winkler_similarity",
        "Like jaro_similarity, more for texts that begin alike.",
        "round(jaro_winkler_similarity('martha', 'marhta'), 4) = 0.9611",
        _jaro_winkler,
        DOUBLE,
        cutoff=True,
    ),
)
