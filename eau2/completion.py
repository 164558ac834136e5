"""`eau2 completion`: what completes commands, options and their values in bash, zsh and fish.

Owns: a script for each shell, made from the commands and their options. Comes in: the shell's name;
goes out: the script. Does not know: what a command does. Files are completed by the shell itself.
"""

from __future__ import annotations

import argparse
from itertools import takewhile

from eau2.commands import COMMANDS
from eau2.error_codes import catalogue
from eau2.options import parsers
from eau2.records import Record

_FILES = {"FILE", "FILE...", "DIR"}
"""What is the name of a file or folder."""


class _Option(Record, frozen=True):
    """An option or argument: its spellings (none of an argument), its help, what it takes.

    values: the words that it takes; files: whether it takes the name of a file or folder.
    """

    names: tuple[str, ...]
    help: str
    takes: bool
    values: tuple[str, ...]
    files: bool


def script(shell: str) -> str:
    """The script for "bash", "zsh" or "fish"."""
    options = {name: _options(parser) for name, parser in parsers().items()}
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](options)


Commands = dict[str, tuple[_Option, ...]]


def _options(parser: argparse.ArgumentParser) -> tuple[_Option, ...]:
    found = []
    for action in parser._actions:
        values = tuple(map(str, action.choices or ()))
        if action.metavar == "CODE":
            values = tuple(catalogue())
        help_ = (action.help or "").partition(";")[0].partition(" (")[0]
        takes = action.nargs != 0
        files = action.metavar in _FILES
        found.append(_Option(tuple(action.option_strings), help_, takes, values, files))
    return tuple(found)


def _first_words() -> dict[str, tuple[str, ...]]:
    """The words that begin commands, each with the second words that may follow."""
    firsts: dict[str, tuple[str, ...]] = {}
    for name in COMMANDS:
        first, _, second = name.partition(" ")
        firsts[first] = (*firsts.get(first, ()), *((second,) if second else ()))
    return firsts


def _bash(commands: Commands) -> str:
    """A function for `complete -F`, whose cases are the commands, and in them the options."""
    firsts = _first_words()
    lines = [
        "# Completion of eau2 in bash: source <(eau2 completion bash)",
        "_eau2() {",
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}",
        "    local command=${COMP_WORDS[1]}",
        "    COMPREPLY=()",
        '    if [ "$COMP_CWORD" -eq 1 ]; then',
        f'        COMPREPLY=($(compgen -W "{" ".join(firsts)} --help --version" -- "$word"))',
        "        return",
        "    fi",
    ]
    for first, seconds in firsts.items():
        if seconds:
            words = "|".join(seconds)
            lines += [
                f'    if [ "$command" = {first} ]; then',
                '        case "${COMP_WORDS[2]}" in',
                f'            {words}) [ "$COMP_CWORD" -gt 2 ] && command="{first} '
                '${COMP_WORDS[2]}" ;;',
                "        esac",
                "    fi",
            ]
    lines.append('    case "$command" in')
    for name, options in commands.items():
        lines += [f'        "{name}")', '            case "$before" in']
        for option in options:
            if option.names and option.takes:
                spelled = "|".join(option.names)
                lines.append(f"                {spelled}) {_bash_values(option)}; return ;;")
        words = " ".join(spelling for option in options for spelling in option.names)
        arguments = [option for option in options if not option.names]
        plain = [*firsts.get(name, ()), *(value for one in arguments for value in one.values)]
        lines += [
            "            esac",
            '            if [ "${word:0:1}" = - ]; then',
            f'                COMPREPLY=($(compgen -W "{words}" -- "$word"))',
            "            else",
            f'                COMPREPLY=($(compgen -W "{" ".join(plain)}" -- "$word"))',
        ]
        if any(option.files for option in arguments):
            lines.append('                COMPREPLY+=($(compgen -f -- "$word"))')
        lines += ["            fi ;;"]
    lines += ["    esac", "}", "complete -o filenames -o bashdefault -F _eau2 eau2", ""]
    return "\n".join(lines)


def _bash_values(option: _Option) -> str:
    if option.values:
        return f'COMPREPLY=($(compgen -W "{" ".join(option.values)}" -- "$word"))'
    return 'COMPREPLY=($(compgen -f -- "$word"))' if option.files else ":"


def _zsh(commands: Commands) -> str:
    """A function for compdef, that hands the options of a command to _arguments."""
    firsts = _first_words()
    lines = [
        "#compdef eau2",
        "# Completion of eau2 in zsh: source <(eau2 completion zsh), after compinit",
        "_eau2() {",
        "    local command=$words[2]",
        "    if (( CURRENT == 2 )); then",
        "        local -a known=(",
    ]
    lines += [f"            {_quoted(f'{name}:{_help(name)}')}" for name in firsts]
    lines += [
        "        )",
        "        _describe command known",
        "        return",
        "    fi",
    ]
    for first, seconds in firsts.items():
        if seconds:
            lines += [
                f"    if [[ $command == {first} ]]; then",
                f"        if [[ $words[3] == ({'|'.join(seconds)}) ]] && (( CURRENT > 3 )); then",
                f'            command="{first} $words[3]"',
                "            shift words; (( CURRENT-- ))",
                "        elif (( CURRENT == 3 )); then",
                f"            compadd -- {' '.join(seconds)}",
                "        fi",
                "    fi",
            ]
    lines += ["    shift words; (( CURRENT-- ))", '    case "$command" in']
    for name, options in commands.items():
        lines.append(f'        "{name}") _arguments \\')
        named = [option for option in options if option.names]
        lines += [f"            {_zsh_option(option)} \\" for option in named]
        lines += [f"            {_quoted(f'*{_zsh_values(one)}')} \\" for one in _argument(options)]
        lines.append("            ;;")
    lines += ["    esac", "}", "compdef _eau2 eau2", ""]
    return "\n".join(lines)


def _argument(options: tuple[_Option, ...]) -> tuple[_Option, ...]:
    """The one argument of a command whose values are known, if there is one: shells ask no more."""
    arguments = [one for one in options if not one.names and (one.files or one.values)]
    return tuple(arguments[-1:])


def _zsh_values(option: _Option) -> str:
    if option.values:
        return f":value:({' '.join(option.values)})"
    return ":value:_files" if option.files else ":value:"


def _zsh_option(option: _Option) -> str:
    takes = _zsh_values(option) if option.takes else ""
    help_ = "".join("\\" + c if c in "[]:\\" else c for c in option.help)
    spelled = [_quoted(f"*{name}[{help_}]{takes}") for name in option.names]
    return " ".join(spelled)


def _fish(commands: Commands) -> str:
    """A `complete` line for each command and each option of it."""
    firsts = _first_words()
    lines = [
        "# Completion of eau2 in fish: eau2 completion fish > ~/.config/fish/completions/eau2.fish",
        "complete -c eau2 -f",
        "complete -c eau2 -n __fish_use_subcommand -l version -d 'the version'",
        "complete -c eau2 -n __fish_use_subcommand -l help -d 'the help'",
    ]
    for first in firsts:
        lines.append(
            f"complete -c eau2 -n __fish_use_subcommand -a {first} -d {_fish_quoted(_help(first))}"
        )
    for name, options in commands.items():
        first, _, second = name.partition(" ")
        seconds = firsts[first]
        where = f"__fish_seen_subcommand_from {first}"
        if second:
            lines.append(
                f"complete -c eau2 -n '{where}; and not __fish_seen_subcommand_from"
                f" {' '.join(seconds)}' -a {second} -d {_fish_quoted(_help(name))}"
            )
            where += f"; and __fish_seen_subcommand_from {second}"
        elif seconds:
            where += f"; and not __fish_seen_subcommand_from {' '.join(seconds)}"
        shown = [*(option for option in options if option.names), *_argument(options)]
        lines += [f"complete -c eau2 -n '{where}'{_fish_option(option)}" for option in shown]
    return "\n".join([*lines, ""])


def _fish_option(option: _Option) -> str:
    text = ""
    for name in option.names:
        text += f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"
    if option.values:
        text += (" -x" if option.names else "") + f" -a {_fish_quoted(' '.join(option.values))}"
    elif option.files:
        text += " -r -F" if option.names else " -F"
    elif option.takes and option.names:
        text += " -x"
    return f"{text} -d {_fish_quoted(option.help)}"


def _help(name: str) -> str:
    """The help of a command, without what follows its first comma."""
    return "".join(takewhile(lambda c: c != ",", COMMANDS[name][0]))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
