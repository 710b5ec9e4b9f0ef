"""What the reference page of the commands holds: each with its arguments, options and help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from orchestrator.cli.program import command_line

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]
_INTRO = (
    "Every command has `--help`, which says the same. What they exit with: [Exit "
    "codes](errors.md#exit-codes). A [setting](settings.md) in brackets is used if the option is not given."
)


def parts(table: Table) -> Iterator[str]:
    """The page, part by part."""
    context = typer.Context(command_line, info_name="orchestrator")
    yield _INTRO
    yield table(("command", "what it does"), _overview(command_line, context))
    for one in _commands(command_line, context):
        yield from _command(one, table)


def _overview(program: Any, context: typer.Context) -> Iterator[tuple[str, ...]]:
    for one in _commands(command_line, context):
        name = one.command_path
        yield f"[`{name}`](#{name.replace(' ', '-')})", _first_sentence(one.command)


def _commands(command: Any, context: typer.Context) -> Iterator[typer.Context]:
    """Every command below this one, those of a group after the group."""
    assert isinstance(command, TyperGroup)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        below = typer.Context(found, info_name=name, parent=context)
        if not isinstance(found, TyperGroup) or found.invoke_without_command:
            yield below
        if isinstance(found, TyperGroup):
            yield from _commands(found, below)


def _command(context: typer.Context, table: Table) -> Iterator[str]:
    command = context.command
    yield f"## `{context.command_path}`"
    yield from (_plain(paragraph) for paragraph in _help(command).split("\n\n"))
    given = [one for one in command.get_params(context) if one.name != "help"]
    rows = [row for one in given if (row := _parameter(one, context))]
    if rows:
        yield table(("given", "meaning"), rows)


def _parameter(parameter: Any, context: typer.Context) -> tuple[str, str] | None:
    record = parameter.get_help_record(context)
    if record is None:
        return None
    names, meaning = record
    return f"`{' '.join(names.split())}`", _plain(meaning)


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "").replace("\b", "").replace("\f", "")


def _first_sentence(command: Any) -> str:
    return re.split(r"(?<=[.:;]) |:$", _plain(_help(command).partition("\n\n")[0]))[0].rstrip(".:;")


def _plain(text: str) -> str:
    """One paragraph of help, with nothing in it that Markdown or HTML would take for its own."""
    joined = " ".join(text.split())
    apart = re.split(r"(`[^`]*`)", joined)
    return "".join(part if at % 2 else re.sub(r"([<>*\[\]])", r"\\\1", part) for at, part in enumerate(apart))
