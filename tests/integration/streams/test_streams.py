"""Streams of events over HTTP: what was missed first, then what comes, each once, and only one's own."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from threading import Thread
from typing import Any

import pytest

from orchestrator.core.access import Caller, Scope
from orchestrator.core.events import Told
from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.engine import granting
from orchestrator.store import events, jobs, schema
from orchestrator.web import hub
from orchestrator.web.api import streams
from orchestrator.web.api.door import Door
from tests.acceptance.waiting import until
from tests.integration.access.api import Api
from tests.integration.store.rows import a_job
from tests.listening import Heard, Listener
from tests.patience import LONG

_NUMBERS = count(1)


def submit(api: Api, *, destinations: tuple[()] = (), **facts: Any) -> Job:
    """A job that was just accepted, with nothing to be handed on anywhere."""
    job = a_job(f"job_{next(_NUMBERS):026}", destinations=destinations, **facts)
    with api.store.write() as tx:
        jobs.add(tx, [job])
        events.append_first(tx, [job])
    return job


def tell(api: Api, job: Job, told: Told = Told.PROGRESS, **data: object) -> None:
    with api.store.write() as tx:
        events.append(tx, jobs.lock(tx, job.id), told, data)


def settle(api: Api, job: Job) -> None:
    with api.store.write() as tx:
        jobs.note(tx, job.id, {"state": State.FAILED, "settled_at": tx.now})
        error = {"message": "no", "code": None}
        events.append(tx, jobs.lock(tx, job.id), Told.STATE, {"state": State.FAILED, "error": error})


@contextmanager
def listening(api: Api, path: str, *, key: str | None = None, **how: Any) -> Iterator[Listener]:
    shown = {} if "token" in how else {"key": key or api.key()}
    listener = Listener(f"{api.url}/v1", path, **shown, **how)
    try:
        yield listener
    finally:
        listener.close()


def numbers(heard: list[Heard]) -> list[str | None]:
    return [one.id for one in heard if one.type != "end"]


def test_a_job_s_stream_tells_what_was_and_then_what_comes_until_it_is_over(api: Api) -> None:
    job = submit(api)
    tell(api, job, progress=10)
    with listening(api, f"/jobs/{job.id}/events") as listener:
        assert listener.headers["content-type"].startswith("text/event-stream")
        assert listener.headers["cache-control"] == "no-store"
        assert listener.headers["x-accel-buffering"] == "no"
        listener.count(2)
        tell(api, job, progress=20)
        listener.count(3)
        settle(api, job)
        heard = listener.end()
    assert [(one.id, one.type) for one in heard] == [
        ("1", "accepted"),
        ("2", "progress"),
        ("3", "progress"),
        ("4", "state"),
        (None, "end"),
    ]
    assert heard[2].data["data"] == {"progress": 20}
    assert heard[3].data["state"] == "failed"
    assert heard[3].data["data"]["error"]["message"] == "no"
    assert {one.data["job_id"] for one in heard[:4]} == {job.id}


def test_who_comes_back_to_a_job_that_is_over_is_told_the_rest_and_that_it_is_over(api: Api) -> None:
    job = submit(api)
    tell(api, job, progress=10)
    settle(api, job)
    with listening(api, f"/jobs/{job.id}/events", last="1") as listener:
        assert [(one.id, one.type) for one in listener.end()] == [
            ("2", "progress"),
            ("3", "state"),
            (None, "end"),
        ]
    with listening(api, f"/jobs/{job.id}/events", last_event_id="3") as listener:
        assert [one.type for one in listener.end()] == ["end"]


def test_a_tenant_s_stream_begins_now_or_at_the_start_and_goes_on_from_any_event(api: Api) -> None:
    one, other = submit(api, end_user="u"), submit(api)
    with listening(api, "/events") as now, listening(api, "/events", **{"from": "start"}) as start:
        begin = now.began().last_id
        assert len(start.count(2)) == 2
        tell(api, one, progress=1)
        tell(api, other, progress=2)
        assert [heard.data["seq"] for heard in now.count(2)] == [2, 2]
        everything = start.count(4)
        assert [(heard.type, heard.data["job_id"]) for heard in everything] == [
            ("accepted", one.id),
            ("accepted", other.id),
            ("progress", one.id),
            ("progress", other.id),
        ]
    for number, heard in enumerate(everything[:-1]):
        with listening(api, "/events", last=str(heard.id)) as listener:
            assert listener.count(3 - number) == everything[number + 1 :]
    with listening(api, "/events", last=begin) as listener:
        assert listener.count(2) == everything[2:], "who left before anything was told has missed it all"


def test_a_tenant_s_stream_can_be_narrowed_to_an_end_user_and_to_types(api: Api) -> None:
    mine, other = submit(api, end_user="u"), submit(api, end_user="v")
    with (
        listening(api, "/events", end_user="u") as user,
        listening(api, "/events", types=["cancel", "state"]) as types,
    ):
        user.began()
        types.began()
        tell(api, other, progress=1)
        tell(api, mine, progress=2)
        tell(api, mine, Told.CANCEL)
        assert [(one.type, one.data["job_id"]) for one in user.count(2)] == [
            ("progress", mine.id),
            ("cancel", mine.id),
        ]
        assert [one.type for one in types.count(1)] == ["cancel"]


def test_the_holder_of_a_token_is_told_nothing_of_where_else_results_go(api: Api) -> None:
    job = submit(api, end_user="u")
    tell(api, job, Told.HAND_OFF, destination="secret-bucket", state="done")
    tell(api, job, Told.NEEDS_PERSON)
    tell(api, job, Told.OUTPUT, index=0, mime_type="video/mp4", bytes=1, sha256="0")
    settle(api, job)
    for token in (api.token(job_id=job.id), api.token(end_user="u")):
        with listening(api, f"/jobs/{job.id}/events", token=token) as listener:
            assert numbers(listener.end()) == ["1", "4", "5"]
    with listening(api, "/events", token=api.token(end_user="u"), **{"from": "start"}) as listener:
        assert [one.type for one in listener.count(3)] == ["accepted", "output", "state"]


def test_nobody_is_told_of_what_is_another_s(api: Api) -> None:
    api.tenant("other")
    mine, stranger = submit(api, end_user="u"), api.key(tenant="other")
    path, nowhere = f"/jobs/{mine.id}/events", f"/jobs/{mine.id[:-1]}x/events"
    unknown = api.ask(nowhere, stranger).json()["detail"].replace(nowhere[6:-7], mine.id)
    foreign = api.ask(path, stranger)
    assert (foreign.status_code, foreign.json()["detail"]) == (404, unknown)
    other_job = submit(api, end_user="u")
    for token in (api.token(job_id=other_job.id), api.token(end_user="v")):
        assert api.client.get(path, params={"token": token}).status_code == 404
    with listening(api, "/events", key=stranger, **{"from": "start"}) as listener:
        listener.began()
        tell(api, mine, progress=1)
        theirs = submit_for(api, "other")
        assert [one.data["job_id"] for one in listener.count(1)] == [theirs]


def submit_for(api: Api, tenant: str) -> str:
    with api.store.write() as tx:
        tx.execute(schema.accounts.insert().values(id="theirs", tenant_id=tenant, name="a"))
    return submit(api, tenant_id=tenant, account_id="theirs").id


def test_tokens_follow_their_own_only(api: Api) -> None:
    job = submit(api, end_user="u")
    of_job, of_user = api.token(job_id=job.id), api.token(end_user="u")
    assert api.client.get("/events", params={"token": of_job}).status_code == 403
    assert api.client.get("/events", params={"token": of_user, "end_user": "v"}).status_code == 403


@pytest.mark.parametrize("garbage", ["x", "-1", "1.5", "9" * 40, "1\u00e4"])
def test_an_id_that_is_of_no_event_is_refused(api: Api, garbage: str) -> None:
    job, key = submit(api), api.key(Scope.READ)
    for path in (f"/jobs/{job.id}/events", "/events"):
        answer = api.ask(path, key, params={"last_event_id": garbage})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_number_that_a_job_has_not_come_to_is_refused_or_what_comes_would_be_taken_for_known(
    api: Api,
) -> None:
    job, key = submit(api), api.key()
    for path in (f"/jobs/{job.id}/events?token={api.token(job_id=job.id)}", f"/jobs/{job.id}/events"):
        answer = api.ask(path, None if "token" in path else key, headers={"Last-Event-ID": "2"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    with listening(api, f"/jobs/{job.id}/events", key=key, last_event_id="1") as listener:
        tell(api, job)
        assert numbers(listener.count(1)) == ["2"]


def test_an_id_of_another_stream_is_refused(api: Api) -> None:
    submit(api, end_user="u")
    key = api.key(Scope.READ)
    with listening(api, "/events", key=key) as listener:
        cursor = listener.began().last_id
    answer = api.ask("/events", key, params={"last_event_id": cursor, "end_user": "u"})
    assert answer.status_code == 422


def test_a_stream_ends_when_its_token_is_revoked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STILL_GOOD_EVERY", 0.05)
    monkeypatch.setattr(streams, "LOOK_EVERY", 0.05)
    job = submit(api, end_user="u")
    token = api.token(end_user="u")
    with (
        listening(api, f"/jobs/{job.id}/events", token=token) as one,
        listening(api, "/events", token=token) as every,
    ):
        one.count(1)
        every.began()
        granting.revoke_token(api.store, token.split("_")[1], "default")
        assert numbers(one.end()) == ["1"]
        assert every.end() == []


def test_a_stream_ends_when_its_job_is_purged(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "GONE_EVERY", 0.0)
    job = submit(api)
    with listening(api, f"/jobs/{job.id}/events") as listener:
        listener.count(1)
        with api.store.write() as tx:
            tx.execute(schema.jobs.delete().where(schema.jobs.c.id == job.id))
        assert numbers(listener.end()) == ["1"]


def test_all_streams_end_at_once_when_the_server_stops(api: Api) -> None:
    job = submit(api)
    with listening(api, f"/jobs/{job.id}/events") as one, listening(api, "/events") as every:
        one.count(1)
        every.began()
        api._server.should_exit = True
        assert (len(one.end()), every.end()) == (1, [])
        api._thread.join(LONG)
    assert not api._server.force_exit


def test_who_takes_more_slowly_than_events_come_misses_none(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "KEPT", 3)
    job = submit(api)
    with listening(api, f"/jobs/{job.id}/events") as one, listening(api, "/events") as every:
        one.count(1)
        every.began()
        with api.store.write() as tx:
            held = jobs.lock(tx, job.id)
            events.append_all(tx, [(held, Told.PROGRESS, {"progress": n}) for n in range(60)])
        assert numbers(one.count(61)) == [str(n) for n in range(1, 62)]
        assert [heard.data["seq"] for heard in every.count(60)] == list(range(2, 62))


def test_whenever_somebody_comes_while_events_are_told_they_hear_each_once_and_in_order(api: Api) -> None:
    job, key = submit(api), api.key()
    many = 150

    def go_on() -> None:
        for n in range(many):
            tell(api, job, progress=n)
        settle(api, job)

    writing = Thread(target=go_on)
    writing.start()
    followed: list[Listener] = []
    while writing.is_alive() and len(followed) < 60:
        followed.append(Listener(f"{api.url}/v1", f"/jobs/{job.id}/events", key=key))
    writing.join()
    for listener in followed:
        assert numbers(listener.end()) == [str(n) for n in range(1, many + 3)]
        listener.close()
    assert followed


def test_three_hundred_streams_are_each_told_of_their_own_job(api: Api) -> None:
    key, some = api.key(), [submit(api) for _ in range(300)]
    listeners = [Listener(f"{api.url}/v1", f"/jobs/{job.id}/events", key=key) for job in some]
    for listener in listeners:
        listener.count(1)
    with api.store.write() as tx:
        held = [jobs.lock(tx, job.id) for job in some]
        events.append_all(tx, [(job, Told.PROGRESS, {"progress": 50}) for job in held])
    for job, listener in zip(some, listeners, strict=True):
        assert [one.data["job_id"] for one in listener.count(2)] == [job.id, job.id]
        listener.close()


def test_who_takes_nothing_is_hung_up_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "TAKE_WITHIN", 0.2)
    job, key = submit(api), api.key()
    with api.store.write() as tx:
        held = jobs.lock(tx, job.id)
        events.append_all(tx, [(held, Told.PROGRESS, {"note": "x" * 4_000}) for _ in range(2_000)])
    with closing(api.connect()) as idle:
        head = f"GET /v1/jobs/{job.id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
        idle.sendall(head.encode())
        until("it is followed", lambda: api.door.hub.followers == 1, LONG)
        until("nobody follows any more", lambda: api.door.hub.followers == 0, LONG)


def test_a_long_past_is_sent_in_turns_with_all_else_that_is_to_be_done(api: Api) -> None:
    """A thousand streams that are told of two hundred jobs kept a process from answering for a minute."""
    many, job = 100, submit(api)
    with api.store.write() as tx:
        locked = jobs.lock(tx, job.id)
        events.append_all(tx, [(locked, Told.PROGRESS, {"progress": 1}) for _ in range(many)])

    async def sent() -> int:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        there = hub.Hub(api.store)
        door = Door(api.context, lambda _: None, api.door.guard, there, api.door.clock)
        following = streams.of_job(door, Caller("key", job.tenant_id, frozenset({Scope.READ})), job.id, 0)
        for _ in range(2):  # how long to wait before coming back, and the first event
            await anext(following)
        doing = asyncio.create_task(others())
        for _ in range(many):
            await anext(following)
        doing.cancel()
        await following.aclose()
        there.stop()
        door.close()
        return turns

    assert asyncio.run(sent()) >= many - 1


def test_an_event_is_written_once_for_all_who_follow_the_same(api: Api) -> None:
    job = submit(api)
    with api.store.read() as tx:
        (one,), (again,) = (events.of_job(tx, job.id, limit=1) for _ in range(2))
    assert streams.sent(one, "1") is streams.sent(one, "1")
    assert streams.sent(one, "1") == streams.sent(again, "1")
    assert streams.sent(one, "2") != streams.sent(one, "1")
