"""Whose fault it was: each fault is staged at the sandbox, and found with its job afterwards."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.blame import Addressee, Fault, Finding
from orchestrator.core.lifecycle import State
from orchestrator.engine import alarms, blaming
from orchestrator.engine.alarms import RECURS, RECURS_WITHIN, AlarmName
from orchestrator.engine.learning import learn
from orchestrator.engine.outage import sign_of_life
from orchestrator.engine.replay import replay_dead
from orchestrator.store.dead_letters import Matching
from orchestrator.telemetry import Event
from tests.integration.engine.harness import Engine, NewEngine, try_until_over
from tests.integration.engine.test_learning import lost
from tests.sandbox.harness import Hook, Receiver, Sandbox

PROMPT = "A lighthouse keeper named Aurelia walks through the storm"


def findings(engine: Engine, job_id: str) -> dict[Fault, Finding]:
    with engine.store.read() as tx:
        found = blaming.of_job(tx, engine.job(job_id))
    assert len({one.fault for one in found}) == len(found)
    return {one.fault: one for one in found}


def only(engine: Engine, job_id: str) -> Finding:
    found = findings(engine, job_id)
    assert len(found) == 1, found
    (one,) = found.values()
    assert one.evidence
    assert job_id in one.text_for_support
    return one


def forge(hook: Hook) -> Hook:
    """The same, signed by somebody else."""
    return replace(hook, headers={**hook.headers, "x-phaseo-signature": "0" * 64})


def test_a_job_that_went_well_has_no_findings(engine: Engine) -> None:
    job_id = engine.created()
    engine.look_when_due(job_id)
    engine.hand_off_all()
    assert findings(engine, job_id) == {}


@pytest.mark.parametrize(
    ("switches", "fault", "words"),
    [
        (
            {"outcome": "failed", "error": "object", "error_message": "no"},
            Fault.PROVIDER,
            "no (code moderation",
        ),
        ({"outcome": "expired"}, Fault.PROVIDER, "expired"),
        ({"create_error": "unsupported_model"}, Fault.REQUEST, "Unsupported model"),
        ({"create_error": "upstream_400"}, Fault.REQUEST, "Unsupported aspect"),
        ({"outcome": "never", "deadline_seconds": 20}, Fault.DEADLINE, "last word was processing"),
    ],
)
def test_a_bad_end_is_the_first_finding(
    engine: Engine, switches: dict[str, Any], fault: Fault, words: str
) -> None:
    job_id = engine.created({"prompt": PROMPT}, **switches)
    if engine.job(job_id).state is State.WAITING:
        engine.look_when_due(job_id)
    one = only(engine, job_id)
    assert (one.fault, one.of_end) == (fault, True)
    assert words in one.evidence
    assert one.request_id == engine.job(job_id).request_id
    assert PROMPT not in one.text_for_support


def test_looks_that_fail_in_a_row_are_one_finding_with_the_gateways_request_id(engine: Engine) -> None:
    job_id = engine.created(duration=30, get_502=2)
    for _ in range(3):
        engine.look_when_due(job_id)
    one = only(engine, job_id)
    assert (one.fault, one.times, one.of_end) == (Fault.POLL_FAULT, 1, False)
    assert one.addressee is Addressee.GATEWAY
    assert "HTTP 502" in one.evidence
    assert one.request_id
    assert one.request_id != engine.job(job_id).gateway_id, "that of the look, not of the create"
    assert f"gateway request: {one.request_id}" in one.text_for_support


def test_a_look_that_met_the_gateways_own_error_is_the_gateways(engine: Engine) -> None:
    job_id = engine.created(get_500=1)
    engine.look_when_due(job_id)
    engine.look_when_due(job_id)
    assert only(engine, job_id).fault is Fault.GATEWAY_ERROR


@pytest.mark.parametrize("error", ["db_error", "feature_gate", "gateway_error"])
def test_a_create_that_met_the_gateways_own_error_is_tried_again_and_noted(
    engine: Engine, error: str
) -> None:
    job_id = engine.created(create_error=error, create_error_times=1)
    assert engine.job(job_id).state is State.ACCEPTED
    assert only(engine, job_id).fault is Fault.GATEWAY_ERROR


@pytest.mark.parametrize("error", ["key_limit", "insufficient_funds"])
def test_a_create_that_our_own_limits_held_up_is_nobodys_fault(engine: Engine, error: str) -> None:
    assert findings(engine, engine.created(create_error=error, create_error_times=1)) == {}


def test_a_lost_create_stays_on_the_list_when_it_was_found_again(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="text_500_after", duration=600)
    assert engine.job(job_id).state is State.UNCERTAIN
    assert only(engine, job_id).of_end, "as long as nobody knows"
    engine.look_when_due(job_id)
    assert engine.job(job_id).state is State.WAITING
    one = only(engine, job_id)
    assert (one.fault, one.of_end) == (Fault.UNCERTAIN_CREATE, False)
    assert one.overcome == f"the gateway has a job for it: {engine.job(job_id).gateway_id}"
    assert f"x-session-id: {job_id}.1" in one.text_for_support


def test_an_endpoint_that_the_gateway_refuses_is_a_webhook_that_is_not_sent(
    new_engine: NewEngine, sandbox: Sandbox
) -> None:
    engine = new_engine(webhook_endpoint_id="3f0c5d7e-0000-4000-8000-000000000000", webhook_secrets="whsec_x")
    job_id = engine.created()
    assert engine.job(job_id).without_webhook
    assert "refused our webhook endpoint" in only(engine, job_id).evidence


def test_a_webhook_that_never_came_is_found_and_taken_back_when_it_comes_late(
    hooked: Engine, hooks: Receiver
) -> None:
    with hooked.store.write() as tx:
        sign_of_life(tx)
    job_id = lost(hooked, hooks)
    with hooked.store.write() as tx:
        sign_of_life(tx)
    hooked.later(10.0)
    learn(hooked.context)
    one = only(hooked, job_id)
    assert (one.fault, one.addressee) == (Fault.HOOK_NOT_SENT, Addressee.GATEWAY)
    (hook,) = hooks.of("video.completed")
    hooked.receive(hook)
    assert findings(hooked, job_id) == {}


def test_a_webhook_that_did_not_come_while_our_receiver_was_away_is_ours(
    hooked: Engine, hooks: Receiver
) -> None:
    job_id = lost(hooked, hooks)
    hooked.later(10.0)
    learn(hooked.context)
    one = only(hooked, job_id)
    assert (one.fault, one.addressee) == (Fault.HOOK_REFUSED_BY_US, Addressee.OPERATOR)


def test_a_signature_that_is_not_believed_is_found_with_the_job_it_names(
    hooked: Engine, hooks: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = hooked.created()
    (hook,) = hooks.wait(1, "video.completed")
    forged = forge(hook)
    with caplog.at_level(logging.INFO, "orchestrator"):
        for _ in range(2):
            assert hooked.receive(forged).reason == "forged"
    lines = [vars(one)["facts"] for one in caplog.records if one.msg == Event.WEBHOOK_REJECTED]
    assert [one["job"] for one in lines] == [job_id] * 2, "the log has it among the job's lines"
    unknown = replace(forged, raw=json.dumps({"data": {"id": "G-NOBODYS"}}).encode())
    assert hooked.receive(unknown).reason == "forged"
    one = only(hooked, job_id)
    assert (one.fault, one.times, one.addressee) == (Fault.SIGNATURE_REJECTED, 2, Addressee.OPERATOR)
    assert "no live secret" in one.evidence
    hooked.receive(hook)
    assert hooked.job(job_id).state is State.COMPLETED, "it did no harm"
    after = only(hooked, job_id)
    assert after.fault is Fault.SIGNATURE_REJECTED
    assert (one.overcome, after.overcome) == (None, "the job's end is known: completed")
    assert "since then: the job's end is known: completed" in after.text_for_support


def test_our_own_status_is_in_what_the_gateway_tells_of_its_webhook(
    hooked: Engine, hooks: Receiver, sandbox: Sandbox
) -> None:
    hooks.answers = [(503, "")] * 9
    job_id = hooked.created(notice="instant")
    hooks.wait(1, "video.completed")
    hooked.look_when_due(job_id)
    one = only(hooked, job_id)
    assert (one.fault, one.addressee) == (Fault.HOOK_REFUSED_BY_US, Addressee.OPERATOR)
    assert "HTTP 503" in one.evidence
    assert "HTTP 503" in (hooked.timeline(job_id)[-1].note or ""), "on the timeline too"


def test_a_hand_off_that_is_given_up_is_found_also_after_it_was_replayed(new_engine: NewEngine) -> None:
    engine = new_engine(hand_off_attempts=1)
    job_id = engine.created()
    engine.look_when_due(job_id)
    engine.archive()
    blocked = engine.folder.parent.joinpath("out")
    blocked.write_text("a file where the folder should be")
    try_until_over(engine, job_id)
    one = only(engine, job_id)
    assert (one.fault, one.addressee) == (Fault.HAND_OFF_FAILED, Addressee.OPERATOR)
    assert f"{job_id}/0/folder to folder, after 1 attempt" in one.evidence
    assert one.overcome is None
    blocked.unlink()
    replay_dead(engine.context, "default", Matching())
    assert only(engine, job_id).overcome is None, "it is tried again, and not done yet"
    engine.hand_off_all()
    again = only(engine, job_id)
    assert (again.fault, again.evidence) == (Fault.HAND_OFF_FAILED, one.evidence), (
        "it stays, as what happened"
    )
    assert again.overcome == "everything that was owed has been handed off by now"


@pytest.mark.parametrize("content", ["missing", "garbage", "truncated"])
def test_an_output_that_is_missing_or_corrupt_is_found(new_engine: NewEngine, content: str) -> None:
    engine = new_engine(hand_off_attempts=2, content_patience_seconds=1)
    job_id = engine.created(content=content)
    engine.look_when_due(job_id)
    try_until_over(engine, job_id)
    one = only(engine, job_id)
    assert (one.fault, one.addressee) == (Fault.OUTPUT_MISSING, Addressee.PROVIDER)
    assert one.evidence.startswith("output 0: ")


def test_counts_have_ends_and_what_was_met_on_the_way(engine: Engine) -> None:
    begun = engine.now
    for switches in ({"outcome": "failed"}, {"outcome": "failed"}, {"get_502": 1}):
        engine.look_when_due(engine.created(**switches))
    with engine.store.read() as tx:
        found = {one.fault: one.jobs for one in blaming.counts(tx, "default", begun, every=blaming.DAY)}
        assert found == {Fault.PROVIDER: 2, Fault.POLL_FAULT: 1}
        assert blaming.counts(tx, "another", begun) == []
        assert sum(one.jobs for one in blaming.counts(tx, None, begun)) == 3


def test_a_fault_of_ours_that_recurs_is_an_alarm_for_some_minutes(hooked: Engine, hooks: Receiver) -> None:
    def ringing() -> list[tuple[AlarmName, str | None]]:
        with hooked.store.read() as tx:
            found = alarms.read(tx, wall_clock=hooked.now, beat_expected=False)
        return [(one.name, one.about) for one in found if one.name is AlarmName.FAULT_RECURS]

    for number in range(RECURS):
        assert ringing() == []
        hooked.created()
        hook = hooks.wait(number + 1, "video.completed")[-1]
        hooked.receive(forge(hook))
    assert ringing() == [(AlarmName.FAULT_RECURS, Fault.SIGNATURE_REJECTED)]
    hooked.later(RECURS_WITHIN + 1)
    assert ringing() == []
