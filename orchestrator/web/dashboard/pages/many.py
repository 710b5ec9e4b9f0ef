"""The same done with all jobs that are looked for: counted first, with what it means, then in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from starlette.responses import Response

from orchestrator.core.access import Scope
from orchestrator.engine import bulk
from orchestrator.engine.bulk import Done, Prospect
from orchestrator.engine.choices import SCOPES, Act
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.errors import RequestError
from orchestrator.store import job_search
from orchestrator.store.job_ranges import Wanted
from orchestrator.web.dashboard import asked
from orchestrator.web.dashboard.pages.jobs import FOR_MANY
from orchestrator.web.dashboard.searching import Search
from orchestrator.web.dashboard.visit import Visit, acted, shown

GOES_ON_FOR = 8.0  # seconds of one request: then it says how far it came, and how to go on
TOLD = 20  # refusals that are told one by one


@dataclass(slots=True)
class Report:
    """What became of the jobs that were counted: what was done, what not and why, and what is left."""

    done: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    left: int = 0

    def add(self, part: Done) -> None:
        """One more part was done."""
        self.done += part.done
        self.refused |= part.refused


async def counted(visit: Visit) -> Response:
    """What would happen, and to how many."""
    act = _act(visit, visit.request.query_params.get("act", ""))
    search = Search.read(visit.request.query_params)
    found = await visit.door.run(partial(_prospect, visit, act, search.wanted(visit.tenant_id), search.q))
    return _page(visit, act, search, found)


async def done(visit: Visit) -> Response:
    """Does it with as many as were counted, unless there are more by now."""
    act, search = _act(visit, str(visit.form.get("act", ""))), Search.read(visit.form)
    newest, oldest = (asked.text(visit.form, name) for name in ("newest", "oldest"))
    count = asked.number(visit.form, "count")
    if newest is None or oldest is None or count is None:
        raise RequestError("it was not said how many are meant", hint="count them first, at the jobs")
    # Those that were counted, even where there are older ones, which were too many to be counted too.
    wanted = replace(search.wanted(visit.tenant_id), newest=newest, oldest=oldest)
    found = await visit.door.run(partial(_prospect, visit, act, wanted, search.q))
    if found.count > count:
        grown = f"{count:,} were counted, and there are {found.count:,} by now: nothing was done"
        return _page(visit, act, search, found, refusal=grown, status=409)
    report = await _carry_out(visit, act, found.ids)
    return _page(visit, act, search, found, report=report)


async def _carry_out(visit: Visit, act: Act, ids: Sequence[str]) -> Report:
    context, report = visit.door.context, Report()
    began, at = context.clock(), 0
    while at < len(ids) and context.clock() - began < GOES_ON_FOR:
        some = ids[at : at + bulk.PART]
        at += len(some)
        report.add(await visit.door.change(partial(_part, context, act, some, visit.tenant_id)))
    report.left = len(ids) - at
    return report


def _part(
    context: Context, act: Act, ids: Sequence[str], tenant_id: str | None
) -> tuple[Done, list[FollowUp]]:
    part = bulk.do(context, act, ids, tenant_id=tenant_id)
    return part, part.follow_ups


def _prospect(visit: Visit, act: Act, wanted: Wanted, named: str) -> Prospect:
    context = visit.door.context
    with context.store.read() as tx:
        if job_search.called(tx, wanted.tenant_id, named, limit=1):
            raise RequestError(f"{named} names a job by its id", hint="do it on the page of that job")
    return bulk.prospect(context, act, wanted)


def _act(visit: Visit, name: str) -> Act:
    """Raises RequestError, or Forbidden for whoever may not do it."""
    if name not in set(FOR_MANY):
        raise RequestError(f"{name!r} cannot be done with many jobs", hint="begin at the list of jobs")
    visit.require(SCOPES[Act(name)])
    return Act(name)


def _page(
    visit: Visit, act: Act, search: Search, found: Prospect, *, status: int = 200, **more: Any
) -> Response:
    facts = {"report": None, "refusal": "", "told": TOLD, "which": search.words(visit.tenant_id), **more}
    return visit.page("many.html", status=status, act=act, search=search, found=found, **facts)


routes = [
    shown("/jobs/many", counted),
    acted("/jobs/many", done, scope=Scope.READ),  # what it takes depends on what is to be done
]
