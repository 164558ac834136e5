"""Bulk transfer between two processes on loopback: eau2's connection beside the raw socket.

    python -m tests.bench.bulk [--mebibytes 1024] [--rounds 5]

The raw figure is what one process sends with `sendall` and another receives with `recv_into`, in
pieces of the same size, interleaved with eau2's. The goal is at least half of it.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Callable

from eau2.net.address import Address
from eau2.net.client import connect
from eau2.net.connection import Answer
from eau2.net.message import ChunkId, GetChunk, NodeInfo, Number, Piece, PutChunk
from eau2.net.server import Server
from eau2.net.stream import Received, Stream

PIECE_BYTES = 4 << 20


async def handle(received: Received, stream: Stream) -> Answer:
    """Send as many pieces as are asked for, or count those that come."""
    match received.message:
        case GetChunk(ChunkId(_, count)):
            piece = bytearray(PIECE_BYTES)
            for index in range(count):
                await stream.send(Piece(index * PIECE_BYTES), [piece])
            return None
        case PutChunk():
            total = 0
            async for more in stream:
                total += len(more.payload)
            return Number(total)
    return Number(0)


def serve(port: int) -> None:
    """A server process."""

    async def main() -> None:
        server = Server(handle, store_id="bench", name="bench")
        await server.start(Address("127.0.0.1", port))
        await asyncio.Event().wait()

    asyncio.run(main())


def serve_raw(port: int) -> None:
    """For each connection: one number of pieces, then as many pieces."""
    piece = bytearray(PIECE_BYTES)
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            sock, _ = listening.accept()
            with sock:
                for _ in range(int.from_bytes(sock.recv(8), "little")):
                    sock.sendall(piece)


def raw(port: int, pieces: int) -> float:
    """Seconds to receive the pieces from a plain socket."""
    space = memoryview(bytearray(PIECE_BYTES))
    with socket.create_connection(("127.0.0.1", port)) as sock:
        start = time.perf_counter()
        sock.sendall(pieces.to_bytes(8, "little"))
        left = pieces * PIECE_BYTES
        while left:
            left -= sock.recv_into(space)
        return time.perf_counter() - start


async def get(port: int, pieces: int) -> float:
    """Seconds to receive the pieces over a stream."""
    connection = await connect(Address("127.0.0.1", port))
    start = time.perf_counter()
    stream = await connection.open(GetChunk(ChunkId("", pieces)), end=True)
    total = 0
    async for received in stream:
        total += len(received.payload)
    seconds = time.perf_counter() - start
    assert total == pieces * PIECE_BYTES
    connection.close()
    return seconds


async def put(port: int, pieces: int) -> float:
    """Seconds to send the pieces over a stream."""
    connection = await connect(Address("127.0.0.1", port))
    piece = bytearray(PIECE_BYTES)
    start = time.perf_counter()
    stream = await connection.open(PutChunk(ChunkId("", 0), 0, 0, ""))
    for index in range(pieces):
        await stream.send(Piece(index * PIECE_BYTES), [piece])
    await stream.finish()
    answer = await stream.receive()
    seconds = time.perf_counter() - start
    assert answer is not None
    assert answer.message == Number(pieces * PIECE_BYTES)
    connection.close()
    return seconds


async def calls(port: int, count: int) -> tuple[float, float]:
    """Seconds of the median call one after the other, and of a call among 64 at once."""
    connection = await connect(Address("127.0.0.1", port))
    times = []
    for _ in range(count):
        start = time.perf_counter()
        await connection.call(NodeInfo())
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(count // 64):
        await asyncio.gather(*(connection.call(NodeInfo()) for _ in range(64)))
    at_once = (time.perf_counter() - start) / (count // 64 * 64)
    connection.close()
    return statistics.median(times), at_once


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    pieces = options.mebibytes * (1 << 20) // PIECE_BYTES
    ports = free_ports(2)
    processes = [
        multiprocessing.get_context("spawn").Process(target=target, args=(port,), daemon=True)
        for target, port in zip((serve, serve_raw), ports, strict=True)
    ]
    for process in processes:
        process.start()
    try:
        wait_for(ports)
        ways: dict[str, Callable[[], float]] = {
            "raw socket": lambda: raw(ports[1], pieces),
            "eau2 get": lambda: asyncio.run(get(ports[0], pieces)),
            "eau2 put": lambda: asyncio.run(put(ports[0], pieces)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                seconds[name].append(way())
        base = statistics.median(seconds["raw socket"])
        for name, measured in seconds.items():
            median = statistics.median(measured)
            rate = options.mebibytes / 1024 / median
            print(f"{name:12} {rate:6.2f} GiB/s  {base / median:5.2f} of the raw socket")
        one, at_once = asyncio.run(calls(ports[0], 2000))
        print(f"call         {one * 1e6:6.0f} us each, {at_once * 1e6:.0f} us among 64 at once")
    finally:
        for process in processes:
            process.terminate()
    return 0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def wait_for(ports: list[int], seconds: float = 30.0) -> None:
    """Wait until somebody listens on each."""
    until = time.monotonic() + seconds
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
