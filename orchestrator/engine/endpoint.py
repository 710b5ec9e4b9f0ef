"""The webhook endpoint that an account has at the gateway: made or mended, one and no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from orchestrator.engine.create import EVENTS
from orchestrator.engine.endpoint_keeping import Keeping
from orchestrator.engine.endpoint_secret import keep, replace_secret
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import GatewayError, NotAllowed
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway.endpoints import ACTIVE, Endpoint, Management

NAMED = "orchestrator"  # what the names of endpoints begin with that were made here
LONGEST_NAME = 120  # gateway contract 5


class Deed(StrEnum):
    """What is done to have an endpoint that works."""

    MADE = "made"  # there was none
    MENDED = "mended"  # something about it was changed
    TAKEN_OVER = "taken over"  # there was one with this URL, and its secret was known to nobody here
    NOTHING = "nothing"  # all was as it must be


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted: at which URL, for which account, and the endpoint and secrets it has.

    `sure` where somebody said that the outside reaches the receiver at this URL; else it is a guess, and an
    endpoint of the account that has its path elsewhere is left there.
    """

    url: str
    account: str
    known_id: str | None
    secret_known: bool
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is and what is to be done; `changes` are those of a PATCH."""

    deed: Deed
    endpoint: Endpoint | None
    changes: dict[str, Any]

    @property
    def new_secret(self) -> bool:
        """Whether there will be a secret to keep."""
        return self.deed in (Deed.MADE, Deed.TAKEN_OVER)


def missing(events: Iterable[str]) -> list[str]:
    """Those of the events we need that a subscription lacks."""
    asked = {_in_full(one) for one in events}
    return [one for one in EVENTS if one not in asked]


def plan(every: Sequence[Endpoint], wanted: Wanted, *, adopt: bool) -> Plan:
    """The account's endpoint and what is wrong with it. Raises NotAllowed for one that may be another's."""
    found = _find(every, wanted)
    if found is None:
        return Plan(Deed.MADE, None, {})
    changes = _changes(found, wanted)
    if found.id == wanted.known_id and wanted.secret_known:
        return Plan(Deed.MENDED if changes else Deed.NOTHING, found, changes)
    if not (adopt or found.id == wanted.known_id or found.name.startswith(NAMED)):
        raise NotAllowed(
            f"the endpoint {found.id} ({found.name}) has this URL, and its secret is not known here",
            hint="--adopt takes it over with a new secret, or delete it in the gateway's console",
        )
    return Plan(Deed.TAKEN_OVER, found, changes)


def carry_out(
    management: Management, http: HttpLoop, keeping: Keeping, wanted: Wanted, planned: Plan
) -> Endpoint:
    """Do it; the endpoint as it is then. Raises GatewayError, SettingError and StoreError.

    Dead between the answer that makes an endpoint and its being kept, the endpoint is found by its URL and
    its name the next time, and gets a new secret: there is never a second one.
    """
    endpoint = planned.endpoint
    if endpoint is None:
        return _make(management, http, keeping, wanted)
    if planned.changes:
        endpoint = http.run(management.change(endpoint.id, **planned.changes))
    if planned.deed is Deed.TAKEN_OVER:
        replace_secret(management, http, keeping, endpoint.id)
    return endpoint


def _make(management: Management, http: HttpLoop, keeping: Keeping, wanted: Wanted) -> Endpoint:
    keeping.begin()
    name = f"{NAMED} {wanted.account}"[:LONGEST_NAME]
    try:
        endpoint, secret = http.run(management.create(wanted.url, name, EVENTS))
    except GatewayError:
        keeping.forget()  # one that was made all the same is found by its URL
        raise
    reach(FaultPoint.ENDPOINT_MADE)
    keep(keeping, endpoint.id, secret)
    return endpoint


def _find(every: Sequence[Endpoint], wanted: Wanted) -> Endpoint | None:
    known = [one for one in every if one.id == wanted.known_id]
    there = [one for one in every if same_url(one.url, wanted.url)]
    # Of several with our URL the one that was made here: another program may use the others.
    there.sort(key=lambda one: not one.name.startswith(NAMED))
    return next(iter((*known, *there)), None)


def _changes(found: Endpoint, wanted: Wanted) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    stays = not wanted.sure and leads_to(found.url, urlsplit(wanted.url).path)
    if not stays and not same_url(found.url, wanted.url):
        changes["url"] = wanted.url
    if lacking := missing(found.events):
        changes["events"] = [*found.events, *lacking]  # what else it is for stays
    if not found.active:
        changes["status"] = ACTIVE
    return changes


def same_url(one: str, other: str) -> bool:
    """Whether both lead to the same place: the receiver takes a slash at the end, too."""
    return _canonical(one) == _canonical(other)


def leads_to(url: str, path: str) -> bool:
    """Whether a URL ends in this path, wherever it is."""
    try:
        return urlsplit(url).path.rstrip("/").endswith(path)
    except ValueError:
        return False


def _canonical(url: str) -> tuple[str, str, int | None, str, str]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        return parts.scheme, parts.hostname or "", port, parts.path.rstrip("/"), parts.query
    except ValueError:
        return "", "", None, url, ""


def _in_full(event: str) -> str:
    """As it comes over the wire (contract 4.3): `job.…` and bare phases are aliases of subscriptions."""
    phase = event.strip().lower().removeprefix("job.").removeprefix("video.")
    if event.strip().lower().startswith("batch."):
        return event
    return f"video.{'cancelled' if phase == 'canceled' else phase}"
