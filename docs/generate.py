"""Prints the pages and files that come from the code: `python -m docs.generate`.

They are the reference pages, `deploy/env.example` and the dashboard for Grafana. A house rule compares them
with what this prints, so none of them is edited by hand.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import tokenize
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from docs import client, commands, destinations, env_example, errors, grafana, http, lifecycle, metrics, plots
from docs.env_example import written
from orchestrator.core import blame, diagram
from orchestrator.core.drift import DriftKind, Place
from orchestrator.core.events import FOR_END_USERS, Lost, Told
from orchestrator.core.job import HandOffState, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.fault_points import FaultPoint
from orchestrator.sandbox.content_errors import CONTENT_ERRORS
from orchestrator.sandbox.create_errors import CREATE_ERRORS
from orchestrator.sandbox.profiles import PROFILES
from orchestrator.sandbox.switches import describe
from orchestrator.settings import GROUPS, PREFIX, Settings
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.invariants import Invariant
from orchestrator.telemetry import Event
from orchestrator.web.api.app import without_door
from orchestrator.web.api.openapi import document

REFERENCE = Path(__file__).parent / "reference"
_NOTE = "Generated from the code by `python -m docs.generate`."


def pages() -> dict[Path, str]:
    """Every generated page and what it holds."""
    made = {
        "lifecycle.md": _lifecycle(),
        "settings.md": _settings(),
        "destinations.md": "\n\n".join(["# Destinations", _NOTE, *destinations.parts(table)]),
        "commands.md": "\n\n".join(["# Commands", _NOTE, *commands.parts(table)]),
        "errors.md": "\n\n".join(["# Errors", _NOTE, *errors.parts(table, comments)]),
        "client.md": "\n\n".join(["# The client", _NOTE, *client.parts()]),
        "log-events.md": _log_events(),
        "metrics.md": "\n\n".join(["# Metrics", _NOTE, *metrics.parts(table)]),
        "events.md": _events(),
        "sandbox-switches.md": _sandbox_switches(),
        "simulation.md": _simulation(),
    }
    described = document(without_door())
    made["http.md"] = "\n\n".join(["# Operations over HTTP", _NOTE, *http.parts(described, table)])
    made["openapi.json"] = json.dumps(described, indent=1, ensure_ascii=False)
    reference = {REFERENCE / name: text + "\n" for name, text in made.items()}
    beside = {env_example.PAGE: env_example.text(), grafana.PAGE: grafana.text()}
    beside[lifecycle.PAGE] = lifecycle.text() + "\n"
    return reference | beside | plots.pages()


def comments(kind: type[Enum]) -> dict[str, str]:
    """The comment beside each member of an enum, by the member's value; empty where there is none."""
    source = inspect.getsource(kind)
    at = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    beside: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)  # several, between parentheses
            beside[node.targets[0].id] = " ".join(at[line] for line in lines if line in at)
    return {str(member.value): beside[member.name] for member in kind}


def _lifecycle() -> str:
    parts = [
        "# The lifecycle of a job",
        _NOTE,
        _LIFECYCLE,
        f"![The lifecycle of a job]({lifecycle.PAGE.name})",
        "## States",
        _members(State),
        "## What can be seen",
        _members(Seen),
        "## Every state, everything that can be seen",
        _IN_THE_TABLE,
        diagram.table(),
        "## Verdicts",
        _members(Verdict),
        "## Sources of what is seen",
        _members(Source),
        "## Blame for an end that is not `completed`, and faults met on the way",
        _members(blame.Fault),
        "## Who can fix a fault",
        _members(blame.Addressee),
        "## States of a hand-off",
        _members(HandOffState),
        "## What may be new at the gateway",
        _members(DriftKind),
        "## Where that was seen",
        _members(Place),
    ]
    return "\n\n".join(parts)


_LIFECYCLE = (
    "One table decides what the next state is. This is that table, as a picture and in full. An arrow says "
    "what "
    "was seen. One from the field *open* stands for all four states in it, and *…_live* for the three words "
    "with that end."
)
_IN_THE_TABLE = (
    "**Bold**: the job moves there. Any other word: it stays, with that verdict. A question mark: stored "
    "evidence is needed."
)


def _settings() -> str:
    parts = ["# Settings", _NOTE, _SETTINGS_INTRO]
    for group in GROUPS:
        rows = [_setting(name) for name in Settings.model_fields if name in group.model_fields]
        title = f"## {inspect.getdoc(group)}".removesuffix(".")
        parts += [title, table(("setting", "default", "meaning"), rows)]
    return "\n\n".join(parts)


def _setting(name: str) -> tuple[str, str, str]:
    field = Settings.model_fields[name]
    meaning = f"{field.description or ''} {_range(field)}".strip()
    return f"`{PREFIX}{name.upper()}`", _default(written(field.default)), meaning


_SETTINGS_INTRO = (
    "Read from the environment. An unknown name with the prefix, or a wrong value, is refused at start. "
    "`orchestrator check --settings` shows all of them with their current values."
)


def _log_events() -> str:
    intro = "Each log line is a JSON object on standard error: `at`, `level`, `event`, the `job` it is about."
    return "\n\n".join(["# Log events", _NOTE, intro, _members(Event)])


def _events() -> str:
    public = [(f"`{told}`", "yes" if told in FOR_END_USERS else "no", comments(Told)[told]) for told in Told]
    parts = [
        "# Events of jobs",
        _NOTE,
        _EVENTS_INTRO,
        "## Types",
        "The type is the name of the server-sent event. `data` has the facts named here.",
        table(("type", "also for a come-back token", "meaning and facts"), public),
        "A last event `end`, without an id, says that no more events will follow for the job.",
        "## Fields",
        _EVENT_FIELDS,
        "## Why an output cannot be read",
        _members(Lost),
        "## Asking",
        table(("", "one job", "several jobs"), _ASKING),
        _WHEN_REFUSED,
        "## Keeping the connection",
        _CONNECTION,
    ]
    return "\n\n".join(parts)


_EVENTS_INTRO = (
    "What happens to jobs: of one job at `GET /v1/jobs/{id}/events`, of all jobs of a tenant or of "
    "one of its end users at `GET /v1/events`, as [server-sent events](../explanation/coming-back.md)."
)
_EVENT_FIELDS = (
    "`job_id`, `seq` (counts the events of its job from 1, without a gap), `type`, `at`, `state` (where the "
    "type is `state`), `data`. With a come-back token there are gaps, where an event is not for end users."
)
_WHEN_REFUSED = (
    "An id that does not belong to the stream is refused with 422. Browsers give up at any status but 200: "
    "after an error whose `readyState` is `CLOSED`, make a new `EventSource` after some seconds, with "
    "`last_event_id`."
)
_CONNECTION = (
    "A comment comes every 15 seconds. The server ends a stream whose client takes nothing for 30 seconds, "
    "whose key or token has ended (within a minute), whose job was purged, and all of them when it stops: "
    "come back with the last id, to any web process, and nothing is missed or doubled."
)
_ASKING = (
    ("begins", "with the first event", "now, or with `from=start` with the first event"),
    ("`Last-Event-ID`, or `last_event_id` in the URL", "a number", "opaque; of this stream only"),
    ("filters", "none", "`end_user`; `types`, which may be repeated"),
    ("ends", "once the job is over: all handed off, or for a token once it is ready", "not by itself"),
)


def _sandbox_switches() -> str:
    def rows(scope: str) -> Iterator[tuple[str, ...]]:
        for row in describe():
            if row["scope"] == scope:
                yield f"`{row['name']}`", _default(row["default"]), row["meaning"]

    heading = ("switch", "default", "meaning")
    errors = [(f"`{name}`", error.meaning) for name, error in CREATE_ERRORS.items()]
    parts = [
        "# The sandbox gateway's switches",
        _NOTE,
        "Times are gateway seconds, divided by the time scale, unless the line says real seconds.",
        "## For one job",
        'In the create body: `"provider_params": {"sandbox": {…}}`. For later jobs: `PUT /_sandbox/faults`.',
        table(heading, rows("job")),
        "## For the whole sandbox, at once",
        "By `PUT /_sandbox/faults`; `DELETE` restores what it was started with.",
        table(heading, rows("live")),
        "## Names for `create_error`",
        table(("name", "meaning"), errors),
        "## Names for `content_error`",
        table(("name", "meaning"), [(f"`{name}`", text) for name, text in CONTENT_ERRORS.items()]),
        "## Names for `provider`",
        ", ".join(f"`{name}`" for name in PROFILES),
    ]
    return "\n\n".join(parts)


def _simulation() -> str:
    intro = (
        "`orchestrator simulate` runs the core in made-up worlds. What is real, what is not, and what the "
        "promises mean exactly: [The simulation](../explanation/simulation.md)."
    )
    parts = [
        "# Promises and faults of the simulation",
        _NOTE,
        intro,
        "## Promises",
        "Checked after every step; the first that breaks ends the seed.",
        _members(Invariant),
        "## Faults",
        "Each seed has some of them, at rates of its own, until everything heals.",
        _members(Fault),
        "## Fault points",
        _AT_FAULT_POINTS,
        _members(FaultPoint),
    ]
    return "\n\n".join(parts)


_AT_FAULT_POINTS = (
    "At each of them a process of the simulation may die. A real one does so in tests: with "
    f"`{PREFIX}FAULT_POINT=name` it kills itself at this place, with `name:n` the n-th time it gets there."
)


def _members(kind: type[Enum]) -> str:
    return table(("name", "meaning"), [(f"`{value}`", text) for value, text in comments(kind).items()])


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    cells = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells)


def _default(value: Any) -> str:
    return "" if value is None or value in ("", ()) else f"`{value}`"


def _range(field: FieldInfo) -> str:
    """The limits of a number, in parentheses."""
    found = {
        name: f"{limit:,.15g}"
        for one in field.metadata
        for name in ("ge", "gt", "le")
        if (limit := getattr(one, name, None)) is not None
    }
    match found:
        case {"ge": low, "le": high}:
            return f"({low} to {high})"
        case {"gt": low, "le": high}:
            return f"(above {low}, up to {high})"
        case {"ge": low}:
            return f"(at least {low})"
        case {"gt": low}:
            return f"(above {low})"
    return ""


def main() -> None:
    """Write every page."""
    for page, text in pages().items():
        page.write_text(text)


if __name__ == "__main__":
    main()
