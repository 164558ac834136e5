"""How the errors of the catalogue come about that no statement over one table gives.

Owns: a recipe for each code whose entry has no example. A recipe raises the error, and leaves
nothing behind.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import eau2
from eau2.backup import checked
from eau2.config import LIMITS
from eau2.embedded import EmbeddedBackend
from eau2.kernels.host import Cancel
from eau2.kernels.subprocess import SubprocessHost
from eau2.kv.nodechunks import NodeChunks
from eau2.kv.store import Store
from eau2.kv.transitions import renew
from eau2.net.address import Address
from eau2.net.fault import describe, rebuild
from eau2.net.server import Server
from eau2.net.thin import ThinClient
from eau2.options import parse
from eau2.records import replace
from tests.unit.test_nodechunks import path_of, stored
from tests.unit.test_quorum import Voters, told
from tests.unit.test_reconnect import Node, running
from tests.unit.test_remote import ODD_ANSWERS, odd
from tests.unit.test_subprocess_host import LEFT, MEMORY_BYTES, NUMBERS, OTHERS, PAIRS
from tests.unit.test_world import SCHEMA, chunks, ring_of_three

Patch = pytest.MonkeyPatch
TABLE = pa.table({"a": list(range(50_000))})


def name_exists(folder: Path, patch: Patch) -> None:
    with eau2.connect() as connection:
        connection.put("trips", TABLE)
        connection.put("trips", TABLE)


def no_store(folder: Path, patch: Patch) -> None:
    (folder / "papers").mkdir()
    (folder / "papers" / "letter.txt").write_text("Dear")
    eau2.connect(folder / "papers")


def store_is_busy(folder: Path, patch: Patch) -> None:
    patch.setattr("eau2.kv.store.LIMITS", replace(LIMITS, writer_wait_s=0.1))
    first, second = Store.open(folder), Store.open(folder)
    inside, done = threading.Event(), threading.Event()

    def slow() -> Iterator[pa.RecordBatch]:
        inside.set()
        done.wait(20)
        yield from TABLE.to_batches()

    writer = threading.Thread(target=lambda: first.put("t", TABLE.schema, slow()))
    writer.start()
    inside.wait(20)
    try:
        second.put("u", TABLE.schema, TABLE.to_batches())
    finally:
        done.set()
        writer.join()
        first.close()
        second.close()


def disk_is_full(folder: Path, patch: Patch) -> None:
    def write(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with eau2.connect(folder / "store") as connection, patch.context() as patched:
        patched.setattr(os, "write", write)
        connection.put("trips", TABLE)


def disk_failed(folder: Path, patch: Patch) -> None:
    def sync(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with eau2.connect(folder / "store") as connection, patch.context() as patched:
        patched.setattr(os, "fsync", sync)
        connection.put("trips", TABLE)


def chunk_is_damaged(folder: Path, patch: Patch) -> None:
    with eau2.connect(folder / "store") as connection:
        connection.put("trips", TABLE)
    (path,) = (folder / "store" / "chunks").glob("*/0.arrow")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with eau2.connect(folder / "store") as connection:
        connection.sql("SELECT sum(a) FROM trips")


def folder_is_no_backup(folder: Path, patch: Patch) -> None:
    (folder / "papers").mkdir()
    checked(str(folder / "papers"), ())


def chunk_is_missing(folder: Path, patch: Patch) -> None:
    ref = stored(folder)
    path_of(folder, ref).unlink()
    NodeChunks(folder, "n1").read(ref, ())


def nobody_listens(folder: Path, patch: Patch) -> None:
    eau2.connect("eau2://127.0.0.1:1")


def another_program_answers(folder: Path, patch: Patch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 32)
                peer.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            ThinClient(Address("127.0.0.1", listening.getsockname()[1]))
        finally:
            thread.join()


def an_answer_makes_no_sense(folder: Path, patch: Patch) -> None:
    with odd() as (url, handler, _), eau2.connect(url) as connection:
        handler.answers.update(ODD_ANSWERS)
        connection.sql("no result")


def node_is_lost(folder: Path, patch: Patch) -> None:
    with running(Node(1, dies_at="SELECT")) as url, eau2.connect(url) as connection:
        connection.sql("SELECT 1")


def no_majority(folder: Path, patch: Patch) -> None:
    async def story() -> None:
        voters = Voters(3)
        voters.silence("n0", "n1")
        await voters.quorum().read("k")

    told(story())


def too_few_copies(folder: Path, patch: Patch) -> None:
    async def story() -> None:
        async with ring_of_three(folder) as ring:
            for name in ("n1", "n2"):
                await ring.servers[name].stop(0)
            await ring.coordinator("n0").put("trips", SCHEMA, chunks(3, 10))

    asyncio.run(story())


def put_is_withdrawn(folder: Path, patch: Patch) -> None:
    renew("trips", "new")(None, False)


def outcome_is_unknown(folder: Path, patch: Patch) -> None:
    with running(Node(1, dies_at="INSERT")) as url, eau2.connect(url) as connection:
        connection.sql("INSERT INTO t VALUES (1)")


def node_is_busy(folder: Path, patch: Patch) -> None:
    with running(Node(1, busy=True)) as url, eau2.connect(url) as connection:
        connection.sql("SELECT 1")


def port_is_taken(folder: Path, patch: Patch) -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            server = Server(Node(1).handle, store_id="store", name="n1")
            await server.start(Address("127.0.0.1", port))

    asyncio.run(story())


def query_is_cancelled(folder: Path, patch: Patch) -> None:
    cancel = Cancel()
    cancel.cancel()
    backend = EmbeddedBackend(None, None, None)
    backend.engine.run("SELECT sum(range) FROM range(10)", None, cancel)


def time_is_up(folder: Path, patch: Patch) -> None:
    with eau2.connect(timeout=1e-9) as connection:
        connection.sql("SELECT sum(range) FROM range(10)")


def kernels_are_killed(folder: Path, patch: Patch) -> None:
    host = SubprocessHost(threads=1, memory_bytes=MEMORY_BYTES)
    try:
        host.run(LEFT, None, {0: NUMBERS})
        (pid,) = host.process_ids()
        threading.Timer(0.2, os.kill, (pid, 9)).start()
        host.run(PAIRS, None, {0: NUMBERS, 1: OTHERS})
    finally:
        host.close()


def option_is_unknown(folder: Path, patch: Patch) -> None:
    parse(["query", "--fast", "SELECT 1"])


def connection_is_closed(folder: Path, patch: Patch) -> None:
    connection = eau2.connect()
    connection.close()
    connection.sql("SELECT 1")


def a_bug(folder: Path, patch: Patch) -> None:
    raise rebuild(*describe(ValueError("a bug"))[:5])


RECIPES: dict[str, Callable[[Path, Patch], None]] = {
    "E2006": name_exists,
    "E3001": no_store,
    "E3002": store_is_busy,
    "E3003": disk_is_full,
    "E3004": disk_failed,
    "E3005": chunk_is_damaged,
    "E3006": chunk_is_missing,
    "E3007": folder_is_no_backup,
    "E4001": nobody_listens,
    "E4002": another_program_answers,
    "E4003": an_answer_makes_no_sense,
    "E4004": node_is_lost,
    "E4005": no_majority,
    "E4006": too_few_copies,
    "E4007": put_is_withdrawn,
    "E4008": outcome_is_unknown,
    "E4009": node_is_busy,
    "E5001": port_is_taken,
    "E5002": query_is_cancelled,
    "E5003": time_is_up,
    "E5004": kernels_are_killed,
    "E6001": option_is_unknown,
    "E6002": connection_is_closed,
    "E9001": a_bug,
}
