"""How often each construct of SQL is drawn: `python -m tests.oracle.constructs --queries 5000`.

Owns: `CONSTRUCTS`, a pattern for each construct that random statements must have, and `count`.
Whoever adds a construct to the generator adds its pattern here; a test wants each of them drawn.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter

from tests.oracle.fuzz import BATCH_QUERIES, cases

CONSTRUCTS: dict[str, str] = {
    "subquery, value": r"[=<>(,] ?\(SELECT",
    "subquery, EXISTS": r"EXISTS \(",
    "subquery, IN": r" IN \(SELECT",
    "subquery, row IN": r"\([^()]*, [^()]*\) (NOT )?IN \(SELECT",
    "subquery, ANY": r" (ANY|SOME) \(",
    "subquery, ALL": r"[=<>] ALL \(",
    "subquery within a subquery": r"\(SELECT [^()]*(\([^()]*\)[^()]*)*\(SELECT ",
    "LATERAL": r"LATERAL \(",
    "WITH": r"^WITH ",
    "WITH RECURSIVE": r"^WITH RECURSIVE ",
    "MATERIALIZED": r"AS (NOT )?MATERIALIZED ",
    "window": r" OVER ",
    "WINDOW clause": r" WINDOW wd AS",
    "window over groups": r"AS wg\b",
    "ROWS frame": r" ROWS BETWEEN ",
    "RANGE frame": r" RANGE BETWEEN ",
    "RANGE frame of INTERVAL": r" RANGE BETWEEN [^)]*INTERVAL",
    "GROUPS frame": r" GROUPS BETWEEN ",
    "EXCLUDE CURRENT ROW": r" EXCLUDE CURRENT ROW",
    "EXCLUDE GROUP": r" EXCLUDE GROUP",
    "EXCLUDE TIES": r" EXCLUDE TIES",
    "ranks": r"\b(dense_rank|rank|percent_rank|cume_dist)\(\) OVER",
    "row_number, ntile": r"\b(row_number|ntile)\(",
    "lag, lead": r"\b(lag|lead)\(",
    "first_value, last_value, nth_value": r"\b(first_value|last_value|nth_value)\(",
    "IGNORE NULLS": r" IGNORE NULLS",
    "QUALIFY": r" QUALIFY ",
    "GROUPING SETS": r"GROUPING SETS \(",
    "ROLLUP": r"ROLLUP \(",
    "CUBE": r"CUBE \(",
    "GROUPING()": r"GROUPING\(",
    "FILTER": r" FILTER \(",
    "GROUP BY ALL": r"GROUP BY ALL",
    "ORDER BY ALL": r"ORDER BY ALL",
    "HAVING": r" HAVING ",
    "UNION": r"\) UNION \(",
    "UNION ALL": r"\) UNION ALL \(",
    "INTERSECT": r" INTERSECT \(",
    "INTERSECT ALL": r" INTERSECT ALL \(",
    "EXCEPT": r" EXCEPT \(",
    "EXCEPT ALL": r" EXCEPT ALL \(",
    "UNION BY NAME": r"UNION BY NAME",
    "UNION ALL BY NAME": r"UNION ALL BY NAME",
    "VALUES": r"\(VALUES ",
    "VALUES alone": r"^VALUES ",
    "range": r"\brange\(",
    "generate_series": r"generate_series\(",
    "unnest": r"\bunnest\(",
    "star": r"\*( FROM| EXCLUDE| REPLACE| RENAME| LIKE)",
    "star EXCLUDE": r"\* EXCLUDE \(",
    "star REPLACE": r" REPLACE \(",
    "star RENAME": r"\* RENAME \(",
    "COLUMNS": r"COLUMNS\(",
    "aggregate of COLUMNS": r"(min|max|count)\(COLUMNS\(",
    "ASOF JOIN": r" ASOF JOIN ",
    "ASOF LEFT JOIN": r" ASOF LEFT JOIN ",
    "POSITIONAL JOIN": r" POSITIONAL JOIN ",
    "SEMI JOIN": r" SEMI JOIN ",
    "ANTI JOIN": r" ANTI JOIN ",
    "inequality join": r" JOIN \S+ AS x\d+ ON \(x\S+ (<|<=|>|>=|<>) x",
    "LEFT JOIN": r" LEFT (OUTER )?JOIN ",
    "RIGHT JOIN": r" RIGHT JOIN ",
    "FULL JOIN": r" FULL JOIN ",
    "NATURAL JOIN": r" NATURAL ",
    "USING": r" USING \(",
    "CROSS JOIN": r" CROSS JOIN ",
    "DISTINCT": r"SELECT DISTINCT (?!ON)",
    "DISTINCT ON": r"DISTINCT ON \(",
    "LIMIT": r" LIMIT \d+(?![\d.]*%| P)",
    "LIMIT percent": r" LIMIT [\d.]+(%| PERCENT)",
    "OFFSET": r" OFFSET ",
    "without FROM": r"^(?!.*\bFROM\b)SELECT ",
    "FROM first": r"(^|\()FROM ",
    "parameters": r"\$[a-z]\d",
    "quantile_disc": r"(quantile_disc|percentile_disc)\(",
    "quantile_cont": r"(quantile_cont|percentile_cont|median)\(",
    "WITHIN GROUP": r" WITHIN GROUP \(",
    "string_agg": r"(string_agg|listagg|group_concat)\(",
    "mode": r"\bmode\(",
    "first, last, any_value": r"\b(first|last|any_value)\(",
    "arg_min, arg_max": r"\b(arg_min|arg_max|min_by|max_by)\(",
    "variances": r"\b(stddev|stddev_pop|variance|var_pop|var_samp)\(",
    "covariances": r"\b(covar_pop|covar_samp|corr|regr_\w+)\(",
    "bit_and, bit_or, bit_xor": r"\bbit_(and|or|xor)\(",
    "bool_and, bool_or": r"\bbool_(and|or)\(",
    "aggregate of DISTINCT": r"\w\(DISTINCT ",
    "aggregate with ORDER BY": r"\b(?!OVER )\w+\((?!PARTITION)[^()]* ORDER BY [^()]*\)",
}


def count(seed: int | str, queries: int) -> Counter[str]:
    """In how many of the statements of a seed each construct stands."""
    patterns = {name: re.compile(pattern) for name, pattern in CONSTRUCTS.items()}
    found: Counter[str] = Counter(dict.fromkeys(CONSTRUCTS, 0))
    for batch in range(queries // BATCH_QUERIES):
        for case in cases(seed, batch):
            sql = case.query.sql
            found.update(name for name, pattern in patterns.items() if pattern.search(sql))
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--seed", default="constructs")
    options = parser.parse_args()
    for name, number in count(options.seed, options.queries).items():
        print(f"{number:6}  {name}")


if __name__ == "__main__":
    main()
