"""Tasks at the node that runs them: a request comes in, rows go out.

Owns: the order of messages of a task at the answering end, and that it ends when nobody waits for
it any more. Comes in: RunTask messages and their inputs; goes out: Rows. Does not know: plans, who
leads the query.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor

from eau2.catalog import ChunkKey, ChunkRef
from eau2.errors import ProtocolError
from eau2.kernels.host import Cancel
from eau2.kernels.sent import Arrived, Sent
from eau2.net.arrow import Payload
from eau2.net.connection import Answer
from eau2.net.message import Rows, RunTask, TaskChunk, TaskResult
from eau2.net.stream import Received, Stream
from eau2.node import Node

_log = logging.getLogger("eau2.tasks")

_CANCEL_S = 2.0
"""How long the thread of a cancelled task is waited for."""


class TaskService:
    """Answers RunTask over one node's chunks. Tasks run on threads of `executor`."""

    def __init__(self, node: Node, executor: Executor) -> None:
        self._node = node
        self._executor = executor
        self.running = 0

    async def answer(self, received: Received, stream: Stream) -> Answer:
        """Run a task. Raises what its fragment raises, ProtocolError for a malformed request.

        Cancelled, it cancels the kernel.
        """
        request = received.message
        if not isinstance(request, RunTask):
            raise ProtocolError(f"a {type(request).__name__} is no task")
        start = time.perf_counter()
        inputs = await _inputs(request, stream)
        fragment = bytes(received.payload)
        cancel = Cancel(stream.request.deadline_s)
        read: list[int] = []

        def work() -> list[Payload]:
            stages = Sent({stage: Arrived(parts) for stage, parts in inputs.items()})
            chunks = tuple(map(_chunk, request.chunks))
            return self._node.send(fragment, chunks, stages, cancel, read.append)

        *parts, (last, last_buffers) = await self._run(work, cancel)
        rows = last
        for count, buffers in parts:
            rows += count
            await stream.send(Rows(count), buffers)
        elapsed_s = time.perf_counter() - start
        _log.debug(
            "task %d of stage %d, attempt %d: %d rows in %.3f s",
            request.number,
            request.stage,
            request.attempt + 1,
            rows,
            elapsed_s,
            extra={"query": stream.request.query},
        )
        return TaskResult(rows, elapsed_s, sum(read)), last_buffers

    async def _run(self, work: Callable[[], list[Payload]], cancel: Cancel) -> list[Payload]:
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(_seen)
        self.running += 1
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            cancel.cancel()
            # The kernel is killed; its thread says so at once.
            await asyncio.wait([future], timeout=_CANCEL_S)
            raise
        finally:
            self.running -= 1


def _seen(future: asyncio.Future[list[Payload]]) -> None:
    """Take note of how a task ended that nobody waits for any more."""
    if not future.cancelled():
        future.exception()


async def _inputs(request: RunTask, stream: Stream) -> dict[int, list[Payload]]:
    """The payloads of each input, of which there is one at least. Raises ProtocolError."""
    inputs: dict[int, list[Payload]] = {stage: [] for stage in request.inputs}
    if not inputs:
        return inputs
    while (received := await stream.receive()) is not None:
        match received.message:
            case Rows(rows=rows, source=stage) if stage in inputs:
                inputs[stage].append((rows, [received.payload]))
            case _:
                raise ProtocolError("a task got rows that are none of its inputs")
    missing = [stage for stage, parts in inputs.items() if not parts]
    if missing:
        raise ProtocolError(f"a task did not get its input {missing[0]}")
    return inputs


def _chunk(named: TaskChunk) -> ChunkRef:
    """A chunk that a task names."""
    key = ChunkKey(named.df_id, named.number)
    return ChunkRef(key, named.rows, named.bytes, named.checksum, (), named.holders)
