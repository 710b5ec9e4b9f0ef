"""The inbox: what was received, what was rejected and why; each entry, and what a replay of it would change.

It belongs to no tenant: whoever sees it sees that of the installation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import Response

from orchestrator.core import cursors
from orchestrator.core.access import Scope
from orchestrator.engine import foresight, replay
from orchestrator.engine.foresight import Foreseen
from orchestrator.engine.take import Fate, Receipt
from orchestrator.errors import Misshapen, NotAllowed, Place, RequestError
from orchestrator.gateway.vocabulary import BY_EVENT_TYPE
from orchestrator.store import inbox_lists
from orchestrator.store.inbox import Entry, EntryState, Rejection
from orchestrator.store.inbox_lists import Filed
from orchestrator.store.inbox_lists import Place as Where
from orchestrator.web.dashboard import asked
from orchestrator.web.dashboard.foreseen import changes, sentence
from orchestrator.web.dashboard.visit import Visit, acted, shown

AT_ONCE = 50  # entries on a page


async def inbox(visit: Visit) -> Response:
    """What came in, the latest first."""
    given = visit.request.query_params
    fate = asked.word(given, "fate", Fate)
    act = _rejected_page if fate is Fate.REJECTED else _received_page
    facts = await visit.door.run(partial(act, visit))
    told = {name: given.get(name, "") for name in ("type", "gateway_id", "since", "until", "reason")}
    return visit.page(
        "inbox.html", fate=fate or "", fates=list(Fate), types=list(BY_EVENT_TYPE), given=told, **facts
    )


def _received_page(visit: Visit) -> dict[str, Any]:
    given = visit.request.query_params
    fate = asked.word(given, "fate", Fate)
    which = Filed(
        state=EntryState(fate) if fate else None,
        type=asked.text(given, "type"),
        gateway_id=asked.text(given, "gateway_id"),
        since=asked.moment(given, "since"),
        until=asked.moment(given, "until"),
    )
    before = _where(asked.text(given, "cursor"), which)
    with visit.door.context.store.read() as tx:
        page = inbox_lists.page(tx, which, limit=AT_ONCE, before=before)
    older = page.after and cursors.write(f"{page.after[0]!r}:{page.after[1]}", which)
    return {
        "lines": page.lines,
        "older": older and asked.query(given, cursor=older),
        "latest": asked.query(given, cursor=None) if before else None,
        "looked_through": inbox_lists.WINDOW if page.looked_through else None,
    }


def _rejected_page(visit: Visit) -> dict[str, Any]:
    given = visit.request.query_params
    before = asked.number(given, "cursor")
    with visit.door.context.store.read() as tx:
        found = inbox_lists.refused(
            tx,
            reason=asked.text(given, "reason"),
            since=asked.moment(given, "since"),
            until=asked.moment(given, "until"),
            limit=AT_ONCE + 1,
            before=before,
        )
    more = len(found) > AT_ONCE
    return {
        "lines": found[:AT_ONCE],
        "older": asked.query(given, cursor=found[AT_ONCE - 1].id) if more else None,
        "latest": asked.query(given, cursor=None) if before is not None else None,
        "looked_through": None,
    }


def _where(cursor: str | None, which: Filed) -> Where | None:
    if cursor is None:
        return None
    at, _, entry_id = (cursors.read(cursor, which) or "").partition(":")
    try:
        return float(at), int(entry_id)
    except ValueError:
        raise Misshapen(
            [Place("cursor", "it is not of a list with these filters")], hint="begin at the latest ones"
        ) from None


async def entry(visit: Visit) -> Response:
    """One entry, with its body, and what a replay would change."""
    facts = await visit.door.run(partial(_entry, visit))
    return visit.page("inbox_entry.html", **facts)


def _entry(visit: Visit) -> dict[str, Any]:
    entry_id = asked.row_id(visit.request.path_params, "entry")
    context = visit.door.context
    with context.store.read() as tx:
        found = replay.received(tx, entry_id)
        # An earlier version could read it, which this one perhaps cannot.
        return _shown(found, lambda: foresight.of_entry(context, tx, found))


async def replayed(visit: Visit) -> Response:
    """Replays one, unless something else would happen by now than what was shown."""
    visit.require(Scope.INSTALLATION)
    entry_id = asked.row_id(visit.request.path_params, "entry")
    mark = str(visit.form.get("mark", ""))
    act = partial(replay.replay, visit.door.context, entry_id, foreseen=mark)
    receipt = await visit.door.change(lambda: _with_follow_ups(act()))
    return visit.done(f"/inbox/{entry_id}", f"Replayed: {receipt.fate}.")


async def rejected(visit: Visit) -> Response:
    """One delivery that was not believed, and whether a replay would believe it."""
    facts = await visit.door.run(partial(_rejected, visit))
    return visit.page("inbox_rejected.html", **facts)


def _rejected(visit: Visit) -> dict[str, Any]:
    rejection_id = asked.row_id(visit.request.path_params, "rejection")
    context = visit.door.context
    with context.store.read() as tx:
        found = replay.rejected(tx, rejection_id)

        def foreseen() -> Foreseen:
            replay.require_believable(context, found)
            return foresight.of_rejection(context, tx, found)  # what is believed may still be no delivery

        return _shown(found, foreseen)


def _shown(found: Entry | Rejection, foresee: Callable[[], Foreseen]) -> dict[str, Any]:
    """One of either kind, with what a replay would do, or why it would be refused."""
    facts: dict[str, Any] = {"entry": found, "body": _legible(found.body), "told": None, "refused": None}
    try:
        return facts | {"told": _told(foresee())}
    except RequestError as error:
        return facts | {"refused": {"message": error.message, "hint": error.hint}}


async def replayed_rejected(visit: Visit) -> Response:
    """Verifies one again, and takes it, unless something else would happen by now than what was shown."""
    visit.require(Scope.INSTALLATION)
    rejection_id = asked.row_id(visit.request.path_params, "rejection")
    mark = str(visit.form.get("mark", ""))
    act = partial(replay.replay_rejected, visit.door.context, rejection_id, foreseen=mark)
    receipt = await visit.door.change(lambda: _with_follow_ups(act()))
    if receipt.entry_id is None:
        raise NotAllowed("it was not kept")
    return visit.done(f"/inbox/{receipt.entry_id}", f"Believed now, and replayed: {receipt.fate}.")


def _with_follow_ups(receipt: Receipt) -> tuple[Receipt, list[Any]]:
    return receipt, list(receipt.follow_ups)


def _told(foreseen: Foreseen) -> dict[str, Any]:
    return {
        **{name: getattr(foreseen, name) for name in ("job", "mark", "owed", "told")},
        "sentence": sentence(foreseen),
        "changes": changes(foreseen),
    }


def _legible(body: bytes) -> str:
    return body.decode(errors="replace")


routes = [
    shown("/inbox", inbox, scope=Scope.INSTALLATION),
    shown("/inbox/rejected/{rejection}", rejected, scope=Scope.INSTALLATION),
    acted("/inbox/rejected/{rejection}/replay", replayed_rejected, scope=Scope.OPERATE),
    shown("/inbox/{entry}", entry, scope=Scope.INSTALLATION),
    acted("/inbox/{entry}/replay", replayed, scope=Scope.OPERATE),
]
