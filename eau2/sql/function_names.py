"""Which names call a function that eau2 has, whatever users define.

Owns: the names of table functions, and the set of all names that are taken. Comes in: names. Goes
out: whether they are. Does not know: what a function does, functions of users.
"""

from __future__ import annotations

from functools import cache

from eau2.operators import aggregates, windows
from eau2.operators.functions import refused, table
from eau2.sql import lambdas, macros, unnesting
from eau2.sql.bind_call import WITHIN_GROUP
from eau2.sql.bind_name import CLOCK_FUNCTIONS
from eau2.sql.refusals import struct_functions

SERIES = ("range", "generate_series")
FILES = {
    "read_parquet": "parquet",
    "parquet_scan": "parquet",
    "read_csv": "csv",
    "read_csv_auto": "csv",
    "read_json": "json",
    "read_json_auto": "json",
    "read_ndjson": "json",
    "read_ndjson_auto": "json",
}
TABLE_FUNCTIONS = (*SERIES, "unnest", *FILES)
"""What can be called in FROM; of the files, with their formats."""

SCALAR = frozenset(table.names())
_FORMS = ("age", "alias", "columns", "date", "grouping", "grouping_id", "overlay", "row", "typeof")
"""Calls that have a meaning of their own to the parser or the binder."""


@cache
def built_in() -> frozenset[str]:
    """All names, in lower case, that mean a function, or one that is refused by name."""
    return frozenset(
        name.lower()
        for names in (
            SCALAR,
            aggregates.names(),
            windows.names(),
            TABLE_FUNCTIONS,
            lambdas.names(),
            macros.NAMES,
            unnesting.NAMES,
            refused.REASONS,
            struct_functions(),
            CLOCK_FUNCTIONS,
            _FORMS,
            WITHIN_GROUP,
            ("approx_count_distinct",),
        )
        for name in names
    )
