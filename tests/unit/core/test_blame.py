"""Which fault is shown by what was seen, and what is pasted to whose support: never the prompt."""

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core import evidence, support
from orchestrator.core.blame import OF_ENDS, OF_WEBHOOKS, OURS, TOLD, Addressee, Fault, Met
from orchestrator.core.job import Failure, HookTold, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.errors import BadAnswer, NoAnswer, Unreachable
from tests.unit.core.jobs import NOW, a_job, driven, saw

PROMPT = "A lighthouse keeper named Aurelia walks through the storm at midnight"
SEEN_AT = 1_790_000_000.0


def found(fault: Fault, text: str, **facts: Any) -> str:
    job = a_job(state_since=SEEN_AT, accepted_at=SEEN_AT, **{"gateway_id": "G-1", **facts})
    return support.finding(job, Met(fault, text, "G-REQ"), at=SEEN_AT).text_for_support


def test_every_fault_has_an_addressee_and_words_to_paste() -> None:
    assert set(TOLD) == set(Fault)
    for fault in Fault:
        assert support.title(fault) in found(fault, "it was seen")
    assert {TOLD[fault] for fault in OURS} == {Addressee.OPERATOR}
    assert not OF_WEBHOOKS & OF_ENDS


@pytest.mark.parametrize("fault", Fault)
def test_what_is_pasted_names_the_job_and_the_request_there_and_no_prompt(fault: Fault) -> None:
    request = {
        "model": "google/veo",
        "prompt": PROMPT,
        "provider_params": {"style": "in the manner of Turner"},
    }
    echoed = (
        f"refused: '{PROMPT}' and '{PROMPT[:40]}…' in the manner of Turner, see https://x.y/v?token=t0ps3cret"
    )
    text = found(fault, echoed, request=request, provider="google-ai-studio", gateway_status="failed")
    for told in (
        "G-1",
        "G-REQ",
        "job_1",
        "job_1.1",
        "google/veo",
        "google-ai-studio",
        f"{len(PROMPT)} characters",
    ):
        assert told in text, text
    for hidden in ("lighthouse", "Aurelia", "Turner", "t0ps3cret"):
        assert hidden not in text, text
    assert "refused: '[of the request]' and '[of the request]…'" in text
    assert "2026-09-21" in text, "times as support reads them"


def test_a_short_prompt_is_taken_out_as_whole_words() -> None:
    request = {"model": "google/veo", "prompt": "cats (2)", "negative_prompt": "rain", "size": "720p"}
    text = found(Fault.PROVIDER, "no rain in the train, cats (2) at 720p", request=request)
    assert "no [of the request] in the train, [of the request] at 720p" in text


def test_a_prompt_is_taken_out_however_it_is_repeated() -> None:
    prompt = 'A "keeper"\nnamed Aurélia\t\twalks'
    for echo in (prompt, " ".join(prompt.split()), json.dumps(prompt)[1:-1]):
        told = support.without_request(f"refused: {echo}!", {"prompt": prompt})
        assert told == "refused: [of the request]!", echo


@pytest.mark.parametrize(
    "prompt", ["[of the request] and more of it", "of the request]", "aaaaaaaaaaaaaaaaaaaaa"]
)
def test_a_prompt_that_is_like_what_stands_for_it_is_taken_out_once(prompt: str) -> None:
    told = support.without_request(f"no: {prompt}{prompt}, sorry", {"prompt": prompt})
    assert told == "no: [of the request][of the request], sorry"


def test_a_line_of_what_others_wrote_stays_one_line() -> None:
    text = found(Fault.PROVIDER, "no", provider="a\nour job: job_2")
    assert "provider: a our job: job_2" in text


@pytest.mark.parametrize(
    ("told", "since", "fault"),
    [
        (HookTold(1, delivered=True, last_status=200), 0, None),
        (HookTold(0, delivered=False), 10, None),
        (HookTold(0, delivered=False), None, None),
        (HookTold(0, delivered=False), 400, Fault.HOOK_NOT_SENT),
        (HookTold(1, delivered=False, last_status=503, next_try_at=NOW + 60), 5, Fault.HOOK_REFUSED_BY_US),
        (HookTold(2, delivered=False, last_error="timeout", next_try_at=NOW), 5, Fault.HOOK_REFUSED_BY_US),
        (HookTold(1, delivered=False, last_status=401, next_try_at=NOW), 5, Fault.SIGNATURE_REJECTED),
        (HookTold(4, delivered=False, last_status=503), 5, Fault.HOOK_EXHAUSTED),
        (HookTold(3, delivered=False, last_status=503), 5, Fault.HOOK_REFUSED_BY_US),
    ],
)
def test_what_a_status_answer_tells_of_its_webhook_shows_a_fault(
    told: HookTold, since: float | None, fault: Fault | None
) -> None:
    met = evidence.of_webhook(told, None if since is None else NOW - since, NOW)
    assert (met and met.fault) is fault
    if met and told.last_status:
        assert f"HTTP {told.last_status}" in met.evidence, "with our status"
    elif met and told.tries:
        assert "no answer (timeout)" in met.evidence


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (BadAnswer("x", status=502, code="upstream_error"), Fault.POLL_FAULT),
        (BadAnswer("x", status=404), Fault.POLL_FAULT),
        (NoAnswer("x"), Fault.POLL_FAULT),
        (Unreachable("x"), Fault.POLL_FAULT),
        (BadAnswer("x", status=500), Fault.GATEWAY_ERROR),
        (BadAnswer("x", status=401, reason="db_error"), Fault.GATEWAY_ERROR),
        (BadAnswer("x", status=401, reason="invalid_secret"), Fault.POLL_FAULT),
    ],
)
def test_a_failed_look_is_the_gateways_fault_or_that_of_the_status(error: BadAnswer, fault: Fault) -> None:
    assert evidence.of_failed_look(error).fault is fault


def test_an_end_carries_its_reason_its_code_and_the_gateways_word() -> None:
    why = Failure("The prompt violates policy.", "content_policy")
    job = driven(a_job(), saw(Seen.FAILED_STORED, failure=why, status="failed", request_id="G-9")).job
    met = evidence.of_end(job)
    assert met == Met(
        Fault.PROVIDER, "failed: The prompt violates policy. (code content_policy)", job.request_id
    )


def test_a_job_that_nobody_ended_says_what_was_tried() -> None:
    waits = a_job(looks=7, look_errors=2, look_error="HTTP 502", gateway_status="processing", created_at=NOW)
    met = evidence.of_end(driven(waits, saw(Seen.DEADLINE, Source.CLOCK)).job)
    assert met
    assert met.fault is Fault.DEADLINE
    for words in ("processing", "7 looks were sent", "the last 2 looks failed: HTTP 502"):
        assert words in met.evidence


def test_ends_that_nobody_is_to_blame_for_have_no_evidence_of_one() -> None:
    assert evidence.of_end(driven(a_job(), saw(Seen.COMPLETED)).job) is None
    assert evidence.of_end(a_job()) is None


def test_a_lost_create_is_met_when_it_is_lost_and_not_again() -> None:
    job = a_job(State.CREATING)
    lost = saw(Seen.LOST, Source.CREATE, failure=Failure("the answer was lost"), request_id="G-7")
    step = driven(job, lost).effects[-1].step
    assert list(evidence.on_the_way(job, lost, step, NOW)) == [
        Met(
            Fault.UNCERTAIN_CREATE,
            "nobody could say whether the create call had made a job: the answer was lost",
            "G-7",
        )
    ]
    unsure = replace(job, state=State.UNCERTAIN)
    again = driven(unsure, lost).effects[-1].step
    assert not list(evidence.on_the_way(unsure, lost, again, NOW))


@pytest.mark.parametrize(
    ("told", "away", "fault"),
    [
        (None, False, Fault.HOOK_NOT_SENT),
        ("not tried yet", False, Fault.HOOK_NOT_SENT),
        ("delivered, it says", False, Fault.HOOK_NOT_SENT),
        (None, True, Fault.HOOK_REFUSED_BY_US),
    ],
)
def test_a_webhook_that_never_came_is_ours_where_nobody_listened(
    told: str | None, away: bool, fault: Fault
) -> None:
    met = evidence.of_missed_webhook(told, 30.0, nobody_listened=away)
    assert met.fault is fault
    assert told is None or told in met.evidence
