"""What is measured: which system, how many jobs, how long they take, and what is done to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

POLL_AFTER_SECONDS = 5.0  # the guidance, the same for all
CONDITIONS = ("plain", "dropped", "killed")
HOOKS_LOST = {"plain": 0.0, "dropped": 0.2, "killed": 1.0}
KILLED_JOBS = 200


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
