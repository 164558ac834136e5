"""Kill a writer at random moments and look at what is left.

    python -m tests.crash.kill_put --times 100

A child process puts, replaces, appends to and drops frames for ever; it is killed with SIGKILL
after a random time. Then the store must open, each name must hold exactly one of the contents that
it has had or nothing, a name whose last finished operation is known must hold that content or the
one of the operation that was cut short, and after the opening no file may be left that no manifest
lists.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa

from eau2.catalog import Frame
from eau2.kv.store import Store

ROWS = 30_000
CHUNK_ROWS = 4_000
APPENDED = 7
APPENDS = 1000
"""A content is a number: that of its put times this, and how often rows were appended since."""
NAMES = ("a", "b")


def content(number: int) -> pa.Table:
    """The rows of a frame, which tell from which put they are, and how many were appended."""
    seed, appends = divmod(number, APPENDS)
    return rows(seed, 0, ROWS + APPENDED * appends)


def rows(seed: int, start: int, stop: int) -> pa.Table:
    """Some of the rows of a put and of the appends after it."""
    return pa.table(
        {
            "seed": pa.array([seed] * (stop - start), pa.int64()),
            "number": pa.array(range(start, stop), pa.int64()),
            "text": pa.array([f"{seed}: row number {i}" for i in range(start, stop)]),
        }
    )


def child(root: str, seed: int) -> None:
    """Write for ever; before and after each operation say so, on one line each."""
    store = Store.open(root)
    choices = random.Random(seed)
    print("open", flush=True)
    while True:
        name = choices.choice(NAMES)
        frame = store.get(name)
        what = choices.random()
        if frame is None or what < 0.12:
            seed += 1
            number = seed * APPENDS
            print(f"begin {name} {number}", flush=True)
            table = content(number)
            store.put(name, table.schema, table.to_batches(), chunk_rows=CHUNK_ROWS, replace=True)
        elif what < 0.25:
            number = -1
            print(f"begin {name} {number}", flush=True)
            store.drop(name)
        else:
            seed_now = store.read(frame.chunks[0], ("seed",))["seed"][0].as_py()
            number = seed_now * APPENDS + (frame.rows - ROWS) // APPENDED + 1
            print(f"begin {name} {number}", flush=True)
            table = rows(number // APPENDS, frame.rows, frame.rows + APPENDED)
            store.append(name, frame.schema, table.to_batches(), chunk_rows=CHUNK_ROWS)
        print(f"done {name} {number}", flush=True)


def held(store: Store, name: str) -> int:
    """The content of the frame `name`, -1 if there is none; AssertionError if it is mixed."""
    frame = store.get(name)
    if frame is None:
        return -1
    names = tuple(column.name for column in frame.schema.columns)
    table = pa.concat_tables([store.read(ref, names) for ref in frame.chunks])
    appends, rest = divmod(table.num_rows - ROWS, APPENDED)
    assert appends >= 0, f"{name} has {table.num_rows} rows"
    assert rest == 0, f"{name} has {table.num_rows} rows"
    number: int = table.column("seed")[0].as_py() * APPENDS + appends
    wanted = content(number)
    assert table.cast(wanted.schema).equals(wanted), f"{name} is not the content {number}"
    return number


def listed_files(frames: list[Frame]) -> set[str]:
    """The files that manifests list, and the manifests."""
    files = {f"{ref.key.df_id}/{ref.key.number}.arrow" for f in frames for ref in f.chunks}
    return files | {f"{frame.df_id}/manifest" for frame in frames}


def check(root: Path, allowed: dict[str, set[int]]) -> dict[str, int]:
    """Open the store after a crash; what each name holds. AssertionError if anything is wrong."""
    store = Store.open(root)
    found = {name: held(store, name) for name in NAMES}
    for name, number in found.items():
        assert number in allowed[name], f"{name} holds {number}, expected one of {allowed[name]}"
    frames = [frame for frame in map(store.get, store.names()) if frame is not None]
    chunks = root / "chunks"
    present = {str(path.relative_to(chunks)) for path in chunks.rglob("*") if path.is_file()}
    assert present == listed_files(frames), present ^ listed_files(frames)
    store.close()
    return found


def kill_once(
    root: Path, before: dict[str, int], seed: int, opened: bool, after_s: float
) -> tuple[str, dict[str, int]]:
    """Start a child, kill it, check the store; what was cut short, and what the names hold now.

    opened: let it open the store first; the time before that is mostly its start-up.
    """
    command = [sys.executable, "-m", "tests.crash.kill_put", "--child", str(root), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if opened:
            assert process.stdout.readline() == "open\n"
        time.sleep(after_s)
        os.kill(process.pid, signal.SIGKILL)
        output = process.stdout.read()
    allowed = {name: {number} for name, number in before.items()}
    cut_short = "nothing"
    lines = [line.split() for line in output.splitlines() if line != "open"]
    for word, name, text in lines:
        if word == "begin":
            appended = int(text) % APPENDS > 0
            cut_short = "drop" if text == "-1" else "append" if appended else "put"
            allowed[name].add(int(text))
        else:
            cut_short = "nothing"
            allowed[name] = {int(text)}
    return cut_short, check(root, allowed)


def run(times: int, seed: int) -> Counter[str]:
    """Kill `times` children over one store; what they were doing when they died."""
    choices = random.Random(seed)
    died = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        contents = dict.fromkeys(NAMES, -1)
        for number in range(times):
            first_seed = (number + 1) * 100_000
            opened = number % 4 != 0
            after_s = choices.random() * (0.4 if opened else 0.8)
            cut_short, contents = kill_once(Path(folder), contents, first_seed, opened, after_s)
            died[cut_short] += 1
    return died


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", nargs=2, metavar=("ROOT", "SEED"))
    options = parser.parse_args()
    if options.child:
        child(options.child[0], int(options.child[1]))
    started = time.monotonic()
    died = run(options.times, options.seed)
    took = time.monotonic() - started
    print(f"{options.times} kills in {took:.0f} s, all as promised; cut short: {dict(died)}")


if __name__ == "__main__":
    main()
