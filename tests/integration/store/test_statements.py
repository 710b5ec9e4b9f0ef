"""How often the database is asked: what callers do most takes few ways there and back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count

import pytest
from sqlalchemy import event, select

from orchestrator.core.job import HandOffState, Job, OutputSeen
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Route
from orchestrator.engine import standing
from orchestrator.errors import NotFound
from orchestrator.store import accounts, events, jobs, lanes, outputs, tenants
from orchestrator.store.accounts import Paying
from orchestrator.store.database import Store
from orchestrator.store.schema import lanes as kept_lanes
from tests.integration.store.rows import START, a_job, keep, owe

NewJobs = Callable[[], Job]


class Undone(Exception):
    """Nothing of a transaction, or of a part, is to stay."""


@contextmanager
def asked(store: Store) -> Iterator[list[str]]:
    """The statements that are made meanwhile, without those that begin and tell the time."""
    made: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            made.append(statement)

    event.listen(store.engine, "before_cursor_execute", listen)
    yield made
    event.remove(store.engine, "before_cursor_execute", listen)


@pytest.fixture
def new_job() -> NewJobs:
    numbers = count(1)

    def new() -> Job:
        name = f"job_{next(numbers)}"
        return a_job(name, State.ACCEPTED, destinations=(Route("folder"), Route("other")))

    return new


def submit(store: Store, job: Job) -> None:
    with store.write() as tx:
        paying = accounts.for_tenant(tx, job.tenant_id)
        new = [replace(job, account_id=paying.id)]
        jobs.add(tx, new)
        events.append_first(tx, new)


def test_a_submit_takes_three_statements_once_its_lanes_are_there(store: Store, new_job: NewJobs) -> None:
    submit(store, new_job())
    with asked(store) as made:
        submit(store, new_job())
    assert len(made) == 3, made


@pytest.mark.parametrize("kind", ["postgresql"])
def test_jobs_are_looked_up_by_the_same_statement_whatever_their_number(
    store: Store, new_job: NewJobs
) -> None:
    there = [new_job() for _ in range(3)]
    keep(store, *there)
    with store.write() as tx, asked(store) as made:
        for look_up in (jobs.get_all, jobs.hold_free):
            made.clear()
            for many in (1, 2, 3):
                assert look_up(tx, [job.id for job in there[:many]]).keys() == {
                    job.id for job in there[:many]
                }
            assert len(set(made)) == 1, made


def test_a_lane_that_was_not_committed_is_opened_by_the_next_job(store: Store, new_job: NewJobs) -> None:
    with suppress(Undone), store.write() as tx:
        lanes.open_for(tx, [new_job()])
        raise Undone
    with store.write() as tx:
        with suppress(Undone), tx.part():
            lanes.open_for(tx, [new_job()])
            raise Undone
        assert tx.execute(select(kept_lanes.c.destination)).all() == []
    keep(store, new_job())
    with store.read() as tx:
        assert {row.destination for row in tx.execute(select(kept_lanes.c.destination))} >= {
            "folder",
            "other",
        }


def test_a_new_lane_is_opened_beside_those_that_are_known(store: Store, new_job: NewJobs) -> None:
    keep(store, new_job())
    keep(store, replace(new_job(), destinations=(Route("folder"), Route("third"))))
    with store.read() as tx:
        assert "third" in {row.destination for row in tx.execute(select(kept_lanes.c.destination))}


def test_the_default_account_pays_by_its_name_for_a_tenant_that_has_none(store: Store) -> None:
    with store.write() as tx:
        tenants.add_once(tx, "acme")
        assert accounts.for_tenant(tx, "acme") == Paying("default", "default")


def test_a_job_with_nothing_around_it_is_read_in_one_statement(store: Store) -> None:
    keep(store, a_job())
    with store.read() as tx, asked(store) as made:
        found = standing.of_tenant(tx, "default", "job_1")
    assert len(made) == 1, made
    assert (found.job.id, found.account, found.outputs, found.hand_offs) == ("job_1", "default", (), ())


def test_what_is_around_a_job_is_as_it_is_read_of_many(store: Store) -> None:
    keep(store, a_job(), a_job("job_2"))
    owe(store, 0)
    with store.write() as tx:
        outputs.learn_all(tx, [("job_1", OutputSeen(0)), ("job_1", OutputSeen(1))])
    with store.read() as tx:
        alone = [standing.of_tenant(tx, "default", one) for one in ("job_1", "job_2")]
        assert alone == standing.read(tx, ["job_1", "job_2"])
    assert [len(alone[0].outputs), len(alone[0].hand_offs), len(alone[1].hand_offs)] == [2, 1, 0]
    assert alone[0].hand_offs[0].state is HandOffState.OWED


@pytest.mark.parametrize(
    ("state", "until", "told"),
    [
        (State.ACCEPTED, 60, "enough under way"),
        (State.ACCEPTED, -standing.HELD_LATELY + 1, "enough under way"),
        (State.ACCEPTED, -standing.HELD_LATELY - 1, None),
        (State.WAITING, 60, None),
    ],
)
def test_a_job_is_held_while_it_is_to_be_created_and_its_tenant_is_held_or_was_a_moment_ago(
    store: Store, state: State, until: float, told: str | None
) -> None:
    keep(store, a_job(state=state))
    with store.write() as tx:
        tenants.hold(tx, "default", "enough under way", START + until)
    with store.read() as tx:
        assert standing.of_tenant(tx, "default", "job_1").held == told
        assert standing.read(tx, ["job_1"])[0].held == told


@pytest.mark.parametrize(("tenant", "job"), [("acme", "job_1"), ("default", "job_2"), ("default", "a\x00b")])
def test_what_is_not_there_and_what_is_anothers_is_not_found(store: Store, tenant: str, job: str) -> None:
    keep(store, a_job())
    with store.read() as tx, pytest.raises(NotFound):
        standing.of_tenant(tx, tenant, job)
