"""What nodes say to one another about the ring, and about the copies of chunks that each has.

Owns: these message classes. Does not know: bytes (net/codec.py), who is to hold what.
"""

from __future__ import annotations

from eau2.net.message import Count, Message, Name, TaskChunk
from eau2.records import Record


class Member(Record, frozen=True):
    """A node of the ring. id: of its data directory, which it keeps when its address changes.

    state: "in"; "leaving" when what it holds is to go to others; "left" when it is to hold nothing
    any more. Its place in the ring stays. stays_out: somebody wanted it to leave, so that it is not
    "in" again because it is there.
    """

    name: Name
    id: Name
    address: Name
    state: Name = "in"
    stays_out: bool = False


class Join(Message, frozen=True):
    """Let this node into the ring, or take note of its address. Answered with a Ring.

    id: of its data directory. Asked of any node; the voter's answer is passed on.
    """

    id: Name
    address: Name


class GetRing(Message, frozen=True):
    """Which nodes are there? Answered with a Ring."""


class Ring(Message, frozen=True):
    """The nodes in the order of the ring; epoch grows with every change. voters: names.

    voters_wanted: how many there are to be. While there are fewer the store is being formed: the
    first node takes others in, and nothing can be put.
    """

    store_id: Name
    epoch: Count
    members: tuple[Member, ...]
    voters: tuple[Name, ...]
    voters_wanted: Count = 1


class RingChanged(Message, frozen=True):
    """Said by a node to the others: this is the ring now. Answered with Done."""

    ring: Ring


class LeaveRing(Message, frozen=True):
    """Let the node of this name leave the ring. Answered with a Ring.

    state: as of a Member; "in" takes it back.
    """

    name: Name
    state: Name


class Heartbeat(Message, frozen=True):
    """Are you there? epoch: of the ring that the asker knows. Answered with a Number, likewise."""

    epoch: Count


class Holdings(Message, frozen=True):
    """What have you of these writes? Answered with HeldWrites.

    first: of the first of the writes only the chunks from this number on are asked for.
    """

    df_ids: tuple[Name, ...]
    first: Count = 0


class Held(Record, frozen=True):
    """What a node has of a write: whether its manifest, and which of its chunks.

    chunks: ranges of numbers, each its first one and how many follow one another.
    """

    df_id: Name
    manifest: bool
    chunks: tuple[tuple[Count, Count], ...]


class HeldWrites(Message, frozen=True):
    """The answer to Holdings: of the writes of which there is something, in the order asked.

    more: that was not all. What follows begins in the last of these writes, behind what is said
    of it.
    """

    held: tuple[Held, ...]
    more: bool = False


class ConfirmChunk(Message, frozen=True):
    """Do you hold this chunk for good? Answered with a Number: 1 if so.

    So it is when its ring has this epoch too, gives the chunk to it, and its file is whole.
    """

    epoch: Count
    chunk: TaskChunk
    slot: Count
    slots: Count


class SuspectChunk(Message, frozen=True):
    """Look at this file: it did not come as it was written. Answered with Done.

    number: of the chunk; None for the manifest.
    """

    df_id: Name
    number: Count | None
