"""What is measured: which system, how many jobs, how long they take, and what is done to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

POLL_AFTER_SECONDS = 5.0  # the guidance, the same for all
KILLED_JOBS, POLLED_JOBS = 200, 100
RUNS, QUICK = "runs.jsonl", "quick.jsonl"  # files of a folder of what was measured


@dataclass(frozen=True)
class Condition:
    """What is done to jobs, in `words`.

    `hooks_lost` is the share of the jobs whose webhook is never sent. A run is over when nothing has
    happened for `patience` seconds, if not all are handed off before.
    """

    words: str
    hooks_lost: float = 0.0
    poll_after_seconds: float = POLL_AFTER_SECONDS
    patience: float = 30.0


CONDITIONS = {
    "plain": Condition("nothing happens to them"),
    "dropped": Condition("20 % of the webhooks are never sent", hooks_lost=0.2),
    "killed": Condition(
        "all webhooks are lost, and all processes but the servers are killed and started again",
        hooks_lost=1.0,
        patience=120.0,
    ),
    "polled": Condition(
        "no webhook is sent, and the guidance is a look every 0.25 s",
        hooks_lost=1.0,
        poll_after_seconds=0.25,
        patience=60.0,
    ),
}


@dataclass(frozen=True)
class Row:
    """One line of the comparison. It is measured several times."""

    system: str
    jobs: int
    shortest: float
    longest: float
    condition: str

    def told(self) -> str:
        """In words, for a person who looks on."""
        return f"{self.system}, {self.jobs} jobs of {self.shortest:g}-{self.longest:g} s, {self.condition}"


@dataclass(frozen=True)
class Work:
    """The same for every system."""

    jobs: int
    shortest: float
    longest: float
    condition: str


FULL = (
    *(Work(jobs, *span, "plain") for jobs in (500, 1_000) for span in ((3.0, 9.0), (5.0, 15.0))),
    Work(500, 3.0, 9.0, "dropped"),
    Work(KILLED_JOBS, 3.0, 9.0, "killed"),
    Work(POLLED_JOBS, 30.0, 30.0, "polled"),
)
EMBEDDED = (Work(200, 3.0, 9.0, "plain"),)  # goal 6; the others are not asked for so few


@dataclass(frozen=True)
class Run:
    """One measurement of a row."""

    row: Row
    number: int
    measured: dict[str, Any]

    def line(self) -> str:
        """As it is kept."""
        return json.dumps({"row": asdict(self.row), "number": self.number, "measured": self.measured})


def keep(file: Path, run: Run) -> None:
    """Add it to those that were measured: what is here needs not be measured again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        lines.write(run.line() + "\n")


def kept(file: Path) -> Iterator[Run]:
    """All that were measured. A line that was being written when somebody pulled the plug is none."""
    if not file.exists():
        return
    for line in file.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            read = json.loads(line)
            yield Run(Row(**read["row"]), read["number"], read["measured"])
