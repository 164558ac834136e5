"""Values of expressions that read no rows, for whoever plans: computed as a kernel would.

Owns: `value_of`, and `over_texts` for one expression over many texts. Comes in: bound expressions.
Goes out: physical values. Does not know: what the values are for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from eau2.errors import DataError, NotSupportedError
from eau2.operators.exact_constants import exact_value
from eau2.operators.expr import ColumnRef, Expr, Literal, Value
from eau2.operators.functions.native import calls_native
from eau2.operators.lowering import diagnosis, lower_expr
from eau2.types import VARCHAR

_FAILURES = (pl.exceptions.PolarsError, pl.exceptions.PanicException, ArithmeticError, ValueError)


def value_of(expr: Expr) -> Value:
    """The value of an expression that reads no column. Raises what it would raise over a row."""
    if isinstance(expr, Literal):
        return expr.value
    exact = exact_value(expr)
    if exact is not None:
        return exact
    if calls_native(expr):
        raise NotSupportedError(
            "what has to be known before rows are computed cannot call a native function"
        )
    series = _run(expr, pl.DataFrame({"row": [0]}))
    if expr.type.is_temporal:
        series = series.to_physical()
    value: Value = series.item()
    return value


def over_texts(texts: Sequence[str], make: Callable[[Expr], Expr]) -> tuple[Value, ...]:
    """The values of the expression that `make` makes over each of the texts."""
    text = ColumnRef(VARCHAR, 0)
    frame = pl.DataFrame({text.label: list(texts)}, schema={text.label: pl.String})
    return tuple(_run(make(text), frame).to_list())


def _run(expr: Expr, frame: pl.DataFrame) -> pl.Series:
    try:
        lowered = lower_expr(expr, diagnose=True).alias("value")
        return frame.with_columns(lowered).get_column("value")
    except _FAILURES as error:
        text = str(error).splitlines()[0]
        raise diagnosis(str(error)) or DataError(f"cannot be computed: {text}") from error
