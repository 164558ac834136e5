"""What a scalar function is: one entry of the function table.

Owns: `Function`, and the ways to resolve arguments against signatures.
Comes in: bound arguments. Goes out: a `Call` with coerced arguments and DuckDB's result type.
Does not know: which functions exist, SQL text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import polars as pl

from eau2.errors import TypeMismatchError
from eau2.operators.coercion import coerce, coercion_cost
from eau2.operators.expr import Call, Expr
from eau2.operators.functions.checks import Scope, formula
from eau2.records import Record
from eau2.types import SqlType

Bind = Callable[[str, tuple[Expr, ...]], Expr]
LowerCall = Callable[[Call, Scope], pl.Expr]
LowerValues = Callable[..., pl.Expr]


class Function(Record, frozen=True):
    """One scalar function.

    name: what a Call says. syntax, summary, example: for people. bind: from bound arguments to an
    expression. lower: from a Call to Polars. aliases: other names in SQL. operator: it is written
    as an operator, so it is no name to call. null_rule: "strict" when a NULL argument makes the
    result NULL, "own" when the function has a rule of its own. fails: it can raise on some rows.
    """

    name: str
    family: str
    syntax: str
    summary: str
    example: str
    bind: Bind
    lower: LowerCall
    aliases: tuple[str, ...] = ()
    operator: bool = False
    null_rule: str = "strict"
    fails: bool = False


class Signature(Record, frozen=True):
    """Parameter types and the result type; the last parameter may repeat."""

    parameters: tuple[SqlType, ...]
    result: SqlType
    variadic: bool = False

    def expanded(self, count: int) -> tuple[SqlType, ...] | None:
        """The parameter types for `count` arguments; None if it takes another number."""
        if count == len(self.parameters):
            return self.parameters
        if self.variadic and count > len(self.parameters):
            return self.parameters + self.parameters[-1:] * (count - len(self.parameters))
        return None


def type_list(args: tuple[Expr, ...]) -> str:
    """The argument types as an error message shows them."""
    return ", ".join(str(arg.type) for arg in args)


def mismatch(name: str, args: tuple[Expr, ...], hint: str) -> TypeMismatchError:
    """The error for arguments that a function does not take."""
    return TypeMismatchError(f"{name}({type_list(args)}) is not defined", hint=hint)


def overloads(syntax: str, *signatures: Signature) -> Bind:
    """Resolve by the cheapest implicit casts among `signatures`; ties go to the first."""

    def bind(name: str, args: tuple[Expr, ...]) -> Expr:
        best: tuple[int, Signature, tuple[SqlType, ...]] | None = None
        for signature in signatures:
            parameters = signature.expanded(len(args))
            if parameters is None:
                continue
            costs = [coercion_cost(a, p) for a, p in zip(args, parameters, strict=True)]
            known = [cost for cost in costs if cost is not None]
            if len(known) == len(costs) and (best is None or sum(known) < best[0]):
                best = (sum(known), signature, parameters)
        if best is None:
            raise mismatch(name, args, f"It is written {syntax}.")
        _, signature, parameters = best
        coerced = tuple(coerce(a, p) for a, p in zip(args, parameters, strict=True))
        return Call(signature.result, name, coerced)

    return bind


def values(compute: LowerValues) -> LowerCall:
    """Lower by handing the lowered arguments to `compute`."""

    def lower(call: Call, scope: Scope) -> pl.Expr:
        return compute(*(scope.lower(arg) for arg in call.args))

    return lower


def strict(compute: Callable[..., pl.Expr]) -> Callable[..., pl.Expr]:
    """A formula where every operand has a value, NULL elsewhere."""

    def over(*operands: pl.Expr) -> pl.Expr:
        known = reduce(lambda a, b: a & b, (x.is_not_null() for x in operands))
        return pl.when(known).then(compute(*operands))

    return over


def by_formula(dtype: pl.DataType, compute: Callable[..., pl.Expr]) -> LowerCall:
    """Lower to a strict formula that may name its operands several times."""
    return values(partial(formula, dtype, strict(compute)))


def text_function(
    name: str,
    syntax: str,
    summary: str,
    example: str,
    parameters: tuple[SqlType, ...],
    result: SqlType,
    lower: LowerCall,
    *,
    shorter: bool = False,
    aliases: tuple[str, ...] = (),
    fails: bool = False,
) -> Function:
    """An entry with one signature; `shorter` if the last argument may be left out."""
    signatures = [Signature(parameters, result)]
    if shorter:
        signatures.append(Signature(parameters[:-1], result))
    bind = overloads(syntax, *signatures)
    return Function(
        name, "text", syntax, summary, example, bind, lower, aliases=aliases, fails=fails
    )
