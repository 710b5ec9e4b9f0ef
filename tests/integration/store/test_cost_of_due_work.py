"""What it costs to find due work depends on what is due, not on what is open: counted by PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.store import jobs, schema
from orchestrator.store.database import Store, Transaction
from orchestrator.store.due import Waiting
from tests.integration.store.rows import START, a_job, join, keep
from tests.integration.store.together import undone

OPEN = 10_000
DUE = 5
BLOCKS = 200  # of 8 KiB; the open rows fill far more
PROMPT = {"model": "google/veo", "prompt": "waves " * 200}


@pytest.fixture
def kind() -> str:
    return "postgresql"


def fill(store: Store, like: Job) -> None:
    """So many jobs like this one, due later and later; the planner knows of them."""
    keep(store, like)
    told = {
        "id": "id || '_' || n",
        "session_id": "session_id || '_' || n",
        "gateway_id": "gateway_id || '_' || n",
        "due_at": "due_at + n",
    }
    columns = [one.name for one in schema.jobs.columns]
    values = ", ".join(told.get(name, name) for name in columns)
    with store.write() as tx:
        tx.execute(
            text(
                f"INSERT INTO jobs ({', '.join(columns)}) SELECT {values} "
                f"FROM jobs, generate_series(1, {OPEN}) AS n"
            )
        )
        tx.execute(text("ANALYZE jobs"))


@contextmanager
def asked(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The statements about jobs that are run meanwhile, with their parameters."""
    found: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "jobs" in statement:
            found.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", listen)
    yield found
    event.remove(store.engine, "before_cursor_execute", listen)


def blocks(tx: Transaction, statement: str, parameters: Any) -> tuple[int, str]:
    """How many blocks it reads or finds in memory when it is run, and its plan."""
    cursor = tx.connection.connection.cursor()
    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
    (((plan,),),) = cursor.fetchall()
    cursor.close()
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"], str(plan["Plan"])


def claim(waiting: Waiting) -> Callable[[Transaction], int]:
    return lambda tx: len(jobs.claim_due(tx, waiting, worker="w", limit=200, lease=60))


def look_ahead(waiting: Waiting) -> Callable[[Transaction], int]:
    return lambda tx: len(jobs.due_moments(tx, waiting, until=START, limit=200))


@pytest.mark.parametrize("find", [claim, look_ahead])
@pytest.mark.parametrize(("waiting", "state"), [(jobs.LOOKS, State.WAITING), (jobs.CREATES, State.ACCEPTED)])
def test_a_few_due_among_many_open_cost_a_few_blocks(
    store: Store,
    find: Callable[[Waiting], Callable[[Transaction], int]],
    waiting: Waiting,
    state: State,
) -> None:
    fill(store, a_job("job_later", state, due_at=START + 3_600, request=PROMPT))
    keep(store, *(a_job(f"job_{number}", state) for number in range(DUE)))
    join(store, "w")
    with asked(store) as statements, undone(store) as tx:
        assert find(waiting)(tx) > 0
    assert statements
    for statement, parameters in statements:
        with undone(store) as tx:
            touched, plan = blocks(tx, statement, parameters)
            assert touched < BLOCKS, f"{touched} blocks: {plan}"


def test_the_many_that_are_open_would_cost_more_than_that(store: Store) -> None:
    fill(store, a_job("job_later", due_at=START + 3_600, request=PROMPT))
    with undone(store) as tx:
        assert blocks(tx, "SELECT max(progress) FROM jobs", {})[0] > 5 * BLOCKS
