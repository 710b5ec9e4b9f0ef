"""`submit`: what is kept, in which form it may be given, and what is refused."""

import json
import sqlite3
from pathlib import Path

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.store import job_lists, jobs
from tests.integration.cli.conftest import Rows, Run

VERBATIM = {"model": "m", "prompt": "waves", "provider_params": {"seed": 7}}


def test_it_makes_the_database_and_needs_no_key(run: Run, folder: Path) -> None:
    said = run("submit", "waves", "--model", "google/veo-3.1-lite")
    assert said.code == Exit.OK
    assert run("jobs", "--json").out.count(said.out.strip()) == 1
    assert (folder / "data" / "orchestrator.db").exists()


def test_everything_said_about_a_job_is_kept(run: Run, rows: Rows) -> None:
    options = [
        "--reference",
        "order-7",
        "--updates",
        "poll",
        "--deadline",
        "60",
        "--set",
        "size=1280x720",
        "--set",
        "duration=8",
    ]
    said = run("submit", "waves", "-m", "m", *options, "--metadata", '{"user": 3}', "--set", "a.b.c=[1]")
    with rows.context.store.read() as tx:
        job = jobs.get(tx, said.out.strip())
    assert job is not None
    request = {"model": "m", "prompt": "waves", "size": "1280x720", "duration": 8, "a": {"b": {"c": [1]}}}
    assert job.request == request
    assert (job.reference, job.metadata, job.updates) == ("order-7", {"user": 3}, Updates.POLL)
    assert job.deadline_at == pytest.approx(job.accepted_at + 60)


@pytest.mark.parametrize("way", ["file", "standard input", "argument"])
def test_a_whole_request_is_passed_on_as_it_is(run: Run, rows: Rows, folder: Path, way: str) -> None:
    text = json.dumps(VERBATIM)
    (folder / "request.json").write_text(text)
    given = {"file": "request.json", "standard input": "-", "argument": text}[way]
    said = run("submit", "--request", given, stdin=text)
    with rows.context.store.read() as tx:
        job = jobs.get(tx, said.out.strip())
    assert job is not None
    assert job.request == VERBATIM


def test_many_are_kept_at_once(run: Run, rows: Rows) -> None:
    said = run("submit", "waves", "-m", "m", "--count", 3, "--json")
    found = json.loads(said.out)
    assert len({one["id"] for one in found}) == 3
    assert {one["state"] for one in found} == {State.ACCEPTED}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("waves", "there is no --model"),
        ("-m m", "there is no prompt"),
        ("waves -m m --set duration", "--set duration is not NAME=VALUE"),
        ("waves -m m --set prompt.x=1", "prompt is no object"),
        ("waves -m m --metadata 7", "--metadata is not a JSON object"),
        ("waves -m m --metadata {", "--metadata is not JSON"),
        ("waves -m m --deadline 0", "a deadline is more than 0 seconds away"),
        ("waves -m m --set webhook={}", "the request has a `webhook`"),
        ('waves --request {"model":"m"}', "--request is the whole request"),
        ("--request absent.json", "--request absent.json cannot be read"),
        ("waves -m m --count 0", "Invalid value for '--count'"),
        ("waves -m m --updates never", "Invalid value for '--updates'"),
    ],
)
def test_what_could_never_be_made_is_refused(run: Run, arguments: str, words: str, rows: Rows) -> None:
    said = run("submit", *arguments.split())
    assert said.code == Exit.USAGE
    assert words in said.err
    with rows.context.store.read() as tx:
        assert not job_lists.recent(tx, limit=1)


@pytest.mark.parametrize("command", ["submit waves -m m", "jobs", "show x", "migrate"])
def test_a_newer_database_is_refused_and_left_as_it_is(
    run: Run, rows: Rows, folder: Path, command: str
) -> None:
    rows.submit()
    rows.context.store.close()
    file = folder / "data" / "orchestrator.db"
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = file.read_bytes()
    said = run(*command.split())
    assert said.code == Exit.STORE
    assert "newer version of this program (revision 9999)" in said.err
    assert file.read_bytes() == before
