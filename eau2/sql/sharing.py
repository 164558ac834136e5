"""Plans that several places read: common table expressions, and the rounds of recursive ones.

Owns: `With` and its definitions, `SharedScan`, `Recursive`. Does not know: whether a definition is
computed once or written out where it is read; the optimiser decides.
"""

from __future__ import annotations

from eau2.operators.expr import Column
from eau2.records import Record, replace
from eau2.sql.logical import Logical


class SharedScan(Logical, frozen=True):
    """The rows of a definition of an enclosing With (or of the round before, in a Recursive).

    columns: new ones, for the definition's output columns at `positions`. rows: how many they are
    believed to be; None where nobody knows.
    """

    definition: int
    columns: tuple[Column, ...]
    positions: tuple[int, ...]
    rows: float | None = None

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns


class Definition(Record, frozen=True):
    """A plan that several places of another one read: a common table expression.

    materialized: what the statement says about computing it once; None leaves it to the optimiser.
    """

    number: int
    name: str
    plan: Logical
    materialized: bool | None = None


class With(Logical, frozen=True):
    """A plan whose SharedScans, and those of later definitions, read these definitions.

    A definition's number is unique within the statement.
    """

    definitions: tuple[Definition, ...]
    input: Logical

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (*(definition.plan for definition in self.definitions), self.input)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.input.output

    def with_inputs(self, inputs: tuple[Logical, ...]) -> With:
        plans = zip(self.definitions, inputs, strict=False)
        definitions = tuple(replace(definition, plan=plan) for definition, plan in plans)
        return With(definitions, inputs[-1])


class Recursive(Logical, frozen=True):
    """WITH RECURSIVE: the rows of `base`, then those of `step` over the round before, to the end.

    In `step` a SharedScan of `number` reads the round before. columns: new ones; both inputs have
    as many, of the same types. With `distinct` (UNION) rows that have been given are dropped.
    """

    number: int
    name: str
    base: Logical
    step: Logical
    columns: tuple[Column, ...]
    distinct: bool

    @property
    def inputs(self) -> tuple[Logical, ...]:
        return (self.base, self.step)

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns

    def with_inputs(self, inputs: tuple[Logical, ...]) -> Recursive:
        return replace(self, base=inputs[0], step=inputs[1])
