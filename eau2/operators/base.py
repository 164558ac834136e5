"""The Operator protocol: plain data that says its output columns and lowers itself onto Polars.

Owns: `Operator`, `Lowering` (what a fragment's leaves read), and how a tree is lowered.
Does not know: where chunks come from, what a stage is, SQL.

A fragment is a tree of operators; the whole tree is lowered to one LazyFrame and run in one call,
so that the kernel engine can fuse it. In kernels a column is called by its `Column.label`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from eau2.operators.expr import Column
from eau2.operators.forms import Coded, Form, all_kept, all_plain
from eau2.operators.origins import Origin
from eau2.records import Record, field, replace


class Lowering(Record, frozen=True):
    """What a fragment's leaves read, and how failures are reported.

    chunks: the rows of the task's chunks under their schema names, in *stored* form (None when the
    fragment scans none). stages: results of earlier stages by stage id, columns by label. diagnose:
    lower checked computations so that a failure carries its message; slower, used to explain an
    error after a run has failed. rows_at_most: no operator of the fragment gives more rows than
    this; None when that is not known. rows: how many rows the leaves read, all together.

    chunk_rows, frames: chunks and stages once more, where they are at hand. scanned: how the
    chunks' columns are held, by name. coded: the coded columns of stages. forms: those of the
    columns lowered so far, by label. runs: whether rows that lie together may be grouped as they
    lie. origins: of stages of which that is known, what their rows are.
    """

    chunks: pl.LazyFrame | None
    stages: Mapping[int, pl.LazyFrame] = field(default_factory=dict)
    diagnose: bool = False
    rows_at_most: int | None = None
    rows: int = 0
    frames: Mapping[int, pl.DataFrame] = field(default_factory=dict)
    coded: Mapping[int, Mapping[str, Coded]] = field(default_factory=dict)
    scanned: Mapping[str, pl.DataType | Coded] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    chunk_rows: pl.DataFrame | None = None
    runs: bool = True
    origins: Mapping[int, Origin] = field(default_factory=dict)


class Operator(Record, frozen=True):
    """The base of all operators. Subclasses are records."""

    @property
    def inputs(self) -> tuple[Operator, ...]:
        """The operators this one reads, in order."""
        return ()

    @property
    def output(self) -> tuple[Column, ...]:
        """The columns it gives, in order."""
        raise NotImplementedError

    @property
    def takes_forms(self) -> bool:
        """Whether the columns that it reads may be in any form: else they are made plain first."""
        return False

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        """The operator over its lowered inputs. The frame has exactly the output's labels."""
        raise NotImplementedError

    def with_inputs(self, inputs: tuple[Operator, ...]) -> Operator:
        """The same operator over other inputs (as many as it has)."""
        if not inputs:
            return self
        names = ("left", "right") if len(inputs) == 2 else ("input",)
        return replace(self, **dict(zip(names, inputs, strict=True)))


def lower(root: Operator, lowering: Lowering) -> pl.LazyFrame:
    """The whole tree as one LazyFrame, of columns in the forms of a stage's result."""
    return all_kept(_lowered(root, lowering), root.output, lowering.forms)


def _lowered(root: Operator, lowering: Lowering) -> pl.LazyFrame:
    inputs = []
    given: dict[str, Form] = {}
    for node in root.inputs:
        frame = _lowered(node, lowering)
        inputs.append(frame if root.takes_forms else plain_columns(frame, node.output, lowering))
        if len(root.inputs) > 1:
            # Below the other inputs there may be columns of the same label, held otherwise.
            labels = [column.label for column in node.output]
            given |= {label: lowering.forms[label] for label in labels if label in lowering.forms}
            lowering.forms.clear()
    lowering.forms.update(given)
    return root.lower(tuple(inputs), lowering)


def plain_columns(
    frame: pl.LazyFrame, columns: Sequence[Column], lowering: Lowering
) -> pl.LazyFrame:
    """The frame, of which these columns have no form any more."""
    if not lowering.forms:
        return frame
    frame = all_plain(frame, columns, lowering.forms)
    for column in columns:
        lowering.forms.pop(column.label, None)
    return frame


def transform(root: Operator, visit: Callable[[Operator], Operator]) -> Operator:
    """Rewrite bottom-up: inputs first, then `visit` on the operator over its new inputs."""
    if root.inputs:
        new = tuple(transform(node, visit) for node in root.inputs)
        if any(a is not b for a, b in zip(root.inputs, new, strict=True)):
            root = root.with_inputs(new)
    return visit(root)
