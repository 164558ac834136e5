"""The process of a node: `eau2 node` runs one.

Owns: the process's signals, the line that says the node is ready, how many files it may open, and
the ways in which it ends. Comes in: options; goes out: an exit code. Does not know: what a node is
made of (process.py), what it answers.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from eau2 import logs
from eau2.config import LAUNCH
from eau2.launch import UNTIL_EOF, NodeOptions, ready_line
from eau2.net.address import SCHEME
from eau2.process import RunningNode
from eau2.world import DiskWatch

T = TypeVar("T")

_log = logging.getLogger("eau2.process")


def run_node(options: NodeOptions) -> int:
    """Run a node until it is told to stop; the exit code. Raises as RunningNode.start."""
    logs.setup()
    # The loop is not to wait long for a thread that plans or converts: all share one interpreter.
    sys.setswitchinterval(LAUNCH.switch_s)
    _allow_files(LAUNCH.files)
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    # Not asyncio.run: at the end it would wait for threads that may wait for a disk or a peer.
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(LAUNCH.loop_threads, "eau2"))
    try:
        loop.run_until_complete(_run(options))
    finally:
        loop.close()
    return 0


async def _run(options: NodeOptions) -> None:
    told = asyncio.Event()
    again = asyncio.Event()

    def note(why: str) -> None:
        _log.info("told to stop by %s", why)
        (again if told.is_set() else told).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, note, signal.Signals(number).name)
    starting = asyncio.create_task(RunningNode.start(options, DiskWatch(_end_at_once)))
    if not await _before(starting, told):
        return
    node = starting.result()
    logs.name_node(node.name)
    _log.info("listens at %s%s", SCHEME, node.address)
    sys.stdout.write(ready_line(node.name, node.store_id, node.address))
    sys.stdout.flush()
    if os.environ.get(UNTIL_EOF) == "1":
        _watch_stdin(loop, note)
    await told.wait()
    if not await _before(asyncio.create_task(node.stop()), again):
        await node.stop(0)
    _log.info("stopped")


def _end_at_once(why: str) -> None:
    """End the process: after a failed write nobody knows what is on the disk but who reads it.

    In any thread. Nothing is answered any more: an answer would say that something is durable.
    """
    _log.critical(
        "the disk has failed: %s. The node ends at once, since what it has answered last may not"
        " be on the disk. Look at the disk (dmesg), then start the node again: it takes up what is"
        " there. If the disk is to be replaced, join with an empty directory.",
        why,
    )
    sys.stderr.flush()
    os._exit(os.EX_IOERR)


async def _before(work: asyncio.Task[T], event: asyncio.Event) -> bool:
    """Wait for the work to end, and whether it did before the event; if not, it is cancelled."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if work.done():
        work.result()
        return True
    work.cancel()
    await asyncio.wait([work])
    return False


def _allow_files(count: int) -> None:
    """Let this process have so many files and sockets open, as far as the system lets it."""
    now, at_most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if at_most == resource.RLIM_INFINITY else min(count, at_most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, at_most))


def _watch_stdin(loop: asyncio.AbstractEventLoop, note: Callable[[str], None]) -> None:
    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            note("the end of its standard input")

    loop.add_reader(sys.stdin.fileno(), readable)
