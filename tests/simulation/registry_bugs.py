"""Planted bugs of the registers, each a mistake somebody could make in them, as subclasses.

The story of the registers is proved by finding all of them: see test_registry.py. `seed` is one
that finds the bug; `python -m tests.simulation.registry_bugs COUNT [NAME...]` looks for the first
ones in COUNT seeds.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from eau2.config import ControlLimits
from eau2.kv import transitions
from eau2.kv.acceptor import Acceptor, Run
from eau2.kv.poll import Poll
from eau2.kv.quorum import Quorum, _Change
from eau2.kv.register_store import Ballot, Cell, RegisterStore
from eau2.kv.registry import Entry, State
from eau2.net.message import Accept, Fingerprint, Message, Number, Peek, Vote
from eau2.records import replace as changed
from eau2.torture.registers import Medium, SimRun
from eau2.torture.registry_story import Parts, play
from eau2.torture.writer import Writer

T = TypeVar("T")


class AnswersBeforeCommit(SimRun):
    """A voter answers before what it wrote is durable."""

    async def __call__(self, call: Callable[[], T]) -> T:
        await self._life.thaw()
        result = call()
        asyncio.get_running_loop().call_later(0.3, self._commit)
        return result

    def _commit(self) -> None:
        if self._life.alive:
            self._medium.sync()


class ForgotAndVotes(Medium):
    """A voter whose disk was replaced by an empty one votes as if nothing had been."""

    def may_vote(self) -> bool:
        return True


class IgnoresPromises(Acceptor):
    """Accepts a ballot although a higher one is promised."""

    def _accepted(self, cell: Cell, ballot: Ballot, value: bytes) -> Cell:
        if ballot < cell.accepted:
            return cell
        return Cell(max(ballot, cell.promised), ballot, value)


class ForgetsPromises(Acceptor):
    """Promises are kept in memory only."""

    def __init__(self, node: str, store: RegisterStore, run: Run, limits: ControlLimits) -> None:
        super().__init__(node, store, run, limits)
        self._memory: dict[str, Ballot] = {}

    async def prepare(self, key: str, ballot: Ballot) -> Cell:
        cell = await self.peek(key)
        self._memory[key] = max(ballot, cell.promised, self._memory.get(key, ballot))
        return changed(cell, promised=self._memory[key])

    async def accept(self, key: str, ballot: Ballot, value: bytes) -> Cell:
        promised = self._memory.get(key, ballot)
        return await self._changed(
            key,
            lambda cell: self._accepted(
                changed(cell, promised=max(promised, cell.promised)), ballot, value
            ),
        )


class TellsUnchosenValues(Quorum):
    """Reads the value of the highest ballot of any majority without choosing it."""

    async def read(self, key: str) -> bytes:
        poll = self._poll(Peek(key), Vote, self._limits.register_s)
        try:
            await poll.until(lambda: len(poll.answers) >= poll.majority or poll.lost)
        finally:
            poll.close()
        self._learn(poll.answers.values())
        self._check_majority(poll)
        return max(poll.answers.values(), key=lambda vote: vote.accepted).value


class UsesBallotsAgain(Quorum):
    """After a restart a node draws the ballots that it drew before."""

    def __init__(self, node: str, *rest: Any) -> None:
        super().__init__(node, *rest)
        self._proposer = node

    async def read(self, key: str) -> bytes:
        before = self._counter
        try:
            return await super().read(key)
        finally:
            self._counter = before


class _Few(Poll[Any]):
    @property
    def majority(self) -> int:
        return max(1, len(self.nodes) // 2)


class FewAreEnough(Quorum):
    """Less than a majority of the voters decides."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.majority = max(1, len(self.voters) // 2)

    def _poll(self, question: Message, answer: type[Any], deadline_s: float) -> Poll[Any]:
        return _Few(self.voters, lambda voter: self._ask(voter, question, answer, deadline_s))


class OneAcceptIsEnough(Quorum):
    """A value counts as written when the first voter has accepted it."""

    async def _accept(self, change: _Change, ballot: Ballot, value: bytes) -> bool:
        poll = self._poll(Accept(change.key, ballot, value), Vote, self._left(change))
        try:
            await poll.until(lambda: len(poll.answers) >= 1 or poll.lost)
        finally:
            self._let_go_on(poll)
        self._learn(poll.answers.values())
        if any(vote.accepted == ballot for vote in poll.answers.values()):
            return True
        return await super()._accept(change, ballot, value)


class TakesTheFirstValue(Quorum):
    """Takes the value of any promise for the current one, not that of the highest ballot."""

    async def _prepare(self, change: _Change, ballot: Ballot) -> list[Vote] | None:
        promises = await super()._prepare(change, ballot)
        return None if promises is None else promises[:1]


class EpochOfOne(Quorum):
    """The epoch is what the first voter says that answers."""

    async def epoch(self) -> int:
        poll = self._poll(Fingerprint(), Number, self._limits.register_s)
        try:
            await poll.until(lambda: len(poll.answers) >= 1 or poll.lost)
        finally:
            poll.close()
        if not poll.answers:
            self._check_majority(poll)
        return next(iter(poll.answers.values())).value


class DropsWhateverIsThere(Writer):
    """A drop takes the frame that has come to the name meanwhile."""

    def _dropped(self, df_id: str) -> transitions.Step:
        def step(entry: Entry | None, tried: bool) -> Entry | None:
            now = transitions.live(entry)
            return None if now is None else transitions.drop(now)(entry, tried)

        return step


class Unfenced(Writer):
    """Publishes whatever has become of the reservation meanwhile."""

    async def _publish(self, name: str, df_id: str, version: int, base: str | None) -> None:
        def step(entry: Entry | None, tried: bool) -> Entry | None:
            if transitions.live(entry) == df_id or entry is None:
                return None
            live = Entry(name, State.LIVE, df_id, version, df_id[:8])
            return changed(live, revision=entry.revision + 1)

        await self._change(name, step)


class LosesAppends(Writer):
    """Publishes an append also when its base is not what is visible any more."""

    async def _publish(self, name: str, df_id: str, version: int, base: str | None) -> None:
        if base is None:
            await super()._publish(name, df_id, version, base)
            return

        def step(entry: Entry | None, tried: bool) -> Entry | None:
            if entry is None or entry.state is not State.LIVE or entry.df_id == df_id:
                return None
            live = Entry(name, State.LIVE, df_id, version, df_id[:8])
            return changed(live, revision=entry.revision + 1)

        await self._change(name, step)


class UsesDfIdsAgain(Writer):
    """An operation that is asked for again has the df_id that it had before."""

    def _new_df_id(self, op: str) -> str:
        return op


class DeletesBeforeWithdrawing(Writer):
    """Deletes what a write that failed has stored without asking the register."""

    async def _give_up(self, name: str, df_id: str) -> None:
        self._delete_later(df_id)


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug, and a seed that finds it."""

    parts: Parts
    seed: int

    @property
    def name(self) -> str:
        """What the bug's class is called."""
        plain = Parts()
        parts: list[tuple[type[object], type[object]]] = [
            (self.parts.quorum, plain.quorum),
            (self.parts.acceptor, plain.acceptor),
            (self.parts.run, plain.run),
            (self.parts.medium, plain.medium),
            (self.parts.writer, plain.writer),
        ]
        return next(part.__name__ for part, right in parts if part is not right)


BUGS = (
    Bug(Parts(run=AnswersBeforeCommit), 1),
    Bug(Parts(medium=ForgotAndVotes), 73),
    Bug(Parts(acceptor=IgnoresPromises), 2),
    Bug(Parts(acceptor=ForgetsPromises), 45),
    Bug(Parts(quorum=TellsUnchosenValues), 53),
    Bug(Parts(quorum=UsesBallotsAgain), 65),
    Bug(Parts(quorum=FewAreEnough), 0),
    Bug(Parts(quorum=OneAcceptIsEnough), 9),
    Bug(Parts(quorum=TakesTheFirstValue), 10),
    Bug(Parts(quorum=EpochOfOne), 467),
    Bug(Parts(writer=DropsWhateverIsThere), 1018),
    Bug(Parts(writer=Unfenced), 218),
    Bug(Parts(writer=LosesAppends), 23),
    Bug(Parts(writer=UsesDfIdsAgain), 394),
    Bug(Parts(writer=DeletesBeforeWithdrawing), 44),
)


def main(arguments: list[str]) -> None:
    """Print the first seed that finds each bug, or each one that is named."""
    for bug in BUGS:
        if arguments[1:] and bug.name not in arguments[1:]:
            continue
        found: list[int] = []
        for seed in range(int(arguments[0])):
            if play(seed, bug.parts).faults:
                found.append(seed)
                break
        print(f"{bug.name}: {found}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
