"""Requests per second of the API for submit and for read, against bare Starlette, in turn in the same run.

python -m tests.benchmarks.api_throughput --rounds 5 --seconds 4 --connections 16

PostgreSQL, a real `web` process, and the load in a process of its own over kept connections. The bare one
does the same check of the key, the same validation and one INSERT or SELECT (tests/benchmarks/bare_api.py).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.callers import calling, new_key
from tests.acceptance.processes import ROOT, Child, clean_environment, module
from tests.benchmarks.deployment import deployed

BODY = json.dumps({"request": {"model": "google/veo-3.1-lite", "prompt": "waves"}, "reference": "order-1"})
Found = dict[str, float]


def load(port: int, key: str, kind: str, job: str, options: argparse.Namespace) -> Found:
    """One round of one kind on one server."""
    asked = ["POST", "/v1/jobs"] if kind == "submit" else ["GET", f"/v1/jobs/{job}"]
    told = [str(port), *asked, key, str(options.seconds), str(options.connections)]
    command = module("tests.benchmarks.keep_alive_load", *told, *([BODY] if kind == "submit" else []))
    return dict(json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout))


def measure(ports: Mapping[str, int], key: str, job: str, options: argparse.Namespace) -> None:
    """Alternate, and print medians and their ratio."""
    for kind in ("submit", "read"):
        rounds: dict[str, list[Found]] = defaultdict(list)
        for number in range(options.rounds + 1):
            for name, port in ports.items():
                found = load(port, key, kind, job, options)
                if number:  # the first warms up
                    rounds[name].append(found)
        medians = {name: _median(found) for name, found in rounds.items()}
        for name, found in medians.items():
            print(f"{kind:6}  {name:5}", *(f"{what} {value:8.1f}" for what, value in found.items()))
        pairs = zip(rounds["api"], rounds["bare"], strict=True)
        ratios = sorted(ours["per_second"] / bare["per_second"] for ours, bare in pairs)
        middle = statistics.median(ratios)
        print(f"{kind:6}  ratio of requests per second {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def _median(found: list[Found]) -> Found:
    return {what: statistics.median(one[what] for one in found) for what in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--profile", type=Path, help="where cProfile of the API's process goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, deployed(Path(name), requests_per_minute=0) as there:
        key = new_key(there.fleet.database)
        profiled = (sys.executable, "-m", "cProfile", "-o", str(options.profile)) if options.profile else ()
        web = there.fleet.start("web", inside=profiled)
        bare = Child(
            module("tests.benchmarks.bare_api"),
            there.fleet.folder,
            "bare",
            clean_environment(**there.fleet.settings),
        )
        try:
            port = int(bare.until_said("listening on").split()[-1])
            with calling(there.fleet.base, key) as client:
                job = str(client.post("/v1/jobs", json=json.loads(BODY)).raise_for_status().json()["id"])
            measure({"api": there.fleet.port, "bare": port}, key, job, options)
            web.terminate()
        finally:
            bare.end()


if __name__ == "__main__":
    main()
