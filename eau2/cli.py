"""The command line: `eau2 query`, `load`, `tables`, `describe`, `drop`, `shell`, `node`, `cluster`.

Owns: exit codes, errors as one message on stderr, and the way from options to what they ask for.
Comes in: arguments, stdin. Goes out: data on stdout. Does not know: how anything is computed or
drawn, what the options are called in the help (options.py).

Each command imports what it needs when it runs: `eau2 --version` must not wait for the kernels to
load, nor `eau2 query --connect` for anything but the thin client. Exit codes: 0 done, 1 the
statement or the data is wrong, 2 the command line is wrong, 3 no connection to a node came about,
130 interrupted, 141 the reader of stdout went away.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from eau2.errors import PeerLostError, StoreError, UnreachableError, UsageError, report
from eau2.options import parse

if TYPE_CHECKING:
    from eau2.connection import Connection
    from eau2.net.address import Address
    from eau2.net.thin import ThinClient

T = TypeVar("T")

DEFAULT_STORE = ".eau2"
EXIT_ERROR, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_INTERRUPTED, EXIT_PIPE_CLOSED = 1, 2, 3, 130, 141


class _NotConnectedError(Exception):
    """There is no way to the node that a command is for; the cause says why."""


def run() -> NoReturn:
    """The process that `eau2` starts: run one command and end.

    Collecting garbage while modules load and taking the interpreter apart at the end would each
    cost more than a small query; what must be closed has been closed by then.
    """
    gc.disable()
    code = main()
    sys.stderr.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        code = _command(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("Interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # What is left in the buffer would fail again when the interpreter flushes it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except Exception as error:
        if os.environ.get("EAU2_DEBUG") == "1":
            raise
        if isinstance(error, _NotConnectedError) and isinstance(error.__cause__, Exception):
            print(report(error.__cause__), file=sys.stderr)
            return EXIT_UNREACHABLE
        print(report(error), file=sys.stderr)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR


def _command(arguments: list[str]) -> int:
    try:
        options = parse(arguments)
    except SystemExit as done:
        # argparse has printed the help or the version.
        return int(done.code or 0)
    return _COMMANDS[options.command](options)


def _addresses(options: argparse.Namespace) -> tuple[Address, ...] | None:
    """The nodes of this command line, of which any will do; None when it is about a store."""
    if options.connect is None:
        return None
    for name in ("store", "threads", "memory"):
        if vars(options).get(name) is not None:
            raise UsageError(
                f"--{name} does not go with --connect", hint="A node has its own, given to it."
            )
    from eau2.net.address import parse_addresses

    return parse_addresses(options.connect)


def _reached(connect: Callable[[], T]) -> T:
    try:
        return connect()
    except UnreachableError as error:
        raise _NotConnectedError from error


def _open(options: argparse.Namespace, *, make: bool) -> Connection:
    """The store of this command line, or its node.

    Only `make` makes one: a command that reads should not leave a folder behind. Without a store
    in its default place, statements run on an empty one in memory; a place that was named and is
    not there is an error.
    """
    addresses = _addresses(options)
    if addresses is not None:
        from eau2.connection import connect as connect_to
        from eau2.net.address import SCHEME

        _collect_garbage()
        url = SCHEME + ",".join(map(str, addresses))
        return _reached(lambda: connect_to(url))
    named = options.store or os.environ.get("EAU2_STORE")
    path: str | None = named or DEFAULT_STORE
    if not make and path is not None and not os.path.exists(path):
        if named:
            raise StoreError(
                f"there is no store at {named}", hint="`eau2 load NAME FILE` makes a store."
            )
        path = None
    from eau2.connection import connect

    _collect_garbage()
    given: dict[str, Any] = vars(options)
    return connect(path, threads=given.get("threads"), memory=given.get("memory"))


def _collect_garbage() -> None:
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _ask(addresses: tuple[Address, ...], options: argparse.Namespace) -> int:
    """Have a node run the statements and draw what they give: the thin way, which loads little.

    Of several nodes the next is asked when one cannot be reached, or is lost before it has said
    anything, if the statements change nothing.
    """
    from eau2.net.thin import DEADLINE_S, ThinClient

    text = _statement_text(options)
    if not text.strip():
        raise _no_statement()
    start = time.perf_counter()
    written = False

    def write(data: memoryview) -> None:
        nonlocal written
        written = True
        sys.stdout.buffer.write(data)

    left = list(addresses)
    while True:
        client = _first_reached(left, ThinClient)
        try:
            client.statement(
                text,
                write,
                format=options.format,
                width=os.get_terminal_size().columns if sys.stdout.isatty() else 0,
                deadline_s=options.timeout or DEADLINE_S,
            )
            break
        except PeerLostError as error:
            if not client.lost:
                raise
            from eau2.repeating import changes_nothing, unanswered

            if written or not left or not changes_nothing(text):
                raise unanswered(text, error) from error
        finally:
            client.close()
    sys.stdout.flush()
    if options.timing:
        print(f"Time: {time.perf_counter() - start:.3f} s", file=sys.stderr)
    return 0


def _first_reached(left: list[Address], connect: Callable[[Address], T]) -> T:
    """A connection to the first of these that can be reached; those that were tried are taken."""
    while True:
        address = left.pop(0)
        try:
            return _reached(partial(connect, address))
        except _NotConnectedError:
            if not left:
                raise


def _no_statement() -> UsageError:
    return UsageError("there is no statement to run", hint='Try: eau2 query "SELECT 1"')


def _query(options: argparse.Namespace) -> int:
    _check_sink(options.format)
    addresses = _addresses(options)
    if addresses is not None:
        return _ask(addresses, options)
    from eau2.sql.split import split

    statements, rest = split(_statement_text(options))
    if not statements and not rest:
        raise _no_statement()
    from eau2.show import is_explain, terminal_width, write, write_lines

    with _open(options, make=False) as connection:
        for statement in (*statements, rest) if rest else statements:
            start = time.perf_counter()
            result = connection.sql(statement, timeout=options.timeout)
            if options.format == "box" and is_explain(statement):
                write_lines(result, sys.stdout.buffer)
            else:
                write(result, options.format, sys.stdout.buffer, terminal_width())
            if options.timing:
                print(f"Time: {time.perf_counter() - start:.3f} s", file=sys.stderr)
    return 0


def _statement_text(options: argparse.Namespace) -> str:
    if options.sql not in (None, "-"):
        return str(options.sql)
    if options.sql is None and sys.stdin.isatty():
        return ""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"stdin is not UTF-8 text, at byte {error.start}") from error


def _check_sink(form: str) -> None:
    if form == "arrow" and sys.stdout.isatty():
        raise UsageError(
            "Arrow is not for terminals", hint="Redirect it: eau2 query --format arrow ... > FILE"
        )


def _load(options: argparse.Namespace) -> int:
    with _open(options, make=True) as connection:
        if options.chunk_rows is not None:
            connection.execute(f"SET chunk_rows = {options.chunk_rows}")
        connection.put(options.name, options.files, replace=options.replace)
        frame = connection.describe(options.name)
        rows = "1 row" if frame.rows == 1 else f"{frame.rows:,} rows"
        print(f"{options.name}: {rows}")
    return 0


def _tables(options: argparse.Namespace) -> int:
    _check_sink(options.format)
    from eau2.show import frames, terminal_width, write

    with _open(options, make=False) as connection:
        write(frames(connection), options.format, sys.stdout.buffer, terminal_width())
    return 0


def _describe(options: argparse.Namespace) -> int:
    _check_sink(options.format)
    from eau2.show import columns, terminal_width, write

    with _open(options, make=False) as connection:
        write(
            columns(connection, options.name), options.format, sys.stdout.buffer, terminal_width()
        )
    return 0


def _drop(options: argparse.Namespace) -> int:
    with _open(options, make=False) as connection:
        connection.drop(options.name)
        print(f"{options.name}: dropped")
    return 0


def _shell(options: argparse.Namespace) -> int:
    from eau2.shell import run

    return run(
        lambda: _open(options, make=False),
        _place(options),
        init=not getattr(options, "no_init", False),
    )


def _place(options: argparse.Namespace) -> str:
    """What the shell's prompt says it is connected to."""
    if options.connect is not None:
        first, *others = str(options.connect).removeprefix("eau2://").split(",")
        return f"eau2://{first}" + (f" +{len(others)}" if others else "")
    path = options.store or os.environ.get("EAU2_STORE")
    if not path and not os.path.exists(DEFAULT_STORE):
        return "eau2:memory"
    return f"eau2:{path or DEFAULT_STORE}"


def _node(options: argparse.Namespace) -> int:
    from eau2.daemon import run_node
    from eau2.launch import NodeOptions
    from eau2.net.address import parse_address

    node = NodeOptions(
        listen=parse_address(options.listen),
        data=options.data,
        join=None if options.join is None else parse_address(options.join),
        data_root=options.data_root,
        threads=options.threads,
        memory_bytes=options.memory,
        voters=options.voters,
        advertise=None if options.advertise is None else parse_address(options.advertise),
    )
    return _reached(lambda: run_node(node))


def _operated(options: argparse.Namespace, work: Callable[[ThinClient], int]) -> int:
    """What is asked of a running store, the thin way."""
    from eau2.net.address import parse_addresses
    from eau2.net.thin import ThinClient

    client = _first_reached(list(parse_addresses(options.connect)), ThinClient)
    try:
        return work(client)
    finally:
        client.close()


def _status(options: argparse.Namespace) -> int:
    from eau2.operate import status

    return _operated(options, status)


def _drain(options: argparse.Namespace) -> int:
    from eau2.operate import drain

    if options.undo:
        return _undrain(options)
    return _operated(options, lambda client: drain(client, options.name, options.timeout))


def _undrain(options: argparse.Namespace) -> int:
    from eau2.operate import undrain

    return _operated(options, lambda client: undrain(client, options.name))


def _remove(options: argparse.Namespace) -> int:
    from eau2.operate import remove

    return _operated(options, lambda client: remove(client, options.name, sure=options.yes))


def _cluster(options: argparse.Namespace) -> int:
    from eau2.launch import ClusterOptions, run_cluster
    from eau2.net.address import parse_address
    from eau2.operate import after_end

    return run_cluster(
        ClusterOptions(
            nodes=options.nodes,
            listen=parse_address(options.listen),
            data=options.data,
            data_root=options.data_root,
            threads=options.threads,
            memory_bytes=options.memory,
        ),
        after_end,
    )


def _torture(options: argparse.Namespace) -> int:
    from eau2.torture.command import STORIES, TortureOptions, torture

    for name in options.stories:
        if name not in STORIES:
            known = ", ".join(STORIES)
            raise UsageError(f"there is no story {name!r}", hint=f"The stories are {known}.")
    seeds = options.seeds or (1 if options.minutes is None else 10**9)
    return torture(
        TortureOptions(
            tuple(dict.fromkeys(options.stories)) or tuple(STORIES),
            options.seed,
            seeds,
            options.minutes,
            options.resume,
        )
    )


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "query": _query,
    "load": _load,
    "tables": _tables,
    "describe": _describe,
    "drop": _drop,
    "shell": _shell,
    "node": _node,
    "node drain": _drain,
    "node undrain": _undrain,
    "node remove": _remove,
    "cluster": _cluster,
    "cluster status": _status,
    "torture": _torture,
}
