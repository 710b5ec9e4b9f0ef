"""What a block that is not run must be: JSON, TOML, YAML, settings, a page, a request."""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter

from orchestrator.engine.destinations_file import read_file
from orchestrator.settings import load
from orchestrator.sinks import kinds
from orchestrator.wire import access, events, jobs, problems
from tests.documentation.blocks import DOCS, Block

OUTCOME = DOCS / "reference" / "outcome-document.md"


def check(block: Block, folder: Path) -> None:
    """Raise unless it is what its language says, and what its mark says it is an example of."""
    CHECKS[block.language](block, folder)


def _json(block: Block, _: Path) -> None:
    value = json.loads(block.text)
    if shape := block.mark.get("shape"):
        SHAPES[shape](value)


def _toml(block: Block, folder: Path) -> None:
    """A file of destinations, the fields of one of them, or the project of a package."""
    value = tomllib.loads(block.text)
    if value.keys() <= {"destinations", "archive"}:
        file = folder / "destinations.toml"
        file.write_text(block.text)
        assert read_file(file).destinations
    elif "project" in value:
        assert value["build-system"]["requires"]
    else:
        known = {name for kind in kinds.installed() for name in kinds.find(kind.name).Options.model_fields}
        assert value.keys() <= known, f"no kind of destination has {value.keys() - known}"


def _settings(block: Block, _: Path) -> None:
    lines = [line for line in block.text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    load(dict(line.split("=", 1) for line in lines))


def _yaml(block: Block, _: Path) -> None:
    """Something of Compose or of Kubernetes, or the values of a program that is not ours."""
    for value in yaml.safe_load_all(block.text):
        assert isinstance(value, dict), "a document of YAML is a table"
        if "services" in value:
            assert all(one.keys() & {"image", "build", "extends"} for one in value["services"].values())
        elif "apiVersion" in value:
            assert value["kind"]
            assert value["metadata"]["name"]
        elif shape := block.mark.get("shape"):
            assert value.keys() >= set(shape.split()), f"lacks {set(shape.split()) - value.keys()}"


def _python(block: Block, _: Path) -> None:
    ast.parse(block.text)


def _html(block: Block, _: Path) -> None:
    tags = _Tags()
    tags.feed(block.text)
    assert tags.open == [], f"not closed: {tags.open}"


class _Tags(HTMLParser):
    """Whether each element that must be closed is."""

    ALONE = ("meta", "link", "br", "img", "input", "hr", "source")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another one"


def _http(block: Block, __: Path) -> None:
    head, _, body = block.text.partition("\n\n")
    first, *headers = head.splitlines()
    assert re.match(r"(GET|POST|PUT|DELETE|HEAD|PATCH) \S+ HTTP/1\.1$|HTTP/1\.1 \d{3}", first), first
    assert all(re.match(r"[\w-]+: .", one) for one in headers)
    if body.strip() and any(one.lower().startswith("content-type: application/json") for one in headers):
        json.loads(body)


def _nothing(_: Block, __: Path) -> None:
    """Words, or commands, which others check."""


CHECKS: dict[str, Callable[[Block, Path], None]] = {
    "sh": _nothing,
    "console": _nothing,
    "text": _nothing,
    "json": _json,
    "toml": _toml,
    "env": _settings,
    "yaml": _yaml,
    "python": _python,
    "html": _html,
    "http": _http,
}


def _of(model: type[BaseModel]) -> Callable[[Any], object]:
    return lambda value: TypeAdapter(model).validate_json(json.dumps(value))


def _outcome(value: dict[str, Any]) -> None:
    """The document, as the tables of its own page say it."""
    if "data" in value:
        assert value.keys() == {"type", "timestamp", "data"}
        assert value["type"].partition(".")[2] == value["data"]["outcome"].partition("-")[0]
        value = value["data"]
    else:
        assert {"at", "source", "seen", "verdict", "state"} <= value["timeline"][0].keys()
    tables = _tables(OUTCOME.read_text())
    assert value.keys() | {"timeline"} == tables["job_id"]
    assert all(one.keys() == tables["index"] for one in value["outputs"])
    assert all(one.keys() == tables["at"] for one in value.get("timeline", ()))


def _tables(text: str) -> dict[str, set[str]]:
    """The first columns of the tables of a page, by the first of them."""
    columns: Iterable[list[str]] = (
        re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) for table in text.split("\n\n")
    )
    return {column[0]: set(column) for column in columns if column}


def _request(value: dict[str, Any]) -> None:
    """A request to the gateway, which the sandbox would take."""
    jobs.NewJob.model_validate({"request": value})


SHAPES: dict[str, Callable[[Any], object]] = {
    name: _of(model)
    for module in (access, events, jobs, problems)
    for name, model in vars(module).items()
    if isinstance(model, type) and issubclass(model, BaseModel)
} | {"outcome": _outcome, "request": _request}
