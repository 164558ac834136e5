"""How a name's register may change: each step of a put, a drop, an abort, as a pure function.

Owns: the state machine of eau2.kv.registry, for writers that may be slow, repeat themselves or be
gone. Comes in: what the register holds; goes out: what it shall hold, None when nothing has to be
written any more, or the error that refuses the step. Does not know: how a register is read and
written, time.

`tried` says that this same step may have been written before without its writer knowing. Every
change raises the revision, so whatever comes late finds another register than it expects.
"""

from __future__ import annotations

from collections.abc import Callable

from eau2.errors import (
    OperationalError,
    OutcomeUnknownError,
    StoreBusyError,
    WithdrawnError,
)
from eau2.kv.registry import Entry, State, taken
from eau2.records import replace as changed

Step = Callable[[Entry | None, bool], Entry | None]
"""From (what the register holds, tried) to what it shall hold."""


def reserve(name: str, df_id: str, replace: bool, append: bool = False, op: str = "") -> Step:
    """Begin the put `df_id`. A LIVE frame stays visible while its successor is pending.

    append: there must be one. op: the operation it belongs to, if it may be asked for again. Where
    it is done already, nothing is to be written: see `done`. Where an earlier attempt at it is
    under way, its reservation is taken over, so that that one cannot become visible any more.
    Raises NameExistsError; StoreBusyError while another put of the name is under way;
    OperationalError when there is nothing to append to.
    """

    def step(entry: Entry | None, tried: bool) -> Entry | None:
        if entry is not None and (reserved_by(entry, df_id) or done(entry, op)):
            return None
        revision = 1 if entry is None else entry.revision + 1
        if entry is None or entry.state in (State.DROPPED, State.ABORTED):
            if entry is not None and entry.df_id == df_id:
                raise _withdrawn(name)
            if append:
                raise OperationalError(
                    f'there is no frame "{name}" to append to',
                    hint="It was dropped meanwhile. Nothing was appended.",
                )
            return Entry(name, State.PENDING, df_id, 1, revision=revision, op=op)
        # If this reservation may have been there before, then somebody has taken it over since.
        if op and not tried and op == _pending_op(entry):
            if entry.state is State.PENDING:
                return changed(entry, df_id=df_id, revision=revision)
            return changed(entry, pending=df_id, revision=revision)
        if entry.state is State.LIVE and not replace:
            raise taken(entry.name)
        if entry.state is State.PENDING or entry.pending is not None:
            raise StoreBusyError(
                f'another put of the name "{entry.name}" is under way',
                hint="Try again when it has finished.",
            )
        return changed(entry, pending=df_id, pending_op=op, revision=revision)

    return step


def renew(name: str, df_id: str) -> Step:
    """Show that the put `df_id` is alive: the revision rises. Raises WithdrawnError."""

    def step(entry: Entry | None, tried: bool) -> Entry | None:
        if entry is None or not reserved_by(entry, df_id):
            raise _withdrawn(name)
        return changed(entry, revision=entry.revision + 1)

    return step


def publish(name: str, df_id: str, version: int, manifest: str, base: str | None) -> Step:
    """Make the put `df_id` visible. base: the df_id of the LIVE frame that it was to replace.

    Raises WithdrawnError when the reservation was withdrawn, which is final, and
    OutcomeUnknownError when an earlier attempt may have made it visible for a while.
    """

    def step(entry: Entry | None, tried: bool) -> Entry | None:
        if entry is not None and reserved_by(entry, df_id):
            live = Entry(name, State.LIVE, df_id, version, manifest, op=_pending_op(entry))
            return changed(live, revision=entry.revision + 1)
        if entry is not None and entry.df_id == df_id and entry.state is not State.ABORTED:
            # LIVE, or LIVE for a while and dropped since.
            return None
        never = entry is None or entry.df_id in (df_id, base)
        if tried and not never:
            raise OutcomeUnknownError(
                f'whether the put of "{name}" was visible for a while cannot be told',
                hint="Look at what the name holds now.",
            )
        raise _withdrawn(name)

    return step


def abort(df_id: str, revision: int | None = None) -> Step:
    """Withdraw the reservation of the put `df_id`, if it has one, and has that revision."""

    def step(entry: Entry | None, tried: bool) -> Entry | None:
        if entry is None or not reserved_by(entry, df_id):
            return None
        if revision is not None and entry.revision != revision:
            return None
        if entry.state is State.PENDING:
            return changed(entry, state=State.ABORTED, revision=entry.revision + 1)
        return changed(entry, pending=None, pending_op="", revision=entry.revision + 1)

    return step


def drop(df_id: str) -> Step:
    """Take the frame `df_id` away, and no other that has come to its name since."""

    def step(entry: Entry | None, tried: bool) -> Entry | None:
        if entry is None or entry.state is not State.LIVE or entry.df_id != df_id:
            return None
        gone = changed(entry, state=State.DROPPED, pending=None, pending_op="")
        return changed(gone, revision=entry.revision + 1)

    return step


def live(entry: Entry | None) -> str | None:
    """The df_id that is visible."""
    return entry.df_id if entry is not None and entry.state is State.LIVE else None


def pending(entry: Entry | None) -> str | None:
    """The df_id of the put that is under way."""
    if entry is None:
        return None
    return entry.df_id if entry.state is State.PENDING else entry.pending


def done(entry: Entry | None, op: str) -> bool:
    """Whether what is visible was made by the operation `op`."""
    return bool(op) and live(entry) is not None and entry is not None and entry.op == op


def _pending_op(entry: Entry) -> str:
    """The operation of the put that is under way."""
    return entry.op if entry.state is State.PENDING else entry.pending_op


def reserved_by(entry: Entry, df_id: str) -> bool:
    """Whether the put `df_id` is under way."""
    return pending(entry) == df_id


def _withdrawn(name: str) -> WithdrawnError:
    return WithdrawnError(
        f'the put of "{name}" was given up: its reservation was withdrawn',
        hint="Nothing of it is visible. Put it again.",
    )
