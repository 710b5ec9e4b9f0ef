"""From what is known of a class and a channel to its schedule."""

from __future__ import annotations

from orchestrator.core.learned.density import Floats, delays_of, density
from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.hooks import CAUTIOUS, ENOUGH, Health, Hooks
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing, plan
from orchestrator.core.learned.paces import Pace, Schedule, Why
from orchestrator.core.learned.spans import together

ENOUGH_JOBS = 20  # ended ones, before which the guidance is followed
CUT_SHORT = 0.2  # of the latest delays: then it is not known how late webhooks would come
# Seconds for which the guidance is followed after webhooks stopped: they may soon be back.
SILENT_FOR = 1_800.0


def endings_of(endings: Endings) -> Floats:
    """The distribution of the ages at which jobs of a class end."""
    return density(together(cohort.evidence for cohort in endings.cohorts))


def hearing_of(hooks: Hooks | None, *, deviations: float = CAUTIOUS) -> Hearing:
    """How webhooks come over a channel, cautiously; nothing is heard where too little was seen."""
    if hooks is None or hooks.judged < ENOUGH or hooks.delays.ended < ENOUGH / 2:
        return NOTHING_HEARD
    return hearing(hooks.lost(deviations), delays_of(hooks.delays))


def schedule_of(
    endings: Endings,
    hooks: Hooks | None,
    *,
    now: float,
    floor: float,
    request_seconds: float,
    longest: float,
) -> Schedule:
    """What applies to the jobs of a class whose webhooks come over a channel (None: none are awaited)."""
    if endings.ended < ENOUGH_JOBS:
        return Schedule(Pace(Why.NO_DATA, None, longest))
    if hooks is not None and hooks.health is Health.SILENT and now < (hooks.health_since or now) + SILENT_FOR:
        return Schedule(Pace(Why.SILENT, None, longest))
    made = plan(
        endings_of(endings),
        hearing_of(hooks),
        floor=floor,
        request_seconds=request_seconds,
        longest=longest,
        jobs=endings.ended,
    )
    delays, ends = teaching(endings, hooks)
    return Schedule(Pace(Why.LEARNED, made, longest), teach_delays=delays, teach_endings=ends)


def teaching(endings: Endings, hooks: Hooks | None) -> tuple[bool, bool]:
    """Whether some jobs are to teach how late webhooks come, and whether some when jobs end."""
    delays = hooks is not None and hooks.cut_short > CUT_SHORT * (hooks.known + hooks.cut_short)
    return delays, endings.wide > endings.narrow
