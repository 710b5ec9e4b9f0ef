"""Nothing of a server outlives the tests, however they end."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.servers.processes import descendants, runs

ROOT = Path(__file__).parents[2]

SUITE = """
import json, os
from pathlib import Path
from tests.servers.processes import descendants

def note(*servers):
    pids = [pid for one in servers for pid in (one.process.pid, *descendants(one.process.pid))]
    told = {"pids": pids, "folders": [str(one.folder) for one in servers]}
    Path(__file__).with_name(f"told-{os.getpid()}-{len(pids)}.json").write_text(json.dumps(told))

def test_of_a_run(postgres, redis_server):
    note(postgres, redis_server)

def test_that_breaks_its_own(own_postgres, own_redis):
    note(own_postgres, own_redis)
    own_postgres.pause()
    own_redis.kill()
    assert False

def test_that_never_ends(own_postgres, own_redis):
    note(own_postgres, own_redis)
    Path(__file__).with_name("hangs").touch()
    os.read(0, 1)
"""


def begin(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.servers.fixtures", "-p", "no:cacheprovider", "-s"]
    with (folder / "out").open("wb") as out:
        return subprocess.Popen(
            [*command, *options, "-c", str(folder / "pytest.ini"), str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def told(folder: Path) -> tuple[list[int], list[Path]]:
    notes = [json.loads(file.read_text()) for file in folder.glob("told-*.json")]
    assert notes, (folder / "out").read_text()
    pids = [pid for note in notes for pid in note["pids"]]
    return pids, [Path(name) for note in notes for name in note["folders"]]


def test_a_run_of_two_workers_leaves_neither_processes_nor_folders(tmp_path: Path) -> None:
    with begin(tmp_path, "-n", "2", "-k", "not never_ends") as run:
        assert run.wait(120) == 1, (tmp_path / "out").read_text()
    assert "1 failed, 1 passed" in (tmp_path / "out").read_text()
    pids, folders = told(tmp_path)
    assert not [pid for pid in pids if runs(pid)]
    assert not [folder for folder in folders if folder.exists()]


def test_servers_end_with_tests_that_are_killed(tmp_path: Path) -> None:
    with begin(tmp_path, "-k", "never_ends") as run:
        while not (tmp_path / "hangs").exists():
            assert run.poll() is None, (tmp_path / "out").read_text()
            time.sleep(0.02)
        pids, folders = told(tmp_path)
        assert set(descendants(run.pid)) >= set(pids)
        run.kill()
    end = time.monotonic() + 30
    while [pid for pid in pids if runs(pid)]:
        assert time.monotonic() < end, "the servers live on"
        time.sleep(0.02)
    for folder in folders:  # this much is left to the system's own cleaning
        shutil.rmtree(folder)
