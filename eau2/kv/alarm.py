"""A pause that somebody may end early.

Owns: waiting for a time or for being woken, whichever comes first. Does not know: who wakes whom.
"""

from __future__ import annotations

import asyncio

from eau2.world import Clock


class Alarm:
    """For one sleeper and any number of wakers, all on one event loop."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """End the pause, or the next one if there is none now."""
        self._rung.set()

    async def sleep(self, clock: Clock, seconds: float) -> bool:
        """Wait; whether it was rung for."""
        pause = asyncio.ensure_future(clock.sleep(seconds))
        rung = asyncio.ensure_future(self._rung.wait())
        try:
            await asyncio.wait([pause, rung], return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            rung.cancel()
        woken = self._rung.is_set()
        self._rung.clear()
        return woken
