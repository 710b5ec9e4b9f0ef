"""Webhooks per second: ours, verified, stored and applied, against bare Starlette with one INSERT, in turn.

python -m tests.benchmarks.receiver --rounds 5 --hooks 2000 --connections 16

PostgreSQL, a real `web` process, and the load in a process of its own over kept connections. Each webhook
tells the end of another job that lies in the database and runs at the gateway; what is answered with 200 is
applied, which is looked up after each round. The bare one does the same check of the signature, reads the
body, and does one INSERT (tests/benchmarks/bare_receiver.py): same server, pool and threads. `alone` is ours
with a transaction for each webhook. All of it with a PostgreSQL that does not wait for the disk, and with one
that does.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from orchestrator import wiring
from orchestrator.core.ids import job_id
from orchestrator.core.job import Job, session_of
from orchestrator.core.learned.classes import class_of
from orchestrator.core.lifecycle import State
from orchestrator.store import jobs, schema
from orchestrator.store.schema import DEFAULT
from tests.acceptance.database import MODEL, Database
from tests.acceptance.processes import ROOT, Child, clean_environment, free_port, module
from tests.acceptance.sandbox import SECRET
from tests.benchmarks.deployment import Deployment, deployed
from tests.benchmarks.jobs_per_second import used
from tests.benchmarks.medians import as_table, medians
from tests.integration.receiver.door import example
from tests.servers.processes import descendants

Found = dict[str, float]
GOAL = 0.6  # of the bare one's webhooks a second
BARE = "bare"
OURS = ("ours", "alone")
NAMED = {"ours": "transactions shared", "alone": "a transaction each", BARE: "bare receiver"}
COLUMNS = {
    "per_second": "webhooks a second",
    "p50_ms": "p50 (ms)",
    "p99_ms": "p99 (ms)",
    "web_cpu_ms": "processor time of the receiver, each (ms)",
    "postgres_cpu_ms": "of PostgreSQL (ms)",
}
NOT_WAITING, WAITING = "not waiting for the disk", "waiting for the disk"
PROVIDER = "google-ai-studio"
REQUEST = {"model": MODEL, "prompt": "waves", "duration": 8}


@dataclass(frozen=True)
class Target:
    """A receiver that is measured: where it listens, and its process."""

    port: int
    pid: int


def running(database: Database, many: int) -> list[str]:
    """Jobs that the gateway is working on; their ids there."""
    context = database.context
    routes = context.destinations.defaults(DEFAULT)
    with database.store.write() as tx:
        new = []
        for made in (job_id(context.new_id()) for _ in range(many)):
            job = Job(
                id=made,
                tenant_id=DEFAULT,
                account_id=DEFAULT,
                request=REQUEST,
                state=State.WAITING,
                session_id=session_of(made, 1),
                accepted_at=tx.now - 2.0,
                state_since=tx.now - 1.0,
                deadline_at=tx.now + 86_400.0,
                destinations=routes,
                attempts=1,
                gateway_id=f"G-{wiring.new_id().upper()}",
                gateway_status="in_progress",
                provider=PROVIDER,
                hooked=True,
                created_at=tx.now - 1.0,
                due_at=tx.now + 3_600.0,
                ending_class=class_of(REQUEST, PROVIDER),
            )
            new.append(job)
        jobs.add(tx, new)
    return [job.gateway_id or "" for job in new]


def told(gateway_ids: list[str]) -> str:
    """The bodies of webhooks that these are completed, one a line, as the gateway's own."""
    payload = example("video.completed")
    known = payload["data"]["id"]
    return "\n".join(json.dumps(payload, separators=(",", ":")).replace(known, it) for it in gateway_ids)


def applied(database: Database) -> int:
    """How many jobs are completed."""
    completed = select(func.count()).where(schema.jobs.c.state == State.COMPLETED)
    with database.store.read() as tx:
        return int(tx.execute(completed).scalar_one())


def one_round(there: Deployment, target: Target, bodies: str, connections: int) -> Found:
    """So many webhooks for one receiver, with what each cost."""
    postgres = there.postgres.process.pid

    def spent() -> tuple[float, float]:
        return used(target.pid), used(postgres, *descendants(postgres))

    command = module("tests.benchmarks.hook_load", str(target.port), str(connections), SECRET)
    before, many = spent(), bodies.count("\n") + 1
    answer = subprocess.run(command, cwd=ROOT, input=bodies, text=True, stdout=subprocess.PIPE, check=True)
    web, database = (1000 * (now - then) / many for now, then in zip(spent(), before, strict=True))
    return dict(json.loads(answer.stdout)) | {"web_cpu_ms": web, "postgres_cpu_ms": database}


def measure(
    there: Deployment, targets: Mapping[str, Target], options: argparse.Namespace
) -> dict[str, list[Found]]:
    """Alternate; what each round of each found."""
    rounds: dict[str, list[Found]] = defaultdict(list)
    database = there.fleet.database
    for number in range(options.rounds + 1):
        for name, target in targets.items():
            known, before = running(database, options.hooks), applied(database)
            found = one_round(there, target, told(known), options.connections)
            if name != BARE:
                assert applied(database) - before == options.hooks, "answered, and not applied"
            if number:  # the first warms up
                rounds[name].append(found)
    return rounds


def ratios(rounds: Mapping[str, list[Found]], ours: str, what: str) -> list[float]:
    """One of ours in proportion to the bare one, by rounds."""
    return sorted(one[what] / bare[what] for one, bare in zip(rounds[ours], rounds[BARE], strict=True))


def print_all(disk: str, rounds: Mapping[str, list[Found]]) -> None:
    """Medians, and what ours are in proportion to the bare one."""
    print(f"PostgreSQL {disk}")
    for name, found in medians(rounds).items():
        print(f"{name:5}", *(f" {what} {value:8.2f}" for what, value in found.items()))
    for name in OURS:
        for what in ("per_second", "web_cpu_ms", "postgres_cpu_ms"):
            some = ratios(rounds, name, what)
            print(f"{name}: ratio of {what} {statistics.median(some):.2f} ({some[0]:.2f} to {some[-1]:.2f})")


def as_json(found: Mapping[str, Mapping[str, list[Found]]]) -> str:
    """For the page: a table, the ratios by what they are of, and the one that there is a goal for."""
    named = {
        f"{NAMED[name]}, PostgreSQL {disk}": some
        for disk, rounds in found.items()
        for name, some in rounds.items()
    }
    to_bare = {
        f"bare receiver, {NAMED[name]}, PostgreSQL {disk}": ratios(rounds, name, "per_second")
        for disk, rounds in found.items()
        for name in OURS
    }
    goal = statistics.median(ratios(found[NOT_WAITING], "ours", "per_second"))
    judged = {"rounds": found, "ratios": to_bare, "ratio": goal, "goal": GOAL}
    return json.dumps(judged | as_table(named, COLUMNS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hooks", type=int, default=2_000, help="webhooks of a round, for each receiver")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--profile", type=Path, help="where cProfile of our process goes")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    options = parser.parse_args()
    found = {disk: on_one(options, durable=disk == WAITING) for disk in (NOT_WAITING, WAITING)}
    if options.json:
        print(as_json(found))
        return
    for disk, rounds in found.items():
        print_all(disk, rounds)


def on_one(options: argparse.Namespace, *, durable: bool) -> dict[str, list[Found]]:
    """All receivers on one server."""
    with tempfile.TemporaryDirectory() as name, deployed(Path(name), durable=durable) as there:
        running(there.fleet.database, 0)  # it is migrated before anybody starts
        profiled = (sys.executable, "-m", "cProfile", "-o", str(options.profile)) if options.profile else ()
        web = there.fleet.start("web", inside=profiled)
        port = free_port()
        alone = there.fleet.start("web", inside=(*module("tests.benchmarks.each_alone"),), port=port)
        targets = {"ours": Target(there.fleet.port, web.pid), "alone": Target(port, alone.pid)}
        environment = clean_environment(**there.fleet.settings)
        bare = Child(module("tests.benchmarks.bare_receiver"), there.fleet.folder, "bare", environment)
        try:
            port = int(bare.until_said("listening on").split()[-1])
            print(f"web {web.pid}, bare {bare.pid}", file=sys.stderr, flush=True)
            return measure(there, targets | {BARE: Target(port, bare.pid)}, options)
        finally:
            bare.end()


if __name__ == "__main__":
    main()
