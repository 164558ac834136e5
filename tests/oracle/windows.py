"""Random window calls.

Owns: `window`, `named_window`, `over_groups`. A call that must choose between peers gets a total
order: all columns that are visible. Sums of floats are over small multiples of
powers of two, which DuckDB adds exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.oracle.expressions import Expressions
from tests.oracle.query import Expr

SUFFIXES = ("", "", " DESC", " NULLS FIRST", " DESC NULLS LAST")
ENDS = ("UNBOUNDED PRECEDING", "3 PRECEDING", "1 PRECEDING", "CURRENT ROW", "1 FOLLOWING")
ENDS_AFTER = (*ENDS[3:], "4 FOLLOWING", "UNBOUNDED FOLLOWING")
EXCLUDES = ("", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES")
RANKS = ("rank()", "dense_rank()", "percent_rank()", "cume_dist()")


def window(
    random: Random, leaves: Sequence[Expr], draw: Expressions, choosing: bool = True
) -> Expr:
    """A call over a window of the rows whose columns are `leaves`.

    Not `choosing`: one that treats peers alike. Of two calls in a query only one may choose: which
    of two equal rows gets the first value is open, and so is whether both calls choose alike.
    """
    exact = [leaf for leaf in leaves if leaf.exact]
    partition = random.sample(exact, min(len(exact), random.choice((0, 1, 1, 2))))
    order = random.sample(exact, min(len(exact), random.choice((0, 1, 1, 2))))
    keys = [(leaf, random.choice(SUFFIXES)) for leaf in order]
    total = [*keys, *((leaf, "") for leaf in exact if leaf not in order)]
    match random.randrange(10):
        case _ if not choosing:
            if keys and random.random() < 0.4:
                return ranked(random, partition, keys)
        case 0 | 1:
            call = random.choice(("row_number()", f"ntile({random.choice((1, 2, 3, 7))})"))
            return over(Expr("int", (call,)), partition, total, "")
        case 2 | 3 if keys:
            return ranked(random, partition, keys)
        case 4 | 5:
            arg = random.choice(exact)
            rest = random.choice((")", ", 1)", ", 2)", ", -1)", ", 0)"))
            word = random.choice(("lag(", "lead("))
            nulls = random.choice(("", "", " IGNORE NULLS"))
            return over(Expr(arg.family, (word, arg, f"{rest[:-1]}{nulls})")), partition, total, "")
        case 6 | 7:
            arg = random.choice(exact)
            nulls = random.choice(("", "", " IGNORE NULLS"))
            word, rest = random.choice(
                (("first_value(", ""), ("last_value(", ""), ("nth_value(", ", 2"))
            )
            frame = random.choice(("", rows_frame(random), rows_frame(random)))
            call_ = Expr(arg.family, (word, arg, f"{rest}{nulls})"), narrow=arg.narrow)
            return over(call_, partition, total, frame)
    return aggregate(random, exact, draw, partition, keys, total if choosing else ())


def ranked(random: Random, partition: Sequence[Expr], keys: Sequence[tuple[Expr, str]]) -> Expr:
    """A rank."""
    call = random.choice(RANKS)
    whole = call in ("rank()", "dense_rank()")
    return over(Expr("int" if whole else "float", (call,)), partition, keys, "")


def aggregate(
    random: Random,
    exact: Sequence[Expr],
    draw: Expressions,
    partition: Sequence[Expr],
    keys: Sequence[tuple[Expr, str]],
    total: Sequence[tuple[Expr, str]],
) -> Expr:
    """An aggregate over a window."""
    if random.random() < 0.2:
        further = further_aggregate(random, exact, draw)
        if further is not None:
            return over(further, partition, keys, "")
    tame = [leaf for leaf in exact if leaf.tame and leaf.family in ("int", "dec")]
    arg = random.choice(tame) if tame and random.random() < 0.6 else random.choice(exact)
    word = random.choice(("count(", "min(", "max("))
    if arg in tame:
        word = random.choice(("sum(", "sum(", "avg(", word))
    where = ""
    parts: tuple[str | Expr, ...] = (word, arg, ")")
    if random.random() < 0.15:
        parts = (word, arg, ") FILTER (WHERE ", draw.condition(1), ")")
    family = "int" if word == "count(" else "float" if word == "avg(" else arg.family
    call = Expr(family, parts, exact=word != "avg(", tame=False)
    choice = random.random()
    if choice < 0.3:
        return over(call, partition, keys, where)
    if total and (choice < 0.6 or not keys):
        return over(call, partition, total, rows_frame(random))
    if not keys:
        return over(call, partition, keys, "")
    ranged = [leaf for leaf in exact if leaf.tame and leaf.family in DISTANCES]
    if choice < 0.83 and ranged:
        leaf = random.choice(ranged)
        key = (leaf, random.choice(("", " DESC", " NULLS FIRST")))
        return over(call, partition, [key], range_frame(random, leaf.family))
    return over(call, partition, keys, rows_frame(random, "GROUPS"))


def further_aggregate(random: Random, exact: Sequence[Expr], draw: Expressions) -> Expr | None:
    """An aggregate that few windows have, and whose value does not depend on the order of peers."""
    whole = [leaf for leaf in exact if leaf.tame and leaf.family == "int"]
    arg = random.choice(exact)
    match random.randrange(7):
        case 0:
            return Expr("int", ("count(DISTINCT ", arg, ")"), tame=False)
        case 1 if whole:
            return Expr("int", ("sum(DISTINCT ", random.choice(whole), ")"), tame=False)
        case 2:
            word = random.choice(("bool_and(", "bool_or("))
            return Expr("bool", (word, draw.condition(1), ")"), tame=False)
        case 3 if whole:
            word = random.choice(("bit_and(", "bit_or(", "bit_xor("))
            return Expr("int", (word, random.choice(whole), ")"), tame=False, narrow=True)
        case 4 if arg.family != "bool":
            parts = ("quantile_disc(", arg, f", {random.choice(('0.2', '0.5', '1'))})")
            return Expr(arg.family, parts, tame=False, narrow=arg.narrow)
        case 5 if whole:
            word = random.choice(("var_pop(", "stddev(", "median("))
            return Expr("float", (word, random.choice(whole), ")"), exact=False, tame=False)
        case 6 if arg.family != "bool":
            word = random.choice(("arg_min(", "arg_max("))
            return Expr(arg.family, (word, arg, ", ", arg, ")"), tame=False, narrow=arg.narrow)
    return None


DISTANCES: dict[str, tuple[str, ...]] = {
    "int": ("1", "2", "5"),
    "dec": ("0.5", "1.25", "10"),
    "float": ("0.5", "2"),
    "date": ("INTERVAL 1 DAY", "INTERVAL 3 DAYS", "INTERVAL 1 MONTH"),
    "ts": ("INTERVAL 1 DAY", "INTERVAL 90 MINUTES", "INTERVAL 1 MONTH"),
}
"""How far a RANGE frame reaches over a key of each family."""


def range_frame(random: Random, family: str) -> str:
    """A RANGE frame over distances."""
    near, far = random.choice(DISTANCES[family]), random.choice(DISTANCES[family])
    start = random.choice(("UNBOUNDED PRECEDING", f"{near} PRECEDING", "CURRENT ROW"))
    end = random.choice(("CURRENT ROW", f"{far} FOLLOWING", "UNBOUNDED FOLLOWING"))
    return f" RANGE BETWEEN {start} AND {end}{random.choice(EXCLUDES)}"


def named_window(random: Random, leaves: Sequence[Expr]) -> tuple[str, list[Expr]]:
    """A WINDOW clause, and calls over the window that it names: none of them chooses."""
    exact = [leaf for leaf in leaves if leaf.exact]
    partition, key = random.choice(exact), random.choice(exact)
    definition = f"wd AS (PARTITION BY {partition.sql} ORDER BY {key.sql}{random.choice(SUFFIXES)})"
    arg = random.choice(exact)
    calls = [
        Expr("int", (random.choice(("rank()", "dense_rank()", "count(*)")), " OVER wd")),
        Expr(arg.family, (random.choice(("min(", "max(")), arg, ") OVER wd"), narrow=arg.narrow),
    ]
    if random.random() < 0.5:
        definition = f"wd AS (PARTITION BY {partition.sql})"
        calls[0] = Expr("int", ("rank() OVER (wd ORDER BY ", key, ")"))
    return definition, calls


def over_groups(random: Random, keys: Sequence[Expr], calls: Sequence[Expr]) -> Expr:
    """A window over the rows that GROUP BY gives: it reads keys and aggregates."""
    key, call = random.choice(list(keys)), random.choice(list(calls))
    partition = [key] if random.random() < 0.5 else []
    if random.random() < 0.4:
        made = Expr("int", (random.choice(("rank()", "dense_rank()")),))
        return over(made, partition, [(call, random.choice(SUFFIXES))], "")
    word = random.choice(("min(", "max(", "count("))
    family = "int" if word == "count(" else call.family
    made = Expr(family, (word, call, ")"), tame=False, narrow=True)
    return over(made, partition, [(key, random.choice(SUFFIXES))] if not partition else [], "")


def rows_frame(random: Random, unit: str = "ROWS") -> str:
    """A frame whose end is not before its start."""
    at = random.randrange(len(ENDS) - 1)
    after = [end for end in (*ENDS, *ENDS_AFTER[2:]) if position(end) >= position(ENDS[at])]
    end = random.choice([e for e in after if e != "UNBOUNDED PRECEDING"])
    return f" {unit} BETWEEN {ENDS[at]} AND {end}{random.choice(EXCLUDES)}"


def position(end: str) -> int:
    """Where an end lies around the current row."""
    if end == "CURRENT ROW":
        return 0
    word, _, side = end.partition(" ")
    distance = 1000 if word == "UNBOUNDED" else int(word)
    return -distance if side == "PRECEDING" else distance


def over(
    call: Expr, partition: Sequence[Expr], keys: Sequence[tuple[Expr, str]], frame: str
) -> Expr:
    """The call with its OVER."""
    parts: list[str | Expr] = [call, " OVER ("]
    for index, leaf in enumerate(partition):
        parts += [", " if index else "PARTITION BY ", leaf]
    for index, (leaf, suffix) in enumerate(keys):
        parts += [", " if index else " ORDER BY ", leaf, suffix]
    return Expr(
        call.family, (*parts, f"{frame})"), exact=call.exact, tame=call.tame, narrow=call.narrow
    )
