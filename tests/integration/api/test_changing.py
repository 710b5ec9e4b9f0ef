"""What may be done with a job over HTTP: cancel, retry, resolve; and hand-offs that were given up."""

import base64

import pytest

from orchestrator.core.access import Scope
from orchestrator.core.lifecycle import State
from orchestrator.store import hand_offs
from tests.integration.api.served import Holder, Served


def test_a_cancel_before_the_create_makes_nothing(us: Holder) -> None:
    told = us.post(f"/jobs/{us.kept().id}/cancel").json()
    assert (told["cancelled"], told["billed"], told["job"]["state"]) == (True, False, "cancelled")


def test_a_cancel_afterwards_says_that_the_gateway_bills(us: Holder) -> None:
    job = us.move(us.kept(), State.WAITING, gateway_id="G-1")
    told = us.post(f"/jobs/{job.id}/cancel").json()
    assert (told["cancelled"], told["billed"], told["job"]["state"]) == (False, True, "waiting")
    assert "cannot cancel" in told["notice"]
    assert "bills" in told["notice"]
    assert told["job"]["cancel_requested_at"]


def test_a_cancel_of_a_job_that_failed_says_that_it_was_over(us: Holder) -> None:
    told = us.post(f"/jobs/{us.move(us.kept(), State.FAILED).id}/cancel").json()
    assert (told["cancelled"], told["billed"], told["job"]["state"]) == (False, False, "failed")
    assert "already ended" in told["notice"]


@pytest.mark.parametrize("state", [State.FAILED, State.REJECTED, State.EXPIRED, State.CANCELLED])
def test_a_job_that_ended_badly_is_retried_as_a_new_one(api: Served, us: Holder, state: State) -> None:
    job = us.move(us.kept(reference="r", end_user="u", metadata={"a": 1}), state)
    api.sent.clear()
    answer = us.post(f"/jobs/{job.id}/retry")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["retry_of"], made["state"]) == (job.id, "accepted")
    assert made["id"] != job.id
    for name in ("request", "reference", "end_user", "metadata"):
        assert made[name] == getattr(job, name)
    assert len(api.sent) == 1


@pytest.mark.parametrize("state", [State.ACCEPTED, State.WAITING, State.UNCERTAIN, State.COMPLETED])
def test_no_other_job_is_retried(us: Holder, state: State) -> None:
    job = us.kept() if state is State.ACCEPTED else us.move(us.kept(), state)
    answer = us.post(f"/jobs/{job.id}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_allowed")
    assert us.jobs() == 1


def test_a_retry_with_a_key_makes_one_job(us: Holder) -> None:
    job = us.move(us.kept(), State.FAILED)
    first, again = (us.post(f"/jobs/{job.id}/retry", Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = us.move(us.kept(), State.FAILED)
    assert us.post(f"/jobs/{other.id}/retry", Idempotency_Key="k").status_code == 422


def test_a_retry_that_comes_again_is_known_also_where_the_first_job_ended_well_since(us: Holder) -> None:
    job = us.move(us.kept(), State.TIMED_OUT)
    first = us.post(f"/jobs/{job.id}/retry", Idempotency_Key="k")
    us.move(job, State.COMPLETED)
    again = us.post(f"/jobs/{job.id}/retry", Idempotency_Key="k")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert us.post(f"/jobs/{job.id}/retry", Idempotency_Key="other").status_code == 409


def test_an_uncertain_create_is_settled_by_a_person(us: Holder) -> None:
    adopted, dropped, again = (
        us.move(us.kept(), State.UNCERTAIN, needs_person=True, attempts=1) for _ in range(3)
    )
    gateway_id = "G-01K3ZQ8W6X2M5N7P9R1T3V5Y00"
    found = us.post(f"/jobs/{adopted.id}/resolve", {"adopt": gateway_id}).json()
    assert (found["state"], found["gateway_id"]) == ("waiting", gateway_id)
    assert us.post(f"/jobs/{dropped.id}/resolve", {"give_up": True}).json()["state"] == "timed_out"
    assert us.post(f"/jobs/{again.id}/resolve", {"resubmit": True}).json()["state"] == "accepted"
    twice = us.post(f"/jobs/{dropped.id}/resolve", {"give_up": True})
    assert (twice.status_code, twice.json()["code"]) == (409, "not_allowed")


def test_a_decision_is_one_of_three(us: Holder) -> None:
    job = us.move(us.kept(), State.UNCERTAIN)
    for wrong in ({}, {"adopt": "G-1", "give_up": True}, {"give_up": False}, {"adopt": ""}):
        assert us.post(f"/jobs/{job.id}/resolve", wrong).status_code == 422
    lacking = us.only(Scope.SUBMIT, Scope.READ).post(f"/jobs/{job.id}/resolve", {"give_up": True})
    assert lacking.status_code == 403


def test_dead_letters_are_listed_the_latest_first_page_by_page(us: Holder) -> None:
    ids = [us.dead(reference="r") for _ in range(5)]
    elsewhere = us.dead(to="hook", status=410)
    first = us.get("/dead-letters", destination="folder", limit=3).json()
    second = us.get("/dead-letters", destination="folder", limit=3, cursor=first["next"]).json()
    assert [one["id"] for page in (first, second) for one in page["dead_letters"]] == ids[::-1]
    assert (second["next"], first["dead_letters"][0]["reference"]) == (None, "r")
    assert [one["id"] for one in us.get("/dead-letters", status=410).json()["dead_letters"]] == [elsewhere]
    assert us.get("/dead-letters", cursor=first["next"]).status_code == 422


def test_dead_letters_of_the_last_hours_are_listed_page_by_page_and_tried_again(us: Holder) -> None:
    old = us.dead(owed_ago=7_200)
    late = [us.dead(owed_ago=1_800) for _ in range(3)]
    first = us.get("/dead-letters", within_seconds=3_600, limit=2).json()
    second = us.get("/dead-letters", within_seconds=3_600, limit=2, cursor=first["next"]).json()
    assert [one["id"] for page in (first, second) for one in page["dead_letters"]] == late[::-1]
    assert second["next"] is None
    assert us.get("/dead-letters", within_seconds=60, cursor=first["next"]).status_code == 422
    assert us.post("/dead-letters/replay", {"within_seconds": 3_600}).json()["replayed"] == 3
    (left,) = us.get("/dead-letters").json()["dead_letters"]
    assert (left["id"], left["created_at"][:2]) == (old, "20")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e9", "x", ""])
def test_what_is_no_span_is_refused(us: Holder, seconds: str) -> None:
    assert us.get("/dead-letters", within_seconds=seconds).status_code == 422


@pytest.mark.parametrize("last", ["x", "1e3", "-1", " 1", str(2**63), "9" * 40])
def test_a_cursor_of_dead_letters_that_somebody_made_is_refused(us: Holder, last: str) -> None:
    """Whoever has one can write another: it is only opaque."""
    for _ in range(2):
        us.dead()
    page = us.get("/dead-letters", limit=1).json()
    real, number = page["next"], str(page["dead_letters"][0]["id"])
    text = base64.urlsafe_b64decode(real + "=" * (-len(real) % 4)).decode()
    made = base64.urlsafe_b64encode(f"{text.removesuffix(number)}{last}".encode()).decode().rstrip("=")
    answer = us.get("/dead-letters", cursor=made)
    assert (answer.status_code, answer.json()["errors"][0]["at"]) == (422, "query.cursor")


def test_dead_letters_are_tried_again_one_or_all_that_match(api: Served, us: Holder) -> None:
    one, *others = (us.dead() for _ in range(4))
    elsewhere = us.dead(to="hook")
    assert us.post(f"/hand-offs/{one}/replay", {}).json()["replayed"] == 1
    assert us.post("/dead-letters/replay", {"destination": "folder"}).json() == {"replayed": 3, "more": False}
    with api.store.read() as tx:
        states = [getattr(hand_offs.get(tx, each), "state", None) for each in (one, *others, elsewhere)]
    assert states == ["owed"] * 4 + ["dead"]
    again = us.post(f"/hand-offs/{one}/replay", {})
    assert (again.status_code, again.json()["code"]) == (409, "not_allowed")


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63), "9" * 5_000])
def test_what_is_no_number_of_a_hand_off_is_refused(us: Holder, number: str) -> None:
    assert us.post(f"/hand-offs/{number}/replay", {}).status_code == 422


def test_what_is_no_hand_off_is_not_found(us: Holder) -> None:
    answer = us.post(f"/hand-offs/{2**63 - 1}/replay", {})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
