"""The leaves that read data: ScanChunks (rows of chunks) and StageInput (rows of a stage).

Owns: how stored columns become kernel columns. Comes in: the frames in Lowering. Goes out: frames
in kernel form, by label. Does not know: files, where a chunk or a stage's result lies.
"""

from __future__ import annotations

import polars as pl

from eau2.errors import InternalError
from eau2.operators.base import Lowering, Operator
from eau2.operators.expr import Column, Expr, ref
from eau2.operators.forms import form_of
from eau2.operators.origins import Origin
from eau2.operators.physical import from_stored
from eau2.operators.values import keep


class ScanChunks(Operator, frozen=True):
    """Some columns of the task's chunks, in frame order. `names` are their stored names.

    indexes: whether only rows that matter may be read, by row lists. named: stored names of columns
    that CREATE INDEX has asked such lists of. automatic: whether others may be made unasked.
    zones: whether parts of chunks that what stands above cannot need may be left out.
    """

    columns: tuple[Column, ...]
    names: tuple[str, ...]
    indexes: bool = True
    named: tuple[str, ...] = ()
    automatic: bool = True
    zones: bool = True

    def __post_init__(self) -> None:
        if len(self.columns) != len(self.names):
            raise ValueError(f"{len(self.columns)} columns with {len(self.names)} names")

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        if lowering.chunks is None:
            raise InternalError("a fragment scans chunks, and its task has none")
        if not self.columns:
            return keep(lowering.chunks, ())
        read = []
        for column, name in zip(self.columns, self.names, strict=True):
            form = form_of(column.type, lowering.scanned.get(name))
            if form is None:
                read.append(from_stored(pl.col(name), column.type).alias(column.label))
            else:
                lowering.forms[column.label] = form
                read.append(pl.col(name).alias(column.label))
        return lowering.chunks.select(read)


class StageInput(Operator, frozen=True):
    """The rows of an earlier stage, as they are.

    `columns` are what that stage gives. Partial states of aggregates, which are no columns of the
    plan, come along with them. Where there is `renamed`, it is what the stage gives: these columns
    alone are read, under the names of `columns`.
    """

    stage: int
    columns: tuple[Column, ...]
    renamed: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        if self.renamed and len(self.columns) != len(self.renamed):
            raise ValueError(f"{len(self.columns)} names for {len(self.renamed)} columns")

    @property
    def output(self) -> tuple[Column, ...]:
        return self.columns

    @property
    def items(self) -> tuple[tuple[Column, Expr], ...]:
        """Each column and what it is of those that the stage gives."""
        given = self.renamed or self.columns
        return tuple((new, ref(old)) for new, old in zip(self.columns, given, strict=True))

    @property
    def labels(self) -> dict[int, str]:
        """Under which label the stage gives each column, by its id here."""
        pairs = zip(self.columns, self.renamed or self.columns, strict=True)
        return {new.id: old.label for new, old in pairs}

    def at_hand(self, lowering: Lowering) -> pl.DataFrame | None:
        """The rows themselves, where there are any yet."""
        frame = lowering.frames.get(self.stage)
        if frame is None or not self.renamed:
            return frame
        pairs = zip(self.columns, self.renamed, strict=True)
        return pl.DataFrame([frame.get_column(old.label).alias(new.label) for new, old in pairs])

    def origin(self, lowering: Lowering) -> Origin | None:
        """Where the rows come from, under the names of `columns`, if that is known."""
        origin = lowering.origins.get(self.stage)
        if origin is None or not self.renamed:
            return origin
        pairs = zip(self.columns, self.renamed, strict=True)
        names = {new.label: origin.names[old.label] for new, old in pairs}
        return Origin(names, origin.keeping)

    def lower(self, inputs: tuple[pl.LazyFrame, ...], lowering: Lowering) -> pl.LazyFrame:
        frame = lowering.stages.get(self.stage)
        if frame is None:
            raise InternalError(f"a fragment reads stage {self.stage}, which its task has not got")
        at_hand = lowering.frames.get(self.stage)
        schema = {} if at_hand is None else at_hand.schema
        coded = lowering.coded.get(self.stage, {})
        given = self.renamed or self.columns
        for column, old in zip(self.columns, given, strict=True):
            held = coded.get(old.label, schema.get(old.label))
            form = form_of(column.type, held)
            if form is not None:
                lowering.forms[column.label] = form
        if self.renamed:
            pairs = zip(self.columns, given, strict=True)
            return frame.select([pl.col(old.label).alias(new.label) for new, old in pairs])
        return frame
