"""The overview: how everything stands."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from orchestrator.engine import alarms
from orchestrator.engine.alarms import Alarm
from orchestrator.web.dashboard.visit import Visit, shown


async def overview(visit: Visit) -> Response:
    """What is wrong now."""
    return visit.page("overview.html", alarms=await visit.door.run(partial(_alarms, visit)))


def _alarms(visit: Visit) -> list[Alarm]:
    with visit.door.context.store.read() as tx:
        return alarms.read(tx, wall_clock=visit.door.clock(), beat_expected=False)


routes = [shown("", overview)]
