"""Few groups: sums as the product of two matrices, which tell groups apart without hashing.

Owns: when there seem to be few groups, the codes of rows, and the states of such groups. Comes in:
stored columns of a task, keys, values and a condition over them; goes out: partial states, one row
for each group. Does not know: operators, plans, how states merge.

Block by block a row's keys become one code, which says "dropped" where the condition is not true;
a table of 0 and 1 says for each group which rows are its own; its product with the table of values
has all sums. They are whole numbers that doubles hold, so that no order of additions shows. Codes
that have not been met are found by the counts, which must add up to the rows.

Measured (ns of processor time for a row, of 6 million, on two busy cores; hashing and here): counts
of 3 groups 7 and 2; one sum in 4 groups of two keys 11 and 6, in 7 groups 9 and 8; a condition and
5 sums of products in 4 groups of two keys 27 and 12. Of half the rows, 3 sums in 7 groups 9 and 13:
`pays` says which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from eau2.operators.aggregates import State
from eau2.operators.blocks import EXACT, Comparison, Doubles, Numbers, Program
from eau2.operators.runs import whole_numbers
from eau2.records import Record, Struct

FEW_ROWS = 100_000
"""Of fewer rows hashing takes no time worth a thought."""
MANY_GROUPS = 16
"""Of more groups hashing is as good, whatever is made of them."""
MOST_CODES = 255
_DROPPED = 255
"""Codes are bytes; the last one says that a row is dropped."""
LONG_BLOCK_ROWS = 16_384
_SHORT_BLOCK_ROWS = 4096
_PRODUCT_SIZE = 262_144
"""Products of more multiplications would start threads of their own, and wait for each other."""
_SAMPLE_ROWS = 4096


class Key(NamedTuple):
    """A key, called `name`: the column `label`, whose values less `low` are codes below `span`."""

    name: str
    label: str
    low: int
    span: int


class Shape(Record, frozen=True):
    """What is to be made of the rows. columns: labels of all columns that are read.

    sums: which result of the program each state is the sum of; None for states that count rows.
    """

    keys: tuple[Key, ...]
    where: tuple[Comparison, ...]
    program: Program
    states: tuple[State, ...]
    sums: tuple[int | None, ...]
    columns: tuple[str, ...]

    @property
    def codes(self) -> int:
        """How many codes there can be."""
        product = 1
        for key in self.keys:
            product *= key.span
        return product

    @property
    def block_rows(self) -> int:
        """Of how many rows at once doubles hold the sums; 0 where these would be too few."""
        rows = LONG_BLOCK_ROWS
        while rows >= _SHORT_BLOCK_ROWS:
            if self.program.bound * rows < EXACT:
                return rows
            rows //= 2
        return 0


class Look(NamedTuple):
    """What some rows show: how many groups there are, and which share of them is not dropped."""

    groups: int
    kept: float


def look(shape: Shape, sample: pl.DataFrame) -> Look:
    """How the rows of a sample, at least one, are encoded."""
    codes = np.empty(sample.height, np.uint8)
    flags = np.empty(sample.height, np.bool_)
    dropped = _encode(shape, _arrays(sample.get_columns()), slice(0, sample.height), codes, flags)
    groups = len(np.unique(codes)) - int(dropped > 0)
    return Look(groups, (sample.height - dropped) / sample.height)


def may_pay(sums: bool, threads: int) -> bool:
    """Whether `pays` can say so at all, before anything is looked at: sums on one thread alone."""
    return threads == 1 or not sums


def pays(shape: Shape, seen: Look, threads: int) -> bool:
    """Whether so few groups are made in less time than by hashing, which all threads share.

    Both in ns of processor time for a row, fitted to the measurements above. Here it is one thread:
    NumPy's calls are so short that two threads spend the time in handing over the interpreter, and
    OpenBLAS makes one product at a time (two threads: 72 ms of both, and as long by the clock).
    """
    if seen.groups > MANY_GROUPS:
        return False
    sums, computed = shape.program.width, len(shape.program.loads) + len(shape.program.steps)
    if sums:
        here = 2.5 + 0.7 * seen.groups + 0.15 * seen.groups * sums + 0.7 * computed
    else:
        here = 1.5 + 0.2 * seen.groups
    hashed = 4.5 + 2.0 * len(shape.keys) + 1.5 * sums + 0.8 * computed
    hashed = seen.kept * hashed + (2.5 if shape.where else 0.0)
    return here < hashed / threads


def sampled(frame: pl.DataFrame) -> pl.DataFrame:
    """Some rows from everywhere."""
    if frame.height <= _SAMPLE_ROWS:
        return frame
    return frame[np.linspace(0, frame.height - 1, _SAMPLE_ROWS).astype(np.int64)]


def by_matrix(
    rows: pl.LazyFrame, shape: Shape, otherwise: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.LazyFrame:
    """One row for each group, with the keys as they are held and the states.

    rows: the columns of the shape, whole numbers without NULLs. otherwise: makes the same in
    another way, where there turn out to be many groups.
    """
    given = rows.collect_schema()
    schema = {key.name: given[key.label] for key in shape.keys}
    schema |= {state.label: state.dtype for state in shape.states}

    def reduce(frame: pl.DataFrame) -> pl.DataFrame:
        found = _reduced(frame, shape)
        return otherwise(frame).select(list(schema)) if found is None else found

    return rows.map_batches(
        reduce,
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=schema,
    )


class _Groups(Struct):
    """The groups so far: their codes in the order in which these were met, and their states.

    counts: rows of each; sums: of each, by row of the table of values.
    """

    codes: list[int]
    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.int64]
    many: bool = False


def _reduced(frame: pl.DataFrame, shape: Shape) -> pl.DataFrame | None:
    """The groups of the frame; None where there are many."""
    frame = frame.select(shape.columns)
    if len({column.n_chunks() for column in frame.get_columns()}) > 1:
        frame = frame.rechunk()
    buffers = zip(*(column.get_chunks() for column in frame.get_columns()), strict=True)
    groups = _worked(shape, map(_arrays, buffers))
    if groups.many:
        return None
    order = np.argsort(groups.codes)
    codes = np.array(groups.codes, np.int64)[order]
    counts, sums = groups.counts[order], groups.sums[order]
    made = _keys(shape, codes, frame.schema)
    for state, result in zip(shape.states, shape.sums, strict=True):
        values = counts if result is None else sums[:, result]
        made.append(pl.Series(state.label, values).cast(state.dtype))
    return pl.DataFrame(made)


def _arrays(buffers: Sequence[pl.Series]) -> Mapping[str, Numbers]:
    return {buffer.name: whole_numbers(buffer).to_numpy() for buffer in buffers}


def _keys(
    shape: Shape, codes: npt.NDArray[np.int64], schema: Mapping[str, pl.DataType]
) -> list[pl.Series]:
    """The key columns of these codes."""
    made: list[pl.Series] = []
    for key in reversed(shape.keys):
        values = pl.Series(key.name, codes % key.span + key.low)
        dtype = schema[key.label]
        made.append((values.cast(pl.Int32) if dtype == pl.Date() else values).cast(dtype))
        codes = codes // key.span
    return made[::-1]


def _worked(shape: Shape, buffers: Iterable[Mapping[str, Numbers]]) -> _Groups:
    """The groups of all buffers, on this thread."""
    rows, program = shape.block_rows, shape.program
    # The product of a matrix and a vector would be made in another way, by several threads.
    values = np.zeros((max(program.rows, 2), rows))
    own = np.zeros((MANY_GROUPS, rows))
    codes, flags = np.empty(rows, np.uint8), np.empty(rows, np.bool_)
    sums = np.zeros((MANY_GROUPS, program.width), np.int64)
    groups = _Groups([], np.zeros(MANY_GROUPS, np.int64), sums)
    for columns in buffers:
        size = len(next(iter(columns.values())))
        each = -(-size // -(-size // rows)) if size else 1
        for start in range(0, size, each):
            block = slice(start, min(start + each, size))
            height = block.stop - block.start
            dropped = _encode(shape, columns, block, codes[:height], flags[:height])
            program.run(columns, block, values[:, :height])
            if not _add(groups, codes[:height], dropped, flags[:height], own, values[:, :height]):
                groups.many = True
                return groups
    return groups


def _encode(
    shape: Shape,
    columns: Mapping[str, Numbers],
    rows: slice,
    codes: npt.NDArray[np.uint8],
    flags: npt.NDArray[np.bool_],
) -> int:
    """Write the code of each row, and give how many are dropped."""
    first, *others = shape.keys
    np.subtract(columns[first.label][rows], first.low, out=codes, casting="unsafe")
    for key in others:
        np.multiply(codes, key.span, out=codes)
        part = columns[key.label][rows]
        if key.low:
            # In few bits the difference may wrap, and in a byte it is right again.
            part = np.subtract(part, key.low, dtype=part.dtype)
        np.add(codes, part, out=codes, casting="unsafe")
    dropped = 0
    for comparison in shape.where:
        comparison.run(columns, rows, flags)
        # True becomes 0 and false 255.
        keeps = flags.view(np.uint8)
        np.subtract(keeps, 1, out=keeps)
        np.bitwise_or(codes, keeps, out=codes)
    if shape.where:
        dropped = int(np.count_nonzero(np.equal(codes, _DROPPED, out=flags)))
    return dropped


def _add(
    groups: _Groups,
    codes: npt.NDArray[np.uint8],
    dropped: int,
    flags: npt.NDArray[np.bool_],
    own: Doubles,
    values: Doubles,
) -> bool:
    """Add the rows of a block to their groups; False where there are too many."""
    width, height = groups.sums.shape[1], len(codes)
    seen = dropped
    number = 0
    while seen < height:
        if number == len(groups.codes):
            new = [code for code in np.unique(codes).tolist() if code != _DROPPED]
            groups.codes += [code for code in new if code not in groups.codes]
            if len(groups.codes) > MANY_GROUPS:
                return False
        np.equal(codes, groups.codes[number], out=flags)
        if width:
            np.copyto(own[number, :height], flags)
        count = int(np.count_nonzero(flags))
        groups.counts[number] += count
        seen += count
        number += 1
    if width and number:
        ones, numbers = own[: max(number, 2), :height], values[: max(width, 2)]
        sums = np.zeros((len(ones), len(numbers)))
        step = max(_PRODUCT_SIZE // sums.size, 1)
        for start in range(0, height, step):
            rows = slice(start, start + step)
            sums += ones[:, rows] @ numbers[:, rows].T
        groups.sums[:number] += sums[:number, :width].astype(np.int64)
    return True
