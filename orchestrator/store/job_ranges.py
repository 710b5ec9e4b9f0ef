"""What a person looks for, as ranges of indexes in the order of ids, and what must hold besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, exists, func, literal, select, true, tuple_

from orchestrator.core.blame import OF_ENDS, Fault
from orchestrator.core.lifecycle import State
from orchestrator.store.job_lists import newest
from orchestrator.store.schema import DEAD_LETTERS, HAND_OFFS_DUE, faults, hand_offs, jobs

MOST_LINES = 60  # ranges that are merged; with more, all jobs are looked through instead


class Undone(StrEnum):
    """A hand-off that its destination, or the archive, does not have."""

    OWED = "owed"  # it is to be done; an index leads to none of these jobs
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are meant; None, or no states, means any.

    `tenant_id` None: those of all tenants. `fault` is whose doing the end was, or what was met on the way.
    `undone`: with such a hand-off. `uncancelled` and `not_retried` leave out those of which somebody wanted
    that already. `newest` is the last id that counts, `oldest` the first one.
    """

    tenant_id: str | None = None
    states: tuple[State, ...] = ()
    reference: str | None = None
    model: str | None = None
    fault: Fault | None = None
    undone: Undone | None = None
    uncancelled: bool = False
    not_retried: bool = False
    newest: str | None = None
    oldest: str | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A range of an index: jobs for which all of these hold, the last one by its column and value."""

    where: tuple[ColumnElement[bool], ...]
    by: Column[Any] | None = None
    value: Any = None

    def ids(self, fits: ColumnElement[bool], number: int, until: str | None, limit: int) -> Select[Any]:
        """Its newest ids, and whether each fits."""
        columns = jobs.c.id, fits.label("fits"), literal(number).label("line")
        if self.by is not None:
            range_of_index = newest(self.where, self.by, self.value, until, limit)
            return range_of_index.with_only_columns(*columns)
        before = () if until is None else (jobs.c.id < until,)
        return select(*columns).where(*self.where, *before).order_by(jobs.c.id.desc()).limit(limit)


@dataclass(frozen=True, slots=True)
class _Met:
    """The jobs of a tenant that met a fault on their way."""

    tenant_id: str
    fault: Fault

    def ids(self, fits: ColumnElement[bool], number: int, until: str | None, limit: int) -> Select[Any]:
        """As those of a line."""
        fault, job_id = faults.c.fault, faults.c.job_id
        end = fault <= self.fault
        if until is not None:
            end = tuple_(fault, job_id) < tuple_(literal(self.fault.value), literal(until))
        met = select(job_id).where(faults.c.tenant_id == self.tenant_id, fault >= self.fault, end)
        these = met.order_by(fault.desc(), job_id.desc()).limit(limit).subquery()
        columns = jobs.c.id, fits.label("fits"), literal(number).label("line")
        return select(*columns).join(these, these.c.job_id == jobs.c.id).order_by(jobs.c.id.desc())


@dataclass(frozen=True, slots=True)
class _GivenUp:
    """The jobs of a tenant with a hand-off that was given up."""

    tenant_id: str

    def ids(self, fits: ColumnElement[bool], number: int, until: str | None, limit: int) -> Select[Any]:
        """As those of a line."""
        job_id = hand_offs.c.job_id
        before = () if until is None else (job_id < until,)
        dead = select(job_id).where(DEAD_LETTERS, hand_offs.c.tenant_id == self.tenant_id, *before)
        these = dead.group_by(job_id).order_by(job_id.desc()).limit(limit).subquery()
        columns = jobs.c.id, fits.label("fits"), literal(number).label("line")
        return select(*columns).join(these, these.c.job_id == jobs.c.id).order_by(jobs.c.id.desc())


Range = _Line | _Met | _GivenUp


def ranges(wanted: Wanted, whose: Sequence[str]) -> tuple[list[Range], frozenset[str]]:
    """Ranges of indexes that hold all that is meant, and the conditions that they see to."""
    lines, seen_to = _by_index(wanted, whose)
    if len(lines) > MOST_LINES or (not seen_to and wanted.tenant_id is None):
        return [_Line((_theirs(wanted),))], frozenset()
    return lines, seen_to


def _by_index(wanted: Wanted, whose: Sequence[str]) -> tuple[list[Range], frozenset[str]]:
    if wanted.undone is Undone.GIVEN_UP:
        return [_GivenUp(one) for one in whose], frozenset({"undone"})
    theirs = [(jobs.c.tenant_id == one,) for one in whose]
    if wanted.reference is not None:
        return [_Line(one, jobs.c.reference, wanted.reference) for one in theirs], frozenset({"reference"})
    if wanted.fault is not None:
        if wanted.fault in OF_ENDS:
            return [_Line(one, jobs.c.blame, wanted.fault.value) for one in theirs], frozenset({"fault"})
        return [_Met(one, wanted.fault) for one in whose], frozenset({"fault"})
    if wanted.states:
        states = sorted(set(wanted.states))
        return [_Line(one, jobs.c.state, state) for one in theirs for state in states], frozenset({"states"})
    return [_Line((), jobs.c.tenant_id, one) for one in whose], frozenset()


def _at_fault(fault: Fault) -> ColumnElement[bool]:
    if fault in OF_ENDS:
        return jobs.c.blame == fault
    return exists().where(faults.c.job_id == jobs.c.id, faults.c.fault == fault)


def _theirs(wanted: Wanted) -> ColumnElement[bool]:
    return true() if wanted.tenant_id is None else jobs.c.tenant_id == wanted.tenant_id


def conditions(wanted: Wanted) -> dict[str, ColumnElement[bool]]:
    """What is asked for, by name; what is not, is not there."""
    again = jobs.alias("again")
    asked_for = func.coalesce(jobs.c.model, jobs.c.request["model"].as_string())
    which = DEAD_LETTERS if wanted.undone is Undone.GIVEN_UP else HAND_OFFS_DUE
    undone = exists().where(hand_offs.c.job_id == jobs.c.id, which)
    retried = exists().where(again.c.retry_of == jobs.c.id, again.c.retry_of.is_not(None))
    told: dict[str, ColumnElement[bool] | None] = {
        "states": jobs.c.state.in_(sorted(set(wanted.states))) if wanted.states else None,
        "reference": None if wanted.reference is None else jobs.c.reference == wanted.reference,
        "model": None if wanted.model is None else asked_for == wanted.model,
        "fault": None if wanted.fault is None else _at_fault(wanted.fault),
        "undone": None if wanted.undone is None else undone,
        "uncancelled": jobs.c.cancel_requested_at.is_(None) if wanted.uncancelled else None,
        "not_retried": ~retried if wanted.not_retried else None,
        "newest": None if wanted.newest is None else jobs.c.id <= wanted.newest,
        "oldest": None if wanted.oldest is None else jobs.c.id >= wanted.oldest,
    }
    return {name: one for name, one in told.items() if one is not None}
