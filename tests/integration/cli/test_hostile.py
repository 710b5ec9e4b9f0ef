"""What nobody means to type, print to or be shown: one clear sentence each, from the real program."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.job import Failure, HandOffState, Observation, Source
from orchestrator.core.lifecycle import Seen
from orchestrator.store import hand_offs, job_lists, workers
from tests.acceptance.processes import program
from tests.integration.cli.conftest import Rows, Run
from tests.patience import LONG

TOO_LARGE = 2**63
KEEP = ("submit", "waves", "-m", "m")


def start(
    *arguments: str | bytes, stdin: Any = None, stdout: int = subprocess.PIPE
) -> "subprocess.CompletedProcess[str]":
    """The program as a person starts it."""
    return subprocess.run(
        [*program(), *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=LONG,
        check=False,
    )


def kept(rows: Rows) -> list[str]:
    with rows.context.store.read() as tx:
        return [job.id for job in job_lists.recent(tx, limit=10)]


@pytest.mark.parametrize(
    "arguments",
    [(*KEEP, "--reference", b"bad\xff"), ("show", b"bad\xff"), ("resolve", "J", "--adopt", b"bad\xff")],
    ids=["submit", "show", "resolve"],
)
def test_arguments_that_are_no_text_are_refused(rows: Rows, arguments: tuple[str | bytes, ...]) -> None:
    done = start(*arguments)
    assert done.returncode == Exit.USAGE
    assert done.stderr.splitlines()[0] == "error: the argument bad\\xff is not UTF-8"
    assert not kept(rows)


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize("levels", [65, 700, 20_000])
@pytest.mark.parametrize(
    ("option", "before", "more"),
    [
        ("--metadata", "", KEEP[1:]),
        ("--set", "a=", KEEP[1:]),
        ("--request", "", ()),
    ],
)
def test_json_nested_without_end_is_refused(
    run: Run, rows: Rows, option: str, before: str, more: tuple[str, ...], levels: int
) -> None:
    said = run("submit", *more, option, before + nested(levels))
    assert said.code == Exit.USAGE
    assert said.err.startswith(f"error: {option}")
    assert "is nested deeper than 64 levels\n  flatten it" in said.err
    assert not kept(rows)


def test_json_as_deep_as_allowed_is_kept(run: Run) -> None:
    assert run(*KEEP, "--metadata", nested(64)).code == Exit.OK


def test_a_name_that_leads_inside_without_end_is_refused(run: Run, rows: Rows) -> None:
    said = run(*KEEP, "--set", "a." * 700 + "a=1")
    assert (said.code, kept(rows)) == (Exit.USAGE, [])
    assert "error: --set is nested deeper than 64 levels" in said.err


def test_nesting_without_end_is_refused_by_the_real_program_too(rows: Rows) -> None:
    done = start(*KEEP, "--metadata", nested(20_000))
    assert done.returncode == Exit.USAGE
    assert done.stderr.startswith("error: --metadata is nested deeper than 64 levels\n")


@pytest.mark.parametrize("option", ["--set", "--metadata"])
def test_a_number_that_cannot_be_read_does_not_become_a_word(run: Run, rows: Rows, option: str) -> None:
    number = "9" * 5000
    said = run(*KEEP, option, f"seed={number}" if option == "--set" else f'{{"seed": {number}}}')
    assert (said.code, kept(rows)) == (Exit.USAGE, [])
    assert "has a number that is too long to be read" in said.err


def test_standard_input_that_is_no_text_is_refused(rows: Rows) -> None:
    with subprocess.Popen(["printf", r"{\377}"], stdout=subprocess.PIPE) as bytes_:
        done = start("submit", "--request", "-", stdin=bytes_.stdout)
    assert done.returncode == Exit.USAGE
    assert done.stderr.startswith("error: --request - cannot be read: ")


@pytest.mark.parametrize(
    "arguments",
    [
        f"jobs --limit {TOO_LARGE}",
        f"inbox --limit {TOO_LARGE}",
        f"inbox --rejected --limit {TOO_LARGE}",
        f"replay {TOO_LARGE}",
        f"replay --rejected {TOO_LARGE}",
        f"replay --hand-off {TOO_LARGE}",
    ],
)
def test_numbers_beyond_the_database_are_refused(run: Run, rows: Rows, arguments: str) -> None:
    said = run(*arguments.split())
    assert said.code == Exit.USAGE
    assert "should be less than or equal to" in said.err


def test_the_largest_numbers_are_taken(run: Run, rows: Rows) -> None:
    assert run("jobs", "--limit", 10_000).code == Exit.OK
    assert run("replay", TOO_LARGE - 1).code == Exit.REFUSED


WHERE = {">&-": "Bad file descriptor", "> /dev/full": "No space left on device"}


def start_in_a_shell(redirection: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    shell = ["sh", "-c", f'"$@" {redirection}', "sh", *program(*arguments)]
    return subprocess.run(shell, capture_output=True, text=True, timeout=LONG, check=False)


@pytest.mark.parametrize("where", WHERE)
def test_an_output_that_cannot_be_written_is_said(rows: Rows, where: str) -> None:
    rows.submit()
    done = start_in_a_shell(where, "jobs")
    assert done.returncode == Exit.OTHERWISE
    assert done.stderr.splitlines() == [
        f"error: standard output cannot be written: {WHERE[where]}",
        "  only what was to be printed is lost: `orchestrator jobs` shows what was done",
    ]


@pytest.mark.parametrize("where", WHERE)
def test_what_was_kept_is_named_even_if_it_could_not_be_printed(rows: Rows, where: str) -> None:
    done = start_in_a_shell(where, *KEEP, "--count", "2")
    assert done.returncode == Exit.OTHERWISE
    first = done.stderr.splitlines()[0]
    assert first.startswith(f"error: standard output cannot be written: {WHERE[where]}, but the submission")
    assert sorted(first.partition("was kept: ")[2].split(", ")) == sorted(kept(rows))
    assert "do not submit again" in done.stderr


def test_even_a_submission_whose_reader_left_is_named(rows: Rows) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = start(*KEEP, stdout=write)
    finally:
        os.close(write)
    (job,) = kept(rows)
    assert (done.returncode, f"was kept: {job}\n" in done.stderr) == (Exit.OTHERWISE, True)


def test_closed_input_and_errors_harm_nothing(rows: Rows) -> None:
    assert start_in_a_shell("<&- 2>&-", "show", "nothing").returncode == Exit.REFUSED


def two_revisions(folder: Path) -> None:
    connection = sqlite3.connect(folder / "data" / "orchestrator.db")
    with connection:
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    connection.close()


def test_a_database_of_two_revisions_is_refused(run: Run, rows: Rows, folder: Path) -> None:
    two_revisions(folder)
    for command in ("jobs", "submit waves -m m", "migrate"):
        said = run(*command.split())
        assert said.code == Exit.STORE
        assert said.err.startswith("error: the database's revision is unclear: ")
        assert "damaged or not a database of this program" in said.err
    checked = run("check")
    assert checked.code == Exit.OTHERWISE
    assert "the database's revision is unclear" in checked.out
    assert start("jobs").returncode == Exit.STORE


EVIL = "\x1b]0;owned\x07\x9b2J\rfine\njob_forged  completed\u202e"
HARMLESS = r"\x1b]0;owned\x07\x9b2J\rfine\njob_forged  completed\u202e"


@pytest.fixture
def evil(rows: Rows) -> str:
    """A job all of whose foreign texts would be obeyed by a terminal."""
    job = rows.created("G-1", reference=EVIL, metadata={"a": EVIL})
    rows.see(
        job,
        Observation(Source.POLL, Seen.OPEN, gateway_id="G-1", status=EVIL),
        Observation(
            Source.WEBHOOK,
            Seen.FAILED_STORED,
            gateway_id="G-1",
            status=EVIL,
            failure=Failure(EVIL, EVIL),
            request_id=EVIL,
            raw=EVIL,
        ),
    )
    with rows.context.store.write() as tx:
        workers.join(tx, "w", host="h", pid=1)  # only who beats can lease
        claimed = hand_offs.claim_due(tx, worker="w", lease=9)
        assert claimed is not None
        dead = {"state": HandOffState.DEAD, "due_at": None, "last_error": EVIL}
        assert hand_offs.finish_if_ours(tx, claimed, dead)
    rows.receive({"x-phaseo-signature": EVIL}, EVIL.encode())
    return job


@pytest.mark.parametrize("command", ["jobs", "show JOB", "show JOB --raw", "watch JOB", "inbox --rejected"])
def test_foreign_texts_cannot_command_the_terminal(run: Run, evil: str, command: str) -> None:
    said = run(*command.replace("JOB", evil).split())
    assert_harmless(said.out)
    assert (HARMLESS in said.out) is ("inbox" not in command)


def test_errors_cannot_command_the_terminal(rows: Rows) -> None:
    done = start("show", EVIL)
    assert done.returncode == Exit.REFUSED
    assert f"there is no job {HARMLESS}" in done.stderr
    assert_harmless(done.stderr)


@pytest.mark.parametrize("command", ["jobs --json", "show JOB --raw --json", "watch JOB --json"])
def test_json_gives_foreign_texts_back_whole_and_harmless(run: Run, evil: str, command: str) -> None:
    said = run(*command.replace("JOB", evil).split())
    assert_harmless(said.out)
    assert EVIL in str(json.loads(said.out)) or repr(EVIL)[1:-1] in str(json.loads(said.out))


def assert_harmless(out: str) -> None:
    assert not [one for one in out if one != "\n" and not one.isprintable()]
    assert not [line for line in out.split("\n") if line.startswith("job_forged")]


@pytest.mark.parametrize(
    ("command", "lines"), [("run", True), ("watch", True), ("demo", True), ("jobs", False)]
)
def test_the_help_says_where_json_comes_in_lines(run: Run, command: str, lines: bool) -> None:
    help_ = " ".join(run(command, "--help").out.split())
    assert ("one JSON object per line" in help_) is lines
