"""Submitting over HTTP: one or many, all or none, and never twice under one key."""

import threading
from typing import Any

import pytest

from orchestrator.core.access import Scope
from orchestrator.store import accounts, jobs, schema
from tests.integration.api.served import REQUEST, Holder, Served


def test_a_job_is_kept_as_it_was_asked_for(api: Served, us: Holder) -> None:
    given = REQUEST | {"sample_count": 2, "provider_params": {"any": [1, None, "ü"]}, "unknown": {"x": 1.5}}
    asked = {
        "request": given,
        "reference": "order 7/a",
        "end_user": "u-1",
        "metadata": {"a": [True, {"b": None}]},
        "deadline_seconds": 60,
        "updates": "poll",
    }
    answer = us.post("/jobs", asked)
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{made['id']}"
    for name in ("request", "reference", "end_user", "metadata", "updates"):
        assert made[name] == asked[name]
    assert (made["state"], made["view"], made["account"]) == ("accepted", "full", "default")
    with api.store.read() as tx:
        kept = jobs.require(tx, made["id"])
    assert kept.request == given
    assert kept.deadline_at - kept.accepted_at == 60
    assert [one.task for one in api.sent] == ["create"]


def test_a_thousand_jobs_are_kept_at_once_in_the_order_given(us: Holder) -> None:
    wanted = [{"request": REQUEST, "reference": f"r-{number}"} for number in range(1_000)]
    answer = us.post("/jobs", {"jobs": wanted})
    assert answer.status_code == 201
    assert [one["reference"] for one in answer.json()["jobs"]] == [one["reference"] for one in wanted]
    assert us.jobs() == 1_000


def test_one_wrong_job_among_many_keeps_none_and_each_wrong_place_is_named(api: Served, us: Holder) -> None:
    wrong = [
        {"request": REQUEST},
        {"request": REQUEST | {"sample_count": 5, "webhook": {}}},
        {"request": {"prompt": "p"}, "destinations": None},
    ]
    answer = us.post("/jobs", {"jobs": wrong})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert [one["at"] for one in answer.json()["errors"]] == [
        "body.jobs.1.request.webhook",
        "body.jobs.1.request.sample_count",
        "body.jobs.2.request.model",
    ]
    assert us.jobs() == 0
    assert api.sent == []


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"request": []}, "body.request"),
        ({}, "body.request"),
        ({"request": REQUEST, "extra": 1}, "body.extra"),
        ({"request": REQUEST, "destinations": ["nowhere"]}, "body.destinations"),
        ({"request": REQUEST, "destinations": [{"to": "nowhere"}]}, "body.destinations"),
        ({"request": REQUEST, "destinations": ["folder", "folder"]}, "body.destinations"),
        ({"request": REQUEST, "account": "nobody"}, "body.account"),
        ({"request": REQUEST, "reference": ""}, "body.reference"),
        ({"request": REQUEST, "reference": "x" * 201}, "body.reference"),
        ({"request": REQUEST, "deadline_seconds": 0}, "body.deadline_seconds"),
        ({"request": REQUEST, "metadata": []}, "body.metadata"),
        ({"request": REQUEST, "updates": "never"}, "body.updates"),
        ({"request": REQUEST} | {f"unknown{one}": 1 for one in range(1_000)}, "body"),
        ({"request": REQUEST, "destinations": [1] * 1_000}, "body.destinations"),
        ({"request": REQUEST, "destinations": ["folder"] * 33}, "body.destinations"),
        ({"jobs": [{}] * 2_000}, "body.jobs"),
        ({"jobs": []}, "body.jobs"),
        ({"jobs": [{"request": REQUEST}], "request": REQUEST}, "body.request"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(us: Holder, wrong: dict[str, Any], at: str) -> None:
    answer = us.post("/jobs", wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [one["at"] for one in answer.json()["errors"]] == [at]
    assert us.jobs() == 0


def test_of_a_thousand_things_that_are_wrong_a_hundred_are_told(us: Holder) -> None:
    answer = us.post("/jobs", {"jobs": [{"request": []}] * 1_000})
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 100)


def test_more_than_a_thousand_are_refused(us: Holder) -> None:
    answer = us.post("/jobs", {"jobs": [{"request": REQUEST}] * 1_001})
    assert (answer.status_code, us.jobs()) == (422, 0)


def test_a_destination_may_be_told_how_to_be_told(api: Served, us: Holder) -> None:
    asked = {"to": "folder", "outcomes": ["failed"], "deliver": "files"}
    made = us.submit(destinations=[asked])
    with api.store.read() as tx:
        (route,) = jobs.require(tx, made["id"]).destinations
    assert (route.destination, route.outcomes, route.link) == ("folder", ("failed",), False)


def test_the_same_key_and_body_make_one_job(api: Served, us: Holder) -> None:
    asked = {"request": REQUEST, "reference": "r"}
    first, second, bare = (us.post("/jobs", asked, Idempotency_Key=key) for key in ('"k-1"', '"k-1"', "k-1"))
    assert (first.status_code, second.status_code, bare.status_code) == (201, 200, 200)
    assert first.json()["id"] == second.json()["id"] == bare.json()["id"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert us.jobs() == 1
    assert len(api.sent) == 1


def test_a_replayed_answer_shows_where_its_jobs_stand_now(us: Holder) -> None:
    many = {"jobs": [{"request": REQUEST}, {"request": REQUEST}]}
    first = us.post("/jobs", many, Idempotency_Key="k")
    us.post(f"/jobs/{first.json()['jobs'][1]['id']}/cancel")
    again = us.post("/jobs", many, Idempotency_Key="k")
    assert [one["id"] for one in again.json()["jobs"]] == [one["id"] for one in first.json()["jobs"]]
    assert [one["state"] for one in again.json()["jobs"]] == ["accepted", "cancelled"]


def test_the_same_key_with_another_body_is_refused(us: Holder) -> None:
    us.post("/jobs", {"request": REQUEST}, Idempotency_Key="k")
    other = us.post("/jobs", {"request": REQUEST | {"prompt": "another"}}, Idempotency_Key="k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    wrong = us.post("/jobs", {"request": REQUEST | {"seed": "x"}}, Idempotency_Key="k")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "idempotency_key_reused")
    assert us.jobs() == 1


def test_the_order_of_names_makes_no_other_body(us: Holder) -> None:
    first = us.post("/jobs", {"request": {"model": "m", "prompt": "p"}, "metadata": {}}, Idempotency_Key="k")
    again = us.post("/jobs", {"request": {"prompt": "p", "model": "m"}}, Idempotency_Key="k")
    assert again.json()["id"] == first.json()["id"]


def test_a_key_means_nothing_to_another_tenant(us: Holder, them: Holder) -> None:
    asked = {"request": REQUEST}
    ours, theirs = (one.post("/jobs", asked, Idempotency_Key="k") for one in (us, them))
    assert (ours.status_code, theirs.status_code) == (201, 201)
    assert ours.json()["id"] != theirs.json()["id"]
    assert them.jobs() == 1


def test_a_refused_request_leaves_its_key_unused(us: Holder) -> None:
    assert us.post("/jobs", {"request": {}}, Idempotency_Key="k").status_code == 422
    assert us.post("/jobs", {"request": REQUEST}, Idempotency_Key="k").status_code == 201


def test_a_key_whose_jobs_were_purged_makes_no_new_ones(api: Served, us: Holder) -> None:
    made = us.post("/jobs", {"request": REQUEST}, Idempotency_Key="k").json()
    with api.store.write() as tx:
        tx.execute(schema.jobs.delete().where(schema.jobs.c.id == made["id"]))
    gone = us.post("/jobs", {"request": REQUEST}, Idempotency_Key="k")
    assert (gone.status_code, gone.json()["code"]) == (410, "idempotent_jobs_gone")


def test_a_key_is_known_although_what_was_asked_could_not_be_made_any_more(api: Served, us: Holder) -> None:
    entry = accounts.Entry("a-" + us.tenant, us.tenant, "extra", None, None, None, None)
    with api.store.write() as tx:
        accounts.add_once(tx, entry)
    asked = {"request": REQUEST, "account": "extra"}
    made = us.post("/jobs", asked, Idempotency_Key="k")
    with api.store.write() as tx:
        accounts.remove(tx, entry.id)
    again = us.post("/jobs", asked, Idempotency_Key="k")
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == made.json()["id"]
    assert us.post("/jobs", asked, Idempotency_Key="another").status_code == 422


@pytest.mark.parametrize("key", ["", '"', '""', "a b", "x" * 256, '"a\\b"', '"a"b'])
def test_a_key_that_is_none_is_refused(us: Holder, key: str) -> None:
    answer = us.post("/jobs", {"request": REQUEST}, Idempotency_Key=key)
    assert (answer.status_code, us.jobs()) == (422, 0)
    assert answer.json()["errors"][0]["at"] == "header.Idempotency-Key"


def test_requests_with_one_key_that_come_at_once_make_one_job(us: Holder) -> None:
    begin = threading.Barrier(8)
    answers: list[tuple[int, str]] = []

    def ask() -> None:
        begin.wait()
        answer = us.post("/jobs", {"request": REQUEST}, Idempotency_Key="at-once")
        answers.append((answer.status_code, answer.json()["id"]))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert us.jobs() == 1
    assert len({made for _, made in answers}) == 1
    assert sorted(status for status, _ in answers) == [200] * 7 + [201]


def test_a_key_needs_the_scope_to_submit(us: Holder) -> None:
    answer = us.only(Scope.READ, Scope.OPERATE, Scope.ADMIN).post("/jobs", {"request": REQUEST})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert us.jobs() == 0
