"""The ledger: what looking at jobs cost that have ended, and what the guidance alone would have cost."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from orchestrator.core.job import Source, Updates
from orchestrator.core.learned.account import End, by_guidance, lag_of
from orchestrator.core.learned.classes import DEFAULT_MODEL, without_nul
from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.estimate import endings_of
from orchestrator.core.learned.folding import Known
from orchestrator.core.learned.lessons import LessonKind
from orchestrator.core.learned.paces import Why
from orchestrator.core.learned.rescues import left_to_looks, read_rescues
from orchestrator.engine import counting
from orchestrator.engine.context import Context
from orchestrator.engine.legible import legible
from orchestrator.store import estimates, ledger
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.ledger import Page, Sums, day_of
from orchestrator.store.lessons import Told
from orchestrator.telemetry import Event, log

LONGEST_NAME = 200
_BY_LOOK = (Source.POLL, Source.LIST)

Closed = tuple[dict[str, Any], str, Told]  # what a job's end taught, its id, and what is known of it since


@contextmanager
def readable(job_id: str | None, kind: LessonKind) -> Iterator[None]:
    """A lesson that cannot be read is not counted, and costs the others nothing."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        log(Event.LESSON_BROKE, job=job_id, level=logging.ERROR, kind=kind, error=repr(error))


def account(
    context: Context,
    tx: Transaction,
    known: Known,
    closed: Sequence[Closed],
    listed: Sequence[Mapping[str, Any]],
) -> None:
    """Count jobs of which all is known, and list requests."""
    _tally(context, tx, closed)
    pages: defaultdict[Page, Sums] = defaultdict(Sums)
    first = context.settings.poll_after_seconds

    @cache
    def density_of(name: str) -> Floats:
        return endings_of(known.endings[name])

    for data, job_id, told in closed:
        with readable(job_id, LessonKind.CLOSED):
            density = density_of(data["class"]) if data["class"] and data["high"] > data["low"] else None
            hint = data["hint"] or known.endings[data["class"]].hint or first
            pages[_page(data, data["at"])].add(_sums(data, told, density, first=first, hint=hint))
    for one in listed:
        with readable(None, LessonKind.LISTED):
            pages[_page(one, tx.now)].add(Sums(lists=float(one.get("requests", 1))))
    ledger.add(tx, pages)
    whole = Sums()
    for sums in pages.values():
        whole.add(sums)
    tx.after_commit.append(lambda: counting.accounted(whole))


def _page(data: Mapping[str, Any], at: float) -> Page:
    model = data.get("model") or DEFAULT_MODEL
    return data["tenant"], without_nul(str(model))[:LONGEST_NAME], day_of(at)


def _sums(data: Mapping[str, Any], told: Told, density: Floats | None, *, first: float, hint: float) -> Sums:
    heard = None if data["caused"] else data["heard"]
    end = End(data["low"], data["high"], data["age"], heard)
    guidance = by_guidance(end, density, first=first, hint=hint)
    awaited = _awaited(data)
    return Sums(
        jobs=1,
        looks=told.looks,
        guidance_looks=guidance.looks,
        lag=lag_of(end, density),
        guidance_lag=0.0 if data["told_by"] == Source.CLOCK else guidance.lag,  # nothing to be told of
        awaited=int(awaited),
        rescued=int(awaited and data["told_by"] in _BY_LOOK),
    )


def _awaited(data: Mapping[str, Any]) -> bool:
    """Whether a webhook was to tell the end; in shadow mode it is only scored."""
    return data["channel"] is not None and data["updates"] == Updates.HYBRID


def _tally(context: Context, tx: Transaction, closed: Sequence[Closed]) -> None:
    """Compare what looks found with what a healthy channel leaves to them, by channel."""
    found: defaultdict[str, list[tuple[bool, float]]] = defaultdict(list)
    for data, job_id, _ in closed:
        with readable(job_id, LessonKind.CLOSED):
            pace = context.paces.of(job_id, data["class"], data["channel"]) if _awaited(data) else None
            if pace is not None and pace.why is Why.LEARNED and pace.plan is not None:
                found[data["channel"]].append((data["told_by"] in _BY_LOOK, left_to_looks(pace.plan)))
    for channel in sorted(found):
        rescues = legible(read_rescues, estimates.lock(tx, EstimateKind.RESCUES, channel))
        for by_look, chance in found[channel]:
            rescues.learn(by_look=by_look, chance=min(max(chance, 0.0), 1.0))
        estimates.write(tx, EstimateKind.RESCUES, channel, rescues.as_json())
