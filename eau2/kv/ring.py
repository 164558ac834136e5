"""Where chunks go: round robin over a ring of nodes, starting at the node that takes the put.

Owns: the arithmetic, pure. Does not know: which nodes are alive, what a chunk holds.
"""

from __future__ import annotations


def slot(position: int, number: int, nodes: int) -> int:
    """The ring slot of chunk `number` of a put taken by the node at `position`."""
    if not 0 <= position < nodes:
        raise ValueError(f"position {position} is not on a ring of {nodes}")
    return (position + number) % nodes


def holders(position: int, number: int, nodes: int, replicas: int) -> tuple[int, ...]:
    """The slots that hold a chunk, first its own, then the next ones; at most one copy a node."""
    first = slot(position, number, nodes)
    return tuple((first + step) % nodes for step in range(min(replicas, nodes)))
