"""Every kind of delivery has a defined answer, and a 2xx says that it is committed."""

import sqlite3
import threading
from typing import Any

import pytest

from orchestrator import fault_points
from orchestrator.core.job import Observation, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.observe import observe
from orchestrator.engine.sweep import sweep
from orchestrator.fault_points import FaultPoint
from orchestrator.store import jobs
from orchestrator.store.database import sqlite_path
from orchestrator.store.inbox import EntryState
from tests.integration.receiver.door import EXAMPLES, GATEWAY_ID, OTHER_SECRET, Door, example
from tests.sandbox.harness import until


def about(name: str, **data: Any) -> dict[str, Any]:
    """One of the gateway's payloads with some of its data changed."""
    payload = example(name)
    payload["data"] |= data
    return payload


def test_a_completed_webhook_completes_its_job_and_owes_its_output(door: Door) -> None:
    door.knows()
    answer = door.post(example("video.completed"))
    assert (answer.status_code, answer.json()) == (200, {"status": "applied"})
    assert door.job().state is State.COMPLETED
    assert [one.key for one in door.engine.owed("job_1")] == ["job_1/0/folder"]
    assert until(lambda: door.sent) == [FollowUp(Task.HAND_OFF)]  # once the gateway has its answer


@pytest.mark.parametrize("name", [one["example"] for one in EXAMPLES["examples"]])
def test_every_delivery_of_the_gateways_is_taken(door: Door, name: str) -> None:
    door.knows()
    assert door.post(example(name)).status_code == 200
    ends = {"video.completed", "video.failed", "video.cancelled", "video.expired"}
    kind = name.split(maxsplit=1)[0]
    wanted = kind.removeprefix("video.") if kind in ends else "waiting"
    assert door.job().state == wanted
    (entry,) = door.inbox
    assert (entry.state, entry.job_id, entry.type) == (EntryState.APPLIED, "job_1", kind)


def test_a_2xx_says_that_everything_is_committed(door: Door) -> None:
    door.knows()
    path = sqlite_path(door.engine.store.url)
    assert path is not None
    other = sqlite3.connect(path)
    assert door.post(example("video.completed")).status_code == 200
    assert other.execute("SELECT state FROM jobs").fetchall() == [("completed",)]
    assert other.execute("SELECT count(*) FROM inbox").fetchone() == (1,)
    assert other.execute("SELECT destination FROM hand_offs").fetchall() == [("archive",), ("folder",)]
    other.close()


def test_nothing_is_acknowledged_before_the_commit(door: Door) -> None:
    door.knows()
    seen: list[str] = []
    path = sqlite_path(door.engine.store.url)

    def look(point: FaultPoint) -> None:
        other = sqlite3.connect(str(path))
        seen.append(other.execute("SELECT state FROM jobs").fetchone()[0])
        other.close()
        if point is FaultPoint.RECEIVE_APPLIED:
            raise RuntimeError("died")

    fault_points.arm(FaultPoint.RECEIVE_APPLIED, look)
    assert door.post(example("video.completed")).status_code == 500
    assert (door.inbox, door.job().state, door.sent) == ([], State.WAITING, [])
    fault_points.arm(FaultPoint.RECEIVE_COMMITTED, look)
    assert door.post(example("video.completed")).status_code == 200
    assert seen == ["waiting", "completed"]


def test_a_webhook_for_a_job_nobody_knows_is_remembered_never_dropped(door: Door) -> None:
    answer = door.post(example("video.completed"))
    assert (answer.status_code, answer.json()) == (202, {"status": "waiting"})
    (entry,) = door.inbox
    assert (entry.state, entry.gateway_id, entry.job_id) == (EntryState.WAITING, GATEWAY_ID, None)


def test_an_early_webhook_is_applied_once_the_create_call_tells_the_id(door: Door) -> None:
    door.knows(gateway_id=None, state=State.CREATING)
    assert door.post(example("video.completed")).status_code == 202
    created = Observation(Source.CREATE, Seen.OPEN, gateway_id=GATEWAY_ID, attempt_id="job_1.1")
    with door.engine.store.write() as tx:
        follow_ups = observe(door.context, tx, "job_1", created)
    assert door.job().state is State.COMPLETED
    assert FollowUp(Task.HAND_OFF) in follow_ups
    assert door.inbox[0].state is EntryState.APPLIED
    assert [one.note for one in door.engine.timeline("job_1")] == [None, "it had come in early"]


def test_early_webhooks_that_name_no_session_are_applied_once_each(door: Door) -> None:
    """Webhooks of the first generation know only the gateway's id."""
    door.knows(gateway_id=None, state=State.CREATING)
    for name in ("video.created", "video.processing", "video.progress", "video.completed"):
        early = about("video.created", session_id=None) | {"type": name, "id": f"evt_{name}"}
        assert door.post(early).status_code == 202
    created = Observation(Source.CREATE, Seen.OPEN, gateway_id=GATEWAY_ID, attempt_id="job_1.1")
    with door.engine.store.write() as tx:
        observe(door.context, tx, "job_1", created)
    assert door.job().webhooks == 4
    assert [entry.state for entry in door.inbox] == [EntryState.APPLIED] * 4
    assert {entry.job_id for entry in door.inbox} == {"job_1"}
    told = [one.inbox_id for one in door.engine.timeline("job_1") if one.source is Source.WEBHOOK]
    assert len(told) == len(set(told))


def test_an_early_webhook_delivered_again_while_its_job_becomes_known_is_applied_once(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.knows(gateway_id=None, state=State.CREATING)
    early = about("video.created", session_id=None)
    assert door.post(early).status_code == 202
    created = Observation(Source.CREATE, Seen.OPEN, gateway_id=GATEWAY_ID, attempt_id="job_1.1")
    with door.engine.store.write() as tx:
        observe(door.context, tx, "job_1", created)
    with monkeypatch.context() as before:  # it read before that was committed
        before.setattr(jobs, "lock_by_gateway_id", lambda *_: None)
        before.setattr(jobs, "hold_free_of_gateway", lambda *_: {})
        assert door.post(early).status_code == 202
    sweep(door.context)
    assert door.inbox[0].state is EntryState.APPLIED
    assert [one.source for one in door.engine.timeline("job_1")] == [Source.CREATE, Source.WEBHOOK]


def test_an_early_webhook_that_carries_the_session_is_applied_at_once(door: Door) -> None:
    door.knows(gateway_id=None, state=State.UNCERTAIN)
    assert door.post(about("video.created", session_id="job_1.1")).status_code == 200
    assert (door.job().state, door.job().gateway_id) == (State.WAITING, GATEWAY_ID)


def test_a_webhook_of_an_earlier_attempt_finds_its_job(door: Door) -> None:
    door.knows(gateway_id=None, state=State.UNCERTAIN, session_id="job_1.2", attempts=2)
    assert door.post(about("video.created", session_id="job_1.1")).status_code == 200
    assert (door.job().state, door.job().gateway_id) == (State.WAITING, GATEWAY_ID)


def test_a_repeated_event_is_kept_once_and_counted(door: Door) -> None:
    door.knows()
    for _ in range(3):
        assert door.post(example("video.completed")).status_code == 200
    rebuilt = example("video.completed (attempt 2")
    assert door.post(rebuilt).status_code == 200
    (entry,) = door.inbox
    assert entry.deliveries == 4
    assert b'"attempt": 2' in entry.body
    assert [one.verdict for one in door.engine.timeline("job_1")] == [Verdict.MOVED]
    assert len(door.engine.owed("job_1")) == 1
    assert door.job().webhooks == 4


def test_deliveries_at_the_same_moment_have_one_effect(door: Door) -> None:
    door.knows()
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(door.post(example("video.completed")).status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8
    assert len(door.engine.owed("job_1")) == 1
    assert len(door.engine.timeline("job_1")) == 1


def test_events_out_of_order_end_as_they_should(door: Door) -> None:
    door.knows()
    for name in ("video.completed", "video.progress", "video.status_changed", "video.created"):
        assert door.post(example(name)).status_code == 200
    assert door.job().state is State.COMPLETED
    assert door.job().clashes == 0
    assert [one.verdict for one in door.engine.timeline("job_1")] == ["moved", "late", "late", "late"]


def test_what_contradicts_a_settled_job_is_taken_and_shown_as_a_clash(door: Door) -> None:
    door.knows()
    door.post(example("video.completed"))
    assert door.post(example("video.failed")).status_code == 200
    assert (door.job().state, door.job().clashes) == (State.COMPLETED, 1)
    assert door.engine.timeline("job_1")[-1].verdict is Verdict.CLASH


def test_a_hook_moves_only_jobs_of_the_account_whose_secret_signed_it(door: Door) -> None:
    door.knows()
    answer = door.post(example("video.completed"), account="other", secret=OTHER_SECRET)
    assert answer.status_code == 202
    assert door.job().state is State.WAITING
    assert door.post(example("video.completed"), account="other").status_code == 401
    assert door.post(example("video.completed"), secret=OTHER_SECRET).status_code == 401
    assert door.job().state is State.WAITING


def test_the_older_headers_and_a_payload_without_an_id_are_taken(door: Door) -> None:
    door.knows()
    payload = example("video.completed")
    del payload["id"], payload["delivery"]
    for _ in range(2):
        assert door.post(payload, family="x-ai-stats").status_code == 200
    (entry,) = door.inbox
    assert (entry.event_key, entry.deliveries) == (f"{GATEWAY_ID}:video.completed", 2)
    assert door.job().state is State.COMPLETED


@pytest.mark.parametrize("kind", ["batch.completed", "music.completed", "completed", ""])
def test_what_is_not_about_a_video_is_remembered_and_ignored(door: Door, kind: str) -> None:
    door.knows()
    answer = door.post(example("video.completed") | {"type": kind})
    assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    assert door.inbox[0].state is EntryState.IGNORED
    assert door.job().state is State.WAITING


def test_a_type_nobody_knows_is_read_by_its_data(door: Door) -> None:
    door.knows()
    assert door.post(about("video.completed") | {"type": "video.remixed"}).status_code == 200
    assert door.job().state is State.COMPLETED


def test_header_names_may_be_of_any_case(door: Door) -> None:
    door.knows()
    delivery = door.delivery(example("video.completed"))
    headers = {name.title(): value for name, value in delivery.headers.items()}
    answer = door.http.post("/webhooks/gateway/default/", content=delivery.body, headers=headers)
    assert answer.status_code == 200


def test_a_database_that_is_away_is_a_503_and_nothing_is_acknowledged(door: Door) -> None:
    door.knows()
    with door.engine.store.write() as tx:
        tx.connection.exec_driver_sql("ALTER TABLE inbox RENAME TO elsewhere")
    answer = door.post(example("video.completed"))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert door.sent == []
    with door.engine.store.write() as tx:
        tx.connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO inbox")
    assert door.job().state is State.WAITING
    assert door.post(example("video.completed")).status_code == 200
