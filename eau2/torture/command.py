"""`eau2 torture`: seeds of the simulation, one after the other, and a tally of what they came to.

Owns: which seeds of which stories are played, how long, and the file that keeps the tally. Comes
in: options; goes out: lines for people, and the exit code: 1 when a seed went wrong. Does not know:
what a story tells. A seed that went wrong is played again with its trace, and is printed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from eau2.errors import UsageError
from eau2.torture import registry_story, repair_story, story

_KEEP_S = 5.0
_TRACE_LINES = 400


class Outcome(Protocol):
    """What a seed came to: nothing in `faults` where all is well."""

    seed: int
    faults: list[str]
    digest: int
    acknowledged: int
    virtual_s: float
    events: list[str] | None


Play = Callable[[int, bool], Outcome]

STORIES: dict[str, Play] = {
    "registry": lambda seed, trace: registry_story.play(seed, keep_trace=trace),
    "store": lambda seed, trace: story.play(seed, keep_trace=trace),
    "copies": lambda seed, trace: repair_story.play(seed, keep_trace=trace),
}
"""The registers of names alone; puts, drops and reads over them; copies, disks and the ring."""


@dataclass(frozen=True, slots=True)
class TortureOptions:
    """stories: of STORIES. seeds: how many of each from `seed` on. minutes: at most, None: no end.

    resume: the file that keeps the tally, from which it goes on.
    """

    stories: tuple[str, ...]
    seed: int = 0
    seeds: int = 1000
    minutes: float | None = None
    resume: str | None = None


def chosen(
    stories: Sequence[str],
    seed: int,
    seeds: int | None,
    minutes: float | None,
    resume: str | None,
) -> TortureOptions:
    """The options as they are written: all stories when none is named, and one seed of each.

    Raises UsageError for a story that there is not.
    """
    for name in stories:
        if name not in STORIES:
            known = ", ".join(STORIES)
            raise UsageError(f"there is no story {name!r}", hint=f"The stories are {known}.")
    count = seeds or (1 if minutes is None else 10**9)
    return TortureOptions(
        tuple(dict.fromkeys(stories)) or tuple(STORIES), seed, count, minutes, resume
    )


@dataclass(slots=True)
class Tally:
    """What the seeds of one story came to: those from `first` up to but not including `next`."""

    first: int
    next: int
    acknowledged: int = 0
    virtual_s: float = 0.0
    seconds: float = 0.0
    failing: list[int] = field(default_factory=list)

    def add(self, outcome: Outcome, seconds: float) -> None:
        """Count one more seed."""
        self.next = outcome.seed + 1
        self.acknowledged += outcome.acknowledged
        self.virtual_s += outcome.virtual_s
        self.seconds += seconds
        if outcome.faults:
            self.failing.append(outcome.seed)

    def line(self, name: str) -> str:
        """The tally for people."""
        return (
            f"{name}: {self.next - self.first} seeds from {self.first} on,"
            f" {len(self.failing)} failing; {self.acknowledged} writes acknowledged,"
            f" {self.virtual_s / 3600:.1f} virtual hours in {self.seconds:.0f} s of processor time"
        )


def torture(options: TortureOptions) -> int:
    """Play what is still to be played; the exit code. Raises UsageError."""
    logging.disable()
    tallies = _kept(options)
    end = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    kept = time.monotonic()
    for name, seed in _left(options, tallies):
        if end is not None and time.monotonic() >= end:
            break
        begin = time.process_time()
        outcome = STORIES[name](seed, False)
        tallies[name].add(outcome, time.process_time() - begin)
        if outcome.faults:
            _show(name, STORIES[name](seed, True))
        if options.resume is not None and time.monotonic() - kept > _KEEP_S:
            _keep(options.resume, tallies)
            kept = time.monotonic()
    if options.resume is not None:
        _keep(options.resume, tallies)
    for name, tally in tallies.items():
        sys.stdout.write(tally.line(name) + "\n")
    return int(any(tally.failing for tally in tallies.values()))


def _left(options: TortureOptions, tallies: dict[str, Tally]) -> Iterator[tuple[str, int]]:
    """The seeds that are left, those of the stories in turn."""
    last = options.seed + options.seeds
    while names := [name for name in options.stories if tallies[name].next < last]:
        for name in names:
            yield name, tallies[name].next


def _show(name: str, outcome: Outcome) -> None:
    """Print a seed that went wrong: the end of what happened, and what was wrong with it."""
    events: Iterable[str] = outcome.events or ()
    lines = [*events][-_TRACE_LINES:]
    sys.stdout.write("\n".join([*lines, f"--- {name}, seed {outcome.seed}:", *outcome.faults, ""]))
    sys.stdout.flush()


def _kept(options: TortureOptions) -> dict[str, Tally]:
    """The tallies to go on from. Raises UsageError when the file is of something else."""
    fresh = {name: Tally(options.seed, options.seed) for name in options.stories}
    if options.resume is None or not os.path.exists(options.resume):
        return fresh
    try:
        plain: dict[str, Any] = json.loads(Path(options.resume).read_text("utf-8"))
        found = {name: Tally(**tally) for name, tally in plain["stories"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{options.resume} is no tally of eau2 torture: {error}") from error
    for name, tally in found.items():
        if name in fresh and tally.first != options.seed:
            raise UsageError(
                f"{options.resume} begins with seed {tally.first}, not {options.seed}",
                hint="Name another file, or the same --seed.",
            )
    return fresh | {name: tally for name, tally in found.items() if name in fresh}


def _keep(path: str, tallies: dict[str, Tally]) -> None:
    """Keep the tallies: all of them, or those of before."""
    text = json.dumps({"stories": {name: asdict(tally) for name, tally in tallies.items()}})
    temporary = Path(f"{path}.tmp")
    temporary.write_text(text, "utf-8")
    temporary.rename(path)
