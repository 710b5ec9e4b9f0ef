"""Destinations: what each is for, whether it takes anything, what is owed there and what is dead."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from orchestrator.core.access import Scope
from orchestrator.core.routes import Outcome
from orchestrator.engine import destination_report, destinations
from orchestrator.engine.destination_report import MOST, Report
from orchestrator.engine.replay import AT_ONCE, replay_dead
from orchestrator.errors import Forbidden, NotAllowed
from orchestrator.store import dead_letters
from orchestrator.store.dead_letters import Matching
from orchestrator.web.dashboard import asked
from orchestrator.web.dashboard.visit import Visit, acted, shown

PARTS = 25  # so many times AT_ONCE at most, so that whoever asks has an answer in time
SHOWN = 20  # of the dead letters that would be replayed


async def all_destinations(visit: Visit) -> Response:
    """All of them, with how each stands."""
    found = await visit.door.run(partial(destination_report.every, visit.door.context, visit.tenant_id))
    return visit.page("destinations.html", reports=found, most=MOST, outcomes=len(Outcome))


async def destination(visit: Visit) -> Response:
    """One of them, with what failed there last."""
    report, failures = await _report(visit)
    return visit.page(
        "destination.html",
        report=report,
        failures=failures,
        most=MOST,
        outcomes=len(Outcome),
        now=visit.door.clock(),
    )


async def enabled(visit: Visit) -> Response:
    """Lets one that is disabled or shut take again what is owed there, at once."""
    report, _ = await _report(visit)
    if not report.own:
        raise Forbidden(
            f"{report.name} is not your tenant's alone: others' results go there too",
            hint="somebody with the scope installation can enable it",
        )
    act = partial(destinations.enable, visit.door.context, report.name)
    await visit.door.change(lambda: (None, act()))
    return visit.done(
        f"/destinations/{report.name}", f"{report.name} is enabled: what is owed there is delivered."
    )


async def replaying(visit: Visit) -> Response:
    """How many dead letters of a destination would be tried again, and which are the latest."""
    report, _ = await _report(visit)
    which = _which(report.name, visit.request.query_params)
    count, latest = await visit.door.run(partial(_dead, visit, which))
    given = {name: visit.request.query_params.get(name, "") for name in ("outcome", "status")}
    return visit.page(
        "destination_replay.html",
        report=report,
        count=count,
        latest=latest,
        most=MOST,
        at_once=PARTS * AT_ONCE,
        given=given,
        outcomes=list(Outcome),
    )


async def replayed(visit: Visit) -> Response:
    """Tries them again, unless there are more by now than were counted."""
    report, _ = await _report(visit)
    which = _which(report.name, visit.form)
    counted = asked.number(visit.form, "count")
    as_new = bool(visit.form.get("as_new"))
    there, _ = await visit.door.run(partial(_dead, visit, which))
    if counted is None or there > counted:
        raise NotAllowed(
            f"there are {there} dead letters by now, and you were shown {counted or 0}: nothing was done",
            hint="count them again, and confirm that",
        )
    act = partial(replay_dead, visit.door.context, visit.tenant_id, which, as_new=as_new, parts=PARTS)
    revived = await visit.door.change(act)
    left = " There are more: go on in the same way." if revived >= PARTS * AT_ONCE else ""
    return visit.done(
        f"/destinations/{report.name}", f"{revived} of {there} dead letters are owed again.{left}"
    )


async def _report(visit: Visit) -> tuple[Report, destination_report.Failures]:
    name = visit.request.path_params["name"]
    return await visit.door.run(partial(destination_report.one, visit.door.context, visit.tenant_id, name))


def _which(name: str, given: Any) -> Matching:
    outcome = asked.word(given, "outcome", Outcome)
    return Matching(name, outcome=outcome, status=asked.number(given, "status", most=599))


def _dead(visit: Visit, which: Matching) -> tuple[int, list[Any]]:
    with visit.door.context.store.read() as tx:
        count = dead_letters.count(tx, visit.tenant_id, which, most=MOST + 1)
        return count, dead_letters.latest(tx, visit.tenant_id, which, limit=SHOWN)


routes = [
    shown("/destinations", all_destinations),
    shown("/destinations/{name}", destination),
    acted("/destinations/{name}/enable", enabled, scope=Scope.OPERATE),
    shown("/destinations/{name}/replay", replaying),
    acted("/destinations/{name}/replay", replayed, scope=Scope.OPERATE),
]
