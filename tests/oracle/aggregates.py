"""Random calls of the aggregate functions that analytic queries add to sum, avg, min and max.

Owns: `further_aggregate`. A new function is one more entry of `CALLS`. Whatever SQL leaves open is
not drawn: which of several most frequent values `mode` gives, which of equal rows `arg_min` takes,
in which order `string_agg` and `first` see rows. Every such call gets an order that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.oracle.expressions import Expressions
from tests.oracle.query import Expr
from tests.oracle.tables import Family

Draw = Callable[[Expressions], Expr | None]
FRACTIONS = ("0", "0.1", "0.25", "0.4", "0.5", "0.75", "0.9", "1")
SUFFIXES = ("", " DESC", " NULLS FIRST", " DESC NULLS LAST")


def own(draw: Expressions, *families: Family, tame: bool = False) -> Expr | None:
    """A column of one of the families, or None."""
    fitting = [leaf for leaf in draw.exact if leaf.family in families and (leaf.tame or not tame)]
    return draw.random.choice(fitting) if fitting else None


def any_column(draw: Expressions) -> Expr | None:
    """Any column."""
    return draw.random.choice(draw.exact) if draw.exact else None


def texts(draw: Expressions) -> Expr | None:
    """string_agg over an order of its own argument, sometimes without duplicates."""
    text = own(draw, "str")
    if text is None:
        return None
    distinct = draw.random.choice(("", "", "DISTINCT "))
    word = draw.random.choice(("string_agg", "string_agg", "listagg", "group_concat"))
    mark = draw.random.choice((", '|'", ", ''", ", ', '", ""))
    parts = (f"{word}({distinct}", text, f"{mark} ORDER BY ", text, draw.random.choice(SUFFIXES))
    return Expr("str", (*parts, ")"), tame=False)


def logical(draw: Expressions) -> Expr | None:
    """bool_and and bool_or of a condition, and how often it holds."""
    word = draw.random.choice(("bool_and(", "bool_or(", "count_if("))
    family: Family = "int" if word == "count_if(" else "bool"
    return Expr(family, (word, draw.condition(1), ")"), tame=False)


def discrete_quantile(draw: Expressions) -> Expr | None:
    """A quantile that is one of the values, in two of its forms."""
    arg = own(draw, "int", "dec", "date", "ts", "str", "float")
    if arg is None:
        return None
    fraction = draw.random.choice(FRACTIONS)
    if draw.random.random() < 0.4:
        suffix = draw.random.choice(("", " DESC"))
        parts = (f"percentile_disc({fraction}) WITHIN GROUP (ORDER BY ", arg, f"{suffix})")
        return Expr(arg.family, parts, tame=arg.tame, narrow=arg.narrow)
    parts = ("quantile_disc(", arg, f", {fraction})")
    return Expr(arg.family, parts, tame=arg.tame, narrow=arg.narrow)


def continuous_quantile(draw: Expressions) -> Expr | None:
    """A quantile between values; decimals keep their type and are left to `median`."""
    arg = own(draw, "int", "float", tame=True)
    if arg is None:
        return None
    fraction = draw.random.choice(FRACTIONS)
    form = draw.random.randrange(3)
    parts: tuple[str | Expr, ...] = ("quantile_cont(", arg, f", {fraction})")
    if form == 0:
        parts = ("median(", arg, ")")
    elif form == 1:
        suffix = draw.random.choice(("", " DESC"))
        parts = (f"percentile_cont({fraction}) WITHIN GROUP (ORDER BY ", arg, f"{suffix})")
    return Expr("float", parts, exact=False, tame=False)


def most_frequent(draw: Expressions) -> Expr | None:
    """mode, in the order that decides between equally frequent values."""
    arg = own(draw, "int", "str", "date", "bool")
    if arg is None:
        return None
    parts = ("mode() WITHIN GROUP (ORDER BY ", arg, ")")
    return Expr(arg.family, parts, tame=arg.tame, narrow=arg.narrow)


def first_of(draw: Expressions) -> Expr | None:
    """first, last and any_value in an order that tells all values apart."""
    arg, key = any_column(draw), any_column(draw)
    if arg is None or key is None:
        return None
    word = draw.random.choice(("first(", "last(", "any_value("))
    ends = draw.random.choice(SUFFIXES)
    parts = (word, arg, " ORDER BY ", key, ends, ", ", arg, draw.random.choice(SUFFIXES), ")")
    return Expr(arg.family, parts, tame=arg.tame, narrow=arg.narrow)


def value_at(draw: Expressions) -> Expr | None:
    """arg_min and arg_max of what their key decides."""
    key = own(draw, "int", "str", "date", tame=True)
    if key is None:
        return None
    word = draw.random.choice(("arg_min(", "arg_max(", "min_by(", "max_by("))
    arg: tuple[str | Expr, ...] = (key,)
    if draw.random.random() < 0.7:
        arg = {
            "int": ("(CAST(", key, " AS BIGINT) + 1)"),
            "str": ("(", key, " || '!')"),
            "date": ("(", key, " + 1)"),
        }[key.family]
    parts = (word, *arg, ", ", key, ")")
    return Expr(key.family, parts, tame=False, narrow=key.narrow)


def spread(draw: Expressions) -> Expr | None:
    """Variances and their roots."""
    arg = own(draw, "int", "dec", "float", tame=True)
    if arg is None:
        return None
    word = draw.random.choice(("stddev", "stddev_pop", "variance", "var_pop", "var_samp"))
    return Expr("float", (f"{word}(", arg, ")"), exact=False, tame=False)


def together(draw: Expressions) -> Expr | None:
    """Covariances, correlation and regression."""
    a, b = own(draw, "int", "float", tame=True), own(draw, "int", "float", tame=True)
    if a is None or b is None:
        return None
    word = draw.random.choice(
        ("covar_pop", "covar_samp", "corr", "regr_avgx", "regr_sxx", "regr_count", "regr_slope")
    )
    family: Family = "int" if word == "regr_count" else "float"
    return Expr(family, (f"{word}(", a, ", ", b, ")"), exact=family == "int", tame=False)


def bits(draw: Expressions) -> Expr | None:
    """Bitwise aggregates."""
    arg = own(draw, "int")
    if arg is None:
        return None
    word = draw.random.choice(("bit_and(", "bit_or(", "bit_xor("))
    return Expr("int", (word, arg, ")"), tame=False, narrow=True)


def ordered_sum(draw: Expressions) -> Expr | None:
    """An ORDER BY that changes nothing."""
    arg, key = own(draw, "int", "dec", tame=True), any_column(draw)
    if arg is None or key is None:
        return None
    word = draw.random.choice(("sum(", "count(", "max("))
    family: Family = "int" if word == "count(" else arg.family
    return Expr(family, (word, arg, " ORDER BY ", key, ")"), tame=False)


def deviation(draw: Expressions) -> Expr | None:
    """The median absolute deviation; of decimals it is a decimal."""
    arg = own(draw, "int", "dec", tame=True)
    if arg is None:
        return None
    exact = arg.family == "dec"
    return Expr("dec" if exact else "float", ("mad(", arg, ")"), exact=exact, tame=False)


def surprise(draw: Expressions) -> Expr | None:
    """The entropy of any column."""
    arg = any_column(draw)
    return None if arg is None else Expr("float", ("entropy(", arg, ")"), exact=False, tame=False)


CALLS: Sequence[Draw] = (
    *(texts, logical, discrete_quantile, continuous_quantile, most_frequent, first_of, value_at),
    *(spread, together, bits, ordered_sum, deviation, surprise),
)


def further_aggregate(draw: Expressions) -> Expr | None:
    """A call of one of `CALLS`, sometimes with FILTER; None where no column fits it."""
    call = draw.random.choice(CALLS)(draw)
    if call is None or draw.random.random() > 0.15:
        return call
    word = draw.random.choice(("WHERE ", "WHERE ", ""))
    return replace(call, parts=(call, f" FILTER ({word}", draw.condition(1), ")"))
