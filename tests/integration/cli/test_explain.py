"""`explain`: why the next look is when it is, and how an end became known."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.job import Observation, Source, Updates
from orchestrator.core.learned.estimate import SILENT_FOR
from orchestrator.core.learned.outage import AFTER_TICK, Outage
from orchestrator.core.learned.paces import Why
from orchestrator.core.learned.ticks import TICK
from orchestrator.core.lifecycle import Seen
from orchestrator.engine.why import SHORT, WHY
from orchestrator.store import jobs, workers
from orchestrator.store.workers import Pulse
from tests.integration.cli.conftest import Rows, Run
from tests.integration.cli.learned import learned_ends, learned_hooks, waiting

NINETY = [80.0 + number % 21 for number in range(400)]


def told(run: Run, job: str) -> Any:
    return json.loads(run("explain", job, "--json").out)


def test_every_reason_has_its_sentence_and_its_short_form() -> None:
    assert set(WHY) == set(SHORT) == set(Why)
    assert len(set(WHY.values())) == len(set(SHORT.values())) == len(Why)


def test_without_data_the_guidance_is_followed_and_said_to_be(run: Run, rows: Rows) -> None:
    job = waiting(rows, "G-1", age=30, looked=10, due_in=11)
    page = run("explain", job).out
    assert "the next look is in 1" in page
    assert "too few jobs like it have ended to know better" in page
    assert "m at google, usual: 0 ended" in page
    assert "the gateway asked for 20 s of patience" in page
    assert "awaited; unknown; only 0 can be judged, too few to rely on it" in page
    assert told(run, job)["next"]["why"] == Why.NO_DATA


def test_what_was_learned_places_the_look_and_says_what_it_rests_on(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY)
    learned_hooks(rows, "1" * 200)
    job = waiting(rows, "G-1", age=30, looked=None, due_in=600)
    page = run("explain", job).out
    for words in (
        WHY[Why.LEARNED],
        "m at google, usual: 400 ended, a tenth of them by 8",
        "half by 9",
        "awaited; healthy since",
        "of 200 that were judged 0% never came",
        "none yet; 20 s of patience is the rule after a create",
        "requests a job and",
        "by guidance",
    ):
        assert words in page, page
    document = told(run, job)
    assert document["class"]["ended"] == 400
    assert document["class"]["ended_by_now"] < 0.05
    assert document["next"]["requests_per_job"] < 0.2
    assert document["webhooks"]["lost"] == 0.0


def test_without_webhooks_a_look_is_placed_where_most_have_ended(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY)
    job = waiting(rows, "G-1", age=30, looked=None, due_in=69, updates=Updates.POLL)
    document = told(run, job)
    assert document["next"]["would_be_at_now"] - document["now"] == pytest.approx(68, abs=8)
    page = run("explain", job).out
    assert "none is awaited: the job is followed by looks alone" in page
    assert "chosen when other things were known" not in page


def test_a_look_that_was_chosen_before_more_was_known_says_so(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY)
    job = waiting(rows, "G-1", age=30, looked=None, due_in=5, updates=Updates.POLL)
    assert "it was chosen when other things were known: now it would be in" in run("explain", job).out


def test_of_its_own_size_too_few_ended_so_all_sizes_count(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY, name="google|m|8s")
    job = waiting(rows, "G-1", age=30, looked=None, due_in=60)
    assert "m at google of any size: 400 ended" in run("explain", job).out


def test_webhooks_that_stopped_bring_the_guidance_back(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY)
    with rows.context.store.read() as tx:
        now = tx.now
    learned_hooks(rows, "1" * 100 + "0" * 12, at=now - 200)
    job = waiting(rows, "G-1", age=60, looked=5, due_in=16)
    page = run("explain", job).out
    assert WHY[Why.SILENT] in page
    assert "awaited; silent since" in page
    assert "looked at by the guidance until they come again" in page


def test_webhooks_that_stopped_long_ago_leave_jobs_to_what_is_known_of_their_ends(
    run: Run, rows: Rows
) -> None:
    learned_ends(rows, NINETY)
    with rows.context.store.read() as tx:
        long_ago = tx.now - SILENT_FOR - 200
    learned_hooks(rows, "1" * 100 + "0" * 12, at=long_ago)
    job = waiting(rows, "G-1", age=60, looked=5, due_in=40)
    assert told(run, job)["next"]["why"] in (Why.LEARNED, Why.FLOOR)
    assert "looked at as often as jobs without webhooks until they come again" in run("explain", job).out


@pytest.mark.parametrize(
    ("changes", "why", "words"),
    [
        ({"look_errors": 3, "look_error": "HTTP 502"}, Why.ERRORS, "3 looks in a row failed: HTTP 502"),
        ({"updates": Updates.SHADOW}, Why.SHADOW, "only scored"),
        ({"deadline_at": 1.0}, Why.DEADLINE, "at the job's deadline"),
        ({"without_webhook": True}, Why.LEARNED, "the gateway refused our endpoint"),
        ({"hooked": False}, Why.LEARNED, "the gateway was not asked to call"),
        ({"ending_class": None}, Why.NO_DATA, "guidance is followed"),
        ({"leased_by": "w"}, Why.LEARNED, "a worker is looking at it now"),
    ],
)
def test_each_reason_is_told(run: Run, rows: Rows, changes: dict[str, Any], why: Why, words: str) -> None:
    learned_ends(rows, NINETY)
    learned_hooks(rows, "1" * 200)
    job = waiting(rows, "G-1", age=50, looked=20, due_in=30, **changes)
    assert words in run("explain", job).out
    assert told(run, job)["next"]["why"] == why


def outage_told_on_one_tick(now: float) -> Outage:
    """Some seconds until just now, of which all ends are told on the same tick, a good while from now."""
    from_here_on = (now + 50) // TICK * TICK - 60  # what ends from then on is told a tick later
    if now - 10 - from_here_on < 10:
        return Outage(from_here_on - 101, from_here_on - 1)
    return Outage(max(from_here_on, now - 110), now - 10)


def test_a_job_that_is_left_to_the_gateway_after_an_outage_says_so(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_REQUEST_WORTH_SECONDS", "600")
    learned_ends(rows, [100.0 + 3.5 * number for number in range(400)])
    learned_hooks(rows, "1" * 200)
    job = waiting(rows, "G-1", age=500, looked=None, due_in=60)
    with rows.context.store.write() as tx:
        away = outage_told_on_one_tick(tx.now)
        for pulse, at in ((Pulse.OUTAGE_BEGAN, away.began), (Pulse.OUTAGE_ENDED, away.ended)):
            workers.set_pulse(tx, pulse, at)
        workers.pulse(tx, Pulse.RECEIVER)
    assert told(run, job)["next"]["why"] == Why.LEARNED
    tick = away.tried_again(away.ended)
    assert tick is not None
    with rows.context.store.write() as tx:
        jobs.note(tx, job, {"due_at": tick + AFTER_TICK + 5})
    assert WHY[Why.RETRIED] in run("explain", job).out


@pytest.mark.parametrize("jobs_learned", [0, 400])
def test_a_look_that_waits_for_its_tenant_s_rate_says_so(run: Run, rows: Rows, jobs_learned: int) -> None:
    if jobs_learned:
        learned_ends(rows, NINETY)
    job = waiting(rows, "G-1", age=150, looked=140, due_in=30, updates=Updates.POLL)
    assert told(run, job)["next"]["why"] != Why.NO_ROOM, "there is no rate"
    assert run("tenants", "change", "default", "--looks-per-second", "0.2").code == 0
    assert WHY[Why.NO_ROOM] in run("explain", job).out
    assert "chosen when other things were known" not in run("explain", job).out
    in_time = waiting(rows, "G-2", age=15, looked=5, due_in=16, updates=Updates.POLL)
    assert told(run, in_time)["next"]["why"] != Why.NO_ROOM


def test_a_setting_that_turns_it_off_is_named(run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    learned_ends(rows, NINETY)
    job = waiting(rows, "G-1", age=50, looked=20, due_in=30)
    monkeypatch.setenv("ORCHESTRATOR_CADENCE", "guidance")
    assert WHY[Why.OFF] in run("explain", job).out


def test_a_job_that_a_look_settled_says_how_late_and_what_it_took(run: Run, rows: Rows) -> None:
    job = waiting(rows, "G-1", age=110, looked=20, due_in=0, looks=2, updates=Updates.POLL)
    rows.see(job, Observation(Source.POLL, Seen.COMPLETED, gateway_id="G-1", outputs=()))
    page = run("explain", job).out
    assert "told by       a look, at 110." in page
    assert "late by       between 0 and 20 s: nobody knows more closely when it ended" in page
    assert re.search(r"looks         3 sent; 5\.\d by the guidance alone, without webhooks: 2 saved", page)


def test_a_webhook_that_came_after_the_look_is_told(run: Run, rows: Rows) -> None:
    job = waiting(rows, "G-1", age=100, looked=30, due_in=0)
    rows.see(job, Observation(Source.POLL, Seen.COMPLETED, gateway_id="G-1", outputs=()))
    rows.see(job, Observation(Source.WEBHOOK, Seen.COMPLETED, gateway_id="G-1"))
    with rows.context.store.write() as tx:
        settled = jobs.require(tx, job)
        jobs.note(tx, job, {"hook_at": (settled.settled_at or 0.0) + 2.5})
    assert "its webhook   came 2.5 s later" in run("explain", job).out
    assert told(run, job)["end"]["won_by"] == Source.POLL


def test_of_a_job_that_nobody_ended_no_lateness_is_told(run: Run, rows: Rows) -> None:
    job = waiting(rows, "G-1", age=100, looked=30, due_in=0)
    rows.see(job, Observation(Source.CLOCK, Seen.DEADLINE))
    page = run("explain", job).out
    assert "told by       nobody: its deadline passed" in page
    assert "late by" not in page


def test_a_job_without_a_look_ahead_says_what_it_waits_for(run: Run, rows: Rows) -> None:
    assert "no look is due: submitted, waiting for its turn" in run("explain", rows.submit()).out
    page = run("explain", rows.left_to_a_person()).out
    assert "no look is due: nobody knows whether the gateway made it" in page


def test_names_are_taken_as_show_takes_them(run: Run, rows: Rows) -> None:
    both = [rows.submit(reference="twice") for _ in range(2)]
    said = run("explain", "twice")
    assert said.code == Exit.REFUSED
    assert all(job in said.err for job in both)
    assert "there is no job nothing" in run("explain", "nothing").err


def test_show_has_the_next_look_with_its_reason_in_a_few_words(run: Run, rows: Rows) -> None:
    learned_ends(rows, NINETY)
    job = waiting(rows, "G-1", age=30, looked=None, due_in=69.5, updates=Updates.POLL)
    assert "look in 1m: as learned" in run("show", job).out
