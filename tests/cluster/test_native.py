"""Native functions in a store of two nodes, one of which was told to allow them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import eau2
from eau2.errors import (
    DeadlineError,
    FunctionFailedError,
    KernelLostError,
    OperationalError,
    UnknownFunctionError,
)
from eau2.launch import NodeOptions, NodeProcess
from tests.cluster.asking import put, sql
from tests.cluster.nodes import ANY_PORT, kernels
from tests.processes import environment

MODULE = """
import os
import time

import eau2
import pyarrow as pa

print("a word at the import")


@eau2.native_function("BIGINT", returns="BIGINT")
def process(x):
    return pa.array([os.getpid()] * len(x), pa.int64())


@eau2.native_function("BIGINT", returns="BIGINT")
def ends(x):
    os._exit(7)


@eau2.native_function("BIGINT", returns="BIGINT")
def hangs(x):
    while True:
        time.sleep(0.1)


@eau2.native_function("BIGINT", returns="BIGINT")
def fails(x):
    raise RuntimeError("no such tariff")
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[NodeProcess, NodeProcess]]:
    """A node that allows the functions of a module, and one that was told of none."""
    folder: Path = tmp_path_factory.mktemp("native")
    (folder / "tariffs.py").write_text(MODULE)
    variables = environment()
    variables["PYTHONPATH"] = os.pathsep.join([variables["PYTHONPATH"], str(folder)])
    nodes: list[NodeProcess] = []
    try:
        for modules in (("tariffs",), ()):
            join = nodes[0].address if nodes else None
            options = NodeOptions(
                *(ANY_PORT, str(folder / f"n{len(nodes)}"), join, None, 1),
                native_functions=modules,
            )
            with (folder / f"{len(nodes)}.log").open("ab") as log:
                nodes.append(NodeProcess(options, variables=variables, log=log))
            nodes[-1].ready()
        put(nodes[0].url, "t", 400)
        yield nodes[0], nodes[1]
        codes = []
        for node in reversed(nodes):
            node.terminate()
            codes.append(node.wait(20))
        assert codes == [0, 0]
    finally:
        for node in nodes:
            node.kill()


def test_it_runs_in_a_kernel_process_of_the_node(pair: tuple[NodeProcess, NodeProcess]) -> None:
    allowing, _ = pair
    ((process,),) = sql(allowing.url, "SELECT process(1)")
    assert process in kernels(allowing)
    listed = {row[0]: row[1:] for row in sql(allowing.url, "SHOW FUNCTIONS")}
    assert listed["ends"] == ("ends(x BIGINT) -> BIGINT", "native", "tariffs.ends")


def test_what_it_does_costs_the_statement_alone(pair: tuple[NodeProcess, NodeProcess]) -> None:
    allowing, _ = pair
    with eau2.connect(allowing.url) as connection:
        with pytest.raises(FunctionFailedError) as caught:
            connection.sql("SELECT fails(1)")
        said = "RuntimeError: no such tariff, in the native function fails"
        assert caught.value.message == said
        with pytest.raises(KernelLostError, match="exit code 7") as lost:
            connection.sql("SELECT ends(1)")
        assert "native function" in str(lost.value.hint)
        ((before,),) = connection.sql("SELECT process(1)").fetchall()
        with pytest.raises(DeadlineError):
            connection.sql("SELECT hangs(1)", timeout=0.5)
        ((process,),) = connection.sql("SELECT process(1)").fetchall()
        assert process != before
        assert allowing.poll() is None


def test_a_node_that_was_not_told_has_none(pair: tuple[NodeProcess, NodeProcess]) -> None:
    allowing, other = pair
    with pytest.raises(UnknownFunctionError, match='there is no function "process"'):
        sql(other.url, "SELECT process(1)")
    with pytest.raises(OperationalError) as caught:
        sql(allowing.url, "SELECT count(DISTINCT process(a)) FROM t")
    assert 'node n2 has no native function "process"' in caught.value.message
    assert "--allow-native-functions MODULE" in str(caught.value.hint)
    assert sql(other.url, "SELECT count(*) FROM t") == [(400,)]
