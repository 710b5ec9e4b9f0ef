"""Jobs that a person looks for: the newest first, over indexes that lead to them, and no further than so.

What is asked for is a few ranges of indexes, of which the newest are merged. What no index leads to is looked
through, up to a bound: then it is said how far, and the next page goes on there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, func, select, true, union_all

from orchestrator.core.ids import PREFIX
from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.store import tenants
from orchestrator.store.database import Transaction
from orchestrator.store.job_ranges import Wanted, conditions, ranges
from orchestrator.store.jobs import of_columns
from orchestrator.store.schema import accounts, jobs

LOOKED_THROUGH = 5_000  # rows that one search reads at most where no index leads to all that is asked for
FIRST = 1_000  # of which are looked through first: most often the page is full by then
FEWEST = 50  # rows of each range, however many ranges there are
LONGEST_ID = 64
AT_ONCE = 1_000  # ids that one statement names


@dataclass(frozen=True, slots=True)
class Found:
    """The ids that were found, newest first, and the id to go on from; None at the end.

    `cut`: it was looked no further, and there may be more although the page is not full.
    """

    ids: tuple[str, ...]
    following: str | None
    cut: bool = False


def find(
    tx: Transaction, wanted: Wanted, *, limit: int, before: str | None = None, through: int = LOOKED_THROUGH
) -> Found:
    """The newest that are meant; `before`, an id, goes on where an earlier page ended."""
    first = min(max(FIRST, limit), through)
    found = _find(tx, wanted, limit, before, first)
    if first < through and found.cut and len(found.ids) < limit:
        return _find(tx, wanted, limit, before, through)
    return found


def _find(tx: Transaction, wanted: Wanted, limit: int, before: str | None, through: int) -> Found:
    whose = [wanted.tenant_id] if wanted.tenant_id is not None else tenants.ids(tx)
    lines, seen_to = ranges(wanted, whose)
    rest = [one for name, one in conditions(wanted).items() if name not in seen_to]
    share = max(through // max(len(lines), 1), FEWEST) + 1
    each = share if rest else min(share, limit + 1)
    fits = and_(true(), *rest)
    queries = [line.ids(fits, number, before, each).subquery() for number, line in enumerate(lines)]
    rows = tx.execute(union_all(*(select(one) for one in queries))).all() if queries else []
    return _merged(rows, each, limit)


def _merged(rows: Sequence[Row[Any]], each: int, limit: int) -> Found:
    """The newest of all ranges, as far as all of them were read."""
    by_line: dict[int, list[str]] = {}
    for row in rows:
        by_line.setdefault(row.line, []).append(row.id)
    read_to = max((min(ids) for ids in by_line.values() if len(ids) >= each), default=None)
    known = sorted({row.id for row in rows if row.fits and row.id >= (read_to or "")}, reverse=True)
    shown = tuple(known[:limit])
    if len(known) > limit:
        return Found(shown, shown[-1])
    return Found(shown, read_to, cut=read_to is not None)


def read(tx: Transaction, job_ids: Sequence[str]) -> list[Job]:
    """Those of these jobs that there are, newest first; of what was asked for, only the model."""
    rows = tx.execute(select(*_BRIEF).where(jobs.c.id.in_(job_ids)).order_by(jobs.c.id.desc()))
    return [_brief(dict(row._mapping)) for row in rows]


def states(tx: Transaction, job_ids: Sequence[str]) -> Counter[State]:
    """How many of these jobs stand in each state."""
    found = Counter[State]()
    for first in range(0, len(job_ids), AT_ONCE):
        these = jobs.c.id.in_(job_ids[first : first + AT_ONCE])
        counts = select(jobs.c.state, func.count().label("many")).where(these).group_by(jobs.c.state)
        found.update({State(row.state): row.many for row in tx.execute(counts)})
    return found


def called(tx: Transaction, tenant_id: str | None, name: str, *, limit: int) -> list[str]:
    """The jobs whose id is this or begins with it, or that the gateway knows by it; newest first.

    Of one tenant or of all.
    """
    if not name or "\x00" in name or len(name) > 2 * LONGEST_ID:
        return []
    whose = true() if tenant_id is None else jobs.c.tenant_id == tenant_id
    if name.startswith(PREFIX):
        # The longest that an id can go on, in any order of letters.
        beginning = (jobs.c.id >= name, jobs.c.id <= name + "z" * LONGEST_ID)
        query = select(jobs.c.id).where(*beginning, whose).order_by(jobs.c.id.desc())
    else:
        known = jobs.c.account_id.in_(select(accounts.c.id))
        query = select(jobs.c.id).where(known, jobs.c.gateway_id == name, whose)
    return sorted(tx.execute(query.limit(limit)).scalars(), reverse=True)


# A request may have whole pictures in it.
_BRIEF = (
    *(one for one in jobs.c if one.name not in ("request", "metadata")),
    jobs.c.request["model"].as_string().label("asked"),
)


def _brief(values: dict[str, Any]) -> Job:
    asked = values.pop("asked")
    return of_columns(values | {"request": {} if asked is None else {"model": asked}, "metadata": {}})
