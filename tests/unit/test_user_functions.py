"""Functions of users: where they are kept, who sees them, and what is no function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgpack
import pyarrow as pa
import pytest
import xxhash

import eau2
from eau2.backup import backup, checked, restore
from eau2.backup_ends import End, NodeEnd, StoreEnd
from eau2.catalog import ColumnSchema, FrameSchema, Function, View, register_of_function
from eau2.config import LIMITS
from eau2.errors import (
    CorruptChunkError,
    NameExistsError,
    NameTakenError,
    NotSupportedError,
    OperationalError,
    PeerLostError,
    ProgrammingError,
    ProtocolError,
    StoreError,
    UnknownFunctionError,
    UsageError,
)
from eau2.kv import manifest
from eau2.kv.store import Store
from eau2.net.address import parse_addresses
from eau2.net.message import PutFunction
from eau2.operators.codec import FragmentError, function_to_plain
from eau2.operators.expr import AggregateCall, Call, ColumnRef, Literal
from eau2.operators.function_form import as_kept, decode, encode
from eau2.operators.functions import table
from eau2.operators.user_functions import Parameter, UserFunction
from eau2.records import replace
from eau2.remote import RemoteBackend
from eau2.repeating import changes_nothing, leaves_state
from eau2.types import BIGINT, VARCHAR
from tests.cluster.nodes import InProcess, in_process, processes
from tests.unit.front_door import Door, door

PLUS = UserFunction(
    "plus",
    (Parameter("a", BIGINT), Parameter("b", BIGINT)),
    BIGINT,
    table.bind("+", (ColumnRef(BIGINT, 0), ColumnRef(BIGINT, 1))),
)
KEPT = as_kept(PLUS, "a + b")
SCHEMA = FrameSchema((ColumnSchema("a", BIGINT),))


@dataclass(frozen=True)
class Written:
    """A function as the decorator gives it."""

    definition: UserFunction
    source: str


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(None if request.param == "memory" else tmp_path / "store")
    yield opened
    opened.close()


def test_a_function_and_a_frame_share_a_name(store: Store) -> None:
    rows = pa.table({"a": [1, 2]})
    store.keep(KEPT)
    store.put("plus", rows.schema, rows.to_batches())
    store.keep(View("seen", (), "SELECT 1"))
    frame = store.get("plus")
    assert frame is not None
    store.keep(KEPT, replace=True)
    assert store.read(frame.chunks[0], ("a",)).num_rows == 2
    assert store.names() == ("plus", "seen")
    assert store.functions() == ("plus",)
    assert store.function("PLUS") == KEPT
    assert (store.get("plus()"), store.view("plus()")) == (None, None)
    assert (store.function("seen"), store.function("plus()")) == (None, None)
    store.drop("plus")
    assert store.function("plus") == KEPT
    assert store.get("plus") is None
    assert store.drop(register_of_function("Plus"))
    assert store.functions() == ()


def test_a_function_is_replaced_only_when_that_is_asked(store: Store) -> None:
    store.keep(KEPT)
    before = store.epoch()
    other = replace(KEPT, name="PLUS", source="b + a")
    with pytest.raises(NameExistsError, match='a function called "plus" exists already'):
        store.keep(other)
    assert store.epoch() == before
    store.keep(other, replace=True)
    assert store.function("plus") == other
    assert store.functions() == ("PLUS",)
    assert store.epoch() != before


@pytest.mark.parametrize("name", ["", "1st", "a b", "a-b", "f()", "é", "x" * 129])
def test_names_that_no_function_can_have(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a function"):
        store.keep(replace(KEPT, name=name))
    assert store.functions() == ()


@pytest.mark.parametrize("name", ["f()", "plus()"])
def test_no_frame_and_no_view_is_put_in_the_place_of_a_function(store: Store, name: str) -> None:
    rows = pa.table({"a": [1, 2]})
    with pytest.raises(UsageError, match="cannot be the name of a frame"):
        store.put(name, rows.schema, rows.to_batches(), replace=True)
    with pytest.raises(UsageError, match="cannot be the name of a frame"):
        store.keep(View(name, (), "SELECT 1"), replace=True)
    with pytest.raises(UsageError, match="cannot be the name of a frame"):
        store.append(name, SCHEMA, rows.to_batches())


def test_functions_are_there_when_the_store_is_opened_again(tmp_path: Path) -> None:
    folder = str(tmp_path / "store")
    with eau2.connect(folder) as connection:
        connection.sql("CREATE FUNCTION plus(a BIGINT, b BIGINT) RETURNS BIGINT AS (a + b)")
        connection.sql("CREATE OR REPLACE FUNCTION plus(a BIGINT, b BIGINT) RETURNS BIGINT AS a")
        connection.sql("CREATE TEMP FUNCTION passing() RETURNS INTEGER AS 1")
        connection.sql("CREATE FUNCTION gone() RETURNS INTEGER AS 1; DROP FUNCTION gone")
        assert connection.functions() == ("passing", "plus")
    with eau2.connect(folder) as connection, eau2.connect(folder) as other:
        assert connection.functions() == other.functions() == ("plus",)
        assert connection.sql("SELECT plus(1, 2)").fetchall() == [(1,)]
        other.sql("CREATE OR REPLACE FUNCTION plus(a BIGINT, b BIGINT) RETURNS BIGINT AS b")
        assert connection.sql("SELECT plus(1, 2)").fetchall() == [(2,)], "a kept plan was stale"
        other.sql("DROP FUNCTION plus")
        with pytest.raises(UnknownFunctionError):
            connection.sql("SELECT plus(1, 2)")


def test_a_query_under_way_keeps_the_function_that_it_began_with() -> None:
    with eau2.connect() as connection:
        connection.sql("CREATE FUNCTION next(a BIGINT) RETURNS BIGINT AS (a + 1)")
        connection.sql(
            "SET chunk_rows = 1000; CREATE TABLE t AS SELECT range AS a FROM range(9000)"
        )
        batches = connection.stream("SELECT next(a) AS b FROM t")
        first = next(batches)
        connection.sql("CREATE OR REPLACE FUNCTION next(a BIGINT) RETURNS BIGINT AS (-a)")
        numbers = [n for batch in (first, *batches) for n in batch.column(0).to_pylist()]
        assert numbers == list(range(1, 9001))
        assert connection.sql("SELECT next(5)").fetchall() == [(-5,)]


def test_a_damaged_manifest_is_said_of_its_function(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with eau2.connect(str(folder)) as connection:
        connection.sql("CREATE FUNCTION plus(a BIGINT, b BIGINT) RETURNS BIGINT AS (a + b)")
        connection.sql("CREATE TABLE t AS SELECT 1 AS a")
    (path,) = [
        path for path in (folder / "chunks").glob("*/manifest") if b"plus" in path.read_bytes()
    ]
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with eau2.connect(str(folder)) as connection:
        with pytest.raises(CorruptChunkError, match='manifest of function "plus" is damaged'):
            connection.sql("SELECT plus(a, a) FROM t")
        connection.sql("CREATE FUNCTION minus(a BIGINT, b BIGINT) RETURNS BIGINT AS (a - b)")
        other, damaged = connection.sql("SHOW FUNCTIONS").fetchall()
        assert other[:3] == ("minus", "minus(a BIGINT, b BIGINT) -> BIGINT", "scalar")
        assert (damaged[0], damaged[2:]) == ("plus", ("damaged", None))
        assert 'manifest of function "plus" is damaged' in damaged[1]
        assert connection.sql("SELECT * FROM t").fetchall() == [(1,)]
        connection.sql("CREATE OR REPLACE FUNCTION plus(a BIGINT, b BIGINT) RETURNS BIGINT AS b")
        assert connection.sql("SELECT plus(a, 2) FROM t").fetchall() == [(2,)]


def test_a_form_that_this_version_cannot_read_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = Store.open(folder)
    store.keep(replace(KEPT, form=b"of a later version"))
    store.close()
    with (
        eau2.connect(str(folder)) as connection,
        pytest.raises(StoreError, match="the function plus cannot be read") as caught,
    ):
        connection.sql("SELECT plus(1, 2)")
    assert "CREATE OR REPLACE FUNCTION plus" in str(caught.value.hint)


def test_manifests_of_functions() -> None:
    assert manifest.decode(manifest.encode(KEPT)) == KEPT
    for wrong in ({"function": 1}, {"form": "text"}, {"source": None}):
        plain = {"function": "f", "form": b"", "source": "", **wrong}
        body = msgpack.packb(plain)
        framed = manifest._MAGIC + xxhash.xxh3_128_digest(body) + body
        with pytest.raises(manifest.ManifestError, match="not a manifest"):
            manifest.decode(framed)


def _form(function: UserFunction) -> bytes:
    form: bytes = msgpack.packb(function_to_plain(function))
    return form


NO_FUNCTIONS = {
    "nothing": b"",
    "no msgpack": b"\xc1",
    "text": b"\xa5hello",
    "an operator's": msgpack.packb([2, ["one"]]),
    "cut off": encode(PLUS)[:-3],
    "too long": b"\x00" * (LIMITS.function_bytes + 1),
    "a column that is no parameter": _form(replace(PLUS, body=ColumnRef(BIGINT, 2))),
    "a column of another type": _form(replace(PLUS, body=ColumnRef(VARCHAR, 0))),
    "a negative column": _form(replace(PLUS, body=ColumnRef(BIGINT, -1))),
    "a function that there is not": _form(replace(PLUS, body=Call(BIGINT, "no_such", ()))),
    "a function by another of its names": _form(replace(PLUS, body=Call(BIGINT, "add", ()))),
    "an aggregate that there is not": _form(
        replace(PLUS, aggregates=(AggregateCall("no_such", (), BIGINT),))
    ),
    "an aggregate over itself": _form(
        replace(PLUS, aggregates=(AggregateCall("sum", (ColumnRef(BIGINT, 2),), BIGINT),))
    ),
}


@pytest.mark.parametrize("form", NO_FUNCTIONS.values(), ids=NO_FUNCTIONS.keys())
def test_bytes_that_are_no_function(form: bytes) -> None:
    with pytest.raises(FragmentError):
        decode(form)
    with door() as front:
        node = front.connect()
        with pytest.raises(ProtocolError, match="a function that cannot be read"):
            node.collect(PutFunction("plus", "", True), (form,))
        assert front.store.functions() == ()


def test_what_is_put_at_a_node_is_looked_at() -> None:
    def put(front: Door, name: str, session: bool = False, function: Function = KEPT) -> None:
        answer = PutFunction(name, function.source, False, session)
        assert front.connect().collect(answer, (function.form,)) == []

    with door() as front:
        put(front, "plus")
        assert front.store.function("plus") == KEPT
        with pytest.raises(NameExistsError):
            put(front, "plus")
        with pytest.raises(ProtocolError, match="calls itself"):
            put(front, "minus")
        for name in ("sum", "Upper", "unnest"):
            taken = replace(PLUS, name=name)
            with pytest.raises(ProgrammingError, match="that eau2 has"):
                put(front, name, function=as_kept(taken))
        with pytest.raises(UsageError):
            put(front, "a b", function=as_kept(replace(PLUS, name="a b")))
        put(front, "own", session=True, function=as_kept(replace(PLUS, name="own")))
        assert front.store.functions() == ("plus",)


def test_a_function_that_is_too_large() -> None:
    many = Call(VARCHAR, "concat", tuple([Literal(VARCHAR, "x" * 5_000)] * 300))
    with pytest.raises(NotSupportedError, match="bytes in its operator form"):
        as_kept(UserFunction("long", (), VARCHAR, many))
    with eau2.connect() as connection:
        connection.sql(f"CREATE FUNCTION part() RETURNS VARCHAR AS ('{'x' * 100_000}')")
        text = f"CREATE FUNCTION long() RETURNS VARCHAR AS ({' || '.join(['part()'] * 20)})"
        with pytest.raises(NotSupportedError, match="bytes in its operator form") as caught:
            connection.sql(text)
    assert caught.value.span is not None
    parameters = ", ".join(f"p{n} INTEGER" for n in range(LIMITS.function_parameters + 1))
    with eau2.connect() as connection, pytest.raises(NotSupportedError, match="parameters"):
        connection.sql(f"CREATE FUNCTION wide({parameters}) RETURNS INTEGER AS 1")


def test_a_connection_has_room_for_so_many_functions() -> None:
    room = LIMITS.temporary_function_bytes
    source = "x" * (room // 2)
    with eau2.connect() as connection:
        for name in ("one", "one", "two"):
            written = Written(replace(PLUS, name=name), source[: -len(KEPT.form) - 10])
            connection.register_function(written)
        three = Written(replace(PLUS, name="three"), "x" * 1000)
        with pytest.raises(OperationalError, match="are not kept for one connection"):
            connection.register_function(three)
        with pytest.raises(OperationalError, match="are not kept for one connection"):
            connection.sql(f"CREATE TEMP FUNCTION f() RETURNS VARCHAR AS ('{'x' * 1000}')")
        assert connection.functions() == ("one", "two")
        connection.sql(f"CREATE FUNCTION f() RETURNS VARCHAR AS ('{'x' * 1000}')")
        connection.sql("DROP FUNCTION one")
        connection.register_function(three)


def test_registered_functions_are_of_their_connection(three_in_process: InProcess) -> None:
    url = three_in_process.urls[1]
    for where in (None, url):
        with eau2.connect(where) as connection:
            assert connection.functions() == ()
            connection.register_function(PLUS)
            assert connection.sql("SELECT plus(1, 2)").fetchall() == [(3,)]
            other = replace(PLUS, body=ColumnRef(BIGINT, 1))
            connection.register_function(Written(other, "def plus(a, b): return b\n"))
            assert connection.sql("SELECT plus(1, 2)").fetchall() == [(2,)]
            assert connection.functions() == ("plus",)
            shown = connection.sql("SHOW FUNCTIONS").fetchall()
            signature = "plus(a BIGINT, b BIGINT) -> BIGINT"
            assert shown == [("plus", signature, "scalar", "def plus(a, b): return b")]
            with pytest.raises(ProgrammingError, match="that eau2 has"):
                connection.register_function(replace(PLUS, name="sum"))
            for wrong in (len, 1, "SELECT 1", Written):
                with pytest.raises(UsageError, match="is no compiled function"):
                    connection.register_function(wrong)
            with pytest.raises(UsageError, match="cannot be the name"):
                connection.register_function(replace(PLUS, name="a b"))
    with eau2.connect(url) as connection:
        assert connection.functions() == ()


def test_every_node_knows_a_function(three_in_process: InProcess) -> None:
    first, second, third = map(eau2.connect, three_in_process.urls)
    with first, second, third:
        first.sql("CREATE FUNCTION near(a BIGINT) RETURNS BIGINT AS (a + 1)")
        first.sql("SET chunk_rows = 3; CREATE TABLE near AS SELECT range AS a FROM range(10)")
        assert third.functions() == second.functions() == ("near",)
        assert second.tables() == ("near",)
        text = "SELECT sum(near(a)) FROM near WHERE near(a) > 3"
        assert [c.sql(text).fetchall() for c in (second, third)] == [[(49,)]] * 2
        with pytest.raises(NameTakenError):
            second.sql("CREATE FUNCTION near(a BIGINT) RETURNS BIGINT AS a")
        second.sql("CREATE OR REPLACE FUNCTION near(a BIGINT) RETURNS BIGINT AS (a + 2)")
        assert third.sql("SELECT near(1)").fetchall() == [(3,)]
        assert {row[0] for row in third.sql("SHOW CHUNKS").fetchall()} == {"near"}
        third.sql("DROP FUNCTION near")
        with pytest.raises(UnknownFunctionError):
            first.sql("SELECT near(1)")
        first.sql("DROP TABLE near")


def test_functions_outlive_a_node_that_is_killed() -> None:
    with processes(3) as nodes:
        with eau2.connect(nodes.urls[0]) as connection:
            connection.sql("CREATE FUNCTION kept(a BIGINT) RETURNS BIGINT AS (a * 2)")
        nodes.kill(0)
        for url in nodes.urls[1:]:
            with eau2.connect(url) as connection:
                assert connection.sql("SELECT kept(21)").fetchall() == [(42,)]
        with eau2.connect(nodes.urls[1]) as connection:
            connection.sql("CREATE OR REPLACE FUNCTION kept(a BIGINT) RETURNS BIGINT AS (a * 3)")
        nodes.restart(0)
        with eau2.connect(nodes.urls[0]) as connection:
            assert connection.sql("SELECT kept(21)").fetchall() == [(63,)]


def test_a_store_of_nodes_is_read_again_with_its_functions(tmp_path: Path) -> None:
    with in_process(1, data=tmp_path) as nodes, eau2.connect(nodes.urls[0]) as connection:
        connection.sql("CREATE FUNCTION kept(a BIGINT) RETURNS BIGINT AS (a * 2)")
    with in_process(1, data=tmp_path) as nodes, eau2.connect(nodes.urls[0]) as connection:
        assert connection.sql("SELECT kept(21)").fetchall() == [(42,)]


def test_what_is_lost_with_a_connection(three_in_process: InProcess) -> None:
    assert changes_nothing("SHOW FUNCTIONS")
    assert not changes_nothing("DROP FUNCTION f")
    assert not changes_nothing("CREATE FUNCTION f() RETURNS INTEGER AS 1")
    assert leaves_state("CREATE TEMP FUNCTION f() RETURNS INTEGER AS 1")
    assert not leaves_state("CREATE FUNCTION temp() RETURNS INTEGER AS 1")
    with eau2.connect(",".join(three_in_process.urls[:2]).replace(",eau2://", ",")) as connection:
        connection.register_function(PLUS)
        backend = connection._backend
        assert isinstance(backend, RemoteBackend)
        backend._node.close()
        assert connection.lost
        with pytest.raises(PeerLostError, match="registered"):
            connection.sql("SELECT 1")


SETUP = """
    CREATE FUNCTION plus(a BIGINT, b BIGINT) RETURNS BIGINT AS (a + b);
    CREATE FUNCTION spread(x BIGINT) RETURNS BIGINT AS (max(x) - min(x));
    CREATE TABLE plus AS SELECT 1::BIGINT AS a;
    CREATE VIEW added AS SELECT plus(a, 1) AS b FROM plus
"""


def ends(folder: Path, nodes: InProcess) -> dict[str, End]:
    """An empty store on disk, and one over nodes."""
    remote = RemoteBackend(parse_addresses(nodes.urls[1]))
    return {"store": StoreEnd(Store.open(folder)), "ring": NodeEnd(remote)}


def filled(end: End) -> None:
    """Put the frames and functions of SETUP there."""
    with eau2.connect() as connection:
        connection.sql(SETUP)
        frames = connection._backend.frames.stored  # type: ignore[union-attr]
        for name in frames.functions():
            end.put_function(frames.function(name), False)
        frame = frames.get("plus")
        end.put_frame(frame, [frames._at_hand.batch(ref) for ref in frame.chunks], False)
        assert [view.name for view in end.put_views([frames.view("added")], False)] == ["added"]


def emptied(end: End, nodes: InProcess) -> None:
    if isinstance(end, NodeEnd):
        with eau2.connect(nodes.urls[0]) as connection:
            for name in connection.functions():
                connection.sql(f"DROP FUNCTION {name}")
            connection.sql("DROP VIEW IF EXISTS added; DROP TABLE IF EXISTS plus")


@pytest.mark.parametrize("source", ["store", "ring"])
@pytest.mark.parametrize("target", ["store", "ring"])
def test_a_backup_has_functions(
    source: str, target: str, three_in_process: InProcess, tmp_path: Path
) -> None:
    folder = str(tmp_path / "backup")
    said: list[str] = []
    end = ends(tmp_path / "source", three_in_process)[source]
    try:
        filled(end)
        assert backup(end, folder, said.append) == 4
    finally:
        emptied(end, three_in_process)
        end.close()
    assert sorted(said) == ["added: view", "plus(): function", "plus: 1 row", "spread(): function"]
    assert '"eau2 backup 2"' in Path(folder, "BACKUP").read_text()
    end = ends(tmp_path / "target", three_in_process)[target]
    try:
        restore(end, checked(folder, ["plus()"]), replace=False, said=said.append)
        assert end.names() == ("plus()",)
        restore(end, checked(folder, []), replace=False, said=said.append)
        assert set(end.names()) == {"added", "plus", "plus()", "spread()"}
        wrong = replace(KEPT, form=as_kept(replace(PLUS, body=ColumnRef(BIGINT, 0))).form)
        end.put_function(wrong, True)
        with pytest.raises(NameExistsError, match="is not what the backup has"):
            restore(end, checked(folder, []), replace=False, said=said.append)
        restore(end, checked(folder, []), replace=True, said=said.append)
        found = end.named("plus()")
        assert isinstance(found, Function)
        assert found.source == "a + b"
        assert decode(found.form) == PLUS
    finally:
        emptied(end, three_in_process)
        end.close()


def test_a_backup_without_functions_is_of_the_first_format(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    rows = pa.table({"a": [1]})
    store.put("t", rows.schema, rows.to_batches())
    backup(StoreEnd(store), str(tmp_path / "backup"), lambda _: None)
    store.close()
    assert '"eau2 backup 1"' in (tmp_path / "backup" / "BACKUP").read_text()
