"""The kernel host with processes of its own: for nodes.

Owns: a pool of kernel processes, started ahead and replaced when they end, and the shared memory in
which rows pass. Comes in: fragments with their inputs; goes out: rows. A crash, too much memory or
a cancel costs the fragment and its process, never this one.
Does not know: what is said between the processes in detail (process.py, channel.py), tasks.

A thread of the host starts the processes and buries them, because the operating system ends a child
whose parent *thread* ends (worker.py asks it to), and so that nobody waits for either.
"""

from __future__ import annotations

import logging
import queue
import shutil
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress

import polars as pl
import pyarrow as pa

from eau2.config import KERNELS
from eau2.errors import (
    BusyError,
    CancelledError,
    DeadlineError,
    Error,
    InterfaceError,
    OperationalError,
)
from eau2.kernels.channel import Body, Message, Shared, body_of, bytes_of
from eau2.kernels.host import Cancel, ChunkFiles
from eau2.kernels.process import KernelProcess, error_of
from eau2.kernels.sent import Arrived, Sent
from eau2.kernels.spill import SpillDirectory
from eau2.kernels.transfer import from_ipc, size_of, table_to_ipc, to_ipc
from eau2.kernels.worker import ERRORS
from eau2.native import NativeModules
from eau2.net.arrow import Payload
from eau2.net.codec import encode_fragment
from eau2.operators.base import Operator

_log = logging.getLogger(__name__)

_Rows = pl.DataFrame | Arrived


class SubprocessHost:
    """Runs fragments in kernel processes, as many at a time as there are. Thread-safe."""

    def __init__(
        self,
        threads: int | None = None,
        memory_bytes: int | None = None,
        processes: int = 1,
        spill_place: str | None = None,
        spill_bytes: int | None = None,
        natives: NativeModules | None = None,
    ) -> None:
        """Start the processes; nobody waits for them here.

        threads: kernel threads of each (None: as many as cores). memory_bytes: what all together
        may have; each spills beyond half of its share, and is killed beyond it. spill_place: the
        directory for that, by default the system's for temporary files. spill_bytes: what all may
        spill; None for half of the space that is free now. natives: what the processes load. Raises
        OSError for a wrong place.
        """
        self._memory_bytes = None if memory_bytes is None else memory_bytes // processes
        self._variables: dict[str, str] = {}
        self._natives = natives or NativeModules()
        self._spill: SpillDirectory | None = None
        if threads is not None:
            self._variables["POLARS_MAX_THREADS"] = str(threads)
        if self._memory_bytes is not None:
            self._spill = SpillDirectory(spill_place)
            self._variables["POLARS_OOC_MEMORY_BUDGET_MB"] = str(max(1, self._memory_bytes >> 21))
            self._variables["POLARS_OOC_SPILL_DIR"] = str(self._spill.path)
            if spill_bytes is None:
                spill_bytes = shutil.disk_usage(self._spill.path).free // 2
            disk_mb = max(1, (spill_bytes // processes) >> 20)
            self._variables["POLARS_OOC_DISK_BUDGET_MB"] = str(disk_mb)
        self._changed = threading.Condition()
        self._idle: list[KernelProcess] = []
        self._all: set[KernelProcess] = set()
        self._failure: OperationalError | None = None
        self._closed = False
        self._shared = _SharedFrames()
        self._fragments: dict[int, tuple[Operator, bytes]] = {}
        # A process to bury, or None to start one, or False to end.
        self._chores: queue.SimpleQueue[KernelProcess | bool | None] = queue.SimpleQueue()
        self._caretaker = threading.Thread(target=self._work, daemon=True, name="kernel processes")
        self._caretaker.start()
        for _ in range(processes):
            self._chores.put(None)

    @property
    def takes_files(self) -> bool:
        """Chunk files are mapped where they are used."""
        return True

    def run(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> pl.DataFrame:
        """See KernelHost.run. A cancel kills the process and shows at once."""
        return self._rows(self._asked(fragment, chunks, stages, cancel, sends=False))

    def send(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None = None,
    ) -> list[Payload]:
        """See KernelHost.send. The payloads lie in memory that the process has written."""
        answer = self._asked(fragment, chunks, stages, cancel, sends=True)
        made: list[Payload] = []
        (body,) = answer.bodies
        view, place = memoryview(bytes_of(body)), 0
        for rows, size in answer.control["payloads"]:
            made.append((rows, [view[place : place + size]]))
            place += size
        return made

    def _asked(
        self,
        fragment: Operator,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, pl.DataFrame],
        cancel: Cancel | None,
        sends: bool,
    ) -> Message:
        """The answer of a process. sends: its rows are wanted as payloads."""
        encoded = self._encoded(fragment)
        # Held until the end: shared memory is used again when its frame is gone.
        held: dict[int, _Rows] = {}
        held.update(stages.stages if isinstance(stages, Sent) else stages)
        control, bodies = self._request(chunks, held, sends)
        process = self._take(cancel)
        call = _Call(process)
        take_back = None if cancel is None else cancel.on_cancel(call.stop)
        try:
            answer = process.ask(encoded, control, bodies, cancel)
        except BaseException as error:
            call.end()
            if isinstance(error, Error) and not isinstance(error, CancelledError):
                _log.warning("kernel process %d: %s", process.pid, error.message)
            self._discard(process)
            raise
        finally:
            if take_back is not None:
                take_back()
        if not call.end():
            self._discard(process)
        else:
            self._give_back(process)
        if cancel is not None:
            cancel.check()
        if not answer.control["ok"]:
            trace = answer.control["trace"]
            if trace is not None:
                _log.error("a kernel process failed: %s", trace)
            raise error_of(answer.control, ERRORS)
        return answer

    def close(self) -> None:
        """End all processes. Running fragments end first, unless they take too long."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if not self._changed.wait_for(self._at_rest, KERNELS.drain_s):
                for process in self._all:
                    process.kill()
                self._changed.wait_for(self._at_rest, KERNELS.stop_s)
        self._chores.put(False)
        self._caretaker.join(KERNELS.start_s)
        self._shared.clear()
        self._fragments.clear()
        if self._spill is not None:
            self._spill.close()

    def _at_rest(self) -> bool:
        return len(self._idle) == len(self._all)

    def process_ids(self) -> tuple[int, ...]:
        """The process ids of all kernel processes."""
        with self._changed:
            return tuple(sorted(process.pid for process in self._all))

    def _encoded(self, fragment: Operator) -> bytes:
        """Fragments come again as the same object: for each run of chunks, and when repeated."""
        known = self._fragments.get(id(fragment))
        if known is not None:
            return known[1]
        encoded = encode_fragment(fragment)
        if len(self._fragments) >= KERNELS.fragments:
            self._fragments.clear()
        self._fragments[id(fragment)] = (fragment, encoded)
        return encoded

    def _request(
        self,
        chunks: pa.Table | ChunkFiles | None,
        stages: Mapping[int, _Rows],
        sends: bool,
    ) -> tuple[dict[str, object], list[Body]]:
        files = chunks if isinstance(chunks, ChunkFiles) else None
        table = None if isinstance(chunks, ChunkFiles) else chunks
        try:
            bodies = [] if table is None else [body_of(table_to_ipc(table))]
            bodies += [self._shared.body(rows) for rows in stages.values()]
        except OSError as error:
            raise OperationalError(f"no shared memory for a fragment's rows: {error}") from error
        return {
            "files": None if files is None else files.paths,
            "columns": None if files is None else files.columns,
            "runs": () if files is None else files.runs,
            "table": table is not None,
            "stages": [(stage, _payload_sizes(rows)) for stage, rows in stages.items()],
            "sends": sends,
        }, bodies

    def _rows(self, answer: Message) -> pl.DataFrame:
        (body,) = answer.bodies
        rows = from_ipc(bytes_of(body))
        if isinstance(body, Shared):
            self._shared.keep(rows, body, mapped=True)
        return rows

    def _take(self, cancel: Cancel | None) -> KernelProcess:
        """A process that is ready, for this caller alone."""
        ends = time.monotonic() + KERNELS.queue_s
        take_back = None if cancel is None else cancel.on_cancel(self._wake)
        try:
            while True:
                process = self._next(cancel, ends)
                try:
                    process.await_ready(cancel)
                except (CancelledError, DeadlineError):
                    self._give_back(process)
                    raise
                except Error:
                    self._discard(process)
                    raise
                if process.alive():
                    return process
                # It was killed while it had nothing to do, which costs nobody anything.
                self._discard(process)
        finally:
            if take_back is not None:
                take_back()

    def _next(self, cancel: Cancel | None, ends: float) -> KernelProcess:
        with self._changed:
            while not self._idle:
                if self._closed:
                    break
                if cancel is not None:
                    cancel.check()
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    self._chores.put(None)
                    raise failure
                left = None if cancel is None else cancel.left_s()
                if time.monotonic() > ends:
                    raise BusyError(f"no kernel process was free for {KERNELS.queue_s:.0f} s")
                self._changed.wait(1.0 if left is None else min(1.0, left))
            if self._closed:
                raise InterfaceError("the kernel host is closed")
            return self._idle.pop()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _give_back(self, process: KernelProcess) -> None:
        with self._changed:
            self._idle.append(process)
            self._changed.notify_all()

    def _discard(self, process: KernelProcess) -> None:
        """Kill a process now; another one starts, and its remains are seen to, in a while."""
        process.kill()
        with self._changed:
            self._all.discard(process)
            if not self._closed:
                self._chores.put(None)
            self._chores.put(process)
            self._changed.notify_all()

    def _work(self) -> None:
        """The caretaker's life."""
        while True:
            chore = self._chores.get()
            if chore is False:
                break
            if isinstance(chore, KernelProcess):
                self._bury(chore)
            elif not self._closed:
                self._start()
        with self._changed:
            left = list(self._all)
            self._all.clear()
            self._idle.clear()
            self._changed.notify_all()
        while not self._chores.empty():
            chore = self._chores.get()
            if isinstance(chore, KernelProcess):
                left.append(chore)
        for process in left:
            self._bury(process)

    def _start(self) -> None:
        try:
            process = KernelProcess(self._variables, self._memory_bytes, self._natives)
        except OperationalError as error:
            _log.error("%s", error.message)
            with self._changed:
                self._failure = error
                self._changed.notify_all()
            return
        with self._changed:
            self._all.add(process)
            self._idle.append(process)
            self._changed.notify_all()

    def _bury(self, process: KernelProcess) -> None:
        words = process.last_words()
        if words:
            _log.warning("kernel process %d wrote: %s", process.pid, words)
        process.reap()
        if self._spill is not None:
            self._spill.forget(process.pid)


def _payload_sizes(rows: _Rows) -> list[int] | None:
    """The bytes of each payload of rows that came over the wire."""
    return [len(buffer) for buffer in rows.buffers] if isinstance(rows, Arrived) else None


class _Call:
    """Whether a process works for one caller; a cancel that comes later must not touch it."""

    def __init__(self, process: KernelProcess) -> None:
        self._process = process
        self._guard = threading.Lock()
        self._running = True
        self._stopped = False

    def stop(self) -> None:
        """Kill the process, if it still works for this caller."""
        with self._guard:
            if self._running:
                self._stopped = True
                self._process.kill()

    def end(self) -> bool:
        """The call is over; whether the process may be used again."""
        with self._guard:
            self._running = False
            return not self._stopped


class _SharedFrames:
    """The shared memory that holds frames which are alive, so that none is written twice.

    An input of several tasks is written once; a kernel's result that becomes an input is there.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._kept: OrderedDict[int, tuple[weakref.ref[_Rows], Shared]] = OrderedDict()
        self._spares: list[Shared] = []

    def body(self, frame: _Rows) -> Body:
        """The frame as a body. Raises OSError."""
        with self._guard:
            kept = self._kept.get(id(frame))
            if kept is not None and kept[0]() is frame:
                self._kept.move_to_end(id(frame))
                return kept[1]
        buffers = frame.buffers if isinstance(frame, Arrived) else to_ipc(frame)
        if size_of(buffers) <= KERNELS.inline_bytes:
            return b"".join(buffers)
        shared = self._spare()
        if shared is None:
            shared = Shared.holding(buffers)
        else:
            shared.fill(buffers)
        self.keep(frame, shared, mapped=False)
        return shared

    def keep(self, frame: _Rows, shared: Shared, mapped: bool) -> None:
        """Remember which shared memory holds a frame, for as long as the frame lives.

        mapped: the frame lies in it, so that others may still read it when the frame is gone.
        """
        key = id(frame)

        def forget(_: object) -> None:
            # The frame outlives every run that reads it, so the memory is free now. Without the
            # guard, which the interrupted thread may hold.
            if self._kept.pop(key, None) is None or mapped or len(self._spares) >= KERNELS.spares:
                return
            if shared.held_bytes() <= KERNELS.spare_bytes:
                self._spares.append(shared)

        with self._guard:
            self._kept[key] = (weakref.ref(frame, forget), shared)
            if len(self._kept) > KERNELS.shared_frames:
                self._kept.popitem(last=False)

    def _spare(self) -> Shared | None:
        """Memory to use again."""
        with suppress(IndexError):
            return self._spares.pop()
        return None

    def clear(self) -> None:
        """Let go of all."""
        with self._guard:
            self._kept.clear()
            self._spares.clear()
