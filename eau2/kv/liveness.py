"""Which nodes are heard: heartbeats between all of them, and what their silence means.

Owns: asking every other node once a second, and the time since each was heard last. Comes in: the
nodes of the ring; goes out: whether a node is up, suspect or down. Does not know: what follows from
that. Silence decides only who is asked last, and whose copies are waited for no more; never what is
true of a name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

from eau2.config import CONTROL, ControlLimits
from eau2.errors import Error
from eau2.kv.exchange import ask
from eau2.kv.membership import Membership
from eau2.net.message import Number
from eau2.net.ring_message import Heartbeat
from eau2.world import World


class Health(StrEnum):
    """What is known of a node: heard of late, not heard a few times, not heard for long."""

    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"


class Liveness:
    """The health of the other nodes, as the node called `node` sees it. `run` it."""

    def __init__(
        self,
        node: str,
        world: World,
        ring: Callable[[], Membership],
        on_epoch: Callable[[int], None] = lambda epoch: None,
        limits: ControlLimits = CONTROL,
    ) -> None:
        """ring: as it is known here. on_epoch: is told which epoch of the ring others know."""
        self.node = node
        self._world = world
        self._ring = ring
        self._on_epoch = on_epoch
        self._limits = limits
        self._heard: dict[str, float] = {}
        self._away: frozenset[str] = frozenset()
        self._asking: dict[str, asyncio.Task[None]] = {}

    def health(self, node: str) -> Health:
        """Of a node. One that was never asked counts as up."""
        silent = self.silent_s(node)
        if silent < self._limits.suspect_s:
            return Health.UP
        return Health.SUSPECT if silent < self._limits.down_s else Health.DOWN

    def is_away(self, node: str) -> bool:
        """Whether others are to be asked before this node. For any thread."""
        return node in self._away

    def silent_s(self, node: str) -> float:
        """Seconds since a node was heard last."""
        now = self._world.clock.now()
        return 0.0 if node == self.node else now - self._heard.setdefault(node, now)

    async def run(self) -> None:
        """Ask, again and again, until cancelled."""
        try:
            while True:
                nodes = self._ring().slots
                self._away = frozenset(node for node in nodes if self.health(node) is not Health.UP)
                for node in nodes:
                    if node != self.node and node not in self._asking:
                        self.silent_s(node)
                        self._asking[node] = asyncio.create_task(self._ask(node))
                await self._world.clock.sleep(self._limits.heartbeat_s)
        finally:
            for task in list(self._asking.values()):
                task.cancel()

    async def _ask(self, node: str) -> None:
        try:
            question = Heartbeat(self._ring().epoch)
            answer = await ask(
                self._world.net, node, question, Number, self._limits.heartbeat_answer_s
            )
            self._heard[node] = self._world.clock.now()
            self._away -= {node}
            self._on_epoch(answer.value)
        except Error:
            # Its silence is what counts.
            pass
        finally:
            del self._asking[node]
