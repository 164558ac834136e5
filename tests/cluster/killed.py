"""A node is killed in the middle of each TPC-H query: `python -m tests.cluster.killed`.

Three nodes hold the tables, each chunk on two of them at least. Each query is run once in peace and
once while a node that does not lead it is killed half way; the answers must be those of eau2
embedded, to the last bit, and the added time is printed. Then the node is started again.

`--scale` and `--queries q01,q05` choose what is run, `--stop` stops the node (SIGSTOP) instead, and
`--attempts` says how often a query that was over before the kill is run again. Exit code 1 when an
answer is wrong or missing, or took longer than `--bound` seconds more.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import eau2
from tests.cluster.asking import about
from tests.cluster.nodes import Processes, processes, until
from tests.tpch import check, data

BOUND_S = 8.0
"""Detection, which is 5 s at most for a node that says nothing, and what runs again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a query went. seconds: in peace, and with the kill. hit: whether the kill came in time.

    words: what was wrong, None when nothing was.
    """

    query: str
    victim: str
    peace_s: float
    seconds: float
    hit: bool
    words: str | None

    @property
    def added_s(self) -> float:
        """What the kill has cost."""
        return self.seconds - self.peace_s


def outcomes(
    nodes: Processes,
    queries: Sequence[str],
    wanted: dict[str, str],
    stops: bool = False,
    attempts: int = 3,
) -> Iterator[Outcome]:
    """Run each query, with victims in turn. wanted: the digest of each query's right answer."""
    for number, query in enumerate(queries):
        victim = 1 + number % (len(nodes.nodes) - 1)
        share = 0.5
        for _ in range(attempts):
            outcome = _one(nodes, victim, query, wanted[query], stops, share)
            if outcome.hit or outcome.words is not None:
                break
            share /= 3
        yield outcome


def _one(
    nodes: Processes, place: int, query: str, wanted: str, stops: bool, share: float
) -> Outcome:
    url, victim = nodes.urls[0], nodes.nodes[place]
    text = data.text(query)
    with eau2.connect(url) as connection:
        connection.sql(text)
        start = time.monotonic()
        connection.sql(text)
        peace_s = time.monotonic() - start
        ended = threading.Event()
        hit = False

        def kill() -> None:
            nonlocal hit
            time.sleep(share * peace_s)
            hit = not ended.is_set()
            if stops:
                os.kill(victim.pid, signal.SIGSTOP)
            else:
                nodes.kill(place)

        killing = threading.Thread(target=kill)
        start = time.monotonic()
        killing.start()
        words = None
        try:
            found = check.digest(connection.sql(text).to_arrow())
            words = None if found == wanted else f"{found} instead of {wanted}"
        except eau2.Error as error:
            words = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - start
        ended.set()
        killing.join()
    if stops:
        os.kill(victim.pid, signal.SIGCONT)
    else:
        nodes.restart(place)
    until(lambda: about(nodes.urls[place]).running == 0, 20)
    return Outcome(query, victim.name, peace_s, seconds, hit, words)


def expected(scale: str, chunk_rows: int, queries: Sequence[str]) -> dict[str, str]:
    """The digests of the right answers: those of eau2 embedded."""
    with check.connect(scale, chunk_rows) as connection:
        return {q: check.digest(connection.sql(data.text(q)).to_arrow()) for q in queries}


@contextmanager
def loaded(scale: str, chunk_rows: int) -> Iterator[Processes]:
    """Three nodes that hold the tables."""
    with processes(3) as nodes, check.spread(scale, chunk_rows, nodes.urls[:1]):
        yield nodes


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="0.1")
    parser.add_argument("--chunk-rows", type=int, default=65_536)
    parser.add_argument("--queries", default=",".join(data.QUERIES))
    parser.add_argument("--bound", type=float, default=BOUND_S)
    parser.add_argument("--attempts", type=int, default=3)
    parser.add_argument("--stop", action="store_true")
    options = parser.parse_args(arguments)
    queries = options.queries.split(",")
    wanted = expected(options.scale, options.chunk_rows, queries)
    failed, hits, added = 0, 0, 0.0
    with loaded(options.scale, options.chunk_rows) as nodes:
        for done in outcomes(nodes, queries, wanted, options.stop, options.attempts):
            late = done.added_s > options.bound
            failed += done.words is not None or late
            hits += done.hit
            added = max(added, done.added_s)
            when = "in its middle" if done.hit else "after its end"
            print(
                f"{done.query}: {done.victim} killed {when}, {done.peace_s:.2f} s in peace,"
                f" {done.added_s:+.2f} s: {done.words or ('late' if late else 'right')}",
                flush=True,
            )
    print(f"{len(queries)} queries, {hits} hit, at most {added:.2f} s more, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
