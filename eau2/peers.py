"""The coordinator's way to tasks on other nodes: a task goes out, its rows come back.

Owns: the order of messages of a task at the asking end, that a result which nobody takes stops its
node, and that errors name the node they are about. Comes in: tasks; goes out: payloads of rows, as
they come. Does not know: plans, schedules, what a fragment computes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future

from eau2.catalog import ChunkRef
from eau2.errors import Error, OperationalError, ProtocolError
from eau2.net.message import Message, Rows, RunTask, TaskChunk, TaskResult
from eau2.travel import Ended, Input, RemoteTask, Report
from eau2.world import Net, Talk

_AHEAD = 4
"""Payloads of a waiting task that are reported and not taken."""


class Peers:
    """Runs tasks on other nodes, which `net` leads to from the event loop `loop`."""

    def __init__(self, net: Net, loop: asyncio.AbstractEventLoop) -> None:
        self._net = net
        self._loop = loop

    def start(
        self, task: RemoteTask, deadline_s: float, query: str, report: Report, waits: bool
    ) -> PeerTask:
        """See travel.Remote. Errors of the surroundings name the node."""
        running = PeerTask(self._loop)
        if not waits:
            running.begun.set()
        running.future = asyncio.run_coroutine_threadsafe(
            self._run(task, deadline_s, query, report, running if waits else None), self._loop
        )
        return running

    async def _run(
        self,
        task: RemoteTask,
        deadline_s: float,
        query: str,
        report: Report,
        pace: PeerTask | None,
    ) -> None:
        talk: Talk | None = None
        try:
            talk = await self._asked(task, deadline_s, query)
            ended = None
            while ended is None:
                payload, ended = await _next(talk)
                if pace is not None:
                    await pace.begun.wait()
                    await pace.room.acquire()
                report(payload)
            report(ended)
        except OperationalError as error:
            report(_at(task.node, error))
        except Exception as error:
            report(error)
        finally:
            if talk is not None:
                talk.cancel()

    async def _asked(self, task: RemoteTask, deadline_s: float, query: str) -> Talk:
        """The talk about a task that was sent whole."""
        inputs = tuple(task.inputs)
        holders = task.holders or ((),) * len(task.chunks)
        chunks = tuple(map(_chunk, task.chunks, holders))
        talk = await self._net.open(
            task.node,
            RunTask(task.stage, task.number, task.attempt, chunks, inputs),
            [task.fragment],
            deadline_s=deadline_s,
            query=query,
            end=not inputs,
        )
        try:
            if inputs:
                await _send_inputs(talk, task.inputs)
        except BaseException:
            talk.cancel()
            raise
        return talk


class PeerTask:
    """See travel.Running."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.begun = asyncio.Event()
        self.room = asyncio.Semaphore(_AHEAD)
        self.future: Future[None] | None = None
        self._loop = loop

    def begin(self) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)

    def taken(self) -> None:
        self._loop.call_soon_threadsafe(self.room.release)

    def cancel(self) -> None:
        if self.future is not None:
            self.future.cancel()


async def _send_inputs(talk: Talk, inputs: Mapping[int, Input]) -> None:
    for stage, payloads in inputs.items():
        for rows, buffers in payloads:
            await talk.send(Rows(rows, stage), buffers)
    await talk.finish()


async def _next(talk: Talk) -> tuple[memoryview, Ended | None]:
    """The next payload of a task's rows, and the task's end when it is the last."""
    received = await talk.receive()
    match None if received is None else received.message:
        case Rows() if received is not None:
            return received.payload, None
        case TaskResult(elapsed_s=seconds, rows_read=read) if received is not None:
            return received.payload, Ended(seconds, read)
        case other:
            raise ProtocolError(f"a task was answered with {_said(other)}")


def _chunk(chunk: ChunkRef, holders: tuple[str, ...]) -> TaskChunk:
    key = chunk.key
    return TaskChunk(key.df_id, key.number, chunk.rows, chunk.bytes, chunk.checksum, holders)


def _said(message: Message | None) -> str:
    return "nothing" if message is None else f"a {type(message).__name__}"


def _at(node: str, error: Error) -> Error:
    """The error with the name of the node that it is about."""
    if node in error.message:
        return error
    told = type(error)(f"node {node}: {error.message}", hint=error.hint)
    told.__cause__ = error
    return told
