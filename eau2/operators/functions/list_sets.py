"""Lists as sequences and sets: sorted, resized, without repetitions, compared by elements.

Owns: these functions. Comes in: bound calls. Goes out: Polars expressions.
Does not know: making and joining lists (lists.py).

Elements are equal as SQL has it. Where DuckDB gives elements in an order of hashes, as from
list_distinct, here they stand in the order of their first appearance.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eau2.config import LIMITS
from eau2.errors import OperationalError, OutOfRangeError, ProgrammingError
from eau2.operators.coercion import coerce, coercion_cost
from eau2.operators.expr import Call, Expr, Literal
from eau2.operators.functions.function import Function, mismatch
from eau2.operators.functions.list_calls import (
    as_list,
    by_columns,
    common_lists,
    constant_text,
    element_of,
    list_and_element,
    list_function,
)
from eau2.operators.functions.list_keys import canonical_list, comparable
from eau2.operators.functions.list_rows import ROW, VALUE, Elements, elements, nested
from eau2.types import BIGINT, BOOLEAN, UBIGINT, SqlType, list_of

Columns = Sequence[pl.Series]
_KEY = "key"


def _bind_one(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 1:
        raise mismatch(name, args, f"It is written {name}(list).")
    lists = as_list(name, args[0], args)
    return Call(lists.type, name, (lists,))


def _keyed(found: Elements, type_: SqlType) -> pl.DataFrame:
    """Rows of elements, each with a key that is equal where elements are."""
    frame = pl.DataFrame({ROW: found.rows, VALUE: found.values})
    key = canonical_list(pl.col(VALUE), type_)
    return frame.with_columns(comparable(key, type_).alias(_KEY))


def _bind_sort(name: str, args: tuple[Expr, ...]) -> Expr:
    """The order and where NULLs stand become constants."""
    most = 2 if "reverse" in name else 3
    if not 1 <= len(args) <= most:
        order = "" if "reverse" in name else "[, order]"
        raise mismatch(name, args, f"It is written {name}(list{order}[, nulls]).")
    lists = as_list(name, args[0], args)
    words = [constant_text(name, arg, "order").upper().strip() for arg in args[1:]]
    descending = "reverse" in name
    if not descending and words:
        descending = _choice(name, words.pop(0), "ASC", "DESC")
    nulls_last = _choice(name, words[0], "NULLS FIRST", "NULLS LAST") if words else True
    constants = (Literal(BOOLEAN, descending), Literal(BOOLEAN, nulls_last))
    type_ = list_of(BIGINT) if name == "list_grade_up" else lists.type
    return Call(type_, name, (lists, *constants))


def _choice(name: str, given: str, no: str, yes: str) -> bool:
    if given not in (no, yes):
        raise ProgrammingError(f"{name} takes '{no}' or '{yes}' here, not '{given}'")
    return given == yes


def _sorted(call: Call, columns: Columns) -> pl.Series:
    """The elements in order, or with list_grade_up their positions in that order."""
    found = elements(columns[0])
    _, descending, nulls_last = call.args
    assert isinstance(descending, Literal)
    assert isinstance(nulls_last, Literal)
    frame = pl.DataFrame({ROW: found.rows, VALUE: found.values})
    key = comparable(pl.col(VALUE), element_of(call.args[0].type))
    values = found.positions() if call.function == "list_grade_up" else found.values
    ordered = frame.select(ROW, key.alias(_KEY), values.alias(VALUE)).sort(
        ROW,
        _KEY,
        descending=[False, bool(descending.value)],
        nulls_last=[True, bool(nulls_last.value)],
        maintain_order=True,
    )
    return found.lists(ordered.get_column(VALUE))


def _reversed(call: Call, columns: Columns) -> pl.Series:
    return columns[0].list.reverse()


def _distinct(call: Call, columns: Columns) -> pl.Series:
    found = elements(columns[0])
    rows = _keyed(found, element_of(call.type)).filter(pl.col(VALUE).is_not_null())
    kept = rows.unique([ROW, _KEY], keep="first", maintain_order=True)
    return nested(kept.get_column(ROW), kept.get_column(VALUE), found.known)


def _bind_unique(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 1:
        raise mismatch(name, args, f"It is written {name}(list).")
    return Call(UBIGINT, name, (as_list(name, args[0], args),))


def _unique(call: Call, columns: Columns) -> pl.Series:
    found = elements(columns[0])
    rows = _keyed(found, element_of(call.args[0].type)).filter(pl.col(VALUE).is_not_null())
    counts = rows.unique([ROW, _KEY]).group_by(ROW).agg(pl.len())
    return _beside(counts, "len", found.known, 0)


def _beside(some: pl.DataFrame, name: str, known: pl.Series, otherwise: int | bool) -> pl.Series:
    """A column of values for some of the rows: `otherwise` for the others, NULL for no list."""
    every = pl.DataFrame({ROW: pl.int_range(len(known), eager=True), "known": known})
    joined = every.join(some, on=ROW, how="left", maintain_order="left")
    value = pl.col(name).fill_null(otherwise)
    return joined.select(pl.when("known").then(value)).to_series()


def _bind_compared(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written {name}(list, list).")
    lists = common_lists(name, args)
    return Call(lists[0].type if name == "list_intersect" else BOOLEAN, name, lists)


def _sides(call: Call, columns: Columns) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """The elements of both lists that are not NULL, and the rows where both lists are there."""
    one, other = (elements(column) for column in columns)
    type_ = element_of(call.args[0].type)
    frames = [_keyed(side, type_).filter(pl.col(VALUE).is_not_null()) for side in (one, other)]
    return frames[0], frames[1], one.known & other.known


def _has_any(call: Call, columns: Columns) -> pl.Series:
    one, other, known = _sides(call, columns)
    both = one.join(other, on=[ROW, _KEY], how="semi").unique(ROW)
    return _beside(both.select(ROW, pl.lit(True).alias("any")), "any", known, False)


def _has_all(call: Call, columns: Columns) -> pl.Series:
    """Whether no element of the second list is missing in the first; NULL is none."""
    one, other, known = _sides(call, columns)
    missing = other.join(one, on=[ROW, _KEY], how="anti").unique(ROW)
    return _beside(missing.select(ROW, pl.lit(False).alias("all")), "all", known, True)


def _intersection(call: Call, columns: Columns) -> pl.Series:
    one, other, known = _sides(call, columns)
    both = one.join(other, on=[ROW, _KEY], how="semi", maintain_order="left")
    kept = both.unique([ROW, _KEY], keep="first", maintain_order=True)
    kept = kept.sort(ROW, maintain_order=True)
    return nested(kept.get_column(ROW), kept.get_column(VALUE), known)


def _bind_resize(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) not in (2, 3):
        raise mismatch(name, args, f"It is written {name}(list, length[, value]).")
    if coercion_cost(args[1], BIGINT) is None:
        raise mismatch(name, args, "A length is a BIGINT.")
    lists = as_list(name, args[0], args)
    value: Expr = Literal(element_of(lists.type), None)
    if len(args) == 3:
        lists, value = list_and_element(name, (lists, args[2]))
    return Call(lists.type, name, (lists, coerce(args[1], BIGINT), value))


def _resize(call: Call, columns: Columns) -> pl.Series:
    """The first elements, and then the value as often as it takes; NULL is a length of none."""
    lists, lengths, value = columns
    if (lengths < 0).any():
        raise OutOfRangeError("the length of a list cannot be negative")
    wanted = lengths.fill_null(0)
    total = wanted.cast(pl.Float64).sum()
    if total > LIMITS.list_elements:
        raise OperationalError(
            f"lists of {int(total)} elements together are too long:"
            f" at most {LIMITS.list_elements} are made at once"
        )
    frame = pl.DataFrame({"list": lists, "wanted": wanted})
    known = pl.col("list").is_not_null()
    kept = frame.select(pl.col("list").list.head(pl.col("wanted"))).to_series()
    lacking = pl.col("wanted") - pl.col("list").list.len().cast(pl.Int64)
    filler = frame.select(
        pl.when(known & (lacking > 0)).then(pl.int_ranges(0, pl.max_horizontal(lacking, 0)))
    ).to_series()
    places = elements(filler)
    added = nested(places.rows, value.gather(places.rows), places.known)
    empty = pl.lit([], lists.dtype)
    both = pl.DataFrame({"list": kept, "added": added.cast(lists.dtype)})
    return both.select(
        pl.when(known).then(pl.concat_list("list", pl.col("added").fill_null(empty)))
    ).to_series()


def _bind_select(name: str, args: tuple[Expr, ...]) -> Expr:
    if len(args) != 2:
        raise mismatch(name, args, f"It is written {name}(list, list).")
    lists, chosen = (as_list(name, arg, args) for arg in args)
    wanted = list_of(BOOLEAN if name == "list_where" else BIGINT)
    return Call(lists.type, name, (lists, coerce(chosen, wanted)))


def _selected(call: Call, columns: Columns) -> pl.Series:
    """The elements at positions, or where a list of truth values has true."""
    chosen = elements(columns[1])
    if chosen.values.null_count():
        raise ProgrammingError(f"the second list of {call.function} must not hold NULL")
    places = chosen.values
    if call.function == "list_where":
        places = chosen.positions().filter(chosen.values)
        chosen = Elements(chosen.rows.filter(chosen.values), places, chosen.known)
    index = pl.when(pl.col("place") > 0).then(pl.col("place") - 1)
    rows = pl.DataFrame({"list": columns[0].gather(chosen.rows), "place": places})
    values = rows.select(pl.col("list").list.get(index, null_on_oob=True)).to_series()
    known = chosen.known & columns[0].is_not_null()
    lists = nested(chosen.rows, values, chosen.known)
    return lists.to_frame("0").select(pl.when(known).then(pl.col("0"))).to_series()


FUNCTIONS: tuple[Function, ...] = (
    list_function(
        "list_sort",
        "list_sort(list[, 'asc' or 'desc'[, 'nulls first' or 'nulls last']])",
        "The elements in order; NULLs stand last.",
        "list_sort([2, 1]) = [1, 2]",
        _bind_sort,
        by_columns(_sorted),
        aliases=("array_sort",),
    ),
    list_function(
        "list_reverse_sort",
        "list_reverse_sort(list[, 'nulls first' or 'nulls last'])",
        "The elements in descending order; NULLs stand last.",
        "list_reverse_sort([1, 2]) = [2, 1]",
        _bind_sort,
        by_columns(_sorted),
        aliases=("array_reverse_sort",),
    ),
    list_function(
        "list_grade_up",
        "list_grade_up(list)",
        "The positions of the elements in their order.",
        "list_grade_up([3, 1]) = [2, 1]",
        _bind_sort,
        by_columns(_sorted),
        aliases=("array_grade_up", "grade_up"),
    ),
    list_function(
        "list_reverse",
        "list_reverse(list)",
        "The elements from the last to the first.",
        "list_reverse([1, 2]) = [2, 1]",
        _bind_one,
        by_columns(_reversed),
        aliases=("array_reverse",),
    ),
    list_function(
        "list_distinct",
        "list_distinct(list)",
        "Each element once, without NULLs, in the order in which they appear.",
        "list_distinct([2, 2]) = [2]",
        _bind_one,
        by_columns(_distinct),
        aliases=("array_distinct",),
    ),
    list_function(
        "list_unique",
        "list_unique(list)",
        "How many distinct elements there are, NULLs apart.",
        "list_unique([2, 1, 2]) = 2",
        _bind_unique,
        by_columns(_unique),
        aliases=("array_unique",),
    ),
    list_function(
        "list_has_any",
        "list_has_any(list, list)",
        "Whether the lists have an element in common; also list && list.",
        "list_has_any([1, 2], [2, 3])",
        _bind_compared,
        by_columns(_has_any),
        aliases=("array_has_any",),
    ),
    list_function(
        "list_has_all",
        "list_has_all(list, list)",
        "Whether the first list has all elements of the second; also list @> list.",
        "list_has_all([1, 2], [2])",
        _bind_compared,
        by_columns(_has_all),
        aliases=("array_has_all",),
    ),
    list_function(
        "list_intersect",
        "list_intersect(list, list)",
        "Each element that both lists have once, as the first one has them.",
        "list_intersect([1, 2], [2, 3]) = [2]",
        _bind_compared,
        by_columns(_intersection),
        aliases=("array_intersect",),
    ),
    list_function(
        "list_resize",
        "list_resize(list, length[, value])",
        "The list cut, or filled up with a value, to a length.",
        "list_resize([1], 2, 0) = [1, 0]",
        _bind_resize,
        by_columns(_resize),
        aliases=("array_resize",),
        null_rule="own",
        fails=True,
    ),
    list_function(
        "list_select",
        "list_select(list, positions)",
        "The elements at these positions.",
        "list_select(['a', 'b'], [2]) = ['b']",
        _bind_select,
        by_columns(_selected),
        aliases=("array_select",),
        fails=True,
    ),
    list_function(
        "list_where",
        "list_where(list, truths)",
        "The elements where the second list has true.",
        "list_where([1, 2], [false, true]) = [2]",
        _bind_select,
        by_columns(_selected),
        aliases=("array_where",),
        fails=True,
    ),
)
