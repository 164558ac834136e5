"""Where chunks go: round robin over a ring of nodes, and what moves when the ring grows.

Owns: the arithmetic, pure. Comes in: slots, numbered from 0; goes out: slots. Does not know: which
nodes are alive or leaving, what a chunk holds.

A chunk of a put belongs to one slot of the ring as it was then; its copies are on that slot and on
those that follow. When the ring has grown since, each new slot takes its share and no other chunk
moves, by the rule of jump consistent hashing (Lamping and Veach, arXiv 1406.2294): to the slot with
number j moves one chunk in j + 1, whichever slot it had before.
"""

from __future__ import annotations

import xxhash


def slot(position: int, number: int, nodes: int) -> int:
    """The ring slot of chunk `number` of a put taken by the node at `position`."""
    if not 0 <= position < nodes:
        raise ValueError(f"position {position} is not on a ring of {nodes}")
    return (position + number) % nodes


def moved(key: str, first: int, before: int, now: int) -> int:
    """The slot of what was put into slot `first` of `before` slots, when there are `now`.

    key: what it is called, for ever.
    """
    found = first
    for newer in range(before, now):
        lot: int = xxhash.xxh3_64_intdigest(f"{key}/{newer}".encode())
        if lot % (newer + 1) == 0:
            found = newer
    return found


def walk(first: int, slots: int) -> tuple[int, ...]:
    """All slots, in the order of the ring from `first` on."""
    return tuple((first + step) % slots for step in range(slots))


def copies(nodes: int) -> int:
    """How many nodes of a ring of so many hold each chunk."""
    if nodes >= 5:
        return 3
    return min(nodes, 2)


def majority(count: int) -> int:
    """How many of so many voters are more than half."""
    return count // 2 + 1
