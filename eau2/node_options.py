"""The options of the commands that run nodes, and of those that are about nodes which run.

Owns: these options, their defaults, their help. Comes in: a command's parser; goes out: the same,
with its options. Does not know: what a command does, other commands (options.py).
"""

from __future__ import annotations

import argparse

from eau2.option_values import count, seconds, size, threads

DEFAULT_LISTEN = "127.0.0.1:7700"
DEFAULT_NODE = ".eau2-node"
DRAIN_S = 3600.0


def node(parser: argparse.ArgumentParser) -> None:
    """The options of eau2 node."""
    parser.epilog = "Of nodes that run: eau2 node drain, eau2 node undrain, eau2 node remove."
    _listen(parser, "its address")
    parser.add_argument(
        "--data",
        metavar="DIR",
        default=DEFAULT_NODE,
        help=f"its folder (default: ./{DEFAULT_NODE})",
    )
    parser.add_argument("--join", metavar="HOST:PORT", help="any node of the store to be part of")
    parser.add_argument(
        "--voters",
        metavar="N",
        type=count,
        default=1,
        help="of a new store: how many nodes keep its names, 1, 3 or 5 (default: 1)",
    )
    parser.add_argument(
        "--advertise",
        metavar="HOST:PORT",
        help="where other nodes reach it (default: where it listens), as through a forwarded port",
    )
    _files(parser)
    _natives(parser)
    engine(parser)


def cluster(parser: argparse.ArgumentParser) -> None:
    """The options of eau2 cluster."""
    parser.epilog = "Of a store that runs: eau2 cluster status."
    parser.add_argument("--nodes", metavar="N", type=count, default=3, help="how many (default: 3)")
    _listen(parser, "the first one's address, the others take the next ports")
    parser.add_argument(
        "--data", metavar="DIR", help="their folder (default: one that is deleted at the end)"
    )
    _files(parser)
    _natives(parser)
    engine(parser)


def status(parser: argparse.ArgumentParser) -> None:
    """The options of eau2 cluster status."""
    parser.epilog = "The exit code is 0 when all is in order, 1 when something is wrong."
    _one_node(parser)


def drain(parser: argparse.ArgumentParser) -> None:
    """The options of eau2 node drain."""
    node_name(parser)
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=seconds,
        default=DRAIN_S,
        help=f"how long it is waited for (default: {DRAIN_S:g}); it goes on after that",
    )
    parser.add_argument("--undo", action="store_true", help="take it back, as undrain does")


def remove(parser: argparse.ArgumentParser) -> None:
    """The options of eau2 node remove."""
    node_name(parser)
    parser.add_argument("--yes", action="store_true", help="also if it is up")


def node_name(parser: argparse.ArgumentParser) -> None:
    """eau2 node undrain: the node's name, and whom to ask."""
    parser.add_argument("name", metavar="NAME", help="the node, like n2")
    _one_node(parser)


def _one_node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--connect",
        metavar="URL",
        default=DEFAULT_LISTEN,
        help=f"any node that runs, or several, with commas (default: eau2://{DEFAULT_LISTEN})",
    )


def _listen(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=DEFAULT_LISTEN,
        help=f"{what} (default: {DEFAULT_LISTEN}); port 0 takes any that is free",
    )


def _natives(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-native-functions",
        metavar="MODULE",
        action="append",
        default=[],
        help="a Python module whose native functions statements may call; may be repeated",
    )


def _files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-root", metavar="DIR", help="where statements may read files (default: nowhere)"
    )


def engine(parser: argparse.ArgumentParser) -> None:
    """What an engine has, at a node or elsewhere."""
    parser.add_argument("--memory", metavar="SIZE", type=size, help="the budget, like 512MB")
    parser.add_argument("--threads", metavar="N", type=threads, help="threads of the kernels")
