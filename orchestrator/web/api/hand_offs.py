"""Hand-offs that were given up: which there are, and trying them again."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Path, Query, Response

from orchestrator.core.access import Caller, Scope
from orchestrator.engine import reading
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.replay import AT_ONCE, replay_dead, replay_hand_off
from orchestrator.store.dead_letters import Matching
from orchestrator.web.api import paging, presenting
from orchestrator.web.api.authentication import requires
from orchestrator.web.api.door import DoorDep
from orchestrator.web.api.routing import api_router
from orchestrator.wire.jobs import LONGEST_SPAN, DeadLetters, Replay, Replayed, ReplayOne

router = api_router()
Reader = Annotated[Caller, requires(Scope.READ)]
Operator = Annotated[Caller, requires(Scope.OPERATE)]

PARTS = 25  # so many times AT_ONCE at most, so that whoever asks has an answer in time

Short = Query(min_length=1, max_length=100, pattern=r"^[^\x00]*$")


@router.get("/dead-letters", operation_id="list_dead_letters", response_model=DeadLetters)
async def list_dead_letters(
    door: DoorDep,
    caller: Reader,
    destination: Annotated[str | None, Short] = None,
    outcome: Annotated[str | None, Short] = None,
    status: Annotated[int | None, Query(ge=100, le=599, description="The destination's last answer.")] = None,
    within_seconds: Annotated[
        float | None, Query(gt=0, le=LONGEST_SPAN, description="Only those that became due since then.")
    ] = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Response:
    """Hand-offs that were given up, the latest first."""
    which = Matching(destination, outcome, within_seconds, status)
    of = (caller.tenant_id, which)
    act = partial(
        reading.dead,
        door.context,
        caller.tenant_id,
        which,
        limit=limit,
        before=paging.number(cursor, of),
    )
    letters, last = await door.run(act)
    told = tuple(presenting.dead_letter(one) for one in letters)
    return presenting.answer(DeadLetters(dead_letters=told, next=paging.following(last, of)))


@router.post("/dead-letters/replay", operation_id="replay_dead_letters", response_model=Replayed)
async def replay_dead_letters(door: DoorDep, caller: Operator, body: Replay) -> Response:
    """Retry all that match, the latest first. If the answer says `more`, ask again for the rest."""
    revived = await door.change(partial(_replay, door.context, caller.tenant_id, body))
    return presenting.answer(Replayed(replayed=revived, more=revived >= PARTS * AT_ONCE))


def _replay(context: Context, tenant_id: str, asked: Replay) -> tuple[int, list[FollowUp]]:
    which = Matching(asked.destination, asked.outcome, asked.within_seconds, asked.status)
    return replay_dead(context, tenant_id, which, as_new=asked.as_new, parts=PARTS)


@router.post("/hand-offs/{hand_off_id}/replay", operation_id="replay_hand_off", response_model=Replayed)
async def replay_one_hand_off(
    door: DoorDep,
    caller: Operator,
    hand_off_id: Annotated[int, Path(ge=1, le=paging.LARGEST_ID)],
    body: ReplayOne,
) -> Response:
    """Retry one hand-off that was given up; as something new, also one that was done."""
    await door.change(partial(_replay_one, door.context, caller.tenant_id, hand_off_id, body))
    return presenting.answer(Replayed(replayed=1))


def _replay_one(
    context: Context, tenant_id: str, hand_off_id: int, asked: ReplayOne
) -> tuple[None, list[FollowUp]]:
    return None, replay_hand_off(context, hand_off_id, as_new=asked.as_new, tenant_id=tenant_id)
