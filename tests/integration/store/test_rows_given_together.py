"""Several rows are written as each of them would be alone, whatever is in them."""

from typing import Any

import pytest

from orchestrator.core.events import Told
from orchestrator.core.job import HandOffKind, Job, Owed
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import lane_of
from orchestrator.store import events, hand_offs, jobs
from orchestrator.store.database import Store
from tests.integration.store.rows import START, a_job, keep, read

ODD = {
    "plain": "waves",
    "quotes": "\"'\\ \n\t %s %(a)s :b",
    "beyond ASCII": "Wellen \u00e4 \u6ce2 \U0001f30a \u2028",
    "a zero": "a\u0000b",
    "half a pair": "a\ud83cb",
    "backslashes": "\\u0000 \\\\u0000",
}


def _with(text: str, number: int) -> Job:
    request = {"model": "m", "prompt": text, "deep": {"list": [1, 2.5, None, True, {"a": text}]}}
    facts: dict[str, Any] = {"cost_usd": 0.1 + 0.2, "due_at": START + 1 / 3, "metadata": {text: text}}
    return a_job(f"job_{number}", request=request, **facts)


@pytest.mark.parametrize("what", ODD)
def test_jobs_are_kept_together_as_one_is_alone(store: Store, what: str) -> None:
    several = [_with(ODD[what], number) for number in range(3)]
    keep(store, *several)
    assert [read(store, job.id) for job in several] == several
    alone = _with(ODD[what], 9)
    keep(store, alone)
    assert read(store, alone.id) == alone


@pytest.mark.parametrize("what", ODD)
def test_jobs_are_changed_together_each_as_it_was_read(store: Store, what: str) -> None:
    several = [_with("", number) for number in range(3)]
    keep(store, *several)
    changed = {"failure": {"message": ODD[what]}, "progress": 40, "next_seq": 2, "due_at": None}
    with store.write() as tx:
        assert jobs.move_all_if_still(tx, [(job, changed | {"looks": at}) for at, job in enumerate(several)])
        assert not jobs.move_all_if_still(tx, [(job, {"looks": 7}) for job in several]), (
            "they are not as read"
        )
    for at, job in enumerate(several):
        now = read(store, job.id)
        assert (now.failure, now.progress, now.due_at, now.looks) == ({"message": ODD[what]}, 40, None, at)


@pytest.mark.parametrize("what", ODD)
def test_events_are_numbered_for_each_job_whether_of_one_or_of_several(store: Store, what: str) -> None:
    first, second = a_job("job_1"), a_job("job_2")
    keep(store, first, second)
    facts = {"error": ODD[what]}
    with store.write() as tx:
        events.append_first(tx, [first, second])
        events.append_all(tx, [(first, Told.STATE, facts), (second, Told.STATE, facts)])
        events.append_all(tx, [(first, Told.STATE, facts), (first, Told.PROGRESS, {"progress": 1})])
        events.append_all(tx, [(second, Told.STATE, facts), (first, Told.STATE, facts)])
    with store.read() as tx:
        of_first, of_second = (events.of_job(tx, job.id, limit=9) for job in (first, second))
    assert [one.seq for one in of_first] == [1, 2, 3, 4, 5]
    assert [one.seq for one in of_second] == [1, 2, 3]
    assert [one.data for one in of_second] == [{}, facts, facts]
    assert all(one.tenant_id == "default" for one in (*of_first, *of_second))
    assert [one.position for one in of_first] == sorted(one.position for one in of_first)


def test_what_is_owed_for_several_jobs_is_counted_and_owed_once(store: Store) -> None:
    keep(store, *(a_job(f"job_{number}", state=State.FAILED) for number in range(3)))
    owed = [
        Owed(
            f"job_{number}/failed/folder",
            f"job_{number}",
            HandOffKind.OUTCOME,
            "folder",
            START,
            outcome="failed",
        )
        for number in range(3)
    ]
    with store.write() as tx:
        assert hand_offs.owe(tx, owed[:1]) == 1
        assert hand_offs.owe(tx, [*owed, owed[2]]) == 2
        assert hand_offs.owe(tx, owed) == 0
        hand_offs.withdraw(tx, "job_1")
        assert hand_offs.owe(tx, owed) == 1, "what was withdrawn is owed again"
    with store.read() as tx:
        found = [one for number in range(3) for one in hand_offs.of_job(tx, f"job_{number}")]
    assert [(one.key, one.tenant_id, one.attempts) for one in found] == [
        (one.key, "default", 0) for one in owed
    ]
    assert {one.lane for one in found} == {lane_of("default", "folder")}
