"""How the ring may change: each step as a pure function from one ring to the next.

Owns: the rules of coming in, of leaving, and of when a new store is formed. Comes in: a ring, and
who wants what; goes out: the ring that follows, the same one if nothing changes, or the error that
refuses the step. Does not know: how the ring is kept, who is alive.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.errors import UsageError
from eau2.kv.membership import Membership
from eau2.net.ring_message import Member, Ring
from eau2.records import replace

IN, LEAVING, LEFT = "in", "leaving", "left"

Step = Callable[[Ring], Ring]


def founded(store_id: str, id_: str, address: str, voters_wanted: int) -> Ring:
    """A new ring with one node."""
    return Ring(store_id, 1, (Member("n1", id_, address),), ("n1",), voters_wanted)


def is_formed(ring: Ring) -> bool:
    """Whether all voters are there; they are the same from then on."""
    return len(ring.voters) >= ring.voters_wanted


def membership(ring: Ring) -> Membership:
    """The ring as the coordinator takes it. Raises UsageError for one that cannot be."""
    names = tuple(member.name for member in ring.members)
    leaving = tuple(member.name for member in ring.members if member.state != IN)
    return Membership(names, ring.voters, leaving, ring.epoch)


def admit(id_: str, address: str, at_most: int) -> Step:
    """Let a node in, or take note of its address. The first voters_wanted nodes are the voters.

    A known one keeps its place and its name, and is back if it had left, unless that was wanted.
    Whoever was at the address before is not there any more, and has left: its directory has another
    id. Raises UsageError when the ring is full.
    """

    def step(ring: Ring) -> Ring:
        members = tuple(_moved(member, id_, address) for member in ring.members)
        if id_ not in [member.id for member in members]:
            if len(members) >= at_most:
                raise UsageError(f"the ring has {len(members)} nodes; no more are taken")
            members = (*members, Member(f"n{len(members) + 1}", id_, address))
        voters = ring.voters
        if not is_formed(ring) and len(members) >= ring.voters_wanted:
            voters = tuple(member.name for member in members[: ring.voters_wanted])
        return _next(ring, members, voters)

    return step


def _moved(member: Member, id_: str, address: str) -> Member:
    if member.id == id_:
        state = IN if member.state == LEFT and not member.stays_out else member.state
        return replace(member, address=address, state=state)
    if member.address == address:
        return replace(member, address="", state=LEFT)
    return member


def leave(name: str, state: str, *, returns: bool = False) -> Step:
    """Let a node leave, say that it has left, or take it back. Raises UsageError.

    A voter may hand over its chunks, and is asked about names all the same. returns: it is only
    not heard of, and is back when it is there again. For one that is leaving that changes nothing,
    whatever ring its watcher knew: it may hold what nobody else has, and says itself when not.
    """

    def step(ring: Ring) -> Ring:
        if state not in (IN, LEAVING, LEFT):
            raise UsageError(f"a node cannot be {state!r}")
        if name not in [member.name for member in ring.members]:
            known = ", ".join(member.name for member in ring.members)
            raise UsageError(f"there is no node {name!r}", hint=f"The nodes are {known}.")
        members = tuple(
            _changed(member, state, returns) if member.name == name else member
            for member in ring.members
        )
        if all(member.state != IN for member in members):
            raise UsageError(
                f"{name} is the last node that stays; it holds all chunks",
                hint="Let another node join first.",
            )
        return _next(ring, members, ring.voters)

    return step


def _changed(member: Member, state: str, returns: bool) -> Member:
    if returns and member.state != IN:
        return member
    return replace(member, state=state, stays_out=state == LEFT and not returns)


def _next(ring: Ring, members: tuple[Member, ...], voters: tuple[str, ...]) -> Ring:
    if (members, voters) == (ring.members, ring.voters):
        return ring
    return replace(ring, epoch=ring.epoch + 1, members=members, voters=voters)
