"""Lists of jobs cost the same however deep and however many there are: each by its index, in its order."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import ColumnElement, String, case, cast, event, insert, literal, literal_column, select, text

from orchestrator.core.lifecycle import State
from orchestrator.store import dead_letters, job_lists
from orchestrator.store.database import Store
from orchestrator.store.dead_letters import Matching
from orchestrator.store.job_lists import Listed
from orchestrator.store.schema import hand_offs
from orchestrator.store.schema import jobs as rows
from tests.integration.store.rows import START, a_job, keep, owe

MANY = 20_000
PAGE = 20
NUMBER: ColumnElement[int] = literal_column("number")


def made(number: int) -> str:
    return f"job_{'0' * 16}{10**9 + number}"


@pytest.fixture
def filled(store: Store) -> Store:
    """Each reference has three jobs, and some end users many."""
    _fill(store, case((NUMBER % 10 == 0, "other"), else_="default"))
    return store


def _fill(store: Store, tenant: ColumnElement[Any]) -> None:
    """Many jobs, made by one statement from one."""
    keep(store, a_job("seed"))
    count = select(literal(0).label("number")).cte(recursive=True)
    count = count.union_all(select(count.c.number + 1).where(count.c.number < MANY - 1))
    facts: dict[str, ColumnElement[Any]] = {
        "id": literal("job_" + "0" * 16) + cast(NUMBER + 10**9, String),
        "session_id": literal("s-") + cast(NUMBER, String),
        "tenant_id": tenant,
        # The oldest third alone has failed: whoever reads from the newest on would read two thirds in vain.
        "state": case(
            (NUMBER < MANY // 3, "failed"), (NUMBER % 2 == 0, State.WAITING), else_=State.COMPLETED
        ),
        "reference": literal("r-") + cast(NUMBER // 3, String),
        "end_user": case(
            (NUMBER < MANY // 5, "early"),
            (NUMBER % 2 == 1, literal("u-") + cast(NUMBER % 50, String)),
            else_=None,
        ),
        "accepted_at": START + NUMBER,
    }
    columns = [facts.get(one.name, one).label(one.name) for one in rows.c]
    like = select(*columns).select_from(rows.join(count, literal(value=True))).where(rows.c.id == "seed")
    with store.write() as tx:
        tx.execute(text("INSERT INTO tenants (id, name) VALUES ('other', 'other')"))
        tx.execute(insert(rows).from_select([one.name for one in rows.c], like))
    _analyze(store)


FILTERS = [
    Listed(),
    Listed(states=(State.FAILED,)),
    Listed(states=(State.FAILED, State.COMPLETED, State.WAITING)),
    Listed(states=(State.UNCERTAIN,)),
    Listed(reference="r-77"),
    Listed(end_user="u-7"),
    Listed(end_user="early"),
    Listed(needs_person=True),
]


def test_each_page_of_each_list_is_read_in_the_order_of_an_index(filled: Store) -> None:
    for which, before in itertools.product(FILTERS, (None, made(MANY // 2), made(5))):
        with _explained(filled) as plans, filled.read() as tx:
            job_lists.page(tx, "default", which, limit=PAGE, before=before)
        assert len(plans) == 1
        assert not _scans(plans[0]), plans[0]
        assert _most_read(plans[0]) <= PAGE * (len(which.states) or 1) + PAGE


def test_the_jobs_of_a_tenant_that_went_away_are_read_without_those_that_came_since(store: Store) -> None:
    _fill(store, case((NUMBER < MANY // 2, "default"), else_="other"))
    for which in (Listed(), Listed(needs_person=False), Listed(accepted_before=START + MANY)):
        with _explained(store) as plans, store.read() as tx:
            assert len(job_lists.page(tx, "default", which, limit=PAGE)) == PAGE
        assert _most_read(plans[0]) <= PAGE


def test_pages_together_are_the_whole_list(filled: Store) -> None:
    for which in FILTERS:
        with filled.read() as tx:
            whole = job_lists.page(tx, "default", which, limit=60)
            first = job_lists.page(tx, "default", which, limit=25)
            second = job_lists.page(tx, "default", which, limit=35, before=first[-1].id) if first else []
        assert [one.id for one in first + second] == [one.id for one in whole]
        assert [one.id for one in whole] == sorted((one.id for one in whole), reverse=True)
        assert {one.tenant_id for one in whole} <= {"default"}
        assert not which.states or {one.state for one in whole} <= set(which.states)
        expected = {"r-77": 3, None: 60}[which.reference]
        assert len(whole) == (0 if State.UNCERTAIN in which.states or which.needs_person else expected)


def test_dead_letters_are_read_in_the_order_of_an_index(store: Store) -> None:
    keep(store, a_job())
    owe(store, 0)
    count = select(literal(1).label("number")).cte(recursive=True)
    count = count.union_all(select(count.c.number + 1).where(count.c.number < MANY // 4))
    dead = {"key": literal("k-") + cast(count.c.number, String), "state": literal("dead")}
    columns = [one for one in hand_offs.c if one.name != "id"]
    like = select(*(dead.get(one.name, one).label(one.name) for one in columns))
    with store.write() as tx:
        many = like.select_from(hand_offs.join(count, literal(value=True)))
        tx.execute(insert(hand_offs).from_select([one.name for one in columns], many))
    _analyze(store)
    for which, before in itertools.product((Matching(), Matching(destination="folder")), (None, 500)):
        with _explained(store) as plans, store.read() as tx:
            assert len(dead_letters.latest(tx, "default", which, limit=PAGE, before=before)) == PAGE
        assert not _scans(plans[0]), plans[0]
        assert _most_read(plans[0]) <= PAGE


def _analyze(store: Store) -> None:
    """As PostgreSQL does by itself; SQLite has no statistics, since nobody has it make any."""
    if store.engine.dialect.name == "postgresql":
        with store.engine.begin() as connection:
            connection.execute(text("ANALYZE"))


class _Plans:
    """The plans of the queries that are made meanwhile: of SQLite as text, of PostgreSQL as it was run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: list[Any] = []

    def __enter__(self) -> list[Any]:
        event.listen(self._store.engine, "before_cursor_execute", self._explain)
        return self._found

    def __exit__(self, *_: object) -> None:
        event.remove(self._store.engine, "before_cursor_execute", self._explain)

    def _explain(self, connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM jobs" not in statement and "FROM hand_offs" not in statement:
            return
        if connection.dialect.name == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            self._found.append([row[3] for row in cursor.fetchall()])
        else:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            (row,) = cursor.fetchall()
            self._found.append(row[0][0]["Plan"])


def _explained(store: Store) -> _Plans:
    return _Plans(store)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _scans(plan: Any) -> bool:
    """Whether a whole table is read, or rows are sorted that came by no index."""
    if isinstance(plan, list):
        whole = [line for line in plan if line.startswith("SCAN") and "INDEX" not in line]
        return any("jobs" in line or "hand_offs" in line for line in whole)
    return any(node["Node Type"] == "Seq Scan" for node in _nodes(plan))


def _most_read(plan: Any) -> int:
    """The most rows that a part of the plan gave; 0 where the database does not tell."""
    if isinstance(plan, list):
        return 0
    filtered = [node.get("Rows Removed by Filter", 0) for node in _nodes(plan)]
    given = [node["Actual Rows"] for node in _nodes(plan)]
    return int(max(*filtered, *given))
