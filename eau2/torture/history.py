"""Is there an order of the operations on one name that explains all their answers?

Owns: the search for it (Wing and Gong 1993, with Lowe's memory of configurations). Comes in: what
was asked when, and what came back; goes out: whether it is linearizable. An operation whose outcome
is unknown may have taken effect at any later moment, or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

Value = Any
"""What a register holds, or None: anything that has a hash."""


class Result(Enum):
    """How an operation ended."""

    OK = auto()
    EXISTS = auto()
    ABSENT = auto()
    FAILED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """kind: "put", "replace", "append", "drop" or "get". value: what was put or found, or None.

    A drop that is OK has the value 1 if it found a frame, else 0. Where there are appends, what is
    put or found is a tuple, to which an append adds its value; it is ABSENT if it found nothing.
    """

    kind: str
    value: Value
    result: Result
    start: float
    end: float


def linearizable(
    operations: list[Operation], apply: Callable[[Operation, Value], Iterable[Value]] | None = None
) -> bool:
    """Whether the answers can be those of one register that was absent at first.

    apply: in which states an operation may leave a register that is in the given one; none if it
    cannot have happened there.
    """
    after_of = apply or _apply
    told = [op for op in operations if op.result is not Result.FAILED and _tells(op)]
    ends = [math.inf if op.result is Result.UNKNOWN else op.end for op in told]
    needed = sum(1 << i for i, op in enumerate(told) if op.result is not Result.UNKNOWN)
    seen: set[tuple[int, Value]] = set()
    stack: list[tuple[int, Value]] = [(0, None)]
    while stack:
        done, state = stack.pop()
        if done & needed == needed:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        first_end = min(end for i, end in enumerate(ends) if not done >> i & 1)
        for i, op in enumerate(told):
            if not done >> i & 1 and op.start <= first_end:
                stack += [(done | 1 << i, after) for after in after_of(op, state)]
    return False


def _tells(op: Operation) -> bool:
    return op.kind != "get" or op.result is Result.OK


def _apply(op: Operation, state: Value) -> tuple[Value, ...]:
    match op.kind:
        case "put" | "replace" if op.result is Result.EXISTS:
            return () if state is None else (state,)
        case "put":
            return (op.value,) if state is None else ()
        case "replace":
            return (op.value,)
        case "append" if op.result is Result.ABSENT:
            return (state,) if state is None else ()
        case "append":
            return ((*state, op.value),) if isinstance(state, tuple) else ()
        case "drop":
            # Two drops at the same time may both have found the frame that both removed.
            return (None,) if op.value != 0 or state is None else ()
        case _:
            return (state,) if state == op.value else ()
