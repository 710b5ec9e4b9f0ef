"""Why a job is looked at when it is, in words or as a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from orchestrator.cli.screen import ago, moment, print_json, text
from orchestrator.cli.words import doing
from orchestrator.core.job import Job, Source, Updates
from orchestrator.core.learned.estimate import SILENT_FOR
from orchestrator.core.learned.hooks import BOUND, ENOUGH, Health, Hooks
from orchestrator.core.learned.plan import Plan
from orchestrator.core.lifecycle import SETTLED
from orchestrator.engine.explaining import Alike, End, Explained, Next
from orchestrator.engine.planning import title
from orchestrator.engine.why import WHY

_WON = {
    Source.WEBHOOK: "a webhook",
    Source.POLL: "a look",
    Source.LIST: "the gateway's list, which a look asked",
    Source.CREATE: "the answer to its create",
    Source.OPERATOR: "a person",
    Source.CLOCK: "nobody: its deadline passed",
}


def print_explained(found: Explained, *, as_json: bool) -> None:
    """All of it."""
    if as_json:
        print_json(_document(found))
        return
    job, now = found.standing.job, found.standing.now
    print(f"{job.id}  {job.state}\n{text(_headline(found))}\n")
    lines = [("like it", _told_of_class(found.alike)), *_looks(found)]
    lines += [("webhook", _told_of_hooks(job, found.hooks, now)), *_end(found.end)]
    for name, said in lines:
        if said:
            print(f"  {name:<14}{text(said)}")


def _headline(found: Explained) -> str:
    """When the next look is and why, in one sentence; or how the job ended."""
    job, now, following = found.standing.job, found.standing.now, found.next
    if following is None:
        ended = job.state in SETTLED
        return doing(found.standing) if ended else f"no look is due: {doing(found.standing)}"
    if job.leased_by is not None:
        return "a worker is looking at it now"
    when = "is due now" if following.at <= now else f"is in {following.at - now:.0f} s"
    age = following.at - (job.created_at or following.at)
    return f"the next look {when}, at {age:.0f} s of age: {WHY[following.chosen.why]}"


def _told_of_class(alike: Alike | None) -> str:
    if alike is None:
        return ""
    sizes = " of any size" if alike.all_sizes else ""
    ended = f"{title(alike.name)}{sizes}: {alike.ended:.0f} ended"
    if alike.quantiles is None:
        return ended
    tenth, half, most = alike.quantiles
    return f"{ended}, a tenth of them by {tenth:.0f} s, half by {half:.0f} s, nine tenths by {most:.0f} s"


def _looks(found: Explained) -> Iterator[tuple[str, str]]:
    job, now, following = found.standing.job, found.standing.now, found.next
    if following is None or job.created_at is None:
        return
    by_now = None if found.alike is None else found.alike.ended_by_now
    known = "" if by_now is None else f"; {_share(by_now)} of such jobs have ended by then"
    yield "age", f"{now - job.created_at:.0f} s{known}"
    yield "last look", _last_look(job, now, following)
    if following.plan is not None:
        yield "learned", _learned(following.plan)
    if following.outdated:
        yield "by now", _by_now(following, now)
    yield "by guidance", _by_guidance(following, now)
    if job.look_errors:
        failed = (
            "the last look failed" if job.look_errors == 1 else f"{job.look_errors} looks in a row failed"
        )
        yield "errors", f"{failed}: {job.look_error}; that says nothing about the job"


def _last_look(job: Job, now: float, following: Next) -> str:
    asked = f"{following.hint:g} s of patience"
    until = "" if following.floor_until <= now else f", so not before {_when(following.floor_until, now)}"
    if job.last_look_at is None:
        return f"none yet; {asked} is the rule after a create{until}"
    return f"{now - following.seen_at:.0f} s ago, number {job.looks}; the gateway asked for {asked}{until}"


def _learned(plan: Plan) -> str:
    hooks = "without webhooks" if plan.lost is None else f"taking {_share(plan.lost)} of webhooks for lost"
    return (
        f"{plan.requests:.2f} requests a job and {plan.lag:.1f} s of lag in the mean, {hooks}; "
        f"a look finds the end of {_share(plan.rescues)}"
    )


def _by_now(following: Next, now: float) -> str:
    chosen = following.chosen
    return f"it was chosen when other things were known: now it would be {_when(chosen.at, now)}"


def _by_guidance(following: Next, now: float) -> str:
    at = following.by_guidance
    if at >= now:
        return f"the next look would be {_when(at, now)}"
    return f"a look would have come {_when(at, now)}, and one every {at - following.seen_at:.0f} s since"


def _told_of_hooks(job: Job, hooks: Hooks | None, now: float) -> str:
    if hooks is None:
        return _no_webhook(job)
    since = "" if hooks.health_since is None else f" since {moment(hooks.health_since)}"
    said = f"awaited; {hooks.health}{since}; {_loss(hooks)}"
    if hooks.last_came_at is not None:
        said += f"; the last came {ago(now - hooks.last_came_at)} ago"
    if hooks.health is Health.SILENT:
        soon = now < (hooks.health_since or now) + SILENT_FOR
        how = "by the guidance" if soon else "as often as jobs without webhooks"
        said += f"; open jobs are looked at {how} until they come again"
    return said


def _loss(hooks: Hooks) -> str:
    if hooks.judged < ENOUGH:
        return f"only {hooks.judged:.0f} can be judged, too few to rely on it"
    low, high = hooks.lost(-BOUND), hooks.lost(BOUND)
    seen = f"of {hooks.judged:.0f} that were judged {_share(hooks.lost(0.0))} never came"
    return f"{seen} ({_share(low)} to {_share(high)})"


def _no_webhook(job: Job) -> str:
    if job.updates is Updates.POLL:
        return "none is awaited: the job is followed by looks alone"
    if job.without_webhook:
        return "none is awaited: the gateway refused our endpoint"
    return "none is awaited: the gateway was not asked to call"


def _end(end: End | None) -> Iterator[tuple[str, str]]:
    if end is None:
        return
    yield "told by", f"{_WON[end.won_by or Source.CLOCK]}, at {end.age:.1f} s of age"
    if end.won_by is not Source.CLOCK:
        yield "late by", _late(end)
    if end.hook_after is not None and end.won_by is not Source.WEBHOOK:
        yield "its webhook", _relative(end.hook_after)
    saved = end.by_guidance - end.looks
    compared = (
        "none saved" if abs(saved) < 0.5 else f"{saved:.0f} saved" if saved > 0 else f"{-saved:.0f} more"
    )
    yield (
        "looks",
        f"{end.looks} sent; {end.by_guidance:.1f} by the guidance alone, without webhooks: {compared}",
    )


def _late(end: End) -> str:
    least, most = max(end.age - end.high, 0.0), max(end.age - end.low, 0.0)
    if most - least < 1.0:
        return f"{(least + most) / 2:.1f} s"
    return f"between {least:.0f} and {most:.0f} s: nobody knows more closely when it ended"


def _relative(seconds: float) -> str:
    if seconds < 0:
        return f"came {-seconds:.1f} s before that, and was only scored"
    return f"came {seconds:.1f} s later"


def _when(at: float, now: float) -> str:
    return f"in {at - now:.0f} s" if at >= now else f"{now - at:.0f} s ago"


def _share(share: float) -> str:
    return f"{share:.1%}" if 0.0005 <= share < 0.9995 else f"{share:.0%}"


def _document(found: Explained) -> dict[str, Any]:
    job, following, hooks = found.standing.job, found.next, found.hooks
    document: dict[str, Any] = {"id": job.id, "state": job.state, "now": found.standing.now}
    document["class"] = None if found.alike is None else asdict(found.alike)
    document["next"] = None if following is None else _next_document(job, following)
    document["webhooks"] = None if hooks is None else _hooks_document(job, hooks)
    document["end"] = None if found.end is None else asdict(found.end)
    return document


def _next_document(job: Job, following: Next) -> dict[str, Any]:
    plan = following.plan
    why = following.chosen.why
    return {
        "at": following.at,
        "why": why,
        "because": WHY[why],
        "would_be_at_now": following.chosen.at,
        "seen_at": following.seen_at,
        "hint_seconds": following.hint,
        "floor_until": following.floor_until,
        "by_guidance_at": following.by_guidance,
        "look_errors": job.look_errors,
        "learned_from_jobs": None if plan is None else plan.jobs,
        "requests_per_job": None if plan is None else plan.requests,
        "lag_mean": None if plan is None else plan.lag,
        "found_by_look": None if plan is None else plan.rescues,
    }


def _hooks_document(job: Job, hooks: Hooks) -> dict[str, Any]:
    known = hooks.judged >= ENOUGH
    return {
        "channel": job.channel,
        "judged": hooks.judged,
        "lost": hooks.lost(0.0) if known else None,
        "lost_at_most": hooks.lost(BOUND) if known else None,
        "health": hooks.health,
        "health_since": hooks.health_since,
        "last_came_at": hooks.last_came_at,
    }
