"""A kernel process: `python -m eau2.kernels.worker FD PARENT PLACE MODULE...`. Runs fragments.

Owns: the child's side of the conversation, what it keeps between runs (decoded fragments, mapped
chunk files), and its end. Comes in: messages of kernels/channel.py; goes out: the same.
Does not know: who asks, SQL, names. It imports no parser and no planner.

A request is {fragment, new, forget, files, columns, runs, table, stages, sends} and the bodies
[fragment?] [table?] [stage ...]: `fragment` is a number that stands for an encoded fragment, `new`
says that its bytes come along, `forget` that all numbers before are void. A stage is (number,
sizes), where sizes are those of its payloads if it came over the wire, else null. The answer is
{ok: true} with the rows as its body; as payloads of the wire where `sends` asks for them, then
`payloads` has the rows and bytes of each. Or it is {ok: false, error, message, hint, trace}. The
first message says that the process is ready.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from eau2 import errors
from eau2.config import KERNELS
from eau2.errors import Error, InternalError
from eau2.kernels.channel import Body, Message, body_of, bytes_of, receive, send
from eau2.kernels.mapped import MappedFiles
from eau2.kernels.runner import run_fragment
from eau2.kernels.transfer import from_ipc, size_of, table_from_ipc, to_ipc
from eau2.native import NativeModules, place_of
from eau2.net.arrow import decode_frame, payloads
from eau2.net.codec import decode_fragment
from eau2.operators.base import Operator
from eau2.operators.forms import joined

_PR_SET_PDEATHSIG = 1
_SWEEP_S = 5.0

ERRORS: dict[str, type[Error]] = {
    name: class_
    for name, class_ in vars(errors).items()
    if isinstance(class_, type) and issubclass(class_, Error)
}
"""The classes by whose names errors travel."""


class _Kernels:
    """What a kernel process keeps between requests."""

    def __init__(self) -> None:
        self._fragments: dict[int, Operator] = {}
        self._files = MappedFiles()

    def answer(self, request: Message) -> Message:
        """The answer to a request; never raises what the request is to blame for."""
        try:
            rows = self._run(request.control, list(request.bodies))
            if not request.control["sends"]:
                return Message({"ok": True}, (body_of(to_ipc(rows)),))
            made = list(payloads(rows))
            sizes = [(count, size_of(buffers)) for count, buffers in made]
            body = body_of([buffer for _, buffers in made for buffer in buffers])
            return Message({"ok": True, "payloads": sizes}, (body,))
        except Error as error:
            return _failure(error)
        except MemoryError:
            return _failure(errors.OperationalError("the query ran out of memory"))
        except OSError as error:
            return _failure(errors.OperationalError(f"a kernel process failed: {error}"))
        except Exception as error:
            trace = traceback.format_exc()
            return _failure(InternalError(f"{type(error).__name__}: {error}"), trace)

    def sweep(self) -> None:
        """Let go of what is no longer there."""
        self._files.sweep()

    def _run(self, control: Mapping[str, Any], bodies: list[Body]) -> pl.DataFrame:
        if control["forget"]:
            self._fragments.clear()
        number = control["fragment"]
        if control["new"]:
            packed = bodies.pop(0)
            assert isinstance(packed, bytes)
            self._fragments[number] = decode_fragment(packed)
        table: pa.Table | None = None
        if control["files"]:
            table = self._files.table(control["files"], control["columns"], control["runs"])
        elif control["table"]:
            table = table_from_ipc(bytes_of(bodies.pop(0)))
        stages = {
            stage: from_ipc(bytes_of(body)) if sizes is None else _arrived(body, sizes)
            for (stage, sizes), body in zip(control["stages"], bodies, strict=True)
        }
        return run_fragment(self._fragments[number], table, stages)


def _arrived(body: Body, sizes: list[int]) -> pl.DataFrame:
    """Rows that came to the node over the wire, in payloads of these sizes."""
    view, place, frames = memoryview(bytes_of(body)), 0, []
    for size in sizes:
        frames.append(decode_frame(view[place : place + size]))
        place += size
    return joined(frames)


def _failure(error: Error, trace: str | None = None) -> Message:
    """An error by the name of its class, or of the nearest one that is known everywhere."""
    name = next(c.__name__ for c in type(error).__mro__ if ERRORS.get(c.__name__) is c)
    if trace is None and isinstance(error, InternalError):
        trace = "".join(traceback.format_exception(error))
    return Message(
        {
            "ok": False,
            "error": name,
            "message": error.message,
            "hint": error.hint,
            "trace": trace,
        }
    )


def _end_with_parent(sock: socket.socket, parent: int) -> None:
    """End this process when the parent dies, even while a kernel call is running.

    The operating system is asked where it can be; a thread waits for the socket's other end to
    close besides, which is all there is elsewhere.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    closed = select.poll()
    closed.register(sock, select.POLLHUP | select.POLLERR)

    def watch() -> None:
        closed.poll()
        os._exit(0)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def _warm_up() -> None:
    """Have Polars start its threads before the first fragment needs them."""
    frame = pl.DataFrame({"a": [1, 2], "b": ["", ""]}).lazy().group_by("b").agg(pl.col("a").sum())
    frame.collect(engine="in-memory")
    from_ipc(b"".join(to_ipc(frame.collect(engine="streaming"))))


def serve(sock: socket.socket) -> None:
    """Answer requests until the other side closes."""
    kernels = _Kernels()
    _warm_up()
    send(sock, Message({"ready": os.getpid(), "threads": pl.thread_pool_size()}))
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    swept = time.monotonic()
    while True:
        idle = not waiting.poll(_SWEEP_S * 1000)
        if idle or time.monotonic() - swept > _SWEEP_S:
            kernels.sweep()
            swept = time.monotonic()
        if idle:
            continue
        # Nothing of a request or an answer is held while the next one is awaited.
        send(sock, kernels.answer(receive(sock)))


def main(arguments: list[str]) -> int:
    """Serve on the socket whose descriptor is the first argument; the second is the parent.

    Then what messages call this place, and the modules of native functions.
    """
    first, second, place, *modules = arguments
    fd, parent = int(first), int(second)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sock = socket.socket(fileno=fd)
    sock.settimeout(KERNELS.talk_s)
    _end_with_parent(sock, parent)
    place_of(NativeModules(tuple(modules), place))
    try:
        serve(sock)
    except (EOFError, OSError):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
