"""Drift is counted in memory and kept now and then; what the sandbox says is as the contract has it."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.drift import OTHERS, Drift, DriftKind, Place, Seen
from orchestrator.core.lifecycle import State
from orchestrator.engine.drifting import MOST, Drifts
from orchestrator.errors import StoreError
from orchestrator.store import drift
from orchestrator.store.database import Store
from orchestrator.store.drift import Known
from tests.integration.engine.harness import Engine
from tests.sandbox.harness import Receiver

STATUS = Seen(Drift(DriftKind.STATUS, Place.LOOK, "rendering"))


def kept(engine: Engine) -> list[Known]:
    engine.context.drifts.keep(engine.store)
    with engine.store.read() as tx:
        return drift.every(tx)


def test_a_gateway_that_keeps_its_contract_leaves_nothing(hooked: Engine, hooks: Receiver) -> None:
    hooked.created(create_error="upstream_429", create_error_times=1)
    for job_id in (
        hooked.created(),
        hooked.created(outcome="failed", provider="openai", error="object"),
        hooked.created({"sample_count": 2}),
        hooked.created(create_error="text_500_after"),
        hooked.created(get_502=1),
    ):
        if hooked.job(job_id).due_at is not None:  # no look at another one told its end too
            hooked.look_when_due(job_id)
    for hook in hooks.wait(3, "video.completed"):
        hooked.receive(hook)
    hooked.hand_off_all()
    assert kept(hooked) == []


def test_what_is_new_in_answers_is_counted_and_harms_nothing(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = engine.created(outcome="never", status_word="rendering", poll_after_seconds=15, retry_after=16)
    caplog.set_level(logging.WARNING)
    for _ in range(4):
        engine.look_when_due(job_id)
    assert engine.job(job_id).state is State.WAITING
    assert engine.job(job_id).look_errors == 0
    found = {(one.kind, one.name): one for one in kept(engine)}
    assert set(found) == {
        (DriftKind.STATUS, "rendering"),
        (DriftKind.HINT, "poll_after_seconds"),
        (DriftKind.HEADER, "retry-after"),
    }
    hint = found[DriftKind.HINT, "poll_after_seconds"]
    assert (hint.times, hint.sample, hint.place) == (4, "15", Place.LOOK)
    assert hint.request_id == engine.job(job_id).gateway_id
    told = [one for one in caplog.records if one.message == "drift_seen"]
    assert len(told) == 3
    engine.context.drifts.see([STATUS], None)
    kept(engine)
    assert len([one for one in caplog.records if one.message == "drift_seen"]) == 3, "no news"


def test_only_webhooks_that_are_believed_count(hooked: Engine, hooks: Receiver) -> None:
    hooked.created()
    (hook,) = hooks.wait(1, "video.completed")
    strange = {**hook.headers, "x-phaseo-region": "eu"}
    forged = {name: "0" * 64 if name.endswith("signature") else value for name, value in strange.items()}
    hooked.receive(replace(hook, headers=forged))
    assert kept(hooked) == []
    hooked.receive(replace(hook, headers=strange))
    assert "x-phaseo-region" in {one.name for one in kept(hooked)}


def test_many_names_are_bounded_before_they_reach_the_database() -> None:
    drifts = Drifts()
    drifts.see([Seen(Drift(DriftKind.FIELD, Place.LOOK, f"f{number}")) for number in range(MOST + 50)], None)
    assert len(drifts._folded) == MOST + 1
    assert drifts._folded[Drift(DriftKind.FIELD, Place.LOOK, OTHERS)].times == 50


def test_what_could_not_be_kept_is_kept_the_next_time(engine: Engine, tmp_path: Path) -> None:
    away = Store(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")
    drifts = engine.context.drifts
    drifts.see([STATUS], "G-1")
    with pytest.raises(StoreError):
        drifts.keep(away)
    drifts.keep_the_last(away)
    drifts.see([STATUS], None)
    (one,) = kept(engine)
    assert (one.times, one.request_id) == (2, "G-1")
    away.close()
