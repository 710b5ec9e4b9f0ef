"""Uncertain creates: those that wait for a person, with the evidence, and the three ways out."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from orchestrator.core.access import Scope
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine import resolve, uncertain_report
from orchestrator.engine.uncertain_report import MOST
from orchestrator.errors import Misshapen, NotAllowed, Place
from orchestrator.web.dashboard import asked, wording
from orchestrator.web.dashboard.foreseen import changes, sentence
from orchestrator.web.dashboard.visit import Visit, acted, shown

AT_ONCE = 50  # jobs on a page
_ADOPTED = "It is the gateway job {}: it is looked at now, and followed like any other."


async def uncertain(visit: Visit) -> Response:
    """Those that wait for a person, oldest first, and those that may still be found."""
    after = asked.text(visit.request.query_params, "after")
    act = partial(uncertain_report.listed, visit.door.context, visit.tenant_id, limit=AT_ONCE, after=after)
    found = await visit.door.run(act)
    return visit.page("uncertain.html", found=found, most=MOST, after=after)


async def uncertain_create(visit: Visit) -> Response:
    """One of them: what is known, and what each way out would do."""
    job_id = visit.request.path_params["job"]
    act = partial(uncertain_report.evidence, visit.door.context, visit.tenant_id, job_id)
    found = await visit.door.run(act)
    ways = {
        str(seen): {"sentence": sentence(one), "changes": changes(one), "owed": one.owed}
        for seen, one in found.foreseen.items()
    }
    return visit.page(
        "uncertain_create.html",
        found=found,
        job=found.job,
        open=found.job.state is State.UNCERTAIN,
        adoptable=found.job.state is State.UNCERTAIN
        or (found.job.state is State.WAITING and found.job.unconfirmed),
        ways=ways,
        seen=wording.SEEN,
    )


async def decided(visit: Visit) -> Response:
    """Adopts, resubmits or gives up."""
    job_id = visit.request.path_params["job"]
    way = asked.word(visit.form, "way", Seen)
    context, tenant_id = visit.door.context, visit.tenant_id
    if way is Seen.ADOPT:
        gateway_id = asked.text(visit.form, "gateway_id") or ""
        act = partial(resolve.adopt, context, job_id, gateway_id, tenant_id=tenant_id)
        told = _ADOPTED.format(gateway_id)
    elif way is Seen.RESUBMIT:
        if not visit.form.get("risk"):
            raise NotAllowed(
                "you did not accept that both videos may be paid: nothing was done",
                hint="tick the box beside the button, if you do",
            )
        act = partial(resolve.resubmit, context, job_id, tenant_id=tenant_id)
        told = "It is created again."
    elif way is Seen.GIVE_UP:
        act = partial(resolve.give_up, context, job_id, tenant_id=tenant_id)
        told = "It was given up: a webhook that still comes counts."
    else:
        raise Misshapen([Place("way", "it is one of adopt, resubmit and give_up")])
    await visit.door.change(lambda: (None, act()))
    return visit.done(f"/uncertain/{job_id}", told)


routes = [
    shown("/uncertain", uncertain),
    shown("/uncertain/{job}", uncertain_create),
    acted("/uncertain/{job}", decided, scope=Scope.OPERATE),
]
