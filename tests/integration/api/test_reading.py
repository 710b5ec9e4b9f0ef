"""Reading jobs over HTTP: one, a list, and what the holder of a token sees."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from orchestrator.core.lifecycle import State
from orchestrator.store import schema
from tests.integration.api.served import Holder


def test_a_job_is_read_by_its_id_and_by_its_reference(us: Holder) -> None:
    older, newer = us.kept(reference="order 7/ä?"), us.kept(reference="order 7/ä?")
    assert us.get(f"/jobs/{older.id}").json()["id"] == older.id
    assert us.get("/jobs/by-reference/order%207%2F%C3%A4%3F").json()["id"] == newer.id


def test_a_completed_job_is_ready_once_the_archive_has_its_outputs(us: Holder) -> None:
    job = us.completed()
    before = us.get(f"/jobs/{job.id}").json()
    assert (before["settled"], before["ready"], before["outputs"][0]["url"]) == (True, False, None)
    us.archive(job)
    after = us.get(f"/jobs/{job.id}").json()
    assert (after["ready"], after["outputs"][0]["available"]) == (True, True)
    assert after["outputs"][0]["url"] == f"/v1/jobs/{job.id}/outputs/0"


def test_a_job_whose_outputs_are_not_kept_is_ready_as_soon_as_it_has_ended(us: Holder) -> None:
    job = us.completed()
    with us.api.store.write() as tx:
        tx.execute(delete(schema.hand_offs).where(schema.hand_offs.c.job_id == job.id))
    for visitor in (us, us.with_token(job_id=job.id)):
        found = visitor.get(f"/jobs/{job.id}").json()
        (output,) = found["outputs"]
        assert (found["ready"], output["kept"], output["available"], output["missing"]) == (
            (True, False, False, False)
        )
        assert (output["bytes"], output["url"]) == (7, None)
        answer = visitor.get(f"/jobs/{job.id}/outputs/0")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_kept")
        assert "retry-after" not in answer.headers


def test_why_a_job_ended_badly_is_told(us: Holder) -> None:
    why = {"message": "too dark", "code": "E7", "detail": {"a": 1}}
    job = us.move(us.kept(), State.FAILED, failure=why, blame="provider", request_id="G-1")
    found = us.get(f"/jobs/{job.id}").json()
    assert (found["error"], found["blame"], found["gateway_request_id"]) == (why, "provider", "G-1")


def test_a_token_shows_one_job_and_nothing_of_where_it_goes(us: Holder) -> None:
    job, other = us.kept(end_user="u", metadata={"secret": 1}), us.kept(end_user="u")
    visitor = us.with_token(job_id=job.id)
    found = visitor.get(f"/jobs/{job.id}").json()
    assert found["view"] == "public"
    assert not {"request", "metadata", "hand_offs", "end_user", "destinations", "gateway_id"} & set(found)
    unknown = visitor.get(f"/jobs/{other.id}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert visitor.get("/jobs").status_code == 403
    assert visitor.get(f"/jobs/{job.id}/timeline").status_code == 401
    assert visitor.post(f"/jobs/{job.id}/cancel").status_code == 401


def test_the_token_of_an_end_user_lists_that_users_jobs(us: Holder) -> None:
    theirs = [us.kept(end_user="u").id for _ in range(3)]
    other = us.kept(end_user="v")
    visitor = us.with_token(end_user="u")
    assert visitor.listed(limit=2) == theirs[::-1]
    assert visitor.listed(end_user="v") == []
    assert visitor.get(f"/jobs/{other.id}").status_code == 404
    assert visitor.get("/jobs").json()["jobs"][0]["view"] == "public"


def test_a_list_is_the_newest_first_page_by_page(us: Holder) -> None:
    ids = [us.kept().id for _ in range(7)]
    first = us.get("/jobs", limit=3).json()
    newer = us.kept().id  # what comes meanwhile does not shift the pages
    second = us.get("/jobs", limit=3, cursor=first["next"]).json()
    third = us.get("/jobs", limit=3, cursor=second["next"]).json()
    pages = [one["id"] for page in (first, second, third) for one in page["jobs"]]
    assert pages == ids[::-1]
    assert third["next"] is None
    assert us.listed()[0] == newer


def test_filters_narrow_a_list(us: Holder) -> None:
    plain, named = us.kept(), us.kept(reference="r", end_user="u")
    failed, done = us.move(us.kept(), State.FAILED), us.move(us.kept(end_user="u"), State.COMPLETED)
    stuck = us.move(us.kept(), State.UNCERTAIN, needs_person=True)
    us.move(us.kept(), State.UNCERTAIN)
    assert us.listed(state=["failed", "completed"]) == [done.id, failed.id]
    assert us.listed(state="accepted") == [named.id, plain.id]
    assert us.listed(reference="r") == [named.id]
    assert us.listed(end_user="u") == [done.id, named.id]
    assert us.listed(end_user="u", state="completed") == [done.id]
    assert us.listed(needs_person=True) == [stuck.id]
    assert us.listed(needs_person=True, state="failed") == []
    assert us.listed(state=["failed", "completed"], limit=1) == [done.id, failed.id]


def test_a_list_can_be_of_some_time(us: Holder) -> None:
    job = us.kept()
    at = datetime.fromtimestamp(job.accepted_at, UTC)
    before, after = (at - timedelta(seconds=1)).isoformat(), (at + timedelta(seconds=1)).isoformat()
    assert us.listed(accepted_after=before, accepted_before=after) == [job.id]
    assert us.listed(accepted_after=after) == []
    assert us.listed(accepted_before=before) == []
    assert us.get("/jobs", accepted_after="2026-01-01T00:00:00").status_code == 422  # of which zone?


def test_a_cursor_goes_with_its_filters_alone(us: Holder) -> None:
    for _ in range(2):
        us.kept()
    cursor = us.get("/jobs", limit=1).json()["next"]
    other = us.get("/jobs", limit=1, cursor=cursor, state="failed")
    assert (other.status_code, other.json()["errors"][0]["at"]) == (422, "query.cursor")


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "%00"},
        {"cursor": "ä"},
        {"cursor": ""},
        {"limit": 0},
        {"limit": 201},
        {"limit": "many"},
        {"state": "nowhere"},
        {"reference": "a\x00b"},
        {"end_user": "a\x00b"},
        {"accepted_after": "yesterday"},
    ],
)
def test_a_list_that_is_asked_for_wrongly_is_refused(us: Holder, query: dict[str, str]) -> None:
    answer = us.get("/jobs", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("name", ["%00", "nothing", "%ff", "x" * 3_000, "job_%00"])
def test_what_is_no_job_is_not_found(us: Holder, name: str) -> None:
    for path in (f"/jobs/{name}", f"/jobs/{name}/timeline", f"/jobs/by-reference/{name}"):
        answer = us.get(path)
        assert (answer.status_code, answer.json()["code"]) in ((404, "not_found"), (404, "no_such_path"))


def test_the_timeline_tells_what_was_learned_and_from_whom(us: Holder) -> None:
    job = us.kept()
    us.post(f"/jobs/{job.id}/cancel")
    (entry,) = us.get(f"/jobs/{job.id}/timeline").json()["entries"]
    assert (entry["seq"], entry["source"], entry["seen"], entry["verdict"]) == (
        1,
        "operator",
        "cancel",
        "moved",
    )
    assert (entry["from_state"], entry["to_state"]) == ("accepted", "cancelled")
