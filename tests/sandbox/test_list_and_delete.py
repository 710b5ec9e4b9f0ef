"""Row 15 and the list: stored states of the latest jobs, deleted ones included."""

from typing import Any

import pytest

from tests.sandbox.harness import Sandbox, captured, shape


def ids(sandbox: Sandbox, **query: Any) -> list[str]:
    return [row["id"] for row in sandbox.api.get("/videos", params=query).json()["data"]]


def test_the_list_shows_the_stored_state_and_never_outputs(sandbox: Sandbox) -> None:
    sandbox.create()
    answer = sandbox.api.get("/videos").json()
    assert shape(answer) == shape(captured("list"))
    assert answer["data"][0]["model"] == "google/veo-3.1-lite"
    ended = sandbox.done(notice="tick")
    row = next(row for row in sandbox.api.get("/videos").json()["data"] if row["id"] == ended)
    assert row["status"] in ("queued", "processing")
    sandbox.get(ended)
    row = next(row for row in sandbox.api.get("/videos").json()["data"] if row["id"] == ended)
    assert (row["status"], row["outputs"]) == ("completed", [])


def test_the_list_pages_filters_and_orders(sandbox: Sandbox) -> None:
    first, second, third = sandbox.create(), sandbox.create(), sandbox.done()
    assert ids(sandbox) == [third, second, first]
    assert ids(sandbox, order="asc") == [first, second, third]
    assert ids(sandbox, limit=1, after=third) == [second]
    assert ids(sandbox, after="G-NOPE") == [third, second, first]
    assert ids(sandbox, status="completed,nonsense") == [third]
    assert ids(sandbox, status=["processing", "queued"]) == [second, first]


def test_a_limit_of_0_gives_nothing_and_says_there_is_more(sandbox: Sandbox) -> None:
    sandbox.create()
    assert sandbox.api.get("/videos", params={"limit": 0}).json() == captured("list limit 0")
    assert sandbox.api.get("/videos", params={"limit": 500}).json()["has_more"] is False


def test_the_list_reaches_only_the_101_latest_updated_jobs(sandbox: Sandbox) -> None:
    oldest = sandbox.create(outcome="never")
    for _ in range(101):
        sandbox.create(outcome="never")
    everything = ids(sandbox, limit=100)
    everything += ids(sandbox, limit=100, after=everything[-1])
    assert len(everything) == 101
    assert oldest not in everything


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_an_ended_job_can_be_deleted_and_stays_in_the_list(sandbox: Sandbox, outcome: str) -> None:
    job = sandbox.done(outcome=outcome)
    assert sandbox.api.delete(f"/videos/{job}").json() == {
        "id": job,
        "object": "video.deleted",
        "deleted": True,
    }
    for answer in (sandbox.api.get(f"/videos/{job}"), sandbox.content(job)):
        assert (answer.status_code, answer.json()["reason"]) == (404, "video_deleted")
    assert ids(sandbox) == [job]


def test_links_of_a_deleted_job_are_still_made(sandbox: Sandbox) -> None:
    job = sandbox.done()
    sandbox.api.delete(f"/videos/{job}")
    assert sandbox.api.post(f"/videos/{job}/download_url").status_code == 200


@pytest.mark.parametrize("outcome", ["cancelled", "expired", "never"])
def test_no_other_job_can_be_deleted(sandbox: Sandbox, outcome: str) -> None:
    answer = sandbox.api.delete(f"/videos/{sandbox.done(outcome=outcome)}")
    assert answer.status_code == 400
    assert shape(answer.json()) == shape(captured("delete cancelled"))


def test_the_routes_have_a_second_name(sandbox: Sandbox) -> None:
    job = sandbox.api.post("/video/generations", json={"prompt": "p"}).json()["id"]
    assert sandbox.api.get(f"/video/generations/{job}").json()["id"] == sandbox.get(job)["id"] == job


def test_the_models_are_listed(sandbox: Sandbox) -> None:
    row = sandbox.api.get("/videos/models").json()["data"][0]
    assert {"model", "name", "status", "providers", "pricing", "supported_params"} <= set(row)
