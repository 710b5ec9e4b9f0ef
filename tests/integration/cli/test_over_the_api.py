"""Commands with `--url` before the real API, beside the same commands on its database."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from orchestrator import wiring
from orchestrator.cli.exits import Exit
from orchestrator.cli.local import LocalJobs
from orchestrator.cli.remote import RemoteJobs
from orchestrator.client import Client
from orchestrator.core.events import Told
from orchestrator.core.job import Failure, HandOffState, Observation, OutputSeen, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.store import hand_offs, jobs, outputs, schema, workers
from tests.integration.access.api import Api
from tests.integration.cli.conftest import Rows, Run, Said

VIDEO = b"not quite a video" * 5_000
Both = Callable[..., tuple[Said, Said]]


@pytest.fixture
def api(rows: Rows, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The API on the database of the commands."""
    api = Api(folder / "data")
    monkeypatch.setenv("ORCHESTRATOR_API_KEY", api.key())
    yield api
    api.close()


@pytest.fixture
def both(api: Api, run: Run) -> Both:
    """Runs a command twice: on the database, and over the API."""
    return lambda *arguments: (run(*arguments), run(*arguments, "--url", api.url))


def completed(rows: Rows, gateway_id: str = "G-1") -> str:
    """A job whose output is in the archive, and handed off."""
    job_id = rows.created(gateway_id, reference=f"order-{gateway_id}", metadata={"user": 3})
    seen = (OutputSeen(0, "video/mp4", len(VIDEO)),)
    rows.see(job_id, Observation(Source.POLL, Seen.COMPLETED, gateway_id=gateway_id, outputs=seen))
    keeping = rows.context.archive.begin(f"{job_id}-0", 1)
    keeping.write(VIDEO)
    kept = keeping.keep()
    with rows.context.store.write() as tx:
        outputs.note(tx, job_id, 0, {"archived_at": tx.now, "sha256": kept.sha256, "bytes": kept.bytes})
    hand_over(rows, job_id, "archive", "folder")
    return job_id


def hand_over(rows: Rows, job_id: str, *places: str) -> None:
    """Do what is owed there, and there is nothing else."""
    with rows.context.store.write() as tx:
        workers.join(tx, f"w-{job_id}", host="h", pid=1)  # only who beats can lease
        for place in places:
            claimed = hand_offs.claim_due(tx, worker=f"w-{job_id}", lease=9)
            assert claimed is not None
            assert claimed.destination == place
            done = {"state": HandOffState.DONE, "due_at": None, "done_at": tx.now}
            assert hand_offs.finish_if_ours(tx, claimed, done)
            hand_offs.release(tx, job_id, 0)


def let_pass(rows: Rows, hand_off: int, seconds: float) -> None:
    """As if so much time had passed since it was owed."""
    columns = schema.hand_offs.c
    with rows.context.store.write() as tx:
        moved = update(schema.hand_offs).where(columns.id == hand_off)
        tx.execute(moved.values(created_at=columns.created_at - seconds))


def failed(rows: Rows) -> str:
    job_id = rows.created("G-9", reference="order-9")
    reason = Failure("The prompt violates policy.", "policy")
    rows.see(job_id, Observation(Source.WEBHOOK, Seen.FAILED_STORED, gateway_id="G-9", failure=reason))
    hand_over(rows, job_id, "folder")
    return job_id


def without_ages(text: str) -> str:
    return re.sub(r"\b\d+s\b|[+ ]\d+\.\d+ s\b", "0s", text)  # over the API they are in milliseconds


def lines_of(said: Said) -> set[str]:
    """What it said, whatever the width of columns."""
    return {" ".join(line.split()) for line in without_ages(said.out).splitlines()}


def test_jobs_are_listed_in_the_same_words(both: Both, rows: Rows) -> None:
    completed(rows)
    failed(rows)
    rows.left_to_a_person()
    rows.submit(reference="r")
    here, there = both("jobs")
    assert without_ages(there.out) == without_ages(here.out)
    assert "needs a person" in there.out
    here, there = both("jobs", "--state", "waiting", "--state", "failed")
    assert without_ages(there.out) == without_ages(here.out)
    assert "the newest 2; --limit shows more" in both("jobs", "--limit", 2)[1].out


def test_a_job_is_shown_in_the_same_words_as_far_as_the_api_tells(both: Both, rows: Rows) -> None:
    for job_id in (completed(rows), failed(rows), rows.left_to_a_person()):
        here, there = both("show", job_id)
        assert (here.code, there.code) == (Exit.OK, Exit.OK)
        lines, known = lines_of(there), lines_of(here)
        assert sorted(lines - known) == []
        assert len(lines) > len(known) / 2


def test_a_job_s_document_is_the_api_s_own(both: Both, rows: Rows) -> None:
    document = json.loads(both("show", completed(rows), "--json")[1].out)
    assert document["job"]["view"] == "full"
    assert document["job"]["outputs"][0]["sha256"] == hashlib.sha256(VIDEO).hexdigest()
    assert [entry["seen"] for entry in document["timeline"]][-1] == "completed"


def test_watching_ends_as_it_does_here(both: Both, rows: Rows) -> None:
    done, bad = completed(rows), failed(rows)
    assert [said.code for said in both("watch", done)] == [Exit.OK, Exit.OK]
    here, there = both("watch", done, bad)
    assert (here.code, there.code) == (Exit.OTHERWISE, Exit.OTHERWISE)
    words = [[line.partition(" s  ")[2] for line in said.out.splitlines()] for said in (here, there)]
    assert "policy" in there.out
    assert words[0] == words[1]


def test_a_job_is_submitted_for_the_tenant_of_the_key(run: Run, api: Api) -> None:
    said = run("submit", "waves", "-m", "m", "--reference", "r-1", "--count", 3, "--url", api.url)
    ids = said.out.split()
    assert (said.code, len(set(ids))) == (Exit.OK, 3)
    assert [one["id"] for one in json.loads(run("jobs", "--json").out)] == ids[::-1]


def test_a_job_is_submitted_for_somebody_with_an_account_and_found_by_that(both: Both, run: Run) -> None:
    about = ("--end-user", "user-17", "--account", "default", "--reference", "r-1")
    ids = [said.out.strip() for said in both("submit", "waves", "-m", "m", *about)]
    both("submit", "waves", "-m", "m", "--end-user", "user-18", "--reference", "r-2")
    for found in (("--end-user", "user-17"), ("--reference", "r-1"), ("--end-user", "user-17", *about[-2:])):
        for said in both("jobs", "--json", *found):
            assert [one["id"] for one in json.loads(said.out)] == ids[::-1]
    for nothing in (
        ("--end-user", "user-17", "--reference", "r-2"),
        ("--end-user", "%"),
        ("--reference", "r"),
    ):
        assert [json.loads(said.out) for said in both("jobs", "--json", *nothing)] == [[], []]
    assert "1 of 2; --limit shows more" in run("jobs", "--end-user", "user-17", "--limit", 1).out


def test_an_account_that_there_is_none_of_is_bad_usage(both: Both) -> None:
    for said in both("submit", "waves", "-m", "m", "--account", "nobody's"):
        assert (said.code, said.out) == (Exit.USAGE, "")
        assert "nobody's" in said.err


def test_what_ended_but_is_not_handed_off_yet_goes_on_for_both(api: Api, rows: Rows) -> None:
    completed(rows), failed(rows)
    owing = rows.created("G-3")
    rows.see(owing, Observation(Source.POLL, Seen.COMPLETED, gateway_id="G-3", outputs=()))
    going = [owing, rows.submit(), rows.created("G-2")]
    with Client(api.url, api.key()) as client:
        there = RemoteJobs(client, wiring.wall_clock)
        here = LocalJobs(rows.context.store, lambda: rows.context)
        assert there.unfinished(9) == here.unfinished(9) == going
        assert len(there.unfinished(2)) == 2


def test_all_that_happens_is_told_of_one_tenant(run: Run, api: Api, rows: Rows) -> None:
    api.tenant("acme")

    def submit_for_both(_: float) -> None:
        rows.submit(reference="ours")
        rows.submit(reference="theirs", tenant_id="acme")

    there = LocalJobs(rows.context.store, lambda: rows.context, submit_for_both)
    heard = list(islice(there.events(None, "acme"), 3))
    with rows.context.store.read() as tx:
        assert {jobs.require(tx, one.job_id).reference for one in heard} == {"theirs"}
    said = run("events", "--tenant", "nobody")
    assert (said.code, said.out) == (Exit.REFUSED, "")
    assert run("events", "--tenant", "acme", "--url", api.url).code == Exit.USAGE


def test_a_request_that_makes_no_sense_there_is_bad_usage_here(both: Both) -> None:
    here, there = both("submit", "waves", "-m", "m", "--to", "nowhere")
    assert (here.code, there.code) == (Exit.USAGE, Exit.USAGE)
    assert "nowhere" in there.err


def test_a_job_is_cancelled_in_the_same_words(api: Api, run: Run, rows: Rows) -> None:
    pairs = [(rows.submit(), rows.submit()), (rows.created("G-5"), rows.created("G-6"))]
    for one, other in pairs:
        here, there = run("cancel", one), run("cancel", other, "--url", api.url)
        assert here.code == there.code == Exit.OK
        assert there.out.partition(" is ")[2] == here.out.partition(" is ")[2]


def rows_of(run: Run) -> list[Any]:
    return list(json.loads(run("jobs", "--json").out))


def test_a_job_that_ended_badly_is_asked_for_again(both: Both, rows: Rows, run: Run) -> None:
    bad = failed(rows)
    made = [said.out.strip() for said in both("retry", bad)]
    assert len({bad, *made}) == 3
    again = [one for one in rows_of(run) if one["id"] in made]
    assert {one["reference"] for one in again} == {"order-9"}
    assert [said.code for said in both("retry", made[0])] == [Exit.REFUSED, Exit.REFUSED]


def test_an_uncertain_create_is_settled_from_there(api: Api, run: Run, rows: Rows) -> None:
    job_id = rows.left_to_a_person()
    said = run("resolve", job_id, "--resubmit", "--url", api.url)
    assert said.code == Exit.REFUSED  # nobody said --yes
    said = run("resolve", job_id, "--give-up", "--url", api.url, "--json")
    assert json.loads(said.out)["state"] == State.TIMED_OUT
    assert run("resolve", job_id, "--give-up", "--url", api.url).code == Exit.REFUSED


def test_dead_letters_are_listed_and_replayed_from_there(api: Api, both: Both, rows: Rows, run: Run) -> None:
    job_id, hand_off = rows.dead_hand_off("G-4")
    let_pass(rows, hand_off, 3_600)
    for said in both("dead-letters", "--since", "2h"):
        assert "the disk is full" in said.out
        assert job_id in said.out
        assert " 1h " in said.out
    for since, words in (("2h", "1 dead letter"), ("30m", "0 dead letters")):
        for said in both("replay", "--dead", "--dry-run", "--since", since):
            assert said.out == f"{words} would be owed again\n"
    assert "no dead letters" in both("dead-letters", "--since", "30m")[1].out
    assert (
        run("replay", "--hand-off", hand_off, "--url", api.url).out == f"hand-off {hand_off} is owed again\n"
    )
    assert [said.code for said in both("replay", "--hand-off", hand_off)] == [Exit.REFUSED, Exit.REFUSED]
    assert run("replay", "--dead", "--url", api.url).out == "0 dead letters owed again\n"
    assert "no dead letters" in both("dead-letters")[1].out


def test_what_happened_is_told_in_the_same_words(both: Both, rows: Rows) -> None:
    for job_id in (completed(rows), failed(rows)):
        here, there = both("events", job_id)
        assert (here.code, there.code) == (Exit.OK, Exit.OK)
        assert there.out == here.out
        assert "accepted" in there.out
        here, there = both("events", job_id, "--json")
        assert json.loads(there.out.splitlines()[0])["seq"] == 1
        assert there.out == here.out


def test_outputs_are_fetched_whole_from_here_and_from_there(
    api: Api, run: Run, rows: Rows, folder: Path
) -> None:
    job_id = completed(rows)
    for there in ((), ("--url", api.url)):
        said = run("fetch", job_id, "--to", folder / "files", *there)
        path = folder / "files" / f"{job_id}-0.mp4"
        assert (said.code, said.out) == (Exit.OK, f"{path}\n")
        assert path.read_bytes() == VIDEO
        path.unlink()


def test_what_has_no_outputs_yet_gives_no_files(both: Both, rows: Rows, folder: Path) -> None:
    for said in both("fetch", rows.created("G-8"), "--to", folder / "files"):
        assert said.code == Exit.REFUSED
        assert "no outputs yet" in said.err
    assert not list((folder / "files").iterdir())


def test_what_is_not_kept_is_said_to_be_at_the_gateway(both: Both, rows: Rows, folder: Path) -> None:
    rows.context.settings = rows.context.settings.model_copy(update={"keep_outputs": False})
    job_id = rows.created("G-9", destinations=())
    told = Observation(Source.POLL, Seen.COMPLETED, outputs=(OutputSeen(0, "video/mp4", 7),))
    rows.see(job_id, told)
    for said in both("fetch", job_id, "--to", folder / "files"):
        assert said.code == Exit.REFUSED
        assert "not kept here: only the gateway has them" in said.err
    for said in both("show", job_id):
        assert "its outputs are not kept here, and no destination is told of them" in said.out
        assert "0  video/mp4, 7 bytes" in said.out
        assert "not kept here: the gateway has it, as output 0 of its job" in said.out
    for said in both("watch", job_id):
        assert said.code == Exit.OK


def test_a_key_that_was_revoked_is_bad_usage(api: Api, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_API_KEY", "hjo_abc_" + "x" * 43)
    said = run("jobs", "--url", api.url)
    assert said.code == Exit.USAGE
    assert "x" * 43 not in said.err


def test_a_tenant_sees_nothing_of_another_s(
    api: Api, run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed(rows)
    api.tenant("acme")
    monkeypatch.setenv("ORCHESTRATOR_API_KEY", api.key(tenant="acme"))
    assert json.loads(run("jobs", "--json", "--url", api.url).out) == []
    for command in ("show", "watch", "cancel", "retry", "events", "fetch"):
        said = run(command, job_id, "--url", api.url)
        assert (said.code, said.out) == (Exit.REFUSED, "")


def test_all_that_happens_is_told_from_now_on(api: Api, rows: Rows) -> None:
    earlier, heard = rows.submit(), threading.Event()

    def submit_again_and_again() -> None:
        while not heard.wait(0.1):
            rows.submit()

    submitting = threading.Thread(target=submit_again_and_again)
    submitting.start()
    with Client(api.url, api.key()) as client, client.events() as events:
        first = next(events)
        heard.set()
    submitting.join()
    assert (first.type, first.seq) == (Told.ACCEPTED, 1)
    assert first.job_id != earlier


def test_keys_are_made_listed_and_revoked_from_there(
    api: Api, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ("--url", api.url)
    made = run("keys", "make", "--name", "reader", "--scope", "read", "--expires", "1d", *there).out.strip()
    key_id = made.split("_")[1]
    listed = run("keys", "list", *there).out
    assert without_ages(listed) == without_ages(run("keys", "list").out)
    assert key_id in listed
    assert made not in listed
    assert run("keys", "revoke", key_id, *there).out == f"revoked {key_id}: reader\n"
    assert "revoked" in run("keys", "list", *there).out
    assert (
        run("keys", "make", "--name", "n", "--scope", "read", "--tenant", "acme", *there).code == Exit.USAGE
    )


def test_tokens_are_made_from_there(api: Api, run: Run, rows: Rows) -> None:
    job_id = rows.submit()
    token = run("tokens", "make", "--job", job_id, "--url", api.url).out.strip()
    assert api.ask(f"/jobs/{job_id}?token={token}").json()["view"] == "public"
