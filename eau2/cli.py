"""The command line: `eau2 query`, `load`, `run`, `export`, `shell`, `node` and the others.

Owns: exit codes, errors as one message on stderr, and the way from options to what they ask for.
Comes in: arguments, stdin. Goes out: data on stdout. Does not know: how anything is computed or
drawn, what the options are called in the help (options.py).

Each command imports what it needs when it runs: `eau2 --version` must not wait for the kernels to
load, nor `eau2 query --connect` for anything but the thin client. Exit codes: 0 done, 1 the
statement or the data is wrong, 2 the command line is wrong, 3 no connection to a node came about,
4 time was up, 130 interrupted, 141 the reader of stdout went away.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from eau2 import __version__, place
from eau2.errors import DeadlineError, StatementError, UnreachableError, UsageError, report
from eau2.options import parse
from eau2.sink import check_terminal
from eau2.streams import StdoutError, discard, prepare

if TYPE_CHECKING:
    from eau2.backup_ends import End
    from eau2.connection import Connection
    from eau2.net.address import Address
    from eau2.net.thin import ThinClient

T = TypeVar("T")

EXIT_ERROR, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_LATE = 1, 2, 3, 4
EXIT_INTERRUPTED, EXIT_PIPE_CLOSED = 130, 141


class _NotConnectedError(Exception):
    """There is no way to the node that a command is for; the cause says why."""


def run() -> NoReturn:
    """The process that `eau2` starts: run one command and end.

    Collecting garbage while modules load and taking the interpreter apart at the end would each
    cost more than a small query; what must be closed has been closed by then.
    """
    gc.disable()
    prepare()
    code = main()
    with suppress(OSError):
        sys.stderr.flush()
    if sys.argv[1:2] == ["run"]:
        # What the program has registered to run at the end does, and its threads are waited for.
        sys.exit(code)
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        code = _command(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        with suppress(OSError):
            print("Interrupted", file=sys.stderr, flush=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        discard()
        return EXIT_PIPE_CLOSED
    except StdoutError as error:
        discard()
        return _failed(error.told())
    except Exception as error:
        if os.environ.get("EAU2_DEBUG") == "1":
            raise
        return _failed(error)


def _failed(error: Exception) -> int:
    """Print an error; its exit code."""
    file: str | None = getattr(error, "file", None)
    cause = error.__cause__
    if isinstance(error, _NotConnectedError) and isinstance(cause, Exception):
        code, shown = EXIT_UNREACHABLE, cause
    elif file is not None and isinstance(cause, Exception):
        code, shown = EXIT_ERROR, cause
    else:
        code, shown = EXIT_ERROR, error
    if isinstance(shown, UsageError):
        code = EXIT_USAGE
    elif isinstance(shown, DeadlineError):
        code = EXIT_LATE
    try:
        # What was given before comes first, also where both go to one place.
        sys.stdout.flush()
    except (BrokenPipeError, StdoutError):
        discard()
    with suppress(OSError):
        print(report(shown, place=file or None), file=sys.stderr, flush=True)
    return code


def _command(arguments: list[str]) -> int:
    try:
        options = parse(arguments)
    except SystemExit as done:
        # argparse has printed the help or the version.
        return int(done.code or 0)
    try:
        return _COMMANDS[options.command](options)
    except StatementError as error:
        if options.command not in ("query", "shell"):
            # The command made the statement up: whoever typed the command has not seen it.
            error.text = None
        raise


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
    addresses = place.addresses(options)
    if addresses is not None:
        from eau2.connection import connect as connect_to
        from eau2.net.address import SCHEME

        _collect_garbage()
        url = SCHEME + ",".join(map(str, addresses))
        return _reached(lambda: connect_to(url))
    path = place.folder(options, make=make)
    import logging

    from eau2.connection import connect

    # What goes wrong is told as an error; a node, which sets logs up, logs it too.
    logging.getLogger("eau2").addHandler(logging.NullHandler())
    _collect_garbage()
    given: dict[str, Any] = vars(options)
    return connect(path, threads=given.get("threads"), memory=given.get("memory"))


def _collect_garbage() -> None:
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _first_reached(left: list[Address], connect: Callable[[Address], T]) -> T:
    """A connection to the first of these that can be reached; those that were tried are taken."""
    while True:
        address = left.pop(0)
        try:
            return _reached(partial(connect, address))
        except _NotConnectedError:
            if not left:
                raise


def _query(options: argparse.Namespace) -> int:
    from eau2.scripts import run_here, run_there, scripts

    _check_sink(options.format)
    addresses = place.addresses(options)
    found = scripts(options)
    if addresses is not None:
        from eau2.net.thin import ThinClient

        return run_there(found, options, addresses, lambda left: _first_reached(left, ThinClient))
    with _open(options, make=False) as connection:
        return run_here(found, options, connection)


def _check_sink(form: str) -> None:
    if sys.stdout.isatty():
        check_terminal(form, f"Redirect it: eau2 query --format {form} ... > FILE")


def _load(options: argparse.Namespace) -> int:
    from eau2.loading import followed
    from eau2.progress import shown

    with _open(options, make=True) as connection:
        if options.chunk_rows is not None:
            connection.execute(f"SET chunk_rows = {options.chunk_rows}")
        with shown(sys.stderr) as line:
            # Whoever looks on is told how far the files are read.
            source = followed(options.files, line) if line.is_shown else options.files
            order_by = options.order_by
            connection.put(options.name, source, replace=options.replace, order_by=order_by)
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
        found = columns(connection, options.name)
        write(found, options.format, sys.stdout.buffer, terminal_width())
    return 0


def _drop(options: argparse.Namespace) -> int:
    with _open(options, make=False) as connection:
        connection.drop(options.name)
        print(f"{options.name}: dropped")
    return 0


def _export(options: argparse.Namespace) -> int:
    from eau2.export import check, export

    check(options.file, force=options.force)
    with _open(options, make=False) as connection:
        rows = export(connection, options.name, options.file)
    print(f"{options.file}: {'1 row' if rows == 1 else f'{rows:,} rows'}")
    return 0


def _backup(options: argparse.Namespace) -> int:
    from eau2.backup import backup, check

    check(options.dir, None if options.connect else place.folder(options, make=True))
    end = _end(options, make=False)
    try:
        count = backup(end, options.dir, print)
    finally:
        end.close()
    print(f"{options.dir}: {count} {'name' if count == 1 else 'names'}, all verified")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from eau2.backup import checked, restore

    # A folder that is no backup should not make a store.
    found = checked(options.dir, options.names)
    end = _end(options, make=True)
    try:
        restore(end, found, replace=options.replace, said=print)
    finally:
        end.close()
    if not found:
        print(f"{options.dir}: it has no names, so nothing was restored")
    return 0


def _end(options: argparse.Namespace, *, make: bool) -> End:
    """What a backup is taken of, or restored to."""
    from eau2.backup_ends import opened

    addresses = place.addresses(options)
    path = "" if addresses is not None else place.folder(options, make=make)
    if path is None:
        raise place.missing()
    _collect_garbage()
    return _reached(lambda: opened(path, addresses))


def _run(options: argparse.Namespace) -> int:
    from eau2.programs import run

    _collect_garbage()
    return run(options.file, options.app, options.arguments, lambda: _open(options, make=True))


def _explain(options: argparse.Namespace) -> int:
    from eau2.error_codes import explain

    print(explain(options.code))
    return 0


def _completion(options: argparse.Namespace) -> int:
    from eau2.completion import script

    sys.stdout.write(script(options.shell))
    return 0


def _version(options: argparse.Namespace) -> int:
    from importlib.metadata import version

    print(f"eau2 {__version__}")
    print(f"Python {sys.version.split()[0]}")
    for name in ("polars", "pyarrow"):
        print(f"{name} {version(name)}")
    if options.connect is not None:
        return _operated(options, _node_version)
    return 0


def _node_version(client: ThinClient) -> int:
    print(f"node {client.peer}: {client.software}")
    return 0


def _shell(options: argparse.Namespace) -> int:
    from eau2.shell import run

    return run(
        lambda: _open(options, make=False),
        place.told(options),
        init=not options.no_init,
    )


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
        native_functions=tuple(options.allow_native_functions),
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
            native_functions=tuple(options.allow_native_functions),
        ),
        after_end,
    )


def _torture(options: argparse.Namespace) -> int:
    from eau2.torture.command import chosen, torture

    _collect_garbage()
    given = (options.seed, options.seeds, options.minutes, options.resume)
    return torture(chosen(options.stories, *given))


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "query": _query,
    "load": _load,
    "export": _export,
    "tables": _tables,
    "describe": _describe,
    "drop": _drop,
    "backup": _backup,
    "restore": _restore,
    "run": _run,
    "shell": _shell,
    "node": _node,
    "node drain": _drain,
    "node undrain": _undrain,
    "node remove": _remove,
    "cluster": _cluster,
    "cluster status": _status,
    "torture": _torture,
    "explain": _explain,
    "completion": _completion,
    "version": _version,
}
