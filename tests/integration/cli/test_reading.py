"""`jobs` and `show`: which jobs there are, and everything about one."""

import json

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.job import Failure, Observation, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.store import tenants
from tests.integration.cli.conftest import Rows, Run


def test_jobs_are_listed_newest_first(run: Run, rows: Rows) -> None:
    first, second = rows.submit(reference="one"), rows.created("G-2")
    lines = run("jobs").out.splitlines()
    assert [line.split()[0] for line in lines] == ["job", second, first]
    assert lines[2].endswith("one")


def test_jobs_are_filtered_by_state_and_limited(run: Run, rows: Rows) -> None:
    waiting = [rows.created(f"G-{number}") for number in range(3)]
    rows.submit()
    found = json.loads(run("jobs", "--state", "waiting", "--json").out)
    assert [one["id"] for one in found] == waiting[::-1]
    assert "1 of 4; --limit shows more" in run("jobs", "--limit", 1).out
    assert run("jobs", "--state", "asleep").code == Exit.USAGE


@pytest.mark.parametrize("name", ["id", "beginning", "reference", "gateway id"])
def test_a_job_is_found_by_any_of_its_names(run: Run, rows: Rows, name: str) -> None:
    job = rows.created("G-7", reference="order-7")
    named = {"id": job, "beginning": job[:-1], "reference": "order-7", "gateway id": "G-7"}[name]
    assert json.loads(run("show", named, "--json").out)["job"]["id"] == job


def test_a_name_that_could_be_several_jobs_is_not_guessed_at(run: Run, rows: Rows) -> None:
    both = [rows.submit(reference="twice") for _ in range(2)]
    said = run("show", "twice")
    assert said.code == Exit.REFUSED
    assert all(job in said.err for job in both)


@pytest.mark.parametrize("name", ["job_none", "%", "_", ""])
def test_a_name_that_no_job_has_is_said_to_be_unknown(run: Run, rows: Rows, name: str) -> None:
    rows.submit()
    said = run("show", name)
    assert (said.code, said.out) == (Exit.REFUSED, "")
    assert f"there is no job {name}" in said.err


def test_a_job_s_page_tells_its_whole_story(run: Run, rows: Rows) -> None:
    job = rows.created("G-9", reference="order-9", metadata={"user": 3})
    failure = Failure("The prompt violates policy.", "policy")
    rows.see(
        job,
        Observation(
            Source.WEBHOOK,
            Seen.FAILED_STORED,
            gateway_id="G-9",
            status="failed",
            failure=failure,
            request_id="req-9",
            raw='{"as": "it came"}',
        ),
    )
    page = run("show", job).out
    for words in (
        f"{job}  failed, won by webhook",
        "order-9",
        "{'user': 3}",
        "G-9",
        "req-9",
        "The prompt violates policy.",
        "webhook  failed_stored  moved    failed",
        "outcome failed to folder, owed after 0 attempts",
    ):
        assert words in page, page
    assert "as it came" not in page
    assert '{"as": "it came"}' in run("show", job, "--raw").out


def test_a_job_that_needs_a_person_shows_the_three_ways_out(run: Run, rows: Rows) -> None:
    page = run("show", rows.left_to_a_person()).out
    assert "A person must decide" in page
    assert [page.count(way) for way in ("--adopt", "--resubmit", "--give-up")] == [1, 1, 1]
    assert "you pay for both" in page


def test_a_job_that_needs_a_person_is_marked_and_not_watched_for_ever(run: Run, rows: Rows) -> None:
    job = rows.left_to_a_person()
    listed = run("jobs").out
    assert f"{job}  uncertain *" in listed
    assert "* needs a person" in listed
    said = run("watch", job)
    assert (said.code, "`orchestrator resolve`" in said.out) == (Exit.OTHERWISE, True)


def test_a_dead_hand_off_shows_its_error_and_how_to_try_again(run: Run, rows: Rows) -> None:
    job, hand_off = rows.dead_hand_off("G-1")
    page = run("show", job).out
    assert "last error: the disk is full" in page
    assert f"orchestrator replay --hand-off {hand_off}" in page


def test_the_document_of_a_job_has_all_its_rows(run: Run, rows: Rows) -> None:
    job, _ = rows.dead_hand_off("G-1")
    document = json.loads(run("show", job, "--json").out)
    assert document["job"]["state"] == State.COMPLETED
    assert [one["seen"] for one in document["timeline"]] == ["attempt", "open", "completed"]
    assert [len(document[name]) for name in ("outputs", "hand_offs", "attempts")] == [1, 2, 0]
    assert document["over"] is True


def test_a_job_whose_tenant_has_enough_under_way_says_why_it_waits(run: Run, rows: Rows) -> None:
    open_job, held = rows.created("G-1"), rows.submit()
    reason = "1 job is open and 1 may be"
    with rows.context.store.write() as tx:
        tenants.hold(tx, "default", reason, tx.now + 2)
    assert f"submitted, but held: {reason}" in run("show", held).out
    assert reason not in run("show", open_job).out
    assert json.loads(run("show", held, "--json").out)["held"] == reason
    assert run("jobs").out.count(f"accepted jobs are held: {reason}") == 1
    listed = {one["id"]: one["held"] for one in json.loads(run("jobs", "--json").out)}
    assert listed == {open_job: None, held: reason}
    assert reason not in run("jobs", "--state", "waiting").out


def test_a_hold_that_nobody_renewed_is_not_told_any_more(run: Run, rows: Rows) -> None:
    held = rows.submit()
    with rows.context.store.write() as tx:
        tenants.hold(tx, "default", "1 job is open and 1 may be", tx.now - 60)
    assert "submitted, waiting for its turn" in run("show", held).out
