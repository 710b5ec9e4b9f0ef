"""Several requests to submit in one transaction: each keeps what it would have kept alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.lifecycle import State
from orchestrator.engine.context import Context
from orchestrator.engine.submit import Once, Submission, keep, keep_together
from orchestrator.errors import RowRefused, StoreError
from orchestrator.store import events, job_lists
from orchestrator.store.database import Store
from orchestrator.store.schema import DEFAULT
from tests.integration.store.use_cases import a_process


@pytest.fixture
def context(store: Store, tmp_path: Path) -> Iterator[Context]:
    context = a_process(store, tmp_path)
    yield context
    context.close()


def wanted(**about: Any) -> Submission:
    return Submission({"model": "google/veo-3.1-lite", "prompt": "waves"}, **about)


def once(key: str, of: str = "this") -> Once:
    return Once(DEFAULT, key, of)


def test_each_keeps_its_job(store: Store, context: Context) -> None:
    requests = [(wanted(reference=f"order-{number}"), None) for number in range(3)]
    kept = keep_together(context, requests)
    made = [job for one in kept if one for job in one.jobs]
    assert [job.reference for job in made] == ["order-0", "order-1", "order-2"]
    assert all(one and one.follow_ups and not one.replayed for one in kept)
    with store.read() as tx:
        there = job_lists.several(tx, DEFAULT, [job.id for job in made])
        assert [job.state for job in there] == [State.ACCEPTED] * 3
        assert all(events.last(tx, job.id) == 1 for job in made)


def test_one_that_is_not_sound_is_left_and_costs_the_others_nothing(context: Context) -> None:
    nowhere, no_account = wanted(destinations=("nowhere",)), wanted(account="nobody")
    kept = keep_together(context, [(nowhere, None), (wanted(), None), (no_account, None)])
    assert [one is not None for one in kept] == [False, True, False]


def test_a_key_that_was_used_before_keeps_nothing_twice(context: Context) -> None:
    first = keep(context, [wanted()], once("a"))
    requests = [(wanted(), once("b")), (wanted(), once("a")), (wanted(), once("b"))]
    new, again, same = keep_together(context, requests)
    assert new is not None
    assert (again, same) == (None, None)
    assert keep(context, [wanted()], once("a")).jobs == first.jobs
    assert [job.id for job in keep(context, [wanted()], once("b")).jobs] == [job.id for job in new.jobs]


def test_what_fails_before_the_commit_is_for_each_alone(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RowRefused("the database refused a row")

    monkeypatch.setattr(events, "append_first", refuse)
    assert keep_together(context, [(wanted(), None), (wanted(), None)]) == [None, None]
    assert keep_together(context, [(wanted(), None)]) == [None], "others may share its turn, such as a bulk"
    with pytest.raises(RowRefused):
        keep_together(context, [(wanted(), None)], by_itself=True)


def test_what_fails_after_the_commit_is_not_done_again(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the connection was lost")

    monkeypatch.setattr("orchestrator.engine.submit._kept", fail)
    with pytest.raises(StoreError):
        keep_together(context, [(wanted(), None), (wanted(), None)])
