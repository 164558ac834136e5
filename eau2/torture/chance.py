"""Chance from one seed, and a digest of all that happened, so that two runs can be compared."""

from __future__ import annotations

import asyncio
import random
import struct
import zlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_MARK = struct.Struct("<dI")


class Chance:
    """eau2.world.Rng and Ids, and the trace."""

    def __init__(self, seed: int, keep_trace: bool = False) -> None:
        self.source = random.Random(seed)
        self.digest = 0
        self.events: list[str] | None = [] if keep_trace else None

    def random(self) -> float:
        return self.source.random()

    def new(self) -> str:
        return f"{self.source.getrandbits(128):032x}"

    def exponential(self, mean: float) -> float:
        """A waiting time with that mean."""
        return self.source.expovariate(1 / mean)

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""
        return self.source.choice(options)

    def note(self, *what: object) -> None:
        """Something happened."""
        line = f"{asyncio.get_running_loop().time():.9f} {what!r}"
        self.digest = zlib.crc32(line.encode(), self.digest)
        if self.events is not None:
            self.events.append(line)

    def mark(self, kind: int, data: bytes) -> None:
        """A message came: what `note` does, in less time."""
        now = asyncio.get_running_loop().time()
        self.digest = zlib.crc32(data, zlib.crc32(_MARK.pack(now, kind), self.digest))
        if self.events is not None:
            self.events.append(f"{now:.9f} {kind!r} {data!r}")
