"""Reads what is deployed: Procfile, compose file, systemd units, image."""

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from typer.core import TyperGroup

from orchestrator.cli.program import command_line
from orchestrator.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"] == "hybrid-job-orchestrator"}
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}


def mounts(service: str) -> dict[str, tuple[str, bool]]:
    """By the path in the container: what a service mounts there, and whether it may write."""
    parts = [volume.split(":") for volume in SERVICES[service].get("volumes", ())]
    return {path: (source, options != ["ro"]) for source, path, *options in parts}


def parsed(line: list[str]) -> tuple[str, dict[str, Any]]:
    """The command and its parameters. Fails as the program would where the line is none of its own."""
    assert line[0].rpartition("/")[2] == "orchestrator"
    assert isinstance(command_line, TyperGroup)
    above = command_line.make_context("orchestrator", line[1:], resilient_parsing=False)
    name, command, rest = command_line.resolve_command(above, line[1:])
    assert name
    assert command
    return name, command.make_context(name, rest, parent=above).params


def procfile() -> dict[str, list[str]]:
    """Each process type and its command line, as where the platform sets no variable."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    types = dict(line.split(": ", 1) for line in lines)
    return {name: shlex.split(re.sub(r"\$\{\w+:-(\w*)\}", r"\1", line)) for name, line in types.items()}


def unit(name: str) -> configparser.ConfigParser:
    """A systemd unit or drop-in."""
    found = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read_string((DEPLOY / "systemd" / name).read_text())
    return found


def units() -> dict[str, configparser.ConfigParser]:
    """Every service unit, by its file name."""
    return {file.name: unit(file.name) for file in sorted((DEPLOY / "systemd").glob("*.service"))}


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction of the Dockerfile and its arguments, on one line."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            yield tuple(line.split(" ", 1))  # type: ignore[misc]


def given(*names: str) -> list[str]:
    """The arguments of every instruction of these names."""
    return [arguments for name, arguments in instructions() if name in names]
