"""What the page of errors says of exit codes: each one, and those of the commands that supervisors run."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

from orchestrator.cli.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from docs.errors import Table

# An example of each, and what to do. What the code means stands beside it in `Exit`.
_CODES: dict[Exit, tuple[str, str]] = {
    Exit.OK: ("`watch`, `run`; `up`, `web`, `worker` and `beat` after SIGTERM or Ctrl-C", "nothing"),
    Exit.OTHERWISE: (
        "`watch` of a failed job; `check` without a gateway; `destinations check`; `simulate`",
        "`orchestrator show JOB` says what became of the job; `check` says how to fix each finding",
    ),
    Exit.USAGE: (
        "`submit` without a model; a port that is taken; an output folder that cannot be written",
        "read the second line; see `--help` and [Settings](settings.md)",
    ),
    Exit.REFUSED: (
        "`show nope`; `resolve` of a job that is not uncertain; `replay` of something that was delivered",
        "`orchestrator jobs`, `inbox` and `dead-letters` list what exists",
    ),
    Exit.STORE: (
        "there is none; a newer version wrote it; another `up` runs on it",
        "`orchestrator check` says what is wrong; `orchestrator migrate` brings it to this version",
    ),
    Exit.GATEWAY: (
        "`sandbox trigger` without a sandbox; a `--url` where nobody, or something else, answers",
        "check the address and the network, and try again; nothing is lost",
    ),
    Exit.INTERRUPTED: ("`watch`, `simulate`; `run`, whose job is kept", "nothing: submitted jobs go on"),
}
_ABORTED = (
    "70",
    "the process could not go on and ended at once: a part of it died, or its database file was replaced",
    "`worker`, `up`",
    "start it again, as every supervisor does",
)
_INTRO = (
    "Errors go to standard error, in two lines: what happened, and what to do. Results go to standard "
    "output. With `--json`, standard output has only JSON: one document, or for `watch`, `run` and `events` "
    "one object a line.\n\n"
    "```console\n$ orchestrator show nope\nerror: there is no job nope\n  `orchestrator jobs` lists them\n"
    "$ echo $?\n3\n```"
)
_OF_PROCESSES = (
    (
        "`up`, `web`, `worker`, `beat`",
        "stopped in order, by SIGTERM or Ctrl-C",
        "2, 4 as above (`beat` needs no database); 70 for `up` and `worker`; 1 for an unforeseen error",
    ),
    ("`migrate`", "the database is at this version", "2, 4"),
    ("`check`", "nothing would fail; there may be warnings", "1: something would fail"),
    ("`check --alive`", "such a process is alive", "1: none is, or it cannot be found out"),
    (
        "`webhooks register`, `rotate`",
        "the endpoint is right, and its secret is stored",
        "2: no management key, or nowhere to store the secret; 3: it is not ours; 5: no answer, or a refusal",
    ),
    ("`webhooks status`", "webhooks can arrive", "1: they cannot; 5 as above"),
    ("`simulate`", "no promise was broken", "1: one was; what is printed replays it"),
)
_SIGNALS = (
    "A second Ctrl-C ends `worker` and `beat` at once, by the signal itself, which a shell shows as 130. So "
    "does a signal in the first moments, before a process listens for it (143 for SIGTERM). A process that "
    "is killed has the usual code of its signal, 137 for SIGKILL; nothing needs tidying up, just start it "
    "again.\n\nIf the gateway does not answer, `orchestrator up` keeps running and tries again."
)


def parts(table: Table, comments: Callable[[type[Enum]], dict[str, str]]) -> Iterator[str]:
    """The section, part by part."""
    yield "## Exit codes"
    yield _INTRO
    meanings = comments(Exit)
    rows = [(f"{one:d}", meanings[str(one.value)], *_CODES[one]) for one in Exit]
    yield table(
        ("code", "cause", "for example", "remedy"), sorted([*rows, _ABORTED], key=lambda row: int(row[0]))
    )
    yield "What those commands exit with that supervisors and scripts run:"
    yield table(("command", "0", "otherwise"), _OF_PROCESSES)
    yield _SIGNALS
