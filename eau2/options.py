"""What may stand on the command line: the commands, their options, and what these take.

Owns: the options of each command, defaults, help. Comes in: arguments; goes out: the command's name
and its options.
Does not know: what a command does, what a value means (option_values.py), which options commands
about nodes have (node_options.py). Each command's parser is made when the command is named, or all
of them for the overview: making them takes longer than a node takes for a small query.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from eau2 import __version__, node_options
from eau2.commands import COMMANDS
from eau2.errors import UsageError
from eau2.option_values import chunk_rows, count, parameter, seconds, whole

FORMATS = ("box", "markdown", "csv", "tsv", "json", "ndjson", "line", "html", "parquet", "arrow")

EXAMPLES = """\
examples:
  eau2 load df examples/df.csv              store a file as the frame df
  eau2 query "SELECT sum(a) FROM df"        run a statement
  eau2 query "SELECT * FROM 'x.parquet'"    read files in place
  eau2 query -f report.sql --format csv     statements of a file, the results as CSV
  eau2 shell                                type statements at a prompt (also: just eau2)
  eau2 cluster                              start nodes, to try them out from elsewhere:
  eau2 query --connect eau2://127.0.0.1:7700 "SELECT 1"

The store is --store DIR, else $EAU2_STORE, else ./.eau2; with --connect URL it is the node's."""

SHELLS = ("bash", "zsh", "fish")
"""The shells whose words can be completed."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command line; `command` is the command's name, "shell" if it names none.

    Raises UsageError, and SystemExit after printing the help or the version.
    """
    for number, argument in enumerate(arguments, start=1):
        _check_text(number, argument)
    first = arguments[0] if arguments else "shell"
    if first.startswith("-"):
        return _parser(COMMANDS).parse_args(arguments)
    if first not in COMMANDS:
        raise _unknown_command(first)
    rest = list(arguments[1:])
    below = [name for name in COMMANDS if name.startswith(f"{first} ")]
    if below and rest and not rest[0].startswith("-"):
        first = f"{first} {rest.pop(0)}"
        if first not in below:
            raise _unknown(first, below)
    behind: list[str] = []
    if first == "run" and "--" in rest:
        place = rest.index("--")
        rest, behind = rest[:place], rest[place + 1 :]
    options, others = _parser([first]).parse_known_args([first, *rest])
    several = next((name for name in ("files", "names", "stories") if name in options), None)
    if several is not None and not any(word.startswith("-") for word in others):
        # What stands behind an option that follows the first of them, argparse does not see.
        vars(options)[several] += others
    elif others:
        raise _not_taken(first, others[0])
    if first == "run":
        options.arguments = behind
    return options


def _check_text(number: int, argument: str) -> None:
    """Refuse bytes that are no text, which neither SQL nor a message can hold."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        shown = argument.encode("utf-8", "surrogateescape")[:80]
        raise UsageError(
            f"argument {number} is not UTF-8 text: {str(shown)[1:]}",
            hint="Statements, names and the names of files have to be UTF-8.",
        ) from None


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command by its name, for whoever lists what may be written."""
    return {name: _made(_group(_program()), name) for name in COMMANDS}


class _Source(argparse.Action):
    """-c and -f in the order in which they are written: (letter, text or path) each."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        options: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        options.sources = [*options.sources, ((option or "")[1:], values)]


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors look like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"Try '{self.prog} --help'.")


def _unknown_command(word: str) -> UsageError:
    if " " in word:
        return UsageError(
            f"there is no command '{word}'", hint=f'To run a statement: eau2 query "{word}"'
        )
    return _unknown(word, list(COMMANDS))


def _not_taken(command: str, word: str) -> UsageError:
    if not word.startswith("-"):
        what = f"there is one argument too many: '{word}'"
        return UsageError(what, hint=f"Try 'eau2 {command} --help'.")
    from difflib import get_close_matches

    name = word.partition("=")[0]
    known = [text for action in parsers()[command]._actions for text in action.option_strings]
    near = get_close_matches(name, known, 1)
    meant = f"Did you mean {near[0]}? " if near else ""
    what = f"eau2 {command} has no option {name}"
    return UsageError(what, hint=f"{meant}Try 'eau2 {command} --help'.")


def _unknown(word: str, known: Sequence[str]) -> UsageError:
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1)
    hint = f"Did you mean '{near[0]}'?" if near else f"The commands are {', '.join(known)}."
    return UsageError(f"there is no command '{word}'", hint=hint)


def _parser(names: Iterable[str]) -> argparse.ArgumentParser:
    parser = _program()
    group = _group(parser)
    for name in names:
        _made(group, name)
    return parser


def _program() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="eau2",
        description="A SQL engine over a key-value store of immutable dataframes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"eau2 {__version__}")
    return parser


def _group(parser: argparse.ArgumentParser) -> Any:
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _made(group: Any, name: str) -> argparse.ArgumentParser:
    help_, examples = COMMANDS[name]
    shown = "\n".join(f"  {line}" for line in examples)
    made: argparse.ArgumentParser = group.add_parser(
        name,
        help=help_,
        description=help_ + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.set_defaults(command=name)
    _ADD_OPTIONS[name](made)
    made.epilog = "\n\n".join(filter(None, (f"examples:\n{shown}", made.epilog)))
    return made


def _query(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument("sql", metavar="SQL", nargs="?", help="the statements; - reads stdin")
    parser.set_defaults(sources=[])
    parser.add_argument("-c", metavar="SQL", action=_Source, help="statements; may be repeated")
    parser.add_argument(
        "-f",
        metavar="FILE",
        action=_Source,
        help="a file of statements; may be repeated, and mixed",
    )
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        type=parameter,
        action="append",
        default=[],
        help="what $NAME stands for: a number, true, false, null, or a text, quoted or not",
    )
    _output(parser)
    node_options.engine(parser)
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="go on after a statement fails; the code is 1 then",
    )
    parser.add_argument("--timing", action="store_true", help="print each statement's time")
    parser.add_argument(
        "--timeout", metavar="S", type=seconds, help="give a statement up after so many seconds"
    )


def _load(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument("name", metavar="NAME", help="the frame's name")
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="Parquet, CSV, NDJSON, Arrow, .sor"
    )
    parser.add_argument("--replace", action="store_true", help="put it in place of a frame NAME")
    parser.add_argument("--chunk-rows", metavar="N", type=chunk_rows, help="rows of a chunk")
    parser.add_argument(
        "--order-by",
        metavar="COLUMN",
        action="append",
        default=[],
        help="put the rows in order first; again for a further column",
    )
    node_options.engine(parser)


def _export(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument("name", metavar="NAME", help="the frame or view")
    parser.add_argument(
        "file", metavar="FILE", help="ends in .parquet, .csv, .ndjson, .arrow or .arrows"
    )
    parser.add_argument("--force", action="store_true", help="put it in place of a FILE")
    node_options.engine(parser)


def _backup(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument("dir", metavar="DIR", help="the backup's folder, which is made")


def _restore(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument("dir", metavar="DIR", help="the backup's folder")
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="only these names; of functions, 'f()'"
    )
    parser.add_argument("--replace", action="store_true", help="put them in place of what there is")


def _version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connect", metavar="URL", help="a node, whose version is printed too")


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", metavar="CODE", help="an error's code, like E1004")


def _tables(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    _output(parser)


def _describe(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument("name", metavar="NAME", help="the frame or view")
    _output(parser)


def _drop(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.add_argument("name", metavar="NAME", help="the frame's name")


def _run(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    parser.epilog = "What follows -- is the program's: self.arguments, and sys.argv."
    parser.add_argument("file", metavar="FILE", help="the program")
    parser.add_argument("--app", metavar="CLASS", help="which application, if it has several")
    node_options.engine(parser)


def _shell(parser: argparse.ArgumentParser) -> None:
    _place(parser)
    node_options.engine(parser)
    parser.add_argument(
        "--no-init", action="store_true", help="do not run what is to run when a shell starts"
    )


def _torture(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "A seed always tells the same story. Code 1 when one went wrong; it is printed."
    parser.add_argument(
        "stories",
        nargs="*",
        metavar="STORY",
        help="registry (names alone), store (puts over them), copies (disks, repair, the ring);"
        " all if none is named",
    )
    parser.add_argument("--seed", metavar="N", type=whole, default=0, help="the first (default: 0)")
    parser.add_argument(
        "--seeds", metavar="N", type=count, help="how many of each story (default: 1)"
    )
    parser.add_argument("--minutes", metavar="T", type=seconds, help="end after so long")
    parser.add_argument("--resume", metavar="FILE", help="keep the tally there, and go on from it")


def _place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", metavar="DIR", help="the store's folder")
    parser.add_argument(
        "--connect",
        metavar="URL",
        help="a node, like eau2://127.0.0.1:7700; or several, with commas",
    )


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="box",
        help="how to print rows (default: box, which alone leaves out rows when there are many)",
    )


_ADD_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
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
    "node": node_options.node,
    "node drain": node_options.drain,
    "node undrain": node_options.node_name,
    "node remove": node_options.remove,
    "cluster": node_options.cluster,
    "cluster status": node_options.status,
    "torture": _torture,
    "explain": _explain,
    "completion": _completion,
    "version": _version,
}
