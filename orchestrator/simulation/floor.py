"""Whether a question comes too early, by what the gateway answered and nothing that the product computes.

Its deliberate exceptions:
- a look for details of a settled job: there is nothing left to wait for (design 8);
- the first look at a job that an operator adopted: it may have ended long ago;
- the first look at a job whose create answer showed a bad end: what is stored has to confirm it (design 4);
- the list and snapshots: what they tell is stored, so they ask no provider.

And what nobody can know: an answer counts for the next look only if its asker still had the lease when it
kept it, and who stands still between its claim and its question may ask when the lease is somebody else's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.core.lifecycle import State
from orchestrator.simulation.gateway import Answer
from orchestrator.simulation.invariants import Broken, Invariant, Row
from orchestrator.simulation.scheduler import Activity

WITHOUT_HINT = 20.0  # seconds (gateway contract 2.3)
ABOUT_NOW = 1e-6


@dataclass(slots=True)
class Floor:
    """What the product has kept of the gateway's answers, by our jobs' ids; in seconds."""

    _hints: dict[str, float] = field(default_factory=dict)  # by the gateway's ids
    _no_look_before: dict[str, float] = field(default_factory=dict)
    _no_create_before: dict[str, float] = field(default_factory=dict)

    def kept(self, activity: Activity | None, old: Row, new: Row, now: float) -> None:
        """A job was written by whoever held it."""
        if new["state"] == State.WAITING != old["state"]:
            self._begins_to_wait(activity, new, now)
        if activity is None or activity.holds.get(("jobs", old["id"])) != old["fence"]:
            return
        looked = activity.heard.pop(new["gateway_id"], None)
        if looked is not None:
            self._looked(new["id"], new["gateway_id"], *looked)
        created = activity.heard.get(new["session_id"])
        if created is not None and new["state"] == State.ACCEPTED:
            at, answer = created
            self._no_create_before[new["id"]] = at + (answer.retry_after or 0)

    def _begins_to_wait(self, activity: Activity | None, job: Row, now: float) -> None:
        self._hints.setdefault(job["gateway_id"], WITHOUT_HINT)
        self._no_look_before[job["id"]] = now + WITHOUT_HINT
        adopted = activity is not None and activity.name == "operator"
        if adopted or (activity is not None and _showed_bad_end(activity.heard.get(job["session_id"]))):
            del self._no_look_before[job["id"]]

    def _looked(self, job_id: str, gateway_id: str, at: float, answer: Answer) -> None:
        if answer.status == 200:  # an error gives no hint and takes none back
            self._hints[gateway_id] = answer.body.get("poll_after_seconds", WITHOUT_HINT)
        hint = self._hints.get(
            gateway_id, WITHOUT_HINT
        )  # none of a job that ended before it was known to wait
        self._no_look_before[job_id] = at + max(hint, answer.retry_after or 0)

    def asked(self, activity: Activity, what: str, job: Row, now: float) -> Broken:
        """A question about a job leaves for the gateway."""
        moments = {"look": self._no_look_before, "create": self._no_create_before}.get(what, {})
        early = moments.get(job["id"], now) - now
        held = activity.holds.get(("jobs", job["id"])) == job["fence"]
        due = job["state"] in (State.WAITING, State.CREATING)
        if held and due and early > ABOUT_NOW:
            yield Invariant.FLOOR, f"{activity.owner.name}: {what} of {job['id']} {early:.3f} s too early"


def _showed_bad_end(created: tuple[float, Answer] | None) -> bool:
    return created is not None and created[1].status == 200 and created[1].body["status"] == "failed"
