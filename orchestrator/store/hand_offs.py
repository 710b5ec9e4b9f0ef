"""Hand-offs: what is owed to destinations, kept in the transaction that made it owed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Row,
    ScalarSelect,
    String,
    Update,
    and_,
    bindparam,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job, Owed
from orchestrator.core.owed import owed_outcome
from orchestrator.core.routes import Outcome, lane_of
from orchestrator.store import due, outputs
from orchestrator.store.database import Transaction
from orchestrator.store.due import Turns, Waiting
from orchestrator.store.given import as_one, changing, recordset
from orchestrator.store.schema import HAND_OFFS_DUE, hand_offs, jobs, lanes

_ELSEWHERE = lanes.c.destination.not_in(bindparam("without", expanding=True))
# Order matters within a job: a further output is known to be a copy only once the first is hashed.
# So none is brought to the archive while an earlier output of the job is still on its way there.
_EARLIER = hand_offs.alias()
# And no document tells of the outputs while one of them is, be it that it was lost and is fetched again.
_ON_ITS_WAY = exists().where(
    _EARLIER.c.job_id == hand_offs.c.job_id,
    _EARLIER.c.kind == HandOffKind.ARCHIVE,
    _EARLIER.c.state == HandOffState.OWED,
)
_BLOCKED = or_(
    and_(
        hand_offs.c.kind == HandOffKind.ARCHIVE,
        _ON_ITS_WAY.where(_EARLIER.c.output_index < hand_offs.c.output_index),
    ),
    and_(func.coalesce(hand_offs.c.outcome, "") == Outcome.COMPLETED, _ON_ITS_WAY),
)
HAND_OFFS = Waiting(
    "hand_off",
    hand_offs,
    HAND_OFFS_DUE,
    lines=lanes,
    only=~_BLOCKED,
    served=_ELSEWHERE,
    values={"attempts": hand_offs.c.attempts + 1},
)
GIVEN_UP = (HandOffState.DEAD, HandOffState.MISSING)
_OF_JOB = (
    select(hand_offs).where(hand_offs.c.job_id == bindparam("of_job", type_=String)).order_by(hand_offs.c.id)
)
_HOLD_LINKS = (
    select(hand_offs)
    .where(hand_offs.c.job_id == bindparam("of_job", type_=String))
    .where(hand_offs.c.outcome == literal_column(f"'{Outcome.COMPLETED}'"))
    .order_by(hand_offs.c.id)
    .with_for_update(key_share=True)
)
# Whether the lease is still that one: a fence alone may have been given out twice. What is given besides the
# parameters is what is written.
_RENEW = update(hand_offs).where(
    hand_offs.c.id == bindparam("this", type_=BigInteger),
    hand_offs.c.fence == bindparam("with_fence", type_=Integer),
    hand_offs.c.leased_by == bindparam("by_worker", type_=String),
)
_OF_OUTPUT = update(hand_offs).where(
    hand_offs.c.job_id == bindparam("of_job", type_=String),
    hand_offs.c.kind == literal_column(f"'{HandOffKind.OUTPUT}'"),
    hand_offs.c.output_index == bindparam("of_index", type_=Integer),
)
_RELEASE = _OF_OUTPUT.where(
    hand_offs.c.state == literal_column(f"'{HandOffState.OWED}'"), hand_offs.c.due_at.is_(None)
)
_RELEASE_MISSING = _OF_OUTPUT.where(hand_offs.c.state == literal_column(f"'{HandOffState.MISSING}'"))
_IS_OWED = hand_offs.c.state == literal_column(f"'{HandOffState.OWED}'")
_FINISH = _RENEW.where(_IS_OWED)
_AS_FREE = {"leased_by": None, "lease_until": None}


def _tenant_of(job_id: ColumnElement[str]) -> ScalarSelect[str]:
    return select(jobs.c.tenant_id).where(jobs.c.id == job_id).scalar_subquery()


def _owing(new: Any) -> Any:
    """Built once: putting one together takes SQLAlchemy longer than the database takes to run it."""
    tenant = _tenant_of(bindparam("of_job", type_=String))
    return new.values(tenant_id=tenant, lane=tenant + bindparam("line", type_=String))


def _owing_many() -> Any:
    names = [*Owed.__dataclass_fields__, *_AS_NEW]
    rows = recordset([*(hand_offs.c[name] for name in names), column("line", String)])
    tenant = _tenant_of(rows.c.job_id)
    chosen = select(*(rows.c[name] for name in names), tenant, tenant + rows.c.line)
    return postgresql.insert(hand_offs).from_select([*names, "tenant_id", "lane"], chosen)


def _or_anew(new: Any, **more: Any) -> Any:
    """One that was withdrawn is owed anew; `more` is written besides."""
    anew = {name: new.excluded[name] for name in ("state", "due_at", "created_at", "attempts")} | more
    gone = hand_offs.c.state == literal_column(f"'{HandOffState.WITHDRAWN}'")
    return new.on_conflict_do_update(index_elements=["key"], set_=anew, where=gone).execution_options(
        preserve_rowcount=True
    )


def _leased(new: Any) -> Any:
    anew = {"leased_by": new.excluded.leased_by, "lease_until": new.excluded.lease_until}
    # Above every fence that it had before it was withdrawn.
    return _or_anew(new, **anew, fence=hand_offs.c.fence + 1).returning(*hand_offs.c)


_AS_NEW = {"state": HandOffState.OWED, "attempts": 0, "fence": 0, "generation": 0, "created_at": 0.0}
_INSERT = {"sqlite": _owing(sqlite.insert(hand_offs)), "postgresql": _owing(postgresql.insert(hand_offs))}
_OWE = {dialect: _or_anew(new) for dialect, new in _INSERT.items()}
_OWE_MANY = _or_anew(_owing_many())
_OWE_LEASED = {dialect: _leased(new) for dialect, new in _INSERT.items()}


def owe(tx: Transaction, owed: Sequence[Owed]) -> int:
    """Keep what is owed; a key that is already owed stays as it is. Returns how many were new.

    One that was withdrawn is owed again: a job that was adopted after its deadline can time out once more.
    """
    if not owed:
        return 0
    rows = [_row(tx, one) for one in {one.key: one for one in owed}.values()]
    if together := as_one(tx, rows):
        return tx.execute(_OWE_MANY, together).rowcount
    return tx.execute(_OWE[tx.dialect], rows).rowcount


def owe_leased(tx: Transaction, owed: Sequence[Owed], *, worker: str, lease: float) -> list[HandOff]:
    """The same, and lease what was new for its first attempt. Returns that.

    For whoever makes this attempt once the transaction is committed, and whose lease holds.
    """
    if not owed:
        return []
    new = _OWE_LEASED[tx.dialect]
    leased = {"leased_by": worker, "lease_until": tx.now + lease, "attempts": 1, "fence": 1}
    return [read_row(row) for row in tx.execute(new, [_row(tx, one) | leased for one in owed])]


def _row(tx: Transaction, one: Owed) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Owed.__dataclass_fields__} | {
        **_AS_NEW,
        "of_job": one.job_id,
        "line": lane_of("", one.destination),
        "created_at": tx.now,
    }


def owe_outcome(tx: Transaction, job: Job, outcome: str) -> int:
    """Owe how something ended to every destination that wants to know, now. Returns how many were new."""
    return owe(tx, list(owed_outcome(job, outcome, tx.now)))


def release(tx: Transaction, job_id: str, output_index: int) -> int:
    """The archive has an output: make what waited for it due. Returns how much that is.

    Also what was given up because the archive could not get it. What found it damaged has used up an attempt:
    an archive that always damages it would else be filled and read for ever.
    """
    of_output = {"of_job": job_id, "of_index": output_index, "due_at": tx.now}
    released = tx.execute(_RELEASE, of_output).rowcount
    return released + tx.execute(_RELEASE_MISSING, of_output | _anew(tx)).rowcount


def give_up(tx: Transaction, job_id: str, output_index: int, reason: str) -> list[HandOff]:
    """The archive cannot get an output: nothing waits for it any more. Returns what did."""
    guard = and_(_of_output(job_id, output_index), hand_offs.c.state == HandOffState.OWED)
    return _end(tx, guard, {"state": HandOffState.MISSING, "due_at": None, "last_error": reason})


def refetch(tx: Transaction, job_id: str, output_index: int) -> bool:
    """Have an output brought to the archive again, unless that is under way."""
    guard = and_(
        hand_offs.c.job_id == job_id,
        hand_offs.c.kind == HandOffKind.ARCHIVE,
        hand_offs.c.output_index == output_index,
        hand_offs.c.state != HandOffState.OWED,
    )
    return _due_again(tx, guard) == 1


def announce_outputs(tx: Transaction, job_id: str, *, news: bool) -> list[HandOff]:
    """Once nothing is on its way to the archive, tell those that want links what is there.

    `news`: an output is there that never was. Who was told before, when it was lacking, is told anew. Returns
    those that are told nothing any more, since nothing is there.
    """
    # Of two outputs that end at once, the one that comes second here sees that the first has ended.
    links = [read_row(row) for row in tx.execute(_HOLD_LINKS, {"of_job": job_id})]
    if not links:
        return []  # nobody wants links of this job
    archive = [one for one in of_job(tx, job_id) if one.kind is HandOffKind.ARCHIVE]
    if any(one.state is HandOffState.OWED for one in archive):
        return []
    if not any(one.state is HandOffState.DONE for one in archive) and not _is_there(tx, job_id, archive):
        waits = [one.id for one in links if one.state is HandOffState.OWED]
        return _end(tx, hand_offs.c.id.in_(waits), {"state": HandOffState.MISSING, "due_at": None})
    waited = [one.id for one in links if _waits(one) or one.state is HandOffState.MISSING]
    if waited:
        _due_again(tx, hand_offs.c.id.in_(waited))
    done = [one.id for one in links if one.state is HandOffState.DONE]
    if news and done:
        _due_again(tx, hand_offs.c.id.in_(done), generation=hand_offs.c.generation + 1)
    return []


def _waits(one: HandOff) -> bool:
    return one.state is HandOffState.OWED and one.due_at is None


def _is_there(tx: Transaction, job_id: str, archive: Sequence[HandOff]) -> bool:
    """Whether the archive has one of them all the same: an output that could not be fetched anew."""
    there = {one.index for one in outputs.of_job(tx, job_id) if one.archived_at is not None}
    return any(one.output_index in there for one in archive)


def get(tx: Transaction, hand_off_id: int) -> HandOff | None:
    """One hand-off."""
    row = tx.execute(select(hand_offs).where(hand_offs.c.id == hand_off_id)).first()
    return read_row(row) if row else None


def of_job(tx: Transaction, job_id: str) -> list[HandOff]:
    """Everything owed for a job, in the order it became owed."""
    return [read_row(row) for row in tx.execute(_OF_JOB, {"of_job": job_id})]


def of_jobs(tx: Transaction, job_ids: Sequence[str]) -> dict[str, list[HandOff]]:
    """What is or was owed for several jobs, by job, as `of_job` has it; a job without any is not in it."""
    query = select(hand_offs).where(hand_offs.c.job_id.in_(job_ids)).order_by(hand_offs.c.id)
    found: dict[str, list[HandOff]] = {}
    for row in tx.execute(query):
        found.setdefault(row.job_id, []).append(read_row(row))
    return found


def claim_due(
    tx: Transaction,
    *,
    worker: str,
    lease: float,
    turns: Turns | None = None,
    without: Collection[str] = (),
) -> HandOff | None:
    """Lease the longest due hand-off of the lane whose turn it is, none to a destination in `without`."""
    given = {"without": list(without)}
    rows = due.claim(tx, HAND_OFFS, turns or Turns(), worker=worker, limit=1, lease=lease, given=given)
    return read_row(rows[0]) if rows else None


def finish_if_ours(tx: Transaction, claimed: HandOff, changes: Mapping[str, Any]) -> bool:
    """End an attempt, unless the lease went to somebody else since."""
    return tx.execute(_FINISH, _held_as(claimed) | _AS_FREE | dict(changes)).rowcount == 1


def finish_all_if_ours(tx: Transaction, ended: Sequence[tuple[HandOff, Mapping[str, Any]]]) -> set[int]:
    """End several attempts, with changes of the same columns. Returns those whose lease was ours still."""
    rows = [_held_as(claimed) | _AS_FREE | dict(changes) for claimed, changes in ended]
    if together := as_one(tx, rows):
        return {row.id for row in tx.execute(_finishing_many(tuple(rows[0])), together)}
    return {claimed.id for claimed, changes in ended if finish_if_ours(tx, claimed, changes)}


@cache  # putting one together takes SQLAlchemy longer than running it
def _finishing_many(names: tuple[str, ...]) -> Update:
    held_as = {"this": hand_offs.c.id, "with_fence": hand_offs.c.fence, "by_worker": hand_offs.c.leased_by}
    to_be = {name: hand_offs.c[name] for name in names if name not in held_as}
    return changing(hand_offs, held_as, to_be).where(_IS_OWED).returning(hand_offs.c.id)


def renew_if_ours(tx: Transaction, claimed: HandOff, *, lease: float) -> bool:
    """Hold the lease for longer; False when it went to somebody else."""
    return tx.execute(_RENEW, _held_as(claimed) | {"lease_until": tx.now + lease}).rowcount == 1


def hasten(tx: Transaction, job_id: str) -> int:
    """Make what is still owed for a job and waits for its time only due now. Returns how much that is."""
    guard = and_(hand_offs.c.job_id == job_id, HAND_OFFS_DUE)
    return tx.execute(update(hand_offs).where(guard).values(due_at=tx.now)).rowcount


def revive(tx: Transaction, hand_off_id: int, *, as_new: bool = False) -> bool:
    """Make a hand-off that was given up owed again, with all its attempts before it; False if it was not.

    `as_new`: also one that was done, under a name that no receiver has seen.
    """
    ended = (*GIVEN_UP, HandOffState.DONE) if as_new else GIVEN_UP
    guard = and_(hand_offs.c.id == hand_off_id, hand_offs.c.state.in_(ended))
    return _due_again(tx, guard, **({"generation": hand_offs.c.generation + 1} if as_new else {})) == 1


def withdraw(tx: Transaction, job_id: str) -> list[HandOff]:
    """Take back what is still owed for a job: its caller cancelled. Returns what that was."""
    guard = and_(hand_offs.c.job_id == job_id, hand_offs.c.state == HandOffState.OWED)
    # In the order in which an output that came into the archive holds them: its own way there comes first.
    tx.execute(select(hand_offs.c.id).where(guard).order_by(hand_offs.c.id).with_for_update(key_share=True))
    return _end(tx, guard, {"state": HandOffState.WITHDRAWN, "due_at": None, "fence": hand_offs.c.fence + 1})


def due_moments(tx: Transaction, *, until: float, limit: int, without: Collection[str] = ()) -> list[float]:
    """When the next hand-offs are due, soonest first, but for those to a destination in `without`."""
    return due.moments(tx, HAND_OFFS, until=until, limit=limit, given={"without": list(without)})


def due_since(tx: Transaction, *, without: Collection[str] = ()) -> float | None:
    """Since when the longest due hand-off waits for a worker, or None when none does."""
    return due.oldest(tx, HAND_OFFS, given={"without": list(without)})


def count_due(tx: Transaction, *, most: int, without: Collection[str] = ()) -> int:
    """How many are due and wait for a worker, `most` a lane at most."""
    return due.count(tx, HAND_OFFS, most=most, given={"without": list(without)})


def read_row(row: Row[Any]) -> HandOff:
    """One hand-off as the database has it."""
    values = dict(row._mapping)
    return HandOff(**values | {"kind": HandOffKind(values["kind"]), "state": HandOffState(values["state"])})


def _end(tx: Transaction, guard: ColumnElement[bool], changes: Mapping[str, Any]) -> list[HandOff]:
    ended = update(hand_offs).where(guard).values(**changes).returning(*hand_offs.c)
    return sorted((read_row(row) for row in tx.execute(ended)), key=lambda one: one.id)


def _due_again(tx: Transaction, guard: ColumnElement[bool], **more: Any) -> int:
    return tx.execute(update(hand_offs).where(guard).values(**_anew(tx), **more)).rowcount


def _anew(tx: Transaction) -> dict[str, Any]:
    return {"state": HandOffState.OWED, "due_at": tx.now, "created_at": tx.now, "attempts": 0}


def _of_output(job_id: str, output_index: int) -> ColumnElement[bool]:
    """The hand-offs of an output to destinations."""
    return and_(
        hand_offs.c.job_id == job_id,
        hand_offs.c.kind == HandOffKind.OUTPUT,
        hand_offs.c.output_index == output_index,
    )


def _held_as(claimed: HandOff) -> dict[str, Any]:
    return {"this": claimed.id, "with_fence": claimed.fence, "by_worker": claimed.leased_by}
