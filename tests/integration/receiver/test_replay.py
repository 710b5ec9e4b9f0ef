"""A person sends a received webhook through the machine again; belief is judged as of its receipt."""

import json

import pytest
from pydantic import SecretStr

from orchestrator.core.lifecycle import State, Verdict
from orchestrator.engine.replay import replay, replay_rejected
from orchestrator.engine.take import Fate
from orchestrator.errors import NotAllowed, NotFound, RequestError
from orchestrator.store.inbox import EntryState
from tests.integration.receiver.door import SECRET, Door, example


def rotate_in(door: Door, *secrets: str) -> None:
    door.context.webhook_secrets = {"default": tuple(SecretStr(one) for one in (SECRET, *secrets))}


def test_an_entry_whose_job_is_known_by_now_is_applied(door: Door) -> None:
    door.post(example("video.completed"))
    door.knows()
    receipt = replay(door.context, door.inbox[0].id)
    assert receipt.fate is Fate.APPLIED
    assert door.job().state is State.COMPLETED
    assert door.inbox[0].state is EntryState.APPLIED
    assert len(receipt.follow_ups) == 1


def test_an_entry_applied_again_changes_nothing(door: Door) -> None:
    door.knows()
    door.post(example("video.completed"))
    before = door.engine.timeline("job_1"), door.engine.owed("job_1")
    receipt = replay(door.context, door.inbox[0].id)
    assert receipt.follow_ups == ()
    assert (door.engine.timeline("job_1"), door.engine.owed("job_1")) == before
    assert before[0][0].verdict is Verdict.MOVED


def test_there_must_be_such_an_entry(door: Door) -> None:
    with pytest.raises(NotFound):
        replay(door.context, 7)
    with pytest.raises(NotFound):
        replay_rejected(door.context, 7)


def test_a_delivery_signed_with_a_secret_that_came_later_is_believed_as_of_its_receipt(door: Door) -> None:
    door.knows()
    assert door.post(example("video.completed"), secret="whsec_new").status_code == 401
    rejection = door.ring[0].id
    with pytest.raises(NotAllowed, match="forged"):
        replay_rejected(door.context, rejection)
    rotate_in(door, "whsec_new")
    door.engine.later(86_400)
    assert replay_rejected(door.context, rejection).fate is Fate.APPLIED
    assert door.job().state is State.COMPLETED
    assert door.ring == []
    assert len(door.inbox) == 1


def test_a_delivery_that_was_old_when_it_came_stays_refused(door: Door) -> None:
    door.knows()
    door.post(example("video.completed"), at=door.engine.now - 4_000)
    with pytest.raises(NotAllowed, match="stale"):
        replay_rejected(door.context, door.ring[0].id)
    assert door.job().state is State.WAITING
    assert len(door.ring) == 1


def test_a_delivery_that_was_not_kept_whole_cannot_be_believed_again(door: Door) -> None:
    payload = example("video.completed") | {"padding": "x" * 10_000}
    door.post(payload, secret="whsec_new")
    rotate_in(door, "whsec_new")
    with pytest.raises(NotAllowed, match="only the beginning"):
        replay_rejected(door.context, door.ring[0].id)


def test_a_body_that_could_not_be_read_still_cannot_and_stays_in_the_ring(door: Door) -> None:
    door.post(json.dumps({"data": {}}).encode())
    with pytest.raises(RequestError, match="names no job"):
        replay_rejected(door.context, door.ring[0].id)
    assert len(door.ring) == 1
