"""The command line: `eau2 query`, `load`, `tables`, `describe`, `drop`, `shell`.

Owns: options, exit codes, and errors as one message on stderr. Comes in: arguments, stdin. Goes
out: data on stdout. Does not know: how anything is computed or drawn.

Each command imports what it needs when it runs: `eau2 --version` must not wait for the kernels to
load. Exit codes: 0 done, 1 the statement or the data is wrong, 2 the command line is wrong, 130
interrupted, 141 the reader of stdout went away.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from eau2 import __version__
from eau2.errors import StoreError, UsageError, report

if TYPE_CHECKING:
    from eau2.connection import Connection

DEFAULT_STORE = ".eau2"
FORMATS = ("box", "csv", "json", "arrow")

EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_PIPE_CLOSED = 1, 2, 130, 141

EXAMPLES = """\
examples:
  eau2 load df examples/df.csv              store a file as the frame df
  eau2 query "SELECT sum(a) FROM df"        run a statement
  eau2 query "SELECT * FROM 'x.parquet'"    read files in place
  eau2 query --format csv - < report.sql    statements from stdin, the result as CSV
  eau2 shell                                type statements at a prompt (also: just eau2)

The store is --store DIR, else $EAU2_STORE, else ./.eau2."""


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
        print(report(error), file=sys.stderr)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR


def _command(arguments: list[str]) -> int:
    try:
        options = _parse(arguments)
    except SystemExit as done:
        # argparse has printed the help or the version.
        return int(done.code or 0)
    command: Callable[[argparse.Namespace], int] = options.run
    return command(options)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors look like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"Try '{self.prog} --help'.")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser, commands = _parsers()
    if not arguments:
        arguments = ["shell"]
    elif not arguments[0].startswith("-") and arguments[0] not in commands:
        raise _unknown_command(arguments[0], list(commands))
    return parser.parse_args(arguments)


def _unknown_command(word: str, commands: list[str]) -> UsageError:
    if " " in word:
        return UsageError(
            f"there is no command '{word}'", hint=f'To run a statement: eau2 query "{word}"'
        )
    from difflib import get_close_matches

    near = get_close_matches(word, commands, 1)
    hint = f"Did you mean '{near[0]}'?" if near else f"The commands are {', '.join(commands)}."
    return UsageError(f"there is no command '{word}'", hint=hint)


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="eau2",
        description="A SQL engine over a key-value store of immutable dataframes.",
        epilog=EXAMPLES,
        formatter_class=raw,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"eau2 {__version__}")
    group = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands: dict[str, argparse.ArgumentParser] = {}

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help_: str
    ) -> argparse.ArgumentParser:
        made = group.add_parser(name, help=help_, description=help_ + ".", allow_abbrev=False)
        made.set_defaults(run=run)
        made.add_argument("--store", metavar="DIR", help="the store's folder")
        commands[name] = made
        return made

    query = command("query", _query, "run statements and print what they give")
    query.add_argument("sql", metavar="SQL", nargs="?", help="the statements; - reads stdin")
    _output_options(query)
    _engine_options(query)
    query.add_argument("--timing", action="store_true", help="print each statement's time")

    load = command("load", _load, "store files as a frame")
    load.add_argument("name", metavar="NAME", help="the frame's name")
    load.add_argument("files", metavar="FILE", nargs="+", help="Parquet, CSV, NDJSON, Arrow, .sor")
    load.add_argument("--replace", action="store_true", help="put it in place of a frame NAME")
    load.add_argument("--chunk-rows", metavar="N", type=_count, help="rows of a chunk")
    _engine_options(load)

    _output_options(command("tables", _tables, "list the frames"))
    describe = command("describe", _describe, "list the columns of a frame")
    describe.add_argument("name", metavar="NAME", help="the frame's name")
    _output_options(describe)
    drop = command("drop", _drop, "drop a frame")
    drop.add_argument("name", metavar="NAME", help="the frame's name")
    _engine_options(command("shell", _shell, "type statements at a prompt"))
    return parser, commands


def _output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="box",
        help="how to print rows (default: box, which alone leaves out rows when there are many)",
    )


def _engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--memory", metavar="SIZE", type=_size, help="the budget, like 512MB")
    parser.add_argument("--threads", metavar="N", type=_count, help="threads of the kernels")


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return count


def _size(text: str) -> int:
    from eau2.config import byte_count

    try:
        return byte_count(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).replace("\n", ". ")) from None


def _open(options: argparse.Namespace, *, make: bool) -> Connection:
    """The store of this command line.

    Only `make` makes one: a command that reads should not leave a folder behind. Without a store
    in its default place, statements run on an empty one in memory; a place that was named and is
    not there is an error.
    """
    named = options.store or os.environ.get("EAU2_STORE")
    path: str | None = named or DEFAULT_STORE
    if not make and path is not None and not os.path.exists(path):
        if named:
            raise StoreError(
                f"there is no store at {named}", hint="`eau2 load NAME FILE` makes a store."
            )
        path = None
    from eau2.connection import connect

    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    given: dict[str, Any] = vars(options)
    return connect(path, threads=given.get("threads"), memory=given.get("memory"))


def _query(options: argparse.Namespace) -> int:
    from eau2.sql.split import split

    _check_sink(options.format)
    statements, rest = split(_statement_text(options))
    if not statements and not rest:
        raise UsageError("there is no statement to run", hint='Try: eau2 query "SELECT 1"')
    from eau2.show import is_explain, terminal_width, write, write_lines

    with _open(options, make=False) as connection:
        for statement in (*statements, rest) if rest else statements:
            start = time.perf_counter()
            result = connection.sql(statement)
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

    with _open(options, make=False) as connection:
        return run(connection)
