"""Functions that DuckDB has and eau2 knows only by name, with the reason.

Owns: the names. Comes in: a name. Goes out: why it is refused.
Does not know: which functions there are.
"""

from __future__ import annotations

_ZONES = "it gives a TIMESTAMP WITH TIME ZONE, a type that eau2 has not"
_BLOBS = "it takes or gives a BLOB, a type that eau2 has not"
_BITS = "it takes or gives a BIT string, a type that eau2 has not"
_MAPS = "it gives a MAP, a type that eau2 has not"
_CHANCE = "a result here is a function of the data, and does not change from one run to the next"
_CLUSTERS = "what people take for one character is a matter of Unicode's version"
_MISSING = "eau2 does not have it yet"

REASONS: dict[str, str] = {
    **dict.fromkeys(("to_timestamp", "make_timestamptz", "get_current_time"), _ZONES),
    **dict.fromkeys(("encode", "decode", "to_base64", "base64", "from_base64"), _BLOBS),
    **dict.fromkeys(("unhex", "from_hex", "unbin", "from_binary", "octet_length"), _BLOBS),
    **dict.fromkeys(("create_sort_key",), _BLOBS),
    **dict.fromkeys(("bitstring", "bitstring_agg", "get_bit", "set_bit", "bit_position"), _BITS),
    **dict.fromkeys(("histogram", "histogram_exact", "map", "map_from_entries"), _MAPS),
    **dict.fromkeys(("random", "setseed", "uuid", "gen_random_uuid"), _CHANCE),
    **dict.fromkeys(("uuidv4", "uuidv7"), _CHANCE),
    **dict.fromkeys(("left_grapheme", "right_grapheme", "length_grapheme"), _CLUSTERS),
    "substring_grapheme": _CLUSTERS,
    **dict.fromkeys(("approx_top_k", "equi_width_bins", "make_time", "parse_path"), _MISSING),
    "hash": "what it gives may change with DuckDB's version; md5 and sha256 stay the same",
    "md5_number": "it gives a UHUGEINT, a type that eau2 has not; md5 gives the digits",
    "make_timestamp_ns": "it gives a TIMESTAMP_NS, a type that eau2 has not",
    "sleep_ms": "a query is a function of its data",
    "current_setting": "a query is a function of its data",
}

_SAMPLE = "TABLESAMPLE 10% REPEATABLE (1) takes rows by chance, the same ones each time."
_NUMBER = "row_number() OVER (ORDER BY ...) numbers rows."

HINTS: dict[str, str] = {
    **dict.fromkeys(("random", "setseed"), _SAMPLE),
    **dict.fromkeys(("uuid", "gen_random_uuid", "uuidv4", "uuidv7"), _NUMBER),
}
"""What to write instead."""
