"""The ring in a register of its own, on the voters, as the names are.

Owns: reading and changing it by compare-and-set. Comes in: steps of kv/ringsteps.py; goes out:
rings. Does not know: what a step is for, addresses, who is told of a change.

While the register is empty the ring is the one with which the store was formed. Every node that
knows a formed ring knows that one then, since each later ring has been in the register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from eau2.config import CONTROL, ControlLimits
from eau2.errors import OperationalError, ProtocolError, StoreBusyError
from eau2.kv.registers import RESERVED
from eau2.kv.ringsteps import Step
from eau2.net.codec import decode_message, encode_message
from eau2.net.header import Kind
from eau2.net.ring_message import Ring
from eau2.world import World

KEY = f"{RESERVED}ring"


class Cells(Protocol):
    """Compare-and-set registers of bytes; b"" is one that was never written."""

    async def read(self, key: str) -> bytes:
        """What a register holds."""

    async def cas(self, key: str, expect: bytes, value: bytes) -> bool:
        """Write `value`, durably, if the register holds exactly `expect`; says whether it did."""


class RingRegister:
    """The one ring of a store."""

    def __init__(
        self,
        world: World,
        cells: Cells,
        known: Callable[[], Ring],
        limits: ControlLimits = CONTROL,
    ) -> None:
        """known: the newest ring that this node has heard of, which is formed."""
        self._world = world
        self._cells = cells
        self._known = known
        self._limits = limits

    async def read(self) -> Ring:
        """The ring. Raises OperationalError when the voters cannot be asked."""
        return self._decoded(await self._cells.read(KEY))

    async def change(self, step: Step) -> Ring:
        """The ring after a step. Repeating a step is harmless: it changes nothing more.

        Raises what the step raises, and OperationalError when the voters cannot be asked.
        """
        end = self._world.clock.now() + self._limits.change_s
        pause = self._limits.retry_s
        while True:
            failure: OperationalError = StoreBusyError("others keep changing the ring")
            try:
                held = await self._cells.read(KEY)
                now = self._decoded(held)
                wanted = step(now)
                if wanted == now:
                    return now
                if await self._cells.cas(KEY, held, encode_message(wanted)):
                    return wanted
            except OperationalError as error:
                if not error.retryable:
                    raise
                failure = error
            if self._world.clock.now() + pause >= end:
                raise failure
            await self._world.clock.sleep(pause * (0.5 + self._world.rng.random()))
            pause = min(2 * pause, self._limits.retry_max_s)

    def _decoded(self, held: bytes) -> Ring:
        if not held:
            return self._known()
        ring = decode_message(Kind.RING, held)
        if not isinstance(ring, Ring):
            raise ProtocolError("the register of the ring holds something else")
        return ring
