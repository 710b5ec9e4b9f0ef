"""How fast an output is handed off, against curl bringing the same bytes into the same place.

Each of ours is a whole hand-off: claimed, streamed, hashed, checked, made durable and committed. curl hashes
and syncs nothing; so its time is told also with the sync of its file that follows (`sync FILE`). It brings

- gateway → archive: `curl -o`, from the same server, into the folder of the archive;
- archive → folder: `curl -o`, from a server that lets the kernel send a file, into the destination's folder;
- archive → S3: `curl -T`, one signed PUT of the archived file, into the same bucket of moto's server. Ours
  come in parts, are put together and copied into place: moto has three times the work that it has for curl.

Ours and curl's take turns. Told are medians, in MB/s and in seconds of processor time.

python -m tests.benchmarks.hand_off_throughput --mib 500 --runs 5 [--folder PLACE]
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator import wiring
from orchestrator.core.job import HandOffState, OutputSeen
from orchestrator.core.lifecycle import State
from orchestrator.core.owed import owed_outputs
from orchestrator.engine.hand_off import hand_off
from orchestrator.engine.submit import Submission, submit
from orchestrator.settings import load
from orchestrator.store import hand_offs, jobs, outputs, workers
from orchestrator.store.migrate import migrate
from tests.acceptance.processes import Child, clean_environment, free_port, module
from tests.benchmarks import file_server
from tests.benchmarks.destinations import write_destinations
from tests.servers.s3 import SECRET, S3Server

MIB = 1 << 20
PLACES = {"archive": "gateway → archive", "folder": "archive → folder", "bucket": "archive → S3 (moto)"}
GOAL = 0.7
HEADS = ("ours", "curl", "curl+sync", "ratio", "ratio+sync", "our CPU", "curl's CPU", "moto's", "for curl")


@dataclass(frozen=True)
class Cost:
    """What something took: seconds, and processor seconds of whoever did it and of moto's server."""

    seconds: float
    cpu: float
    moto: float
    sync: float = 0.0


class Bench:
    """One process's worth of orchestrator, and curl beside it."""

    def __init__(self, folder: Path, gateway: str, s3: S3Server) -> None:
        self._gateway, self._s3, self._bucket = gateway, s3, s3.new_bucket()
        self._archive, self._outputs = folder / "data" / "archive", folder / "outputs"
        told = {"bucket": {"type": "bucket", **self._bucket.options("out")}}
        settings = load(
            {},
            data_dir=folder / "data",
            output_dir=self._outputs,
            gateway_url=gateway,
            gateway_api_key="none",
            destinations_file=write_destinations(folder / "destinations.toml", told),
        )
        self._store = wiring.open_store(settings)
        migrate(self._store)
        self._context = wiring.build(settings, self._store)
        with self._store.write() as tx:
            workers.join(tx, self._context.worker, host="here", pid=os.getpid())

    def close(self) -> None:
        self._context.close()
        self._store.close()

    def round(self, name: str) -> dict[str, tuple[Cost, Cost]]:
        """One output through every place, each followed by curl's into the same."""
        job_id = self._completed(name)
        found: dict[str, tuple[Cost, Cost]] = {}
        while len(found) < len(PLACES):
            with self._store.write() as tx:
                workers.beat(tx, self._context.worker)
            ours = self._measured(resource.RUSAGE_SELF, lambda: hand_off(self._context))
            (place,) = self._done(job_id) - found.keys()
            found[place] = ours, self._curl(place, name)
        self._tidy()
        return found

    def _completed(self, name: str) -> str:
        """A job that the gateway has just completed."""
        request = {"model": "any", "prompt": "waves"}
        (job,), _ = submit(self._context, [Submission(request, destinations=("folder", "bucket"))])
        seen = (OutputSeen(0, "video/mp4"),)
        with self._store.write() as tx:
            jobs.note(tx, job.id, {"state": State.COMPLETED, "gateway_id": f"ours-{name}", "due_at": None})
            outputs.learn_all(tx, [(job.id, one) for one in seen])
            hand_offs.owe(tx, list(owed_outputs(job, seen, tx.now)))
        return job.id

    def _done(self, job_id: str) -> set[str]:
        with self._store.read() as tx:
            owed = hand_offs.of_job(tx, job_id)
        assert not any(one.last_error for one in owed), [one.last_error for one in owed]
        return {one.destination for one in owed if one.state is HandOffState.DONE}

    def _curl(self, place: str, name: str) -> Cost:
        if place == "bucket":
            (archived,) = self._archive.glob("??/*")
            signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"tests:{SECRET}", "-H", "Expect:"]
            return self._run_curl("-T", str(archived), *signed, f"{self._s3.endpoint}/{self._bucket.name}/x")
        file = (self._archive if place == "archive" else self._outputs) / "curl"
        brought = self._run_curl("-o", str(file), f"{self._gateway}/videos/curl-{name}/content")
        began = time.monotonic()
        subprocess.run(["sync", str(file)], check=True)
        synced = time.monotonic() - began
        file.unlink()
        return Cost(brought.seconds, brought.cpu, brought.moto, synced)

    def _run_curl(self, *arguments: str) -> Cost:
        command = ["curl", "-sS", "--fail", *arguments]
        return self._measured(resource.RUSAGE_CHILDREN, lambda: subprocess.run(command, check=True))

    def _measured(self, whose: int, call: Callable[[], object]) -> Cost:
        server = self._s3.process.pid
        before, moto, began = resource.getrusage(whose), _cpu_of(server), time.monotonic()
        call()
        seconds, after = time.monotonic() - began, resource.getrusage(whose)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(seconds, cpu, _cpu_of(server) - moto)

    def _tidy(self) -> None:
        """Make room, and let the disk come to rest."""
        for file in [*self._archive.glob("??/*"), *self._outputs.iterdir()]:
            file.unlink()
        for key in self._bucket.list():
            self._bucket.delete(key)
        os.sync()


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def benched(folder: Path, mib: int) -> Iterator[Bench]:
    """A bench with its servers."""
    with ExitStack() as stack:
        s3, port, served = S3Server(), free_port(), folder / "served.mp4"
        stack.callback(s3.close)
        file_server.write_file(served, mib * MIB)
        command = module("tests.benchmarks.file_server", str(served), str(port))
        server = Child(command, folder, "server", clean_environment())
        stack.callback(server.end)
        server.until_said("ready")
        bench = Bench(folder, f"http://127.0.0.1:{port}/v1", s3)
        stack.callback(bench.close)
        yield bench


def measure(place: Path | None, mib: int, runs: int) -> dict[str, list[tuple[Cost, Cost]]]:
    """So many rounds, after one to warm up."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        need, free = 7 * mib * MIB, shutil.disk_usage(folder).free
        if free < need:
            sys.exit(f"{folder}: {free // MIB} MiB are free and {need // MIB} needed: see --folder and --mib")
        with benched(Path(folder), mib) as bench:
            bench.round("warm")
            rounds = [bench.round(str(number)) for number in range(runs)]
    return {name: [one[name] for one in rounds] for name in PLACES}


def _row(mib: int, costs: Sequence[tuple[Cost, Cost]]) -> list[float]:
    ours, curls = zip(*costs, strict=True)
    times = (
        [one.seconds for one in ours],
        [one.seconds for one in curls],
        [c.seconds + c.sync for c in curls],
    )
    ours_rate, curl_rate, synced_rate = (mib * MIB / 1e6 / statistics.median(some) for some in times)
    cpus = [statistics.median(one.cpu for one in some) for some in (ours, curls)]
    motos = [statistics.median(one.moto for one in some) for some in (ours, curls)]
    return [ours_rate, curl_rate, synced_rate, ours_rate / curl_rate, ours_rate / synced_rate, *cpus, *motos]


def main() -> int:
    """Measure and print; 1 if a ratio is below the goal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--mib", type=int, default=500, help="size of the output")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; seven outputs have to fit")
    options = parser.parse_args()
    costs = measure(options.folder, options.mib, options.runs)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"{options.mib} MiB, {options.runs} runs; {load}; goal: a ratio of {GOAL}")
    print(f"{'':<20}" + "".join(f"{head:>11}" for head in HEADS))
    rows = {title: _row(options.mib, costs[name]) for name, title in PLACES.items()}
    for title, row in rows.items():
        print(f"{title:<20}" + "".join(f"{one:>11.{0 if at < 3 else 2}f}" for at, one in enumerate(row)))
    return int(any(row[3] < GOAL for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
