"""The steps of a register, one by one; and revisions in the registry's file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from eau2.errors import (
    NameExistsError,
    OutcomeUnknownError,
    StoreBusyError,
    StoreError,
    WithdrawnError,
)
from eau2.kv.registry import Entry, SqliteRegistry, State
from eau2.kv.transitions import Step, abort, done, drop, publish, renew, reserve
from eau2.records import replace

PENDING = Entry("t", State.PENDING, "new", 1, revision=1)
LIVE = Entry("t", State.LIVE, "old", 4, "sum", revision=7)
UPDATING = replace(LIVE, pending="new", revision=8)
PUBLISHED = Entry("t", State.LIVE, "new", 5, "digest", revision=9)
OTHER = Entry("t", State.LIVE, "third", 6, revision=12)

PUT = reserve("t", "new", False)
REPLACE = reserve("t", "new", True)
PUBLISH = publish("t", "new", 5, "digest", "old")
PUBLISH_FIRST = publish("t", "new", 1, "digest", None)


def gone(entry: Entry, state: State) -> Entry:
    return replace(entry, state=state, revision=entry.revision + 1)


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        (PUT, None, PENDING),
        (PUT, gone(LIVE, State.DROPPED), replace(PENDING, revision=9)),
        (PUT, PENDING, None),
        (REPLACE, LIVE, UPDATING),
        (REPLACE, UPDATING, None),
        (renew("t", "new"), PENDING, replace(PENDING, revision=2)),
        (renew("t", "new"), UPDATING, replace(UPDATING, revision=9)),
        (PUBLISH, UPDATING, PUBLISHED),
        (PUBLISH, PUBLISHED, None),
        (PUBLISH, gone(PUBLISHED, State.DROPPED), None),
        (PUBLISH_FIRST, PENDING, Entry("t", State.LIVE, "new", 1, "digest", revision=2)),
        (abort("new"), PENDING, replace(PENDING, state=State.ABORTED, revision=2)),
        (abort("new"), UPDATING, replace(LIVE, revision=9)),
        (abort("new", 1), PENDING, replace(PENDING, state=State.ABORTED, revision=2)),
        (abort("new", 2), PENDING, None),
        (abort("new"), PUBLISHED, None),
        (abort("new"), None, None),
        (drop("old"), LIVE, gone(LIVE, State.DROPPED)),
        (drop("old"), UPDATING, replace(LIVE, state=State.DROPPED, revision=9)),
        (drop("old"), OTHER, None),
        (drop("old"), None, None),
    ],
)
@pytest.mark.parametrize("tried", [False, True])
def test_a_step_goes_where_it_should(
    step: Step, before: Entry | None, after: Entry | None, tried: bool
) -> None:
    assert step(before, tried) == after


@pytest.mark.parametrize(
    ("step", "before", "tried", "error"),
    [
        (PUT, LIVE, False, NameExistsError),
        (PUT, replace(UPDATING, pending="third"), False, NameExistsError),
        (REPLACE, replace(UPDATING, pending="third"), False, StoreBusyError),
        (REPLACE, replace(PENDING, df_id="third"), False, StoreBusyError),
        (PUT, gone(PENDING, State.ABORTED), True, WithdrawnError),
        (renew("t", "new"), None, False, WithdrawnError),
        (renew("t", "new"), LIVE, True, WithdrawnError),
        (PUBLISH, LIVE, True, WithdrawnError),
        (PUBLISH, gone(LIVE, State.DROPPED), True, WithdrawnError),
        (PUBLISH, OTHER, False, WithdrawnError),
        (PUBLISH, OTHER, True, OutcomeUnknownError),
        (PUBLISH_FIRST, gone(PENDING, State.ABORTED), True, WithdrawnError),
        (PUBLISH_FIRST, OTHER, True, OutcomeUnknownError),
    ],
)
def test_a_step_is_refused(
    step: Step, before: Entry | None, tried: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        step(before, tried)


NAMED = reserve("t", "new", True, op="op")
MINE = Entry("t", State.PENDING, "first", 1, revision=3, op="op")
MINE_UPDATING = replace(LIVE, pending="first", pending_op="op", revision=8)


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        (NAMED, None, replace(PENDING, op="op")),
        (NAMED, LIVE, replace(UPDATING, pending_op="op")),
        # Done already, also while the next put is under way.
        (NAMED, replace(LIVE, op="op"), None),
        (reserve("t", "new", False, op="op"), replace(LIVE, op="op", pending="x"), None),
        (reserve("t", "new", True, append=True, op="op"), replace(LIVE, op="op"), None),
        # An earlier attempt is taken over.
        (NAMED, MINE, replace(MINE, df_id="new", revision=4)),
        (reserve("t", "new", False, op="op"), MINE, replace(MINE, df_id="new", revision=4)),
        (NAMED, MINE_UPDATING, replace(MINE_UPDATING, pending="new", revision=9)),
        (
            publish("t", "first", 1, "m", None),
            MINE,
            Entry("t", State.LIVE, "first", 1, "m", None, 4, "op"),
        ),
        (
            publish("t", "first", 5, "m", "old"),
            MINE_UPDATING,
            Entry("t", State.LIVE, "first", 5, "m", None, 9, "op"),
        ),
        (abort("first"), MINE_UPDATING, replace(LIVE, revision=9)),
        (drop("old"), MINE_UPDATING, replace(LIVE, state=State.DROPPED, revision=9)),
    ],
)
def test_an_operation_that_is_asked_for_again_is_done_once(
    step: Step, before: Entry | None, after: Entry | None
) -> None:
    assert step(before, False) == after


@pytest.mark.parametrize(
    ("step", "before", "tried", "error"),
    [
        (NAMED, replace(MINE, op="other"), False, StoreBusyError),
        (NAMED, replace(MINE_UPDATING, pending_op="other"), False, StoreBusyError),
        (NAMED, replace(MINE_UPDATING, pending_op="", op="op2"), False, StoreBusyError),
        (reserve("t", "new", True), replace(MINE, op=""), False, StoreBusyError),
        # It may have been taken over from this very attempt.
        (NAMED, MINE, True, StoreBusyError),
        (publish("t", "first", 1, "m", None), replace(MINE, df_id="new"), False, WithdrawnError),
    ],
)
def test_another_operation_is_not_taken_for_this_one(
    step: Step, before: Entry, tried: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        step(before, tried)


def test_what_an_operation_made_is_done_while_it_is_visible() -> None:
    assert done(replace(LIVE, op="op"), "op")
    for entry in (
        None,
        LIVE,
        replace(LIVE, op="other"),
        MINE,
        gone(replace(LIVE, op="op"), State.DROPPED),
    ):
        assert not done(entry, "op")
    assert not done(LIVE, "")


def test_every_change_raises_the_revision() -> None:
    steps = (PUT, REPLACE, renew("t", "new"), PUBLISH, abort("new"), drop("old"))
    for before in (PENDING, LIVE, UPDATING, PUBLISHED, OTHER, gone(LIVE, State.DROPPED)):
        for step in steps:
            try:
                after = step(before, False)
            except (NameExistsError, StoreBusyError, WithdrawnError):
                continue
            assert after is None or after.revision == before.revision + 1


def test_revisions_are_kept_and_guarded(tmp_path: Path) -> None:
    path = tmp_path / "names"
    registry = SqliteRegistry(path, 1.0)
    assert registry.cas("t", None, LIVE)
    assert not registry.cas("t", replace(LIVE, revision=6), OTHER)
    registry.close()
    registry = SqliteRegistry(path, 1.0)
    assert registry.read("t") == LIVE
    with sqlite3.connect(path) as db:
        db.execute("UPDATE register SET revision = 8")
    db.close()
    with pytest.raises(StoreError, match="damaged"):
        registry.read("t")
    registry.close()


def test_registers_of_an_older_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "names"
    plain = replace(LIVE, revision=0)
    registry = SqliteRegistry(path, 1.0)
    registry.cas("t", None, plain)
    registry.close()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE register DROP COLUMN revision")
        db.execute("PRAGMA user_version = 1")
    db.close()
    registry = SqliteRegistry(path, 1.0)
    assert registry.read("t") == plain
    assert registry.cas("t", plain, LIVE)
    assert registry.read("t") == LIVE
    registry.close()
