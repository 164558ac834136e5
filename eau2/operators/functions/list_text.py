"""Lists as text, the way DuckDB writes them: [1, NULL, 'a, b'].

Owns: the brackets, and which elements stand in quotes. Comes in: lowered lists whose elements are
texts. Goes out: lowered texts. Does not know: how an element is written.
"""

from __future__ import annotations

import polars as pl

_QUOTED = r"""[\[\](){},:=\\'"]|^\s|\s$|^(?i:null)$|^$"""
"""Texts that would be read as something else than an element."""


def in_brackets(texts: pl.Expr) -> pl.Expr:
    """The text of each list, given its elements as they stand in it; NULL elements are NULL."""
    return pl.lit("[") + texts.list.eval(pl.element().fill_null("NULL")).list.join(", ") + "]"


def quoted(text: pl.Expr) -> pl.Expr:
    """An element that is no list, as it stands in a list."""
    escaped = text.str.replace_all(r"(['\\])", r"\${1}")
    return pl.when(text.str.contains(_QUOTED)).then("'" + escaped + "'").otherwise(text)
