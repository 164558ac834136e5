"""The coordinator's way to tasks on other nodes: a task goes out, its rows come back.

Owns: the order of messages of a task at the asking end, and that errors name the node they are
about. Comes in: an encoded fragment, chunks, inputs as payloads; goes out: payloads of rows, as
they come. Does not know: plans, schedules, what a fragment computes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from eau2.catalog import ChunkRef
from eau2.errors import Error, OperationalError, ProtocolError
from eau2.net.arrow import encode_table, kernel_table, parts
from eau2.net.frame import Buffer
from eau2.net.message import Message, Rows, RunTask, TaskChunk, TaskResult
from eau2.world import Net, Talk

Payload = tuple[int, list[Buffer]]
"""A number of rows, and the buffers that hold them."""

Input = tuple[Payload, ...]
"""The result of an earlier stage, ready to be sent to any number of nodes: one payload at least."""


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A task as its node gets it. inputs: results of earlier stages, by stage."""

    node: str
    stage: int
    number: int
    fragment: bytes
    chunks: tuple[ChunkRef, ...]
    inputs: Mapping[int, Input]


def encoded(frame: pl.DataFrame) -> Input:
    """A frame in kernel form as an input; its memory is not copied."""
    return tuple(payloads(frame))


def payloads(frame: pl.DataFrame) -> Iterator[Payload]:
    """A frame in kernel form as payloads of a fit size."""
    for part in parts(kernel_table(frame)):
        yield part.num_rows, encode_table(part)


class Peers:
    """Runs tasks on other nodes. For coroutines of the loop `loop`, on which `net` lives."""

    def __init__(self, net: Net, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._net = net

    async def run(
        self, task: RemoteTask, deadline_s: float, query: str = ""
    ) -> AsyncGenerator[memoryview, None]:
        """The rows of a task as payloads for `decode_frame`, of which there is at least one.

        The node waits while nobody takes them.

        Raises what the node raised; where the surroundings failed, the error names the node.
        """
        inputs = tuple(task.inputs)
        chunks = tuple(_chunk(chunk) for chunk in task.chunks)
        request = RunTask(task.stage, task.number, 0, chunks, inputs)
        talk: Talk | None = None
        try:
            talk = await self._net.open(
                task.node,
                request,
                [task.fragment],
                deadline_s=deadline_s,
                query=query,
                end=not inputs,
            )
            if inputs:
                await _send_inputs(talk, task.inputs)
            while True:
                received = await talk.receive()
                match None if received is None else received.message:
                    case Rows() if received is not None:
                        yield received.payload
                    case TaskResult():
                        return
                    case other:
                        raise ProtocolError(f"a task was answered with {_said(other)}")
        except OperationalError as error:
            raise _at(task.node, error) from error
        finally:
            if talk is not None:
                talk.cancel()


async def _send_inputs(talk: Talk, inputs: Mapping[int, Input]) -> None:
    for stage, input_ in inputs.items():
        for rows, buffers in input_:
            await talk.send(Rows(rows, stage), buffers)
    await talk.finish()


def _chunk(chunk: ChunkRef) -> TaskChunk:
    key = chunk.key
    return TaskChunk(key.df_id, key.number, chunk.rows, chunk.bytes, chunk.checksum)


def _said(message: Message | None) -> str:
    return "nothing" if message is None else f"a {type(message).__name__}"


def _at(node: str, error: Error) -> Error:
    """The error with the name of the node that it is about."""
    if node in error.message:
        return error
    return type(error)(f"node {node}: {error.message}", hint=error.hint)
