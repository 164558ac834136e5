"""Nodes that the tests of this folder share: started once, for those that only ask them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.nodes import InProcess, Processes, in_process, processes


@pytest.fixture(scope="session")
def three_in_process() -> Iterator[InProcess]:
    """Three nodes in this process."""
    with in_process(3) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def three_processes() -> Iterator[Processes]:
    """Three real processes, one kernel thread each. Not to be killed."""
    with processes(3) as nodes:
        yield nodes
