"""The overview: how everything stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.responses import Response

from orchestrator.core.blame import TOLD
from orchestrator.core.job import HandOffKind
from orchestrator.engine import overview as figures
from orchestrator.engine.alarms import Alarm, AlarmName
from orchestrator.engine.overview import KEPT_FOR, Overview, Remembered
from orchestrator.store.ledger import DAY, Sums
from orchestrator.web.dashboard import charts
from orchestrator.web.dashboard.charts import Place
from orchestrator.web.dashboard.visit import Visit, shown


async def overview(visit: Visit) -> Response:
    """What is open, stuck and failing, what it costs, and what is wrong."""
    state = visit.request.app.state
    if not hasattr(state, "overview_sums"):
        state.overview_sums = Remembered()
    door, context = visit.door, visit.door.context
    read = partial(figures.read, context, visit.tenant_id, state.overview_sums)
    found = await door.run(partial(read, wall_clock=door.clock(), beat_expected=door.beat_expected))
    return visit.page(
        "overview.html",
        it=found,
        alarms=[(one, _leads_to(one)) for one in found.alarms or ()],
        addressees=TOLD,
        archive=HandOffKind.ARCHIVE,
        kept_for=KEPT_FOR,
        cap_days=context.settings.spend_window_days,
        **_charts(found),
    )


def _leads_to(alarm: Alarm) -> str | None:
    """The page on which something can be done about it, or seen of it."""
    if alarm.name in (AlarmName.DESTINATION_SHUT, AlarmName.DESTINATION_DISABLED):
        return f"/destinations/{alarm.about}"
    return f"/jobs?fault={alarm.about}" if alarm.name is AlarmName.FAULT_RECURS else None


def _charts(found: Overview) -> dict[str, Any]:
    days = [(_date(day), one) for day, one in found.sizes.days]
    return {
        "days": days,
        "ended": charts.bars("Jobs that ended, by day", _places(days, lambda one: (float(one.jobs),))),
        "looked": charts.lines(
            "Looks by day: those sent, and dashed those that the guidance alone would have sent",
            _places(days, lambda one: (one.looks + one.lists, one.guidance_looks)),
        ),
        "share": charts.share,
    }


def _places(days: Sequence[tuple[str, Sums]], values: Any) -> list[Place]:
    return [Place(name[5:], values(one)) for name, one in days]


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY, UTC).date().isoformat()


routes = [shown("", overview)]
