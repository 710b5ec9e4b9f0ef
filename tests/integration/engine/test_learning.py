"""What ends of jobs teach, from the gateway's answers to what is known, by a clock that the test tells."""

import logging
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import insert, update

from orchestrator.core.job import Updates
from orchestrator.core.learned.endings import Endings, read_endings
from orchestrator.core.learned.hooks import Health, Hooks, read_hooks
from orchestrator.core.learned.lessons import Lesson, LessonKind
from orchestrator.core.lifecycle import State
from orchestrator.engine import open_evidence, outage
from orchestrator.engine.housekeeping import keep_house
from orchestrator.engine.learning import learn
from orchestrator.engine.open_evidence import EVERY, count_open
from orchestrator.engine.pacing import Pacer
from orchestrator.engine.recalling import recall
from orchestrator.store import estimates, ledger, lessons, schema
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.ledger import Sums
from tests.integration.engine.harness import MODEL, Engine
from tests.sandbox.harness import Receiver, Sandbox

PROVIDER = "google-ai-studio"
CLASS, CHANNEL = f"{PROVIDER}|google/veo-3.1-lite|usual", f"default|{PROVIDER}"


def hooks_known(engine: Engine, channel: str = CHANNEL) -> Hooks:
    with engine.store.read() as tx:
        return read_hooks(estimates.get(tx, EstimateKind.HOOKS, channel))


def endings_known(engine: Engine, name: str = CLASS) -> Endings:
    with engine.store.read() as tx:
        return read_endings(estimates.get(tx, EstimateKind.ENDINGS, name))


def account(engine: Engine) -> Sums:
    with engine.store.read() as tx:
        return ledger.total(tx)


def lost(engine: Engine, hooks: Receiver) -> str:
    """A job whose webhook does not reach the engine, and whose end a look tells."""
    seen = len(hooks.of("video.completed"))
    job_id = engine.created()
    hooks.wait(seen + 1, "video.completed")
    assert engine.look_when_due(job_id).state is State.COMPLETED
    return job_id


def test_an_end_told_by_a_webhook_teaches_its_class_and_its_channel(hooked: Engine, hooks: Receiver) -> None:
    job_id = hooked.created()
    (hook,) = hooks.wait(1, "video.completed")
    hooked.later(30.0)
    hooked.receive(hook)
    learn(hooked.context)
    assert endings_known(hooked).ended == 1
    assert endings_known(hooked, f"{PROVIDER}|google/veo-3.1-lite|").ended == 1
    for channel in (CHANNEL, "default|*"):
        assert (hooks_known(hooked, channel).came, hooks_known(hooked, channel).missed) == (1, 0)
    counted = account(hooked)
    assert (counted.jobs, counted.looks, counted.awaited, counted.rescued) == (1, 0, 1, 0)
    assert 0.9 < counted.guidance_looks < 2.1, "it ended within thirty seconds, and the hint is twenty"
    assert not hooked.job(job_id).hook_missed


def test_a_webhook_that_does_not_come_counts_as_missed_until_it_does(hooked: Engine, hooks: Receiver) -> None:
    job_id = lost(hooked, hooks)
    learn(hooked.context)
    assert hooks_known(hooked).judged == 0, "it may still come"
    hooked.later(10.0)
    learn(hooked.context)
    assert hooks_known(hooked).missed == 1
    assert hooked.job(job_id).hook_missed
    counted = account(hooked)
    assert (counted.looks, counted.rescued) == (1, 1)
    hooked.receive(hooks.of("video.completed")[0])
    learn(hooked.context)
    assert (hooks_known(hooked).came, hooks_known(hooked).missed) == (1, 0)


def test_a_webhook_that_met_nobody_is_not_missed(hooked: Engine, hooks: Receiver) -> None:
    with hooked.store.write() as tx:
        outage.sign_of_life(tx)
    hooked.later(10.0)
    job_id = lost(hooked, hooks)
    hooked.later(20.0)
    with hooked.store.write() as tx:
        outage.sign_of_life(tx)
    learn(hooked.context)
    assert hooks_known(hooked).judged == 0
    assert not hooked.job(job_id).hook_missed
    assert account(hooked).rescued == 1, "a look told it all the same"


def test_a_webhook_that_came_after_our_look_came(hooked: Engine, hooks: Receiver) -> None:
    lost(hooked, hooks)
    hooked.later(2.0)
    hooked.receive(hooks.of("video.completed")[0])
    hooked.later(10.0)
    learn(hooked.context)
    assert (hooks_known(hooked).came, hooks_known(hooked).missed) == (1, 0)
    assert hooks_known(hooked).delays.ended == 0, "our look may have caused it"


def test_eight_missed_in_a_row_are_silence(
    hooked: Engine, hooks: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(8):
        lost(hooked, hooks)
    hooked.later(10.0)
    with caplog.at_level(logging.WARNING):
        learn(hooked.context)
    assert hooks_known(hooked, "default|*").health is Health.SILENT
    changed = [record.facts for record in caplog.records if record.message == "hooks_changed"]  # type: ignore[attr-defined]
    assert {one["channel"] for one in changed} == {CHANNEL, "default|*"}
    with hooked.store.read() as tx:
        assert estimates.names(tx, EstimateKind.RECALLS) == ["default|*"]


def test_webhooks_of_one_provider_may_be_silent_while_those_of_others_come(
    hooked: Engine, hooks: Receiver
) -> None:
    with hooked.store.write() as tx:
        for channel, latest in (("default|*", "1"), (CHANNEL, "0")):
            known = Hooks(came=200.0, recent=latest * 31, health=Health.HEALTHY)
            estimates.lock(tx, EstimateKind.HOOKS, channel)
            estimates.write(tx, EstimateKind.HOOKS, channel, known.as_json())
    lost(hooked, hooks)
    hooked.later(10.0)
    learn(hooked.context)
    assert hooks_known(hooked, "default|*").health is Health.HEALTHY
    assert hooks_known(hooked).health is Health.SILENT
    with hooked.store.read() as tx:
        assert estimates.names(tx, EstimateKind.RECALLS) == [CHANNEL]


def test_a_model_has_one_page_of_the_ledger_whoever_told_the_ends(
    hooked: Engine, hooks: Receiver, sandbox: Sandbox
) -> None:
    hooked.created()
    (hook,) = hooks.wait(1, "video.completed")
    hooked.receive(hook)
    running = hooked.created(duration=600)
    assert hooked.look_when_due(running).model != MODEL, "as the provider calls it"
    gateway_id = hooked.job(running).gateway_id
    sandbox.control.post(f"/jobs/{gateway_id}/end", json={"status": "completed"}).raise_for_status()
    assert hooked.look_when_due(running).state is State.COMPLETED
    hooked.later(10.0)
    learn(hooked.context)
    with hooked.store.read() as tx:
        pages = ledger.read(tx, since_day=0)
    assert {model for _, model, _ in pages} == {MODEL}
    assert sum(one.jobs for one in pages.values()) == 2


def test_jobs_that_no_webhook_tells_of_count_without(engine: Engine) -> None:
    job_id = engine.created(updates=Updates.POLL)
    engine.look_when_due(job_id)
    learn(engine.context)
    counted = account(engine)
    assert (counted.jobs, counted.looks, counted.awaited, counted.rescued) == (1, 1, 0, 0)
    assert counted.guidance_looks == pytest.approx(1.0)
    assert hooks_known(engine).judged == 0


def test_a_lesson_that_nobody_can_read_costs_the_others_nothing(engine: Engine) -> None:
    job_id = engine.created()
    with engine.store.write() as tx:
        for data in (
            {},
            {"class": 7},
            {"class": "a|b|c", "channel": None},
            {"channel": "default|x", "came": True},
        ):
            for kind in LessonKind:
                tx.execute(insert(schema.lessons).values(kind=kind, due_at=tx.now, data=data))
    engine.look_when_due(job_id)
    learn(engine.context)
    assert endings_known(engine).ended == 1
    with engine.store.read() as tx:
        assert not lessons.any_due(tx)


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [
        ("endings", CLASS, {"cohorts": [{"since": 1.0}]}),
        ("endings", CLASS, ["rubbish"]),
        ("hooks", "default|*", {"delays": [], "evidence": {}, "health": "splendid"}),
        ("hooks", CHANNEL, {"delays": [], "evidence": {}, "health": "healthy", "newer": 1}),
        ("lists", CHANNEL, {"fresh": "much"}),
        ("open", "", {"classes": 5}),
        ("newer", CHANNEL, {}),
    ],
)
def test_a_row_that_cannot_be_read_stops_nobody_from_learning(
    hooked: Engine, hooks: Receiver, kind: str, name: str, data: object
) -> None:
    with hooked.store.write() as tx:
        row = {"kind": kind, "name": name, "data": data, "changed_at": tx.now}
        tx.execute(insert(schema.estimates).values(row))
        listed = {"account": "default", "provider": PROVIDER, "fresh": 1, "stale": 0}
        lessons.note(tx, None, [Lesson(LessonKind.LISTING, 0.0, listed)])
    hooked.created()
    (hook,) = hooks.wait(1, "video.completed")
    hooked.later(30.0)
    hooked.receive(hook)
    learn(hooked.context)
    assert (endings_known(hooked).ended, hooks_known(hooked).came) == (1.0, 1.0)
    count_open(hooked.context)
    recall(hooked.context)
    Pacer(hooked.context).refresh()


def ends(engine: Engine, count: int, age: float) -> None:
    """So many jobs begin one after the other, and end at an age."""
    with engine.store.write() as tx:
        for _ in range(count):
            engine.now += 1
            data = {"class": CLASS, "channel": None, "began_at": engine.now, "low": age - 1, "high": age}
            row = {"kind": LessonKind.ENDED, "due_at": tx.now, "data": data}
            tx.execute(insert(schema.lessons).values(row))
    learn(engine.context)


def test_jobs_that_end_at_other_ages_make_the_earlier_ones_forgotten(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    ends(engine, 150, 60.0)
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            ends(engine, 8, 180.0)
            engine.now += EVERY
            count_open(engine.context)
    assert "endings_changed" in [record.message for record in caplog.records]
    assert endings_known(engine).ended < 100


def test_quick_ones_are_no_change_while_slow_ones_that_began_with_them_may_run(engine: Engine) -> None:
    ends(engine, 150, 60.0)
    ends(engine, 48, 20.0)
    assert endings_known(engine).ended == 198


def test_open_jobs_are_counted_while_they_are_open(engine: Engine) -> None:
    engine.look_when_due(engine.created())
    learn(engine.context)
    job_id = engine.created(duration=3_600)
    engine.look_when_due(job_id)
    count_open(engine.context)
    (cohort,) = endings_known(engine).cohorts
    assert cohort.still_open.total == 1
    with engine.store.write() as tx:
        tx.execute(update(schema.jobs).where(schema.jobs.c.id == job_id).values(state=State.COMPLETED))
    count_open(engine.context)
    assert endings_known(engine).cohorts[0].still_open.total == 1, "they were counted just now"
    engine.later(EVERY)
    count_open(engine.context)
    assert endings_known(engine).cohorts[0].still_open.total == 0


def test_no_transaction_counts_more_than_a_few_classes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_evidence, "AT_A_TIME", 2)
    with engine.store.write() as tx:
        for number in range(5):
            data = {"class": f"a|b{number}|c", "channel": None, "began_at": tx.now, "low": 9.0, "high": 10.0}
            row = {"kind": LessonKind.ENDED, "due_at": tx.now, "data": data}
            tx.execute(insert(schema.lessons).values(row))
    learn(engine.context)
    held: Counter[int] = Counter()
    lock = estimates.lock

    def counted(tx: Transaction, kind: EstimateKind, name: str) -> dict[str, Any]:
        held[id(tx)] += 1
        transactions.append(tx)
        return lock(tx, kind, name)

    transactions: list[Transaction] = []
    monkeypatch.setattr(estimates, "lock", counted)
    count_open(engine.context)
    assert sum(held.values()) == 10, "the five and those of all sizes"
    assert max(held.values()) == 2


def test_what_nothing_was_learned_about_for_long_is_forgotten(engine: Engine) -> None:
    engine.look_when_due(engine.created())
    learn(engine.context)
    engine.later(59 * 86_400)
    keep_house(engine.context)
    assert endings_known(engine).ended == 1
    engine.later(2 * 86_400)
    keep_house(engine.context)
    assert endings_known(engine).ended == 0
