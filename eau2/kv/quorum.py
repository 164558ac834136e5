"""Registers on several voters, of which any minority may be away: the proposer of CASPaxos.

Owns: ballots, the rounds of a read and of a change, and what is told when too few voters answer.
Comes in: keys and values, which are bytes; goes out: the same, linearizable, or an error that names
the voters. Does not know: what a value means, how a voter keeps it (eau2.kv.acceptor).

The protocol is that of Rystsov, "CASPaxos: Replicated State Machines without logs" (2018), arXiv
1802.07000. A change first has a majority promise to take no value of a lower ballot, and learns
the value of the highest ballot that any of them accepted: that is the current one. Then it has
a majority accept the new value, or the current one again; with that it is chosen. There is no
leader and no log.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from eau2.config import CONTROL, ControlLimits
from eau2.errors import (
    BusyError,
    DeadlineError,
    NoQuorumError,
    OperationalError,
    ProtocolError,
    StoreBusyError,
    UsageError,
)
from eau2.kv.acceptor import Acceptor
from eau2.kv.exchange import ask
from eau2.kv.poll import Poll
from eau2.kv.register_store import Ballot
from eau2.net.message import (
    Accept,
    Fingerprint,
    Message,
    Number,
    Peek,
    PeekPage,
    Prepare,
    Vote,
    Votes,
)
from eau2.records import Struct, field
from eau2.world import World

M = TypeVar("M", bound=Message)
_Ballot = tuple[int, str]


class _Change(Struct):
    """One change on its way through its rounds. value: None to write the current one again.

    proposed: for each ballot of ours that some voter may have accepted, whether its value is, or
    comes after, the one we were asked to write.
    """

    key: str
    expect: bytes
    value: bytes | None
    end: float
    proposed: dict[_Ballot, bool] = field(default_factory=dict)

    @property
    def sent(self) -> bool:
        """Whether a voter may have accepted the value we were asked to write."""
        return any(self.proposed.values())

    def ours(self, accepted: _Ballot) -> bool | None:
        """Whether the current value comes after ours; None if that cannot be told."""
        if accepted in self.proposed:
            return self.proposed[accepted]
        first = min((ballot for ballot, ours in self.proposed.items() if ours), default=None)
        return False if first is None or accepted < first else None


class Quorum:
    """Compare-and-set registers on `voters`, for one life of one node."""

    def __init__(
        self,
        node: str,
        world: World,
        voters: tuple[str, ...] = (),
        local: Acceptor | None = None,
        limits: ControlLimits = CONTROL,
    ) -> None:
        """local: this node's own voter, if it is one of `voters`; it is asked directly."""
        self.node = node
        self.voters = voters
        self.majority = len(voters) // 2 + 1
        self._world = world
        self._local = local
        self._limits = limits
        # Of this life alone: a counter that begins anew never makes a ballot that was there before.
        self._proposer = world.ids.new()
        self._counter = 0
        self._unsettled = 0
        self._going_on: dict[int, asyncio.Task[Any]] = {}

    def decide(self, node: str, voters: tuple[str, ...], local: Acceptor | None) -> None:
        """Ask these from now on, as the node of that name. Once for ever: voters do not change."""
        self.node, self.voters, self._local = node, voters, local

    async def read(self, key: str) -> bytes:
        """The value of a register, b"" if it was never written. Linearizable.

        A value that a majority say they accepted with one ballot is chosen, and no later one is:
        that would have been accepted by a majority before, one of which would have said so. Else
        the value of the highest ballot is written again before it is told, as somebody may have
        seen it already. Raises NoQuorumError; StoreBusyError if others keep changing the register.
        """
        poll = self._poll(Peek(key), Vote, self._limits.register_s)
        votes = poll.answers

        def agreed() -> Vote | None:
            return _agreed(votes.values(), poll.majority)

        try:
            await poll.until(lambda: len(votes) >= poll.majority or poll.lost)
            await self._wait_for(poll, lambda: agreed() is not None)
        finally:
            poll.close()
        self._learn(votes.values())
        vote = agreed()
        if vote is not None:
            return vote.value
        self._check_majority(poll)
        _, value = await self._change(key, b"", None)
        return value

    async def cas(self, key: str, expect: bytes, value: bytes) -> bool:
        """Write `value`, durably, if the register holds exactly `expect`; says whether it did.

        Both answers are linearizable. Raises NoQuorumError and StoreBusyError when surely nothing
        was written, DeadlineError when the value may be there, or come to be there later;
        UsageError when it is too large.
        """
        if len(value) > self._limits.register_bytes:
            raise UsageError(
                f"a register takes {self._limits.register_bytes} bytes, not {len(value)}"
            )
        done, _ = await self._change(key, expect, value)
        return done

    async def page(self, after: str) -> tuple[tuple[tuple[str, bytes], ...], str | None]:
        """Registers that hold something, in the order of their keys after `after`.

        Each value is the current one at some moment after the call. The second result is where the
        next page begins, None after the last. Raises as `read` does.
        """
        poll = self._poll(PeekPage(after), Votes, self._limits.register_s)
        try:
            await poll.until(lambda: len(poll.answers) >= poll.majority or poll.lost)
            await self._wait_for(poll, lambda: False)
        finally:
            poll.close()
        self._check_majority(poll)
        pages = [poll.answers[voter] for voter in self.voters if voter in poll.answers]
        # A voter that has more says nothing about the keys after its last one.
        ends = [page.cells[-1][0] for page in pages if page.more]
        end = min(ends, default=None)
        found: dict[str, list[Vote]] = {}
        for page in pages:
            for key, accepted, value in page.cells:
                if end is None or key <= end:
                    found.setdefault(key, []).append(Vote(accepted, accepted, value))
        merged = []
        for key in sorted(found):
            vote = _agreed(found[key], poll.majority)
            value = await self.read(key) if vote is None else vote.value
            if value:
                merged.append((key, value))
        return tuple(merged), end

    async def epoch(self) -> int:
        """A number that is another one than before whenever a register was changed since.

        Told is the fingerprint of a majority that agree on it: then every ballot in it is chosen.
        A change that is not in it was accepted by a majority, one of whom is among those who tell
        the fingerprint the next time: that one's is another, since ballots only rise, and so no
        majority tells the same. While no majority agree, each call gives a new number. Raises
        NoQuorumError.
        """
        poll = self._poll(Fingerprint(), Number, self._limits.register_s)

        def agreed() -> list[int]:
            counted = Counter(answer.value for answer in poll.answers.values())
            return [number for number, votes in counted.items() if votes >= poll.majority]

        try:
            await poll.until(lambda: len(poll.answers) >= poll.majority or poll.lost)
            await self._wait_for(poll, lambda: bool(agreed()))
        finally:
            poll.close()
        self._check_majority(poll)
        if found := agreed():
            return found[0]
        self._unsettled += 1
        return -self._unsettled

    def epoch_here(self) -> int | None:
        """What `epoch` gives, where this node is the only voter. From any thread."""
        if self._local is None or self.voters != (self.node,):
            return None
        return self._local.fingerprint()

    def close(self) -> None:
        """Give up what goes on in the background."""
        for task in list(self._going_on.values()):
            task.cancel()

    async def _change(self, key: str, expect: bytes, value: bytes | None) -> tuple[bool, bytes]:
        """Whether `value` was written, and what the register then held."""
        clock, limits = self._world.clock, self._limits
        change = _Change(key, expect, value, clock.now() + limits.register_s)
        pause = limits.duel_s
        while True:
            done = await self._attempt(change)
            if done is not None:
                return done
            if clock.now() + pause >= change.end:
                raise self._gave_up(change, "others keep changing it")
            await clock.sleep(pause * (0.5 + self._world.rng.random()))
            pause = min(2 * pause, limits.retry_max_s)

    async def _attempt(self, change: _Change) -> tuple[bool, bytes] | None:
        """Both rounds with one ballot; None when a higher one was in the way."""
        self._counter += 1
        ballot = Ballot(self._counter, self._proposer)
        promises = await self._prepare(change, ballot)
        if promises is None:
            return None
        current = max(promises, key=lambda vote: vote.accepted)
        ours = change.ours(current.accepted)
        if ours is None:
            raise self._gave_up(change, "others have changed it since")
        chosen = _agreed(promises, self.majority) == current
        hit = not ours and change.value is not None and current.value == change.expect
        if chosen and not hit and not change.sent:
            # A majority accepted it, and with our ballot promised nothing later is chosen yet.
            return False, current.value
        value = change.value if hit and change.value is not None else current.value
        done = ours or hit
        change.proposed[ballot] = done
        return (done, value) if await self._accept(change, ballot, value) else None

    async def _prepare(self, change: _Change, ballot: Ballot) -> list[Vote] | None:
        """The promises of a majority; None when it was refused."""
        poll = self._poll(Prepare(change.key, ballot), Vote, self._left(change))
        votes = poll.answers

        def promises() -> list[Vote]:
            return [vote for vote in votes.values() if vote.promised == ballot]

        def refused() -> bool:
            return len(votes) - len(promises()) > len(self.voters) - poll.majority

        try:
            await poll.until(lambda: len(promises()) >= poll.majority or refused() or poll.lost)
        finally:
            poll.close()
        self._learn(votes.values())
        if len(promises()) >= poll.majority:
            return promises()
        if len(votes) < poll.majority:
            raise self._gave_up(change, poll.why(), no_quorum=True)
        return None

    async def _accept(self, change: _Change, ballot: Ballot, value: bytes) -> bool:
        """Whether a majority accepted the value. The others may take it later all the same."""
        poll = self._poll(Accept(change.key, ballot, value), Vote, self._left(change))
        votes = poll.answers

        def accepted() -> int:
            return sum(vote.accepted == ballot for vote in votes.values())

        def refused() -> int:
            return len(votes) - accepted()

        try:
            await poll.until(
                lambda: (
                    accepted() >= poll.majority
                    or refused() > len(self.voters) - poll.majority
                    or poll.lost
                )
            )
        finally:
            self._let_go_on(poll)
        self._learn(votes.values())
        if accepted() >= poll.majority:
            return True
        if refused() == len(self.voters):
            del change.proposed[ballot]
        if len(votes) < poll.majority:
            raise self._gave_up(change, poll.why(), no_quorum=True)
        return False

    def _gave_up(self, change: _Change, why: str, no_quorum: bool = False) -> OperationalError:
        voters = f"the voters {', '.join(self.voters)}"
        if change.sent:
            return DeadlineError(
                f"whether the register {change.key!r} was changed cannot be told by {voters}: {why}"
            )
        if no_quorum:
            return self._no_quorum(why)
        return StoreBusyError(f"the register {change.key!r} was not changed by {voters}: {why}")

    def _no_quorum(self, why: str) -> NoQuorumError:
        count = f"{len(self.voters)} voters" if len(self.voters) > 1 else "voter"
        return NoQuorumError(
            f"no majority of the {count} {', '.join(self.voters)} answered: {why}",
            hint="Nothing was changed. Try again when they can be reached.",
        )

    def _check_majority(self, poll: Poll[Any]) -> None:
        if len(poll.answers) < poll.majority:
            raise self._no_quorum(poll.why())

    async def _wait_for(self, poll: Poll[Any], agreed: Callable[[], bool]) -> None:
        """Give those not heard yet a little time, if those heard do not agree."""
        if not (poll.complete or poll.lost or agreed()):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.grace_s):
                    await poll.until(agreed)

    def _poll(self, question: Message, answer: type[M], deadline_s: float) -> Poll[M]:
        if not self.voters:
            raise BusyError(
                "the store is being formed: some of its voters have not joined yet",
                hint="Start the other nodes (eau2 node --join), then try again.",
            )
        return Poll(self.voters, lambda voter: self._ask(voter, question, answer, deadline_s))

    async def _ask(self, voter: str, question: Message, answer: type[M], deadline_s: float) -> M:
        if self._local is None or voter != self.node:
            return await ask(self._world.net, voter, question, answer, deadline_s)
        try:
            async with asyncio.timeout(deadline_s):
                said = await self._local.answer(question)
        except TimeoutError:
            raise DeadlineError(f"node {voter} did not answer within {deadline_s:g} s") from None
        if not isinstance(said, answer):
            raise ProtocolError(f"node {voter} answered itself with a {type(said).__name__}")
        return said

    def _learn(self, votes: Iterable[Vote]) -> None:
        """The next ballot is to be higher than all that were heard of."""
        for vote in votes:
            self._counter = max(self._counter, vote.promised[0], vote.accepted[0])

    def _let_go_on(self, poll: Poll[Any]) -> None:
        """Voters that have not answered yet take a value all the same, else they stay behind."""

        def ended(task: asyncio.Task[Any]) -> None:
            self._going_on.pop(id(task), None)

        for task in poll.running():
            self._going_on[id(task)] = task
            task.add_done_callback(ended)

    def _left(self, change: _Change) -> float:
        return max(0.001, change.end - self._world.clock.now())


def _agreed(votes: Iterable[Vote], majority: int) -> Vote | None:
    """One of at least `majority` votes for the same ballot, if there are so many."""
    counted: Counter[_Ballot] = Counter()
    for vote in votes:
        counted[vote.accepted] += 1
        if counted[vote.accepted] >= majority:
            return vote
    return None
