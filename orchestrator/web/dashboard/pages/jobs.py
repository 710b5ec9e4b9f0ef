"""The list of jobs, and what is looked for in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from starlette.responses import RedirectResponse, Response

from orchestrator.core.blame import Fault
from orchestrator.core.lifecycle import State
from orchestrator.engine import standing
from orchestrator.engine.choices import SCOPES, Act
from orchestrator.engine.context import Context
from orchestrator.engine.standing import Standing
from orchestrator.store import figures, job_search, tenants
from orchestrator.store.job_ranges import Undone
from orchestrator.store.job_search import LOOKED_THROUGH, Found
from orchestrator.web.dashboard import wording
from orchestrator.web.dashboard.searching import GROUPS, Search
from orchestrator.web.dashboard.visit import BEGINNING, Visit, shown

PAGE = 50
MOST_MODELS = 200
MOST_TENANTS = 500
FOR_MANY = (Act.CANCEL, Act.RETRY, Act.REPLAY)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list. `exact`: the one job that was named, `named`: several are, by ids.

    `models` and `tenants` are there to choose.
    """

    found: Found
    standings: list[Standing]
    exact: str | None
    named: bool
    models: list[str]
    tenants: list[str]


async def jobs(visit: Visit) -> Response:
    """Jobs, the newest first: all, or those that are looked for."""
    search = Search.read(visit.request.query_params)
    listed = await visit.door.run(partial(_listed, visit.door.context, visit.tenant_id, search))
    if listed.exact is not None:
        return RedirectResponse(f"{BEGINNING}/jobs/{listed.exact}", 303)
    return visit.page(
        "jobs.html",
        search=search,
        listed=listed,
        states=list(State),
        groups=list(GROUPS),
        faults=list(Fault),
        undone=list(Undone),
        acts=[(act, SCOPES[act], visit.may(SCOPES[act])) for act in FOR_MANY],
        looked_through=LOOKED_THROUGH,
        tones=wording.TONES,
    )


def _listed(context: Context, tenant_id: str | None, search: Search) -> Listed:
    wanted = search.wanted(tenant_id)
    with context.store.read() as tx:
        named = job_search.called(tx, wanted.tenant_id, search.q, limit=PAGE)
        alone = len(named) == 1 and search == Search(q=search.q)
        whose = tenants.ids(tx) if tenant_id is None else [tenant_id]
        known = figures.models(tx, whose, limit=MOST_MODELS)
        if named:  # whatever else is asked for: so plainly named, it is these
            found = Found(tuple(named), None)
        else:
            found = job_search.find(tx, wanted, limit=PAGE, before=search.before or None)
        rows = standing.of_jobs(tx, job_search.read(tx, found.ids))
    exact = named[0] if alone else None
    return Listed(found, rows, exact, bool(named), known, whose[:MOST_TENANTS] if tenant_id is None else [])


routes = [shown("/jobs", jobs)]
