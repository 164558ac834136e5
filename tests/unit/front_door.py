"""A front door on loopback with a store in memory, and a client that says plain messages to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from eau2.catalog import Frame
from eau2.config import DOOR, DoorLimits
from eau2.kernels.host import Cancel, ChunkFiles
from eau2.kernels.inline import InlineHost
from eau2.kv.store import Store
from eau2.net.address import Address
from eau2.net.arrow import PART_BYTES, Payload, decode_table, encode_table, parts, payloads
from eau2.net.blocking import BlockingConnection, LoopThread
from eau2.net.frame import Buffer
from eau2.net.message import Message, PutFrame, Rows, Statement, StatementResult
from eau2.net.server import Server
from eau2.operators.base import Operator
from eau2.records import replace
from eau2.server import FrontDoor
from tests.wire.echo import ANY_PORT, until


class GatedHost:
    """A kernel host that stops before each fragment while its gate is closed, until cancelled."""

    takes_files = False

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.running = 0
        self.runs = 0
        self._guard = threading.Lock()
        self._inner = InlineHost()

    def send(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> list[Payload]:
        """As KernelHost.send."""
        return list(payloads(self.run(fragment, chunks, stages, cancel)))

    def run(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> pl.DataFrame:
        """As KernelHost.run."""
        with self._guard:
            self.running += 1
            self.runs += 1
        try:
            while not self.open.wait(0.005):
                assert cancel is not None
                cancel.check()
            return self._inner.run(fragment, chunks, stages, cancel)
        finally:
            with self._guard:
                self.running -= 1

    def close(self) -> None:
        """Nothing to give back."""


class Deaf(GatedHost):
    """A kernel host whose calls run to their end whatever is wished."""

    def run(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> pl.DataFrame:
        """As KernelHost.run."""
        with self._guard:
            self.running += 1
        self.open.wait()
        self.running -= 1
        return self._inner.run(fragment, chunks, stages)


@dataclass
class Door:
    """A front door that listens, and what is behind it."""

    address: Address
    front: FrontDoor
    store: Store
    host: GatedHost
    loop: LoopThread

    def connect(self) -> BlockingConnection:
        """A connection of its own."""
        return BlockingConnection(self.address)

    @property
    def sessions(self) -> int:
        """How many connections have a session."""
        return len(self.front._sessions)

    def wait(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until something has come true."""
        self.loop.run(until(condition, seconds))


@contextmanager
def door(
    data_root: str | None = None, limits: DoorLimits = DOOR, kernels: type[GatedHost] = GatedHost
) -> Iterator[Door]:
    """A front door over a store in memory."""
    store, host, loop = Store.open(None), kernels(), LoopThread()
    front = FrontDoor(
        name="n1",
        host=host,
        store=store,
        peers=None,
        data_root=data_root,
        threads=None,
        limits=limits,
    )
    server = Server(front.answer, store_id="s", name="n1", on_closed=front.closed)
    address = loop.run(server.start(ANY_PORT))
    try:
        yield Door(address, front, store, host, loop)
    finally:
        host.open.set()
        loop.run(server.stop(drain_s=0))
        front.close()
        loop.close()


def ask(
    connection: BlockingConnection, text: str, form: str = "rows", **fields: object
) -> tuple[list[bytes], list[int], StatementResult]:
    """The payloads and row counts of a statement's answer, and its end."""
    statement = replace(Statement(text, format=form), **fields)
    payloads, rows = [], []
    with connection.open(statement, end=True) as stream:
        for received in stream:
            match received.message:
                case Rows(count):
                    payloads.append(bytes(received.payload))
                    rows.append(count)
                case StatementResult() as result:
                    return payloads, rows, result
    raise AssertionError("no result")


def table_of(payloads: list[bytes]) -> pa.Table:
    """Payloads as one table."""
    return pa.concat_tables([decode_table(payload, trusted=False) for payload in payloads])


def text_of(connection: BlockingConnection, text: str, form: str, width: int = 0) -> bytes:
    """The rendered answer."""
    payloads, _, _ = ask(connection, text, form, width=width)
    return b"".join(payloads)


def values(connection: BlockingConnection, text: str, **fields: object) -> list[tuple[object, ...]]:
    """The rows of a statement."""
    payloads, _, _ = ask(connection, text, "rows", **fields)
    columns = [column.to_pylist() for column in table_of(payloads).columns]
    return list(zip(*columns, strict=True))


def put(
    connection: BlockingConnection, name: str, table: pa.Table, session: bool = False, **more: int
) -> None:
    """Put a table as a client does."""
    message = PutFrame(name, bool(more.get("replace")), more.get("chunk_rows", 0), session)
    schema = encode_table(table.schema.empty_table())
    cut = parts(table, more.get("part_bytes", PART_BYTES))
    send(connection, message, schema, [(Rows(p.num_rows), encode_table(p)) for p in cut])


def send(
    connection: BlockingConnection,
    request: Message,
    first: Sequence[Buffer],
    more: Sequence[tuple[Message, Sequence[Buffer]]],
) -> None:
    """A request and what follows it, to which the answer is Done."""
    with connection.open(request, first) as stream:
        for message, payload in more:
            stream.send(message, payload)
        stream.finish()
        assert stream.receive() is None


NUMBERS = pa.table({"a": pa.array(range(1000), pa.int64()), "s": [f"{i:03}" for i in range(1000)]})


def fill(store: Store, name: str, table: pa.Table, chunk_rows: int = 100) -> Frame:
    """Put a table into the store itself."""
    return store.put(name, table.schema, table.to_batches(), chunk_rows=chunk_rows)
