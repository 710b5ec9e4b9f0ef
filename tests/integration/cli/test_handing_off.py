"""What could not be handed off, trying it again, purging, and where results go."""

import json

import pytest
from sqlalchemy import update

from orchestrator.cli.exits import Exit
from orchestrator.core.job import HandOffState
from orchestrator.core.routes import Outcome, Route
from orchestrator.store import attempts, destinations, hand_offs, job_lists, jobs, schema
from orchestrator.store.attempts import Result
from tests.integration.cli.conftest import Rows, Run

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def state_of(rows: Rows, hand_off: int) -> HandOffState:
    with rows.context.store.read() as tx:
        found = hand_offs.get(tx, hand_off)
    assert found is not None
    return found.state


# dead letters


def test_a_dead_letter_is_listed_with_the_last_answer(run: Run, rows: Rows) -> None:
    job, hand_off = rows.dead_hand_off("G-1")
    with rows.context.store.write() as tx:
        tx.execute(
            update(schema.hand_offs)
            .where(schema.hand_offs.c.id == hand_off)
            .values(last_status=503, last_preview="no room\x1b[2J left")
        )
    said = run("dead-letters").out
    assert job in said
    assert "HTTP 503: the disk is full" in said
    assert "no room\\x1b[2J left" in said
    assert "orchestrator replay --dead" in said
    (listed,) = json.loads(run("dead-letters", "--json").out)
    assert (listed["id"], listed["destination"], listed["last_status"]) == (hand_off, "folder", 503)


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ((), True),
        (("--destination", "folder"), True),
        (("--destination", "elsewhere"), False),
        (("--outcome", "failed"), False),
        (("--status", "503"), False),
        (("--since", "1h"), True),
    ],
)
def test_dead_letters_are_narrowed_and_replayed_alike(
    run: Run, rows: Rows, narrowed: tuple[str, ...], found: bool
) -> None:
    _, hand_off = rows.dead_hand_off("G-1")
    assert len(json.loads(run("dead-letters", *narrowed, "--json").out)) == found
    preview = json.loads(run("replay", "--dead", *narrowed, "--dry-run", "--json").out)
    assert preview == {"replayed": 0, "matching": int(found), "dry_run": True}
    assert state_of(rows, hand_off) is HandOffState.DEAD
    said = run("replay", "--dead", *narrowed)
    assert (said.code, said.out) == (
        Exit.OK,
        f"{'1 dead letter' if found else '0 dead letters'} owed again\n",
    )
    assert state_of(rows, hand_off) is (HandOffState.OWED if found else HandOffState.DEAD)


def test_without_dead_letters_that_is_said(run: Run, rows: Rows) -> None:
    assert run("dead-letters").out == "no dead letters\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ("replay",),
        ("replay", "1", "--dead"),
        ("replay", "1", "--dry-run"),
        ("replay", "1", "--as-new"),
        ("replay", "--hand-off", "1", "--destination", "folder"),
        ("dead-letters", "--since", "yesterday"),
        ("purge",),
        ("purge", "--older-than", "-1d"),
        ("purge", "--older-than", "30d", "--state", "waiting"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_bad_usage(run: Run, rows: Rows, wrong: tuple[str, ...]) -> None:
    assert run(*wrong).code == Exit.USAGE


def test_what_was_done_is_delivered_again_only_as_something_new(run: Run, rows: Rows) -> None:
    _, hand_off = rows.dead_hand_off("G-1")
    with rows.context.store.write() as tx:
        tx.execute(update(schema.hand_offs).values(state=HandOffState.DONE))
    refused = run("replay", "--hand-off", hand_off)
    assert (refused.code, "--as-new" in refused.err) == (Exit.REFUSED, True)
    assert run("replay", "--hand-off", hand_off, "--as-new").code == Exit.OK
    assert state_of(rows, hand_off) is HandOffState.OWED


# the timeline


def test_every_attempt_is_on_the_timeline_of_its_job(run: Run, rows: Rows) -> None:
    job, hand_off = rows.dead_hand_off("G-1")
    with rows.context.store.write() as tx:
        owed = hand_offs.get(tx, hand_off)
        assert owed is not None
        answer = {"status": 503, "error": "the receiver answered 503", "preview": "no room"}
        attempts.add(tx, owed, Result.FAILED, began_at=tx.now - 2, **answer)
    page = run("show", job).out
    (line,) = [one for one in page.splitlines() if "attempt 1" in one]
    assert "hand-off" in line
    assert "HTTP 503" in page
    assert "answer: no room" in page
    (tried,) = json.loads(run("show", job, "--json").out)["attempts"]
    assert (tried["number"], tried["result"], tried["status"]) == (1, "failed", 503)


# purging


def test_a_purge_says_first_what_it_would_do(run: Run, rows: Rows) -> None:
    job, _ = rows.dead_hand_off("G-1")
    said = run("purge", "--older-than", "0s", "--jobs", "--dry-run")
    assert (said.code, said.out) == (Exit.OK, "1 job would be purged\n")
    with rows.context.store.read() as tx:
        assert jobs.get(tx, job) is not None
    assert run("purge", "--older-than", "1d", "--jobs").out.startswith("0 jobs purged")
    done = json.loads(run("purge", "--older-than", "0s", "--jobs", "--state", "completed", "--json").out)
    assert (done["what"], done["count"], done["dry_run"]) == ("jobs", 1, False)
    with rows.context.store.read() as tx:
        assert jobs.get(tx, job) is None


# where results go


def test_a_job_is_submitted_for_what_its_caller_names(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", KEY)
    said = run("submit", "waves", "-m", "m", "--to", "folder:links", "--on", "failed", "--on", "completed")
    with rows.context.store.read() as tx:
        job = jobs.get(tx, said.out.strip())
    assert job is not None
    assert job.destinations == (Route("folder", (Outcome.FAILED, Outcome.COMPLETED), link=True),)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("--to", "nowhere"), "there is no destination 'nowhere'"),
        (("--to", "folder:both"), "is not NAME or NAME:links"),
        (("--on", "failed"), "--on goes with --to"),
        (("--to", "folder:links"), "cannot be signed: there is no key"),
    ],
)
def test_what_could_not_be_delivered_is_refused(
    run: Run, rows: Rows, wrong: tuple[str, ...], words: str
) -> None:
    said = run("submit", "waves", "-m", "m", *wrong)
    assert said.code != Exit.OK
    assert words in said.err
    with rows.context.store.read() as tx:
        assert job_lists.recent(tx, limit=9) == []


def test_a_destination_that_was_disabled_is_enabled_by_name(run: Run, rows: Rows) -> None:
    with rows.context.store.write() as tx:
        destinations.disable(tx, "folder", "it answered 410")
    assert "it answered 410" in run("destinations", "list").out
    said = run("destinations", "enable", "folder")
    assert (said.code, said.out) == (Exit.OK, "folder is enabled: what is owed to it is delivered\n")
    assert run("destinations", "enable", "folder").code == Exit.REFUSED
