"""The queries that pipelines are: text of SQL, the columns it gives, the functions it calls.

Owns: `Query`, and the query that each operation makes of others. Comes in: queries, and what is to
be computed. Goes out: a query, which is planned as one. Does not know: connections, whether a text
is right SQL, types of columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from eau2.errors import UsageError
from eau2.pipelines import calls
from eau2.pipelines.calls import Call, Computed, Named, column, quoted
from eau2.records import Record, replace

How = Literal["inner", "left", "right", "full", "semi", "anti", "cross"]

_RELATION, _OTHER, _ELEMENTS = "t", "o", "e"
"""What the relations in FROM are called: the query, the other one, the elements of a list."""


class Query(Record, frozen=True):
    """A query: `source` is what may stand in FROM, a name or a query in brackets.

    held: what it reads that is kept for as long as something reads it.
    """

    source: str
    columns: tuple[str, ...]
    functions: tuple[Named, ...] = ()
    held: tuple[object, ...] = ()

    @property
    def text(self) -> str:
        """The query as a statement."""
        if self.source.startswith("("):
            return self.source[1:-1].strip()
        return f"SELECT * FROM {self.source}"


def of_name(name: str, columns: tuple[str, ...]) -> Query:
    """All rows of a frame or view."""
    return Query(quoted(name), columns)


def of_text(text: str, columns: tuple[str, ...]) -> Query:
    """The rows of a query that was written in SQL, under the names that FROM gives its columns."""
    return Query(f"(SELECT *\nFROM ({text}\n) AS {_RELATION})", columns)


def mapped(
    query: Query, computed: Mapping[str, Computed], keep: bool | Sequence[str] = False
) -> Query:
    """Columns that are computed, behind those that are kept; one of the same name takes its place.

    keep: whether all others are kept, or which. Raises UsageError, UnknownColumnError.
    """
    made = {name: calls.scalar(value, query.columns) for name, value in computed.items()}
    _check_some(made, "map")
    names = _placed(_kept(query, keep), made)
    by_name = {name.casefold(): call for name, call in made.items()}
    written = [
        f"{call.text} AS {quoted(name)}" if (call := by_name.get(name.casefold())) else quoted(name)
        for name in names
    ]
    return _made(query, f"SELECT {', '.join(written)}", "", names, tuple(made.values()))


def filtered(query: Query, computed: Computed) -> Query:
    """The rows for which a condition is true. Raises UsageError, UnknownColumnError."""
    call = calls.condition(computed, query.columns)
    return _made(query, "SELECT *", f" WHERE {call.text}", query.columns, (call,))


def reduced(query: Query, keys: Sequence[str], computed: Mapping[str, Computed]) -> Query:
    """A row for each group of rows with equal keys, one for all if there are no keys.

    Raises UsageError, UnknownColumnError.
    """
    made = {name: calls.aggregate(value, query.columns) for name, value in computed.items()}
    _check_some(made, "reduce")
    names = (*keys, *made)
    _check_names(names)
    written = [*map(quoted, keys), *(f"{c.text} AS {quoted(name)}" for name, c in made.items())]
    group = ", ".join(map(quoted, keys)) or "()"
    text = f"SELECT {', '.join(written)}"
    return _made(query, text, f" GROUP BY {group}", names, tuple(made.values()))


def flattened(
    query: Query, name: str, computed: Computed, keep: bool | Sequence[str] = False
) -> Query:
    """A row for each element of the list that each row gives; no row for an empty list or NULL.

    name: of the column of elements. keep: whether the row's other columns are kept, or which.
    Raises UsageError, UnknownColumnError.
    """
    call = calls.elements(computed, query.columns)
    kept = [known for known in _kept(query, keep) if known.casefold() != name.casefold()]
    written = [*(f"{_RELATION}.{quoted(known)}" for known in kept), f"{_ELEMENTS}.{quoted(name)}"]
    # What the list is made of is meant before the element, which may have the name of a column.
    tail = f", unnest({call.text}) AS {_ELEMENTS}({quoted(name)})"
    return _made(query, f"SELECT {', '.join(written)}", tail, (*kept, name), (call,))


def joined(query: Query, other: Query, on: Mapping[str, str], how: How) -> Query:
    """Rows of both whose columns are equal, as `on` names them: this one's, and the other's.

    The other's columns follow, without those that it is joined by: of a row that only the other
    has, this one's have their values. Raises UsageError, UnknownColumnError.
    """
    if how not in get_args(How):
        listed = ", ".join(get_args(How))
        raise UsageError(f"there is no join {how!r}", hint=f"The kinds are {listed}.")
    if (how == "cross") != (not on):
        raise UsageError(
            "a cross join takes no columns" if on else "a join needs columns",
            hint='Write on="a", on=("a", "b") or on={"here": "there"}; for all pairs how="cross".',
        )
    pairs = {column(a, query.columns): column(b, other.columns) for a, b in on.items()}
    matched = " AND ".join(
        f"{_RELATION}.{quoted(left)} = {_OTHER}.{quoted(right)}" for left, right in pairs.items()
    )
    added: list[str] = []
    if how not in ("semi", "anti"):
        added = [name for name in other.columns if name not in pairs.values()]
    mine = {name.casefold() for name in query.columns}
    twice = [name for name in added if name.casefold() in mine]
    if twice:
        raise UsageError(
            f'both sides of the join have a column "{twice[0]}"',
            hint=f'Give one another name first: rename(other="{twice[0]}").',
        )
    written = [
        *(_of_both(name, pairs.get(name), how) for name in query.columns),
        *(f"{_OTHER}.{quoted(name)}" for name in added),
    ]
    condition = f" ON {matched}" if pairs else ""
    tail = f" {how.upper()} JOIN {other.source} AS {_OTHER}{condition}"
    made = _made(query, f"SELECT {', '.join(written)}", tail, (*query.columns, *added), ())
    return _with(made, other)


def _of_both(name: str, other: str | None, how: How) -> str:
    mine = f"{_RELATION}.{quoted(name)}"
    if other is None or how not in ("right", "full"):
        return mine
    return f"coalesce({mine}, {_OTHER}.{quoted(other)}) AS {quoted(name)}"


def united(query: Query, other: Query) -> Query:
    """The rows of this one and then of the other, by the names of their columns.

    Raises UsageError when the names are not the same.
    """
    if {c.casefold() for c in query.columns} != {c.casefold() for c in other.columns}:
        mine, others = ", ".join(query.columns), ", ".join(other.columns)
        raise UsageError(
            f"the columns are {mine} here and {others} there",
            hint="Have both give the same names, with select, rename or map.",
        )
    names = ", ".join(quoted(column(name, other.columns)) for name in query.columns)
    tail = f" UNION ALL SELECT {names} FROM {other.source} AS {_OTHER}"
    # By name on both sides: a frame may have been replaced by one of other columns meanwhile.
    head = f"SELECT {', '.join(map(quoted, query.columns))}"
    return _with(_made(query, head, tail, query.columns, ()), other)


def sorted_(query: Query, by: Sequence[str], descending: bool | Sequence[str]) -> Query:
    """The rows in the order of columns. descending: whether all of them are, or which.

    Raises UsageError, UnknownColumnError.
    """
    names = [column(name, query.columns) for name in by]
    if not names:
        raise UsageError("sort needs a column", hint=f"There are {', '.join(query.columns)}.")
    falling = set(names) if descending is True else set(_columns(query, descending or ()))
    if falling - set(names):
        raise UsageError(
            f'"{min(falling - set(names))}" is no column that rows are sorted by',
            hint=f"descending takes some of {', '.join(names)}.",
        )
    order = ", ".join(quoted(name) + " DESC" * (name in falling) for name in names)
    return _made(query, "SELECT *", f" ORDER BY {order}", query.columns, ())


def limited(query: Query, rows: int, offset: int) -> Query:
    """So many rows from an offset on. Raises UsageError for negative numbers."""
    for what, number in (("limit", rows), ("offset", offset)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise UsageError(f"{what} is a number from 0 on, not {number!r}")
    tail = f" LIMIT {rows}" + (f" OFFSET {offset}" if offset else "")
    return _made(query, "SELECT *", tail, query.columns, ())


def selected(query: Query, names: Sequence[str]) -> Query:
    """Some columns, in this order. Raises UsageError, UnknownColumnError."""
    chosen = _columns(query, names)
    if not chosen:
        raise UsageError("select needs a column", hint=f"There are {', '.join(query.columns)}.")
    _check_names(chosen)
    return _made(query, f"SELECT {', '.join(map(quoted, chosen))}", "", chosen, ())


def renamed(query: Query, olds: Mapping[str, str]) -> Query:
    """The same columns; some under new names. olds: the old name of each new one.

    Raises UsageError, UnknownColumnError.
    """
    news = {column(old, query.columns): new for new, old in olds.items()}
    names = tuple(news.get(name, name) for name in query.columns)
    _check_names(names)
    written = [
        quoted(old) if old == new else f"{quoted(old)} AS {quoted(new)}"
        for old, new in zip(query.columns, names, strict=True)
    ]
    return _made(query, f"SELECT {', '.join(written)}", "", names, ())


def distinct(query: Query) -> Query:
    """Each row once."""
    return _made(query, "SELECT DISTINCT *", "", query.columns, ())


def cast(query: Query, types: Mapping[str, str]) -> Query:
    """The same columns; some in other types, by the names of these."""
    written = [
        f"CAST({quoted(name)} AS {types[name]}) AS {quoted(name)}"
        if name in types
        else quoted(name)
        for name in query.columns
    ]
    return _made(query, f"SELECT {', '.join(written)}", "", query.columns, ())


def _made(
    query: Query, head: str, tail: str, columns: Iterable[str], used: Iterable[Call]
) -> Query:
    found = [call.function for call in used if call.function is not None]
    functions = tuple(dict.fromkeys([*query.functions, *found]))
    source = f"({head}\nFROM {query.source} AS {_RELATION}{tail})"
    return Query(source, tuple(columns), functions, query.held)


def _with(made: Query, other: Query) -> Query:
    functions = tuple(dict.fromkeys([*made.functions, *other.functions]))
    return replace(made, functions=functions, held=(*made.held, *other.held))


def _columns(query: Query, names: Sequence[str] | str) -> tuple[str, ...]:
    listed = [names] if isinstance(names, str) else names
    return tuple([column(name, query.columns) for name in listed])


def _kept(query: Query, keep: bool | Sequence[str]) -> tuple[str, ...]:
    if isinstance(keep, bool):
        return query.columns if keep else ()
    return _columns(query, keep)


def _placed(listed: Iterable[str], made: Iterable[str]) -> tuple[str, ...]:
    """The names of all columns, of which one that is made may take the place of another."""
    names = tuple(made)
    _check_names(names)
    left = {name.casefold(): name for name in names}
    placed = [left.pop(known.casefold(), known) for known in listed]
    return (*placed, *left.values())


def _check_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise UsageError(
                f'two columns would be called "{name}"', hint="Give one of them another name."
            )
        seen.add(name.casefold())


def _check_some(made: Mapping[str, Call], method: str) -> None:
    if not made:
        raise UsageError(
            f"{method} needs something to compute",
            hint=f"Write {method}(function) or {method}(name=function).",
        )
