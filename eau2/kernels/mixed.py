"""The kernel host of a node: small and harmless fragments here, all others in kernel processes.

Owns: which fragments may run inside the node's own process. Comes in: fragments with their inputs;
goes out: rows. Does not know: tasks, stores, the network.

A hop to a kernel process costs a multiple of what a small fragment takes. What runs here cannot be
cancelled and would take the node with it, so it must be bounded by what it reads: few rows, no
join, no long series, no loop, no native function, and no text that is computed (a short literal
can ask for a very long one).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import polars as pl
import pyarrow as pa

from eau2.config import KERNELS
from eau2.kernels.host import Cancel, ChunkFiles, KernelHost
from eau2.kernels.mapped import MappedFiles
from eau2.kernels.sent import Sent
from eau2.net.arrow import Payload
from eau2.operators.base import Operator
from eau2.operators.expr import AggregateCall, Call, Cast, Expr, SortKey, walk
from eau2.operators.functions.let import FOLD
from eau2.operators.functions.native import NATIVE
from eau2.operators.join import Join
from eau2.operators.series import Series, series_length
from eau2.operators.unnest import Unnest
from eau2.records import names
from eau2.types import Kind

_UNBOUNDED = frozenset({FOLD, "list_reduce", NATIVE})
"""Lists are as long as they are, and loops in one another take the product of their lengths.

A native function may do anything.
"""


class MixedHost:
    """Runs fragments by `inline` or by `processes`. Thread-safe. Closes both."""

    def __init__(self, inline: KernelHost, processes: KernelHost) -> None:
        self._inline = inline
        self._processes = processes
        self._files = MappedFiles()
        self._guard = threading.Lock()
        self._harmless: dict[int, tuple[Operator, bool]] = {}

    @property
    def takes_files(self) -> bool:
        """See KernelHost.takes_files."""
        return self._processes.takes_files

    def run(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> pl.DataFrame:
        """See KernelHost.run."""
        if not self._is_for_here(fragment, chunks, stages):
            return self._processes.run(fragment, chunks, stages, cancel)
        return self._inline.run(fragment, self._table(chunks), stages, cancel)

    def send(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> list[Payload]:
        """See KernelHost.send."""
        if not self._is_for_here(fragment, chunks, stages):
            return self._processes.send(fragment, chunks, stages, cancel)
        return self._inline.send(fragment, self._table(chunks), stages, cancel)

    def close(self) -> None:
        """See KernelHost.close."""
        self._inline.close()
        self._processes.close()

    def _is_for_here(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
    ) -> bool:
        """Whether it reads few rows, and does no harm."""
        if isinstance(stages, Sent):
            rows = stages.rows
        else:
            rows = sum(frame.height for frame in stages.values())
        if chunks is not None:
            rows += chunks.rows if isinstance(chunks, ChunkFiles) else chunks.num_rows
        return rows <= KERNELS.inline_rows and self._is_harmless(fragment)

    def _table(self, chunks: pa.Table | ChunkFiles | None) -> pa.Table | None:
        if not isinstance(chunks, ChunkFiles):
            return chunks
        with self._guard:
            return self._files.table(chunks.paths, chunks.columns, chunks.runs)

    def _is_harmless(self, fragment: Operator) -> bool:
        """Fragments come again as the same object."""
        known = self._harmless.get(id(fragment))
        if known is None:
            if len(self._harmless) >= KERNELS.fragments:
                self._harmless.clear()
            known = self._harmless[id(fragment)] = (fragment, is_harmless(fragment))
        return known[1]


def is_harmless(fragment: Operator) -> bool:
    """Whether what the fragment takes is bounded by the rows it reads."""
    if isinstance(fragment, Join | Unnest):
        return False
    if isinstance(fragment, Series):
        made = series_length(fragment.start, fragment.stop, fragment.step)
        return made <= KERNELS.inline_rows
    for expr in _expressions(fragment):
        for node in walk(expr):
            grows = node.type.kind is Kind.VARCHAR or node.type.is_list
            if isinstance(node, Call | Cast) and grows:
                return False
            if isinstance(node, Call) and node.function in _UNBOUNDED:
                return False
    return all(is_harmless(below) for below in fragment.inputs)


def _expressions(operator: Operator) -> Iterator[Expr]:
    """The expressions that an operator itself holds."""
    for name in names(type(operator)):
        yield from _held(getattr(operator, name))


def _held(value: object) -> Iterator[Expr]:
    match value:
        case Expr():
            yield value
        case SortKey(expr=expr):
            yield expr
        case AggregateCall(exprs=exprs):
            yield from exprs
        case tuple():
            for item in value:
                yield from _held(item)
        case _:
            return
