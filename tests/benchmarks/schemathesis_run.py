"""How the API keeps to its own document: `python -m tests.benchmarks.schemathesis_run --examples N`.

Schemathesis makes requests from the document, sound and unsound ones, alone and in sequences, sends them over
HTTP to a server of its own, and compares each answer with the document. Prints how many, and what failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.lifecycle import State
from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from tests.integration.api.served import Holder, Served

PHASES = "examples,coverage,fuzzing,stateful"
# What is sound by the document may still be refused: whether there is such a destination is not in it.
LEFT_OUT = "positive_data_acceptance"
STREAMS = ("follow_job", "follow_jobs")  # they do not end
ANSWERED_WITHIN = 20.0  # seconds; on a machine that does much else


@dataclass(frozen=True)
class Found:
    """What came of a run."""

    cases: int
    failures: int
    code: int
    output: str


def run(api: Served, report: Path, *, examples: int, phases: str = PHASES, seed: int | None = None) -> Found:
    """All operations but the streams, with a key for everything."""
    us = api.new_tenant()
    _fill(us)
    address = api.url.removesuffix("/v1")
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {us.key}", "--phases", phases, "--checks", "all"]
    command += ["--exclude-checks", LEFT_OUT, "--max-examples", str(examples), "--continue-on-failure"]
    command += ["--request-timeout", str(ANSWERED_WITHIN), "--no-color", "--no-shrink", "--warnings", "off"]
    command += [part for name in STREAMS for part in ("--exclude-operation-id", name)]
    command += ["--suppress-health-check", "all", "--report-json-path", str(report)]
    command += ["--seed", str(seed)] if seed is not None else ["--generation-deterministic"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=report.parent)
    cases, failures = _counted(report)
    return Found(cases, failures, ended.returncode, ended.stdout[-20_000:] + ended.stderr[-5_000:])


def _fill(us: Holder) -> None:
    """Something to be found."""
    us.archive(us.completed(reference="r", end_user="u"))
    us.move(us.kept(), State.FAILED)
    us.move(us.kept(), State.UNCERTAIN, needs_person=True)
    us.dead()


def _counted(report: Path) -> tuple[int, int]:
    told = json.loads(report.read_text())
    return told["test_cases"]["generated"], len(told["failures"]) + len(told["errors"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="of each operation, for each phase")
    parser.add_argument("--phases", default=PHASES)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        store = Store(f"sqlite:///{folder / 'orchestrator.db'}")
        migrate(store)
        store.close()
        api = Served(folder, requests_per_minute=0)
        try:
            report = folder / "report.json"
            found = run(api, report, examples=asked.examples, phases=asked.phases, seed=asked.seed)
        finally:
            api.close()
    print(found.output)
    print(f"{found.cases} cases, {found.failures} failures")
    return found.code


if __name__ == "__main__":
    sys.exit(main())
