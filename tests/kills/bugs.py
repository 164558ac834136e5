"""Bugs to plant into nodes, to see that the runs find them.

A killed process loses nothing that it has written, synced or not: a node that acknowledges before
it has synced is not found by kills. The disks of tests/faults and the simulation find that one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from eau2.kv import acceptor, copies, service


def few_copies() -> None:
    """A put is acknowledged with one copy less than there must be."""
    spread = copies.Copies._spread

    async def fewer(
        self: copies.Copies, nodes: Sequence[str], count: int, request: Any, data: Any
    ) -> tuple[str, ...]:
        return await spread(self, nodes, max(1, count - 1), request, data)

    copies.Copies._spread = fewer  # type: ignore[method-assign, assignment]


def hasty_voter() -> None:
    """A voter answers before what it says is written."""

    async def decide(self: acceptor.Acceptor, batch: Sequence[Any]) -> None:
        pending: dict[str, Any] = vars(acceptor).setdefault("_pending", {})
        written: dict[str, Any] = {}
        for request in batch:
            before = pending.get(request.key) or self.store.read(request.key)
            after = request.step(before)
            pending[request.key] = written[request.key] = after
            if not request.answer.done():
                request.answer.set_result(after)

        async def later() -> None:
            await asyncio.sleep(0.5)
            self.store.write(tuple(written.items()))

        tasks: list[Any] = vars(acceptor).setdefault("_tasks", [])
        tasks.append(asyncio.create_task(later()))

    acceptor.Acceptor._decide_together = decide  # type: ignore[method-assign]


def hasty_service() -> None:
    """A node says that a file is durable before it has synced it."""

    async def keep(self: service.Service, temporary: str, folder: str, name: str) -> None:
        disk = self._disk
        await disk.rename(temporary, f"{folder}/{name}")

        async def later() -> None:
            await asyncio.sleep(0.2)
            await disk.sync(f"{folder}/{name}")
            await disk.sync_folder(folder)

        tasks: list[Any] = vars(service).setdefault("_tasks", [])
        tasks.append(asyncio.create_task(later()))

    service.Service._keep = keep  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    "few_copies": few_copies,
    "hasty_voter": hasty_voter,
    "hasty_service": hasty_service,
}
"""By the names under which the commands take them."""
