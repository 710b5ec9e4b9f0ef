"""Our commands as a page writes them, parsed by the program's own parser and not run."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from orchestrator.cli.program import command_line

PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|…|<\w+>|\.\.\.")
_ENDS = {"|", "||", "&&", ";", "&", ")", ">", "<", ">>", "(", "`"}
_PROGRAM: Any = command_line
UsageError: Any = typer.BadParameter.__base__


def of_shell(text: str) -> Iterator[list[str]]:
    """The arguments of each of our commands in a script: also in a substitution or a container."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        words = list(_words(line))
        for start in (at for at, word in enumerate(words) if _ours(words, at)):
            rest = words[start + 1 :]
            end = next((at for at, word in enumerate(rest) if word in _ENDS), len(rest))
            yield rest[:end]


def of_span(text: str) -> Iterator[list[str]]:
    """The same of what stands between backticks in a sentence."""
    if text.startswith("orchestrator ") and "/" not in text.split()[1]:
        yield from of_shell(text)


def wrong_with(arguments: list[str], *, whole: bool) -> str:
    """What the parser says of it; empty if nothing. What is not `whole` may lack arguments."""
    command, rest = _PROGRAM, list(arguments)
    context = typer.Context(command, info_name="orchestrator")
    try:
        while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
            name, found, rest = command.resolve_command(context, rest)
            assert found
            command, context = found, typer.Context(found, info_name=name, parent=context)
        if "--help" not in rest and command is not _PROGRAM:
            command.parse_args(context, rest)
    except UsageError as error:
        return "" if _excused(error, arguments, whole=whole) else str(error.format_message())
    return ""


def _excused(error: Exception, arguments: list[str], *, whole: bool) -> bool:
    kind = type(error).__name__
    if kind == "NoArgsIsHelpError":
        return True
    if kind in {"MissingParameter", "BadOptionUsage"}:  # a word, or what follows an option, is not there
        return not whole
    # A word that stands for a value need not be one.
    return isinstance(error, typer.BadParameter) and any(PLACEHOLDER.fullmatch(one) for one in arguments)


def _words(line: str) -> Iterator[str]:
    """As a shell takes them apart; a substitution between quotes is looked into."""
    lexer = shlex.shlex(line.replace("$(", " ( "), posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    yield from lexer


def _ours(words: list[str], at: int) -> bool:
    """Whether our program is called there, by its name or its path."""
    if words[at].rpartition("/")[2] != "orchestrator" or words[at].startswith("-"):
        return False
    before = words[:at]
    called = not before or before[-1] in _ENDS or before[-1].rpartition("/")[2] in {"worker", "exec", "sudo"}
    environment = bool(before) and all(re.match(r"\w+=", one) for one in before)
    return called or environment or words[at].endswith("/bin/orchestrator")
