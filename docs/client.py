"""The reference page of the Python client, from its signatures and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.client import Client, asked

_GROUPS = {
    "About": (asked.About, "What may be said of a job beside its request."),
    "JobFilter": (asked.JobFilter, "Which jobs are meant."),
    "Which": (asked.Which, "Which dead letters are meant."),
    "Told": (asked.Told, "Which events of all jobs are meant."),
}


def parts() -> Iterator[str]:
    """The paragraphs of the page."""
    yield "`from orchestrator.client import Client`; [how to use it](../how-to/use-the-client.md)."
    yield f"## Client{_signature(Client.__init__)}"
    yield inspect.getdoc(Client) or ""
    for name, method in vars(Client).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            yield f"### {name}{_signature(method)}"
            yield inspect.getdoc(method) or ""
    yield "## Named arguments that several share"
    for name, (group, meaning) in _GROUPS.items():
        fields = "\n".join(f"- `{field}`: `{kind}`" for field, kind in _fields(group))
        yield f"`**{name}`: {meaning}\n\n{fields}"


def _fields(group: Any) -> Iterator[tuple[str, str]]:
    for field, kind in group.__annotations__.items():
        yield field, getattr(kind, "__forward_arg__", str(kind))


def _signature(method: Callable[..., Any]) -> str:
    """As it is called: without `self`, and with the names of the groups."""
    found = inspect.signature(method)
    given = [one for name, one in found.parameters.items() if name != "self"]
    text = str(found.replace(parameters=given)).replace("'", "")
    return text.removesuffix(" -> None").replace("_", "\\_").replace("*", "\\*")
