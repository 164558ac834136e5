"""The wire for callers that wait: the same connection, run by a thread of its own.

Owns: the thread and its loop. Comes in: calls from any thread; goes out: answers, or the errors
they ended with. Does not know: what is asked. An interrupted call (Ctrl-C) cancels its request.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent import futures
from types import TracebackType
from typing import Any, Generic, TypeVar

from eau2.config import WIRE, WireLimits
from eau2.errors import InterfaceError
from eau2.net.address import Address
from eau2.net.client import connect
from eau2.net.connection import Connection
from eau2.net.frame import Buffer
from eau2.net.message import Message, Welcome
from eau2.net.stream import Received, Stream

T = TypeVar("T")

_END_S = 1.0
"""How long what was cancelled at the end may take to end."""
_WAIT_S = 0.2
"""A Ctrl-C that comes just before a wait is not seen during it, so that none may be long."""


class _Call(Generic[T]):
    """A coroutine that a loop is to run, and its end.

    asyncio.run_coroutine_threadsafe gives the future to cancel only once the loop has been told: an
    interrupt that comes in between would leave the coroutine running. All but `future` and `close`
    is for the loop's thread.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.future: futures.Future[T] = futures.Future()
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._coroutine)
        self._task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """End it, whether it has begun or not, and let go of what it may have given already.

        The traceback of an interrupt holds the call for as long as somebody looks at it.
        """
        self.close()
        if self._task is not None:
            self._task.cancel()
        self.future, self._task = futures.Future(), None

    def close(self) -> None:
        """It will not begin any more, if it has not."""
        if self._task is None:
            self._coroutine.close()

    def _ended(self, task: asyncio.Task[T]) -> None:
        if task is not self._task:
            # Called once it was given up already.
            return
        if task.cancelled():
            self.future.cancel()
        elif (error := task.exception()) is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())


class LoopThread:
    """An asyncio loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_serve, args=(self._loop,), name="eau2", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end and give the result; interrupted, it is cancelled.

        Raises InterfaceError after `close`.
        """
        call = _Call(coroutine)
        try:
            running = self.soon(call.start)
            while running:
                try:
                    return call.future.result(_WAIT_S)
                except TimeoutError:
                    if call.future.done():
                        return call.future.result()
                    running = self._thread.is_alive()
        except futures.CancelledError:
            pass
        except BaseException:
            self.soon(call.cancel)
            raise
        # By another thread, before there was an answer.
        call.close()
        raise InterfaceError("the connection is closed")

    def soon(self, function: Callable[[], object]) -> bool:
        """Have a function called, without waiting for it; not at all, and False, after the end."""
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return True

    def close(self) -> None:
        """Stop the thread; what runs is cancelled. May be called again, on any thread."""
        self.soon(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()


class BlockingStream:
    """A stream whose methods wait. As a context, and when it is let go, it ends what has not."""

    def __init__(self, thread: LoopThread, stream: Stream) -> None:
        self._thread = thread
        self._stream = stream
        self._cancelled = False

    def send(self, message: Message, payload: Sequence[Buffer] = (), end: bool = False) -> None:
        """As Stream.send."""
        self._thread.run(self._stream.send(message, payload, end))

    def finish(self) -> None:
        """As Stream.finish."""
        self._thread.run(self._stream.finish())

    def receive(self) -> Received | None:
        """As Stream.receive."""
        return self._thread.run(self._stream.receive())

    def __iter__(self) -> Iterator[Received]:
        while (received := self.receive()) is not None:
            yield received

    @property
    def done(self) -> bool:
        """As Stream.done; also once it is cancelled from here."""
        return self._cancelled or self._stream.done

    def cancel(self) -> None:
        """As Stream.cancel; whatever is asked next is asked after it."""
        self._cancelled = True
        self._thread.soon(self._stream.cancel)

    def __del__(self) -> None:
        if not self.done:
            self.cancel()

    def __enter__(self) -> BlockingStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.done:
            self.cancel()


class BlockingConnection:
    """A connection whose methods wait. Raises as net/client.py and net/connection.py do."""

    def __init__(
        self,
        address: Address,
        *,
        role: str = "client",
        name: str = "",
        store_id: str = "",
        token: str = "",
        limits: WireLimits = WIRE,
    ) -> None:
        self._thread = LoopThread()
        try:
            self._connection: Connection = self._thread.run(
                connect(
                    address,
                    role=role,
                    name=name,
                    store_id=store_id,
                    token=token,
                    limits=limits,
                )
            )
        except BaseException:
            self._thread.close()
            raise

    @property
    def welcome(self) -> Welcome:
        """Who answered."""
        welcome = self._connection.welcome
        assert welcome is not None
        return welcome

    @property
    def closed(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._connection.closed

    def call(
        self,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float | None = None,
        query: str = "",
    ) -> Received:
        """As Connection.call."""
        return self._thread.run(
            self._connection.call(message, payload, deadline_s=deadline_s, query=query)
        )

    def collect(
        self,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float | None = None,
        query: str = "",
    ) -> list[Received]:
        """Ask, and wait for the whole answer, all messages of it."""
        return self._thread.run(
            _collected(self._connection, message, payload, deadline_s=deadline_s, query=query)
        )

    def open(
        self,
        message: Message,
        payload: Sequence[Buffer] = (),
        *,
        deadline_s: float | None = None,
        query: str = "",
        end: bool = False,
    ) -> BlockingStream:
        """As Connection.open."""

        async def opened() -> BlockingStream:
            # Made on the loop's thread: whoever is interrupted here lets go of it, and so ends it.
            stream = await self._connection.open(
                message, payload, deadline_s=deadline_s, query=query, end=end
            )
            return BlockingStream(self._thread, stream)

        return self._thread.run(opened())

    def close(self) -> None:
        """End the connection and its thread. May be called again, on any thread."""
        self._thread.soon(self._connection.close)
        self._thread.close()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    # What was asked last becomes a task; what has ended is told to who waits for it.
    loop.run_until_complete(asyncio.sleep(0))
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=_END_S))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


async def _collected(
    connection: Connection,
    message: Message,
    payload: Sequence[Buffer],
    *,
    deadline_s: float | None,
    query: str,
) -> list[Received]:
    stream = await connection.open(message, payload, deadline_s=deadline_s, query=query, end=True)
    try:
        return [received async for received in stream]
    finally:
        stream.cancel()
