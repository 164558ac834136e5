"""Asking nodes, for tests: statements, small frames, and what a node says of itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pyarrow as pa

import eau2
from eau2.net.address import parse_address
from eau2.net.client import connect
from eau2.net.message import Message, NodeDescription, NodeInfo

SLOW = "SELECT max(x.a % 7 + y.a % 5) FROM t x, (SELECT a FROM t WHERE a < 100) y"
"""About half a second of work for a frame t of a million rows; it gives 10."""
ENDLESS = SLOW.replace("100", "20000")
"""The same, two hundred times as long."""


def ask(url: str, message: Message, role: str = "client") -> Message:
    """The one message that answers a request."""

    async def asking() -> Message:
        connection = await connect(parse_address(url), role=role)
        try:
            return (await connection.call(message, deadline_s=10)).message
        finally:
            connection.close()

    return asyncio.run(asking())


def about(url: str) -> NodeDescription:
    """What a node says of itself."""
    said = ask(url, NodeInfo())
    assert isinstance(said, NodeDescription)
    return said


def sql(url: str, text: str, timeout: float | None = None) -> list[tuple[object, ...]]:
    """The rows of a statement, asked on a connection of its own."""
    with eau2.connect(url) as connection:
        return connection.sql(text, timeout=timeout).fetchall()


def numbers(count: int) -> pa.Table:
    """A column `a` with the numbers from 0 on."""
    return pa.table({"a": pa.array(range(count), pa.int64())})


def put(url: str, name: str, count: int, chunk_rows: int = 100) -> None:
    """Put `numbers(count)` in chunks."""
    with eau2.connect(url) as connection:
        connection.execute(f"SET chunk_rows = {chunk_rows}")
        connection.put(name, numbers(count))


def in_two_halves(table: pa.Table, between: Callable[[], object]) -> pa.RecordBatchReader:
    """A table's rows; `between` is called when the first half of them has been taken."""
    half = table.num_rows // 2

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table.slice(0, half).to_batches()
        between()
        yield from table.slice(half).to_batches()

    return pa.RecordBatchReader.from_batches(table.schema, batches())


class Pause:
    """Something to wait at until somebody says go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.over = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.over.wait(20)
