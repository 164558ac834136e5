"""What the hop to a kernel process costs: `python -m tests.bench.hop [--scale 1]`.

Each call is one `KernelHost.run`, in this process and in a kernel process, interleaved, medians.
The fragments and inputs of the statements are those that the engine makes of them. Nothing is
asserted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from eau2 import types
from eau2.cluster import Cluster
from eau2.config import DEFAULT_CHUNK_ROWS
from eau2.engine import Engine
from eau2.errors import CancelledError
from eau2.frames import LocalFrames
from eau2.kernels.host import Cancel, ChunkFiles
from eau2.kernels.inline import InlineHost
from eau2.kernels.mapped import MappedFiles
from eau2.kernels.subprocess import SubprocessHost
from eau2.kv.store import Store
from eau2.node import Node
from eau2.operators.aggregates import bind
from eau2.operators.base import Operator
from eau2.operators.expr import Column, ref
from eau2.operators.group import PartialAggregate
from eau2.operators.scan import StageInput
from eau2.settings import Settings
from tests.bench.measure import interleaved, machine, milliseconds
from tests.tpch import data


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one KernelHost.run."""

    fragment: Operator
    chunks: pa.Table | ChunkFiles | None
    stages: Mapping[int, pl.DataFrame]


class Recorder(InlineHost):
    """Runs fragments in this process, and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    @property
    def takes_files(self) -> bool:
        return True

    def run(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> pl.DataFrame:
        self.calls.append(Call(fragment, chunks, dict(stages)))
        return super().run(fragment, chunks, stages, cancel)


def recorded(frames: LocalFrames, sql: str) -> list[Call]:
    """What the kernels are asked for by a statement."""
    host = Recorder()
    Engine(frames, Cluster(Node("local", frames, host)), Settings()).run(sql)
    return host.calls


def stage_input(megabytes: int) -> Call:
    """An aggregation over a stage's result of that size."""
    rows = (megabytes << 20) // 16
    key, value = Column(1, "k", types.BIGINT), Column(2, "v", types.BIGINT)
    frame = pl.select(pl.int_range(rows).alias("c1"), (pl.int_range(rows) * 7).alias("c2"))
    calls = ((Column(3, "s", types.HUGEINT), bind("sum", (ref(value),), False)),)
    return Call(PartialAggregate(StageInput(0, (key, value)), (), calls), None, {0: frame})


def fresh(call: Call) -> Call:
    """The same call over frames that no host has seen."""
    return Call(call.fragment, call.chunks, {k: f.clone() for k, f in call.stages.items()})


def report(name: str, calls: list[Call], hosts: dict[str, Callable[[Call], object]]) -> None:
    """One line: the sum of the calls' medians in each host."""
    sums = dict.fromkeys(hosts, 0.0)
    for call in calls:
        rounds = 200 if call.chunks is None and not call.stages else 15
        times = interleaved(
            {n: lambda run=run, call=call: run(call) for n, run in hosts.items()},  # type: ignore[misc]
            rounds,
        )
        for host in hosts:
            sums[host] += statistics.median(times[host])
    inline, child = sums.values()
    print(f"{name:44}{len(calls):6}{inline:10.2f}{child:10.2f}{child - inline:10.2f}")


def cancels(host: SubprocessHost, call: Call, rounds: int) -> None:
    """How long a caller waits after a cancel, and how long until the next call is done."""
    shown, again = [], []
    for _ in range(rounds):
        cancel = Cancel()
        at = [0.0]

        def strike(cancel: Cancel = cancel, at: list[float] = at) -> None:
            at[0] = time.perf_counter()
            cancel.cancel()

        timer = threading.Timer(0.01, strike)
        timer.start()
        try:
            while True:
                host.run(call.fragment, call.chunks, call.stages, cancel)
        except CancelledError:
            shown.append((time.perf_counter() - at[0]) * 1000)
        again.append(milliseconds(lambda: host.run(call.fragment, call.chunks, call.stages)))
    print(
        f"\ncancel: the caller has CancelledError after {statistics.median(shown):.2f} ms; "
        f"the next call takes {statistics.median(again):.0f} ms, with the start of a process"
    )


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="1")
    options = parser.parse_args(arguments)
    print(machine())
    local, child = InlineHost(), SubprocessHost()
    files = MappedFiles()

    def inline(call: Call) -> object:
        table = call.chunks
        if isinstance(table, ChunkFiles):
            table = files.table(table.paths, table.columns)
        return local.run(call.fragment, table, fresh(call).stages)

    def process(call: Call) -> object:
        return child.run(call.fragment, call.chunks, fresh(call).stages)

    hosts: dict[str, Callable[[Call], object]] = {"inline": inline, "process": process}
    with tempfile.TemporaryDirectory() as place:
        frames = LocalFrames(Store.open(Path(place) / "store"))
        small = pa.table({"a": list(range(10_000)), "s": [f"text {i % 77}" for i in range(10_000)]})
        frames.stored.put("small", small.schema, small.to_batches(), chunk_rows=DEFAULT_CHUNK_ROWS)
        with pq.ParquetFile(data.path(options.scale, "lineitem")) as lineitem:
            batches = lineitem.iter_batches()
            frames.stored.put(
                "lineitem", lineitem.schema_arrow, batches, chunk_rows=DEFAULT_CHUNK_ROWS
            )
        print(f"\n{'':44}{'calls':>6}{'inline':>10}{'process':>10}{'hop':>10}   ms")
        report("SELECT 1 + 1", recorded(frames, "SELECT 1 + 1"), hosts)
        few = "SELECT a, s FROM small WHERE a < 1000"
        report("1,000 rows of two columns", recorded(frames, few), hosts)
        q01 = recorded(frames, data.text("q01"))
        report(f"TPC-H Q1, scale {options.scale}, chunks mapped", q01, hosts)
        report("  of these, the partial aggregation", q01[:1], hosts)
        report("a stage's result of 64 MB, read by one task", [stage_input(64)], hosts)
        cancels(child, q01[0], 10)
        frames.close()
    child.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
