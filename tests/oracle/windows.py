"""Random window calls.

Owns: `window`. A call that must choose between peers gets a total order: all columns that are
visible. Sums of floats are over small multiples of powers of two, which DuckDB adds exactly.
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
    if total and (choice < 0.7 or not keys):
        return over(call, partition, total, rows_frame(random))
    if not keys:
        return over(call, partition, keys, "")
    numbers = [leaf for leaf in tame if leaf.family == "int"]
    if choice < 0.85 and numbers:
        key = (random.choice(numbers), random.choice(("", " DESC")))
        start = random.choice(("UNBOUNDED PRECEDING", "2 PRECEDING", "CURRENT ROW"))
        end = random.choice(("CURRENT ROW", "3 FOLLOWING", "UNBOUNDED FOLLOWING"))
        return over(call, partition, [key], f" RANGE BETWEEN {start} AND {end}")
    return over(call, partition, keys, rows_frame(random, "GROUPS"))


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
