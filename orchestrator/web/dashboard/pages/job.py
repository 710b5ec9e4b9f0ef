"""One job: all that was learned and done, its outputs, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from orchestrator.core.access import Scope
from orchestrator.core.lifecycle import State
from orchestrator.core.media import SUFFIXES
from orchestrator.engine import bulk, dossier, resolve
from orchestrator.engine.choices import SCOPES, Act, Choice
from orchestrator.engine.dossier import Dossier
from orchestrator.engine.files import output_of
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.look_now import look_now
from orchestrator.engine.replay import replay_hand_off
from orchestrator.errors import NotFound
from orchestrator.store.hand_offs import GIVEN_UP
from orchestrator.web.dashboard import asked, wording
from orchestrator.web.dashboard.rendering import span
from orchestrator.web.dashboard.visit import Visit, acted, shown
from orchestrator.web.outputs import Reader

LONGEST_RAW = 50_000  # characters of one payload that a page shows
OURS = {"Cross-Origin-Resource-Policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class Button:
    """What can be done, in words, and why it cannot where it cannot.

    `again` is on a second button, for what costs money or cannot be taken back; empty: one is enough.
    """

    act: Act
    name: str
    danger: bool
    again: str
    possible: bool
    words: str


_BUTTONS = (
    (Act.LOOK, "Look now", False, ""),
    (Act.REPLAY, "Replay what was given up", False, ""),
    (Act.RETRY, "Retry as a new job", False, "Yes, pay for another one"),
    (Act.SETTLE, "Settle", False, ""),
    (Act.CANCEL, "Cancel", True, "Yes, cancel it"),
)


async def job(visit: Visit) -> Response:
    """All about one job."""
    find = partial(dossier.of_job, visit.door.context, _named(visit), tenant_id=visit.tenant_id)
    found = await visit.door.run(find)
    return visit.page(
        "job.html",
        it=found,
        job=found.job,
        doing=wording.doing(found.standing),
        won=None if found.race is None else wording.won(found.race),
        rows=wording.rows(found),
        buttons=_buttons(visit, found),
        tones=wording.TONES,
        verdicts=wording.VERDICTS,
        given_up=GIVEN_UP,
        may_operate=visit.may(Scope.OPERATE),
        pictures=[one for one in SUFFIXES if one.startswith("image/")],
        longest_raw=LONGEST_RAW,
    )


def _named(visit: Visit) -> str:
    name: str = visit.request.path_params["job_id"]
    return name


def _buttons(visit: Visit, found: Dossier) -> list[Button]:
    """Each of them, also those that cannot be pressed, with the reason."""
    made = []
    for act, name, danger, again in _BUTTONS:
        choice, scope = found.choices[act], SCOPES[act]
        if choice.possible and not visit.may(scope):
            choice = Choice(False, f"your key lacks the scope {scope}")
        made.append(Button(act, name, danger, again, choice.possible, choice.words))
    return made


async def cancelled(visit: Visit) -> Response:
    """Its caller wants it no more."""
    act = partial(resolve.cancel, visit.door.context, _named(visit), tenant_id=visit.tenant_id)
    after = await visit.door.change(act)
    stopped = after.state is State.CANCELLED and after.gateway_id is None
    told = "Cancelled: nothing was made." if stopped else "Cancelled: nothing more of it is handed off."
    return _back(visit, told)


async def retried(visit: Visit) -> Response:
    """It is asked for once more, as a new job, to whose page they go."""
    known = asked.number(visit.form, "known", most=10**6) or 0
    context, job_id = visit.door.context, _named(visit)
    act = partial(bulk.retry_once, context, job_id, tenant_id=visit.tenant_id, known=known)
    new = await visit.door.change(act)
    return visit.done(f"/jobs/{new.id}", f"Asked for once more: this is the new job, after {job_id}.")


async def replayed(visit: Visit) -> Response:
    """All that was given up for it is tried again."""
    act = partial(bulk.replay_given_up, visit.door.context, _named(visit), tenant_id=visit.tenant_id)
    count = await visit.door.change(act)
    return _back(visit, f"{count} {'is' if count == 1 else 'are'} tried again, from the first attempt on.")


async def replayed_one(visit: Visit) -> Response:
    """One hand-off is tried again, or delivered once more as something new."""
    number = visit.request.path_params["hand_off_id"]
    as_new = bool(visit.form.get("as_new"))
    known = asked.number(visit.form, "generation")
    await visit.door.change(partial(_replay_one, visit, number, as_new, known))
    return _back(visit, f"Hand-off {number} is tried again{', as something new' if as_new else ''}.")


def _replay_one(visit: Visit, number: int, as_new: bool, known: int | None) -> tuple[None, list[FollowUp]]:
    if number > asked.LARGEST_ID:
        raise NotFound(f"there is no hand-off {number}")
    act = partial(replay_hand_off, visit.door.context, number, as_new=as_new, generation=known)
    return None, act(job_id=_named(visit), tenant_id=visit.tenant_id)


async def looked(visit: Visit) -> Response:
    """The gateway is asked about it as soon as it lets us."""
    act = partial(look_now, visit.door.context, _named(visit), tenant_id=visit.tenant_id)
    wait = await visit.door.change(act)
    now = wait < 0.5
    told = "It is looked at now." if now else f"It is looked at in {span(wait)}, as the gateway wants it."
    return _back(visit, told)


def _back(visit: Visit, notice: str) -> Response:
    return visit.done(f"/jobs/{_named(visit)}", notice)


async def output(visit: Visit) -> Response:
    """One file of the job, whole or in ranges, from the archive."""
    state, index = visit.request.app.state, visit.request.path_params["index"]
    if not hasattr(state, "output_reader"):
        state.output_reader = Reader(visit.door.context.archive)
    reader: Reader = state.output_reader
    find = partial(output_of, visit.door.context, visit.tenant_id, _named(visit), index)
    download = "download" in visit.request.query_params
    return await reader.answer(visit.request, _named(visit), find, OURS, download=download)


routes = [
    shown("/jobs/{job_id}", job),
    shown("/jobs/{job_id}/outputs/{index:int}", output),
    acted("/jobs/{job_id}/cancel", cancelled, scope=SCOPES[Act.CANCEL]),
    acted("/jobs/{job_id}/retry", retried, scope=SCOPES[Act.RETRY]),
    acted("/jobs/{job_id}/replay", replayed, scope=SCOPES[Act.REPLAY]),
    acted("/jobs/{job_id}/look", looked, scope=SCOPES[Act.LOOK]),
    acted("/jobs/{job_id}/hand-offs/{hand_off_id:int}/replay", replayed_one, scope=SCOPES[Act.REPLAY]),
]
