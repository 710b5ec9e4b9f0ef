"""What waits for the archive, what comes of it, and what is purged, on both databases."""

from typing import Any

import pytest
from sqlalchemy import select

from orchestrator.core.job import HandOffKind, HandOffState, OutputSeen, Owed
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.core.routes import ARCHIVE, Outcome, Route
from orchestrator.store import (
    archived,
    attempts,
    dead_letters,
    destinations,
    hand_offs,
    outputs,
    retention,
    schema,
)
from orchestrator.store.attempts import Result
from orchestrator.store.database import Store
from orchestrator.store.dead_letters import Matching
from tests.integration.store.rows import START, Clock, a_job, join, keep, owe, owe_outcome

OWED, DONE, DEAD, MISSING = (
    HandOffState.OWED,
    HandOffState.DONE,
    HandOffState.DEAD,
    HandOffState.MISSING,
)
SHA = "ab" * 32


def begin(store: Store, *indexes: int, job_id: str = "job_1") -> None:
    """A completed job whose outputs are owed to the archive and wait for it."""
    keep(
        store,
        a_job(
            job_id,
            State.COMPLETED,
            settled_at=START,
            due_at=None,
            destinations=(Route("folder"), Route("hook")),
        ),
    )
    owe(store, *indexes, job_id=job_id, to=ARCHIVE)
    owe(store, *indexes, job_id=job_id, due_at=None)
    with store.write() as tx:
        outputs.learn_all(tx, [(job_id, OutputSeen(index)) for index in indexes])
        told = Owed(
            f"{job_id}/completed/hook", job_id, HandOffKind.OUTCOME, "hook", None, outcome="completed"
        )
        hand_offs.owe(tx, [told])


def end(store: Store, key: str, state: HandOffState, **more: object) -> None:
    with store.write() as tx:
        found = {one.key: one for one in hand_offs.of_job(tx, key.partition("/")[0])}[key]
        changes = {"state": state, "due_at": None, **more}
        tx.execute(schema.hand_offs.update().where(schema.hand_offs.c.id == found.id).values(**changes))


def standing(store: Store, job_id: str = "job_1") -> dict[str, tuple[HandOffState, float | None]]:
    with store.read() as tx:
        return {
            one.key.removeprefix("job_1/"): (one.state, one.due_at) for one in hand_offs.of_job(tx, job_id)
        }


def test_nothing_that_waits_for_the_archive_is_claimed(store: Store) -> None:
    begin(store, 0)
    join(store, "w")
    with store.write() as tx:
        first = hand_offs.claim_due(tx, worker="w", lease=60)
        assert first is not None
        assert first.kind is HandOffKind.ARCHIVE
        assert hand_offs.claim_due(tx, worker="w", lease=60) is None


def test_what_waited_for_an_output_is_due_once_the_archive_has_it(store: Store) -> None:
    begin(store, 0, 1)
    end(store, "job_1/0/archive", DONE)
    with store.write() as tx:
        assert hand_offs.release(tx, "job_1", 0) == 1
        assert hand_offs.release(tx, "job_1", 0) == 0
        assert hand_offs.announce_outputs(tx, "job_1", news=True) == []
    assert standing(store)["0/folder"] == (OWED, START)
    assert standing(store)["1/folder"] == (OWED, None)
    assert standing(store)["completed/hook"] == (OWED, None)


def test_who_wants_links_is_told_when_nothing_is_on_its_way_any_more(store: Store) -> None:
    begin(store, 0, 1)
    end(store, "job_1/0/archive", DONE)
    end(store, "job_1/1/archive", DEAD)
    with store.write() as tx:
        assert hand_offs.announce_outputs(tx, "job_1", news=False) == []
    assert standing(store)["completed/hook"] == (OWED, START)


def test_who_wants_links_is_told_of_nothing_where_there_is_nothing(store: Store) -> None:
    begin(store, 0)
    end(store, "job_1/0/archive", MISSING)
    with store.write() as tx:
        (ended,) = hand_offs.announce_outputs(tx, "job_1", news=False)
    assert (ended.key, ended.state) == ("job_1/completed/hook", MISSING)
    assert standing(store)["completed/hook"] == (MISSING, None)


def test_an_output_that_is_given_up_is_waited_for_by_nobody_and_wanted_again_when_it_comes(
    store: Store,
) -> None:
    begin(store, 0)
    with store.write() as tx:
        assert len(hand_offs.give_up(tx, "job_1", 0, "there is none")) == 1
    assert standing(store)["0/folder"] == (MISSING, None)
    with store.write() as tx:
        assert not hand_offs.refetch(tx, "job_1", 0), "it is under way"
    end(store, "job_1/0/archive", DEAD)
    with store.write() as tx:
        assert hand_offs.refetch(tx, "job_1", 0)
        assert hand_offs.release(tx, "job_1", 0) == 1
    assert standing(store)["0/folder"] == (OWED, START)


def test_each_lane_has_its_turn_and_one_that_is_shut_hides_no_other(store: Store) -> None:
    keep(store, a_job(state=State.COMPLETED, destinations=(Route("away"), Route("folder"))))
    join(store, "w")
    owe(store, *range(5), to="away")
    owe(store, 0)
    with store.write() as tx:
        claimed = hand_offs.claim_due(tx, worker="w", lease=60, without=["away"])
        assert claimed is not None
        assert claimed.destination == "folder"
        assert hand_offs.due_moments(tx, until=START, limit=9, without=["away"]) == []
        assert hand_offs.due_since(tx, without=["away"]) is None
        assert hand_offs.due_since(tx) == START


# the archive's rows


def test_content_is_kept_as_long_as_an_output_is_of_it_or_somebody_wants_it(
    store: Store, clock: Clock
) -> None:
    begin(store, 0)
    with store.write() as tx:
        archived.want(tx, SHA, 7)
        archived.want(tx, SHA, 7)
        assert archived.confirm(tx, SHA)
        outputs.note(tx, "job_1", 0, {"sha256": SHA, "bytes": 7, "archived_at": tx.now})
    clock.now += 2 * archived.IN_USE
    with store.write() as tx:
        assert archived.unused(tx, limit=9) == []
        assert not archived.take_out(tx, SHA)
        outputs.note(tx, "job_1", 0, {"archived_at": None})
        assert archived.unused(tx, limit=9) == [SHA]
        archived.want(tx, SHA, 7)
        assert archived.unused(tx, limit=9) == []
        assert not archived.take_out(tx, SHA)
    clock.now += 2 * archived.IN_USE
    with store.write() as tx:
        assert archived.take_out(tx, SHA)
        assert not archived.take_out(tx, SHA)
        assert not archived.confirm(tx, SHA)
        assert not archived.forget(tx, SHA)


def test_purging_takes_what_is_old_and_ended_so_and_owed_nothing(store: Store, clock: Clock) -> None:
    begin(store, 0)
    with store.write() as tx:
        outputs.note(tx, "job_1", 0, {"sha256": SHA, "bytes": 7, "archived_at": START})
    clock.now += 100
    old: dict[str, Any] = {"before": START + 50, "states": SETTLED}
    with store.write() as tx:
        assert retention.count_outputs(tx, **old).count == 0, "something is owed"
        tx.execute(schema.hand_offs.update().values(state=DONE, due_at=None))
        assert retention.count_outputs(tx, before=START, states=SETTLED).count == 0
        assert retention.count_outputs(tx, before=START + 50, states=[State.FAILED]).count == 0
        found = retention.count_outputs(tx, **old)
        assert (found.count, found.bytes) == (1, 7)
        assert retention.purge_outputs(tx, **old) == 1
        assert retention.purge_outputs(tx, **old) == 0
        assert retention.count_jobs(tx, **old).count == 1
        assert retention.purge_jobs(tx, **old) == 1
        assert not tx.execute(select(schema.hand_offs)).all()
        assert not tx.execute(select(schema.outputs)).all()


def test_jobs_that_have_not_ended_are_never_purged(store: Store) -> None:
    keep(store, a_job(state=State.WAITING))
    with store.write() as tx:
        assert retention.purge_jobs(tx, before=START + 1e6, states=list(State)) == 0


# dead letters and attempts


def test_dead_letters_are_found_by_what_they_were_and_what_was_answered(store: Store, clock: Clock) -> None:
    keep(store, a_job(state=State.FAILED, destinations=(Route("folder"), Route("hook"))))
    with store.write() as tx:
        owe_outcome(tx, "job_1", "failed", "folder")
        owe_outcome(tx, "job_1", "failed", "hook")
    end(store, "job_1/failed/folder", DEAD, last_status=507)
    end(store, "job_1/failed/hook", DEAD, last_status=404)
    clock.now += 60
    for which, keys in (
        (Matching(), ["job_1/failed/hook", "job_1/failed/folder"]),
        (Matching(destination="hook"), ["job_1/failed/hook"]),
        (Matching(status=507), ["job_1/failed/folder"]),
        (Matching(outcome=Outcome.EXPIRED), []),
        (Matching(within=60), ["job_1/failed/hook", "job_1/failed/folder"]),
        (Matching(within=59), []),
    ):
        with store.read() as tx:
            assert [one.key for one in dead_letters.latest(tx, "default", which, limit=9)] == keys
            assert dead_letters.count(tx, "default", which) == len(keys)
            assert dead_letters.count(tx, "another", which) == 0
    with store.read() as tx:
        (first,) = dead_letters.latest(tx, "default", limit=1)
        (second,) = dead_letters.latest(tx, "default", limit=1, before=first.id)
        assert not dead_letters.latest(tx, "default", limit=1, before=second.id)


@pytest.mark.parametrize("as_new", [False, True])
def test_what_is_tried_again_has_all_its_attempts_before_it(store: Store, as_new: bool) -> None:
    keep(store, a_job(state=State.FAILED))
    with store.write() as tx:
        owe_outcome(tx, "job_1", "failed")
    end(store, "job_1/failed/folder", DEAD, attempts=18)
    with store.write() as tx:
        (dead,) = hand_offs.of_job(tx, "job_1")
        assert hand_offs.revive(tx, dead.id, as_new=as_new)
        assert not hand_offs.revive(tx, dead.id, as_new=as_new), "it is owed"
        (again,) = hand_offs.of_job(tx, "job_1")
    assert (again.state, again.attempts, again.due_at, again.generation) == (OWED, 0, START, int(as_new))


def test_attempts_are_told_in_order_and_pruned_by_age(store: Store, clock: Clock) -> None:
    keep(store, a_job(state=State.FAILED))
    with store.write() as tx:
        owe_outcome(tx, "job_1", "failed")
        (owed,) = hand_offs.of_job(tx, "job_1")
        attempts.add(tx, owed, Result.FAILED, began_at=START - 1, status=503, error="no", preview="later")
    clock.now += 10
    with store.write() as tx:
        attempts.add(tx, owed, Result.DONE, began_at=tx.now - 1)
        assert [(one.result, one.status) for one in attempts.of_job(tx, "job_1")] == [
            (Result.FAILED, 503),
            (Result.DONE, None),
        ]
        assert attempts.prune(tx, before=START + 5) == 1
        assert [one.result for one in attempts.of_job(tx, "job_1")] == [Result.DONE]


# destinations that want nothing


def test_a_disabled_destination_stays_so_until_a_person_enables_it(store: Store, clock: Clock) -> None:
    with store.write() as tx:
        assert destinations.disable(tx, "hook", "it answered 410")
        assert not destinations.disable(tx, "hook", "and again")
        assert destinations.left_out(tx) == {"hook"}
        assert not destinations.worked(tx, "hook"), "what was under way arrived"
    clock.now += 1e6
    with store.write() as tx:
        assert destinations.forget(tx, before=tx.now) == 0
        assert destinations.left_out(tx) == {"hook"}
        assert destinations.failing(tx)["hook"].reason == "it answered 410"
        assert destinations.enable(tx, "hook")
        assert not destinations.enable(tx, "hook")
        assert destinations.left_out(tx) == set()


def test_one_that_failed_before_it_was_disabled_is_disabled_all_the_same(store: Store) -> None:
    with store.write() as tx:
        for number in range(7):
            destinations.failed(tx, "hook", f"job/{number}", "no")
        assert destinations.disable(tx, "hook", "it answered 410")
        assert destinations.enable(tx, "hook")
