"""How long calls take: interleaved samples, without those that other processes disturbed.

Owns: `milliseconds`, `interleaved`, `Noise`, `machine`. Comes in: calls by the name of their side.
Goes out: milliseconds of the samples that count. Does not know: what is measured.

A round in which processes other than this one and its children used more than `QUIET_CORES` does
not count, as long as half of the rounds are left; else the quietest half counts.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

import eau2

Call = Callable[[], object]

QUIET_CORES = 0.2
"""What other processes may use while a round runs."""

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
GRACE_S = 2 * TICK_S
"""Processor time is told in ticks, of each core and of each process: short rounds see no less."""


def milliseconds(call: Call) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


@dataclass
class Noise:
    """How many rounds ran, and in how many of them others used the processors."""

    rounds: int = 0
    loud: int = 0
    kept: int = 0
    """Loud rounds that count all the same, since too few quiet ones were left."""

    def __str__(self) -> str:
        return (
            f"{self.loud} of {self.rounds} rounds disturbed by other processes, "
            f"{self.kept} of them counted"
        )


class Others:
    """Seconds of processor time that processes other than this and its children have used."""

    def __init__(self) -> None:
        self._seconds = self._used()
        self._at = time.perf_counter()

    def cores(self) -> float:
        """Cores that others used since the last look, on average, as far as ticks can tell."""
        seconds, at = self._used(), time.perf_counter()
        others, wall = seconds - self._seconds, at - self._at
        self._seconds, self._at = seconds, at
        return max(0.0, others - GRACE_S) / wall

    @staticmethod
    def _used() -> float:
        return (_busy_ticks() - _own_ticks()) * TICK_S


def _busy_ticks() -> int:
    """What all processes have used; 0 where the system does not tell."""
    try:
        head = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    except OSError:
        return 0
    user, nice, system, _, _, irq, soft, *rest = (int(word) for word in head)
    return user + nice + system + irq + soft + sum(rest[:1])


def _own_ticks() -> int:
    """What this process and those it has started have used, ended ones among them."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.name)] = int(words[1])
        ticks[int(entry.name)] = sum(int(word) for word in words[11:15])
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(ticks.get(pid, 0) for pid in ours)


def interleaved(
    calls: Mapping[str, Call], rounds: int, noise: Noise | None = None
) -> dict[str, list[float]]:
    """Every call once per round, in turn, after one round that does not count.

    The milliseconds of each call in the rounds that count, at least half of them.
    """
    for call in calls.values():
        call()
    others = Others()
    taken: list[tuple[float, dict[str, float]]] = []
    for _ in range(rounds):
        times = {name: milliseconds(call) for name, call in calls.items()}
        taken.append((others.cores(), times))
    quiet = [times for cores, times in taken if cores <= QUIET_CORES]
    counted = quiet
    if len(quiet) < (rounds + 1) // 2:
        ordered = sorted(taken, key=lambda pair: pair[0])
        counted = [times for _, times in ordered[: (rounds + 1) // 2]]
    if noise is not None:
        noise.rounds += rounds
        noise.loud += rounds - len(quiet)
        noise.kept += len(counted) - min(len(quiet), len(counted))
    return {name: [times[name] for times in counted] for name in calls}


def medians(calls: Mapping[str, Call], rounds: int, noise: Noise | None = None) -> dict[str, float]:
    """The median milliseconds of each call, interleaved."""
    samples = interleaved(calls, rounds, noise)
    return {name: statistics.median(times) for name, times in samples.items()}


def machine() -> str:
    """Versions and machine, on two lines."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"eau2 {eau2.__version__}, duckdb {duckdb.__version__}, polars {pl.__version__}, "
        f"pyarrow {pa.__version__}, Python {platform.python_version()}\n"
        f"{model}, {os.cpu_count()} cores, {gibibytes:.0f} GiB, "
        f"{platform.system()} {platform.release()}"
    )
