"""One kernel process as its parent sees it: started, spoken with, watched, killed.

Owns: the process, the parent's end of its socket, and the numbers of the fragments it knows. Comes
in: requests; goes out: answers, or an error that says how the process ended. Does not know: how
many processes there are, and what becomes of a dead one's work. worker.py is the other side.
"""

from __future__ import annotations

import os
import select
import signal
import site
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from eau2.config import KERNELS
from eau2.errors import Error, InternalError, KernelLostError, OperationalError
from eau2.kernels.channel import Body, Message, receive, send
from eau2.kernels.host import Cancel
from eau2.native import NativeModules

_ROOT = Path(__file__).resolve().parents[2]
_LOG_BYTES = 4096


class KernelProcess:
    """A child that runs one fragment at a time. Used by one thread at a time, but for `kill`."""

    def __init__(
        self, variables: Mapping[str, str], memory_bytes: int | None, natives: NativeModules
    ) -> None:
        """Start it; it gets ready by itself. Raises OperationalError when it cannot be started.

        variables: added to its environment. memory_bytes: of anonymous memory, what it may have.
        natives: what it loads.
        """
        self._memory_bytes = memory_bytes
        self._has_natives = bool(natives.modules)
        self._started = time.monotonic()
        self._ready = False
        self._known: dict[bytes, int] = {}
        self._log = tempfile.TemporaryFile(prefix="eau2-kernels-")  # noqa: SIM115
        self._sock, theirs = socket.socketpair()
        with theirs:
            try:
                self._child = subprocess.Popen(
                    [
                        sys.executable,
                        "-P",
                        "-m",
                        "eau2.kernels.worker",
                        *_arguments(theirs, natives),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._log,
                    pass_fds=(theirs.fileno(),),
                    env=_environment(variables, natives),
                    # A Ctrl-C at the terminal is for the parent, which kills if it wants to.
                    process_group=0,
                )
            except (OSError, ValueError) as error:
                self._sock.close()
                self._log.close()
                raise OperationalError(f"a kernel process cannot be started: {error}") from error
        self._sock.settimeout(KERNELS.talk_s)
        self._readable = select.poll()
        self._readable.register(self._sock, select.POLLIN)
        self._memory = _open_statistics(self._child.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def await_ready(self, cancel: Cancel | None) -> None:
        """Wait until it takes requests. Raises as `ask`; after CancelledError it is still fine."""
        if self._ready:
            return
        while not self._wait(cancel):
            if time.monotonic() - self._started > KERNELS.start_s:
                raise OperationalError(
                    f"a kernel process did not start within {KERNELS.start_s:.0f} s"
                )
        if "ready" not in self._receive().control:
            raise InternalError("a kernel process began with something else than being ready")
        self._ready = True

    def ask(
        self,
        fragment: bytes,
        control: Mapping[str, object],
        bodies: Sequence[Body],
        cancel: Cancel | None,
    ) -> Message:
        """Have it run an encoded fragment; its answer.

        After any exception the process must be killed: its answer may still come. Raises
        CancelledError and DeadlineError as `cancel` says, KernelLostError when it died,
        OperationalError when it took too much memory or does not talk.
        """
        forget = len(self._known) >= KERNELS.fragments
        if forget:
            self._known.clear()
        number = self._known.get(fragment)
        new = number is None
        if number is None:
            number = len(self._known)
            bodies = (fragment, *bodies)
        said = {"fragment": number, "new": new, "forget": forget, **control}
        try:
            send(self._sock, Message(said, tuple(bodies)))
        except OSError as error:
            self._stopped(cancel, error)
        while not self._wait(cancel):
            self._check_memory()
        answer = self._receive(cancel)
        if new and answer.control["ok"]:
            self._known[fragment] = number
        return answer

    def kill(self) -> None:
        """End it at once, whatever it does; whoever waits for its answer wakes up. Thread-safe."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._child.kill()

    def reap(self) -> None:
        """Kill it and wait for its end, so that nothing of it is left."""
        self.kill()
        try:
            self._child.wait(KERNELS.stop_s)
        except subprocess.TimeoutExpired:
            # It waits inside the operating system; it is dead as soon as that lets it go.
            return
        finally:
            self._sock.close()
            self._log.close()
            if self._memory is not None:
                os.close(self._memory)
                self._memory = None

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    def anonymous_bytes(self) -> int:
        """The memory it has that is no file and not shared; 0 where that cannot be known."""
        if self._memory is None:
            return 0
        try:
            fields = os.pread(self._memory, 200, 0).split()
            return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0

    def last_words(self) -> str:
        """The end of what it wrote to its standard error."""
        size = os.fstat(self._log.fileno()).st_size
        words = os.pread(self._log.fileno(), _LOG_BYTES, max(0, size - _LOG_BYTES))
        return words.decode("utf-8", "replace").strip()

    def _wait(self, cancel: Cancel | None) -> bool:
        """Whether it has something to say, after a while at most. Raises as `cancel` says."""
        left = None if cancel is None else cancel.left_s()
        wait_s = KERNELS.watch_s if left is None else min(KERNELS.watch_s, left)
        ready = self._readable.poll(1000 * wait_s)
        if cancel is not None:
            cancel.check()
        return bool(ready)

    def _receive(self, cancel: Cancel | None = None) -> Message:
        try:
            return receive(self._sock)
        except (EOFError, OSError) as error:
            self._stopped(cancel, error)
            raise AssertionError from error

    def _stopped(self, cancel: Cancel | None, cause: BaseException) -> None:
        """Raise the reason why it does not talk any more."""
        if cancel is not None:
            cancel.check()
        if isinstance(cause, TimeoutError):
            raise OperationalError("a kernel process does not answer") from cause
        try:
            code = self._child.wait(KERNELS.stop_s)
        except subprocess.TimeoutExpired:
            code = 0
        native = ", or calls a native function that ends it" if self._has_natives else ""
        raise KernelLostError(
            f"the process that ran the query's kernels ended ({_ending(code)})",
            hint="Run the statement again; if that does not help, it needs too much memory"
            f"{native}.",
        ) from cause

    def _check_memory(self) -> None:
        limit = self._memory_bytes
        if limit is not None and self.anonymous_bytes() > limit:
            raise OperationalError(
                f"the query needs more memory than the node's {limit} bytes",
                hint="Start the node with more --memory, or let the query keep fewer rows.",
            )


def error_of(control: Mapping[str, object], classes: Mapping[str, type[Error]]) -> Error:
    """The error that an answer tells of: of a known class, else an InternalError."""
    class_ = classes.get(str(control["error"]), InternalError)
    hint = control["hint"]
    return class_(str(control["message"]), hint=None if hint is None else str(hint))


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _arguments(theirs: socket.socket, natives: NativeModules) -> tuple[str, ...]:
    return str(theirs.fileno()), str(os.getpid()), natives.place, *natives.modules


def _environment(variables: Mapping[str, str], natives: NativeModules) -> dict[str, str]:
    """The child's variables: those of this process, and where this eau2 lies."""
    found = os.environ | dict(variables)
    if natives.modules:
        # It finds modules where this process has found them.
        found["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in sys.path)
        return found
    if str(_ROOT) not in (*site.getsitepackages(), site.getusersitepackages()):
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        found["PYTHONPATH"] = os.pathsep.join(paths)
    return found


def _open_statistics(pid: int) -> int | None:
    try:
        return os.open(f"/proc/{pid}/statm", os.O_RDONLY)
    except OSError:
        return None
