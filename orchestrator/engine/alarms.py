"""What is wrong with the orchestrator as a whole, for whoever runs it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.core import support
from orchestrator.core.blame import OURS
from orchestrator.core.learned.rescues import Rescues, read_rescues
from orchestrator.engine import hook_health
from orchestrator.engine.hook_health import Standing
from orchestrator.engine.legible import legible
from orchestrator.store import destinations, due_jobs, estimates, faults, hand_offs, workers
from orchestrator.store.database import Transaction
from orchestrator.store.destinations import Failing
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.workers import Pulse
from orchestrator.telemetry import Event, log

PULSE_IS_LATE = 10.0  # seconds; both pulses come every second
FIRST_BEAT_WITHIN = 60.0  # seconds after the first worker's start: processes come up one after the other
BEHIND_AFTER = 60.0  # seconds that due work may wait for somebody to take it
NEWS_WITHIN = 86_400.0  # seconds: what nothing was awaited from for longer may be as it likes
RECURS = 5  # jobs that met one fault of ours: fewer are no pattern
RECURS_WITHIN = 600.0  # seconds
MOST_COUNTED = 1_000
MOST_TOLD = 50  # alarms of one kind: thousands of tenants have accounts of their own
OTHERS = "(others)"  # what stands for those that are not told one by one
AWAY_FOR = (
    15.0  # seconds for which what workers say of a gateway that is away counts; they say it each second
)
CLOCK_MAY_DIFFER = 30.0  # seconds; signatures of webhooks are believed for 300


class AlarmName(StrEnum):
    """What can be wrong."""

    NO_SWEEP = "no_sweep"  # nobody looks for what is due: all workers are gone, or hang
    NO_BEAT = "no_beat"  # no message of beat's arrives: it or the broker is away, and workers sweep instead
    BEHIND = "behind"  # due work waits too long: too few workers, or one of their queues is not served
    GATEWAY_AWAY = "gateway_away"  # a gateway does not answer, or with faults of its own: creates wait
    DESTINATION_SHUT = "destination_shut"  # a destination fails: what is owed to it waits
    DESTINATION_DISABLED = "destination_disabled"  # it said that it wants nothing any more: a person decides
    HOOKS_ILL = "hooks_ill"  # looks find more ends than healthy webhooks would leave to them
    HOOKS_SILENT = "hooks_silent"  # no webhook comes any more: jobs are followed by looks alone
    FAULT_RECURS = "fault_recurs"  # many jobs met a fault that whoever runs this can mend
    CLOCK_OFF = "clock_off"  # this process's clock is wrong: signatures and countdowns are judged by it


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong, and since when or by how much, in words.

    `about` is the kind of work or the destination, where there are several that it can be about.
    """

    name: AlarmName
    detail: str
    about: str | None = None


def read(tx: Transaction, *, wall_clock: float, beat_expected: bool) -> list[Alarm]:
    """Everything that is wrong now. Silence from the very start is no alarm: nothing ran yet."""
    left_out = [one for one in destinations.failing(tx).values() if one.shut_until or one.disabled_at]
    found = [*_late_pulse(tx, beat_expected=beat_expected), *_behind(tx, {one.name for one in left_out})]
    found += [*_gateway(tx), *(_left_out(one) for one in left_out)]
    found += _some(_ill_hooks(tx))
    found += _some(_silent(one) for one in hook_health.silent(tx, changed_since=tx.now - NEWS_WITHIN))
    found += _recurring(tx)
    off = wall_clock - tx.now
    if abs(off) > CLOCK_MAY_DIFFER:
        way = "ahead of" if off > 0 else "behind"
        found.append(Alarm(AlarmName.CLOCK_OFF, f"this clock is {abs(off):.0f} s {way} the database's"))
    return found


def _some(alarms: Iterable[Alarm]) -> list[Alarm]:
    """As many of a kind as anybody reads, always the same ones."""
    found = sorted(alarms, key=lambda one: one.about or "")
    told, left = found[:MOST_TOLD], len(found) - MOST_TOLD
    if left > 0:
        told.append(Alarm(told[0].name, f"and {left} more: `orchestrator hooks health` lists them", OTHERS))
    return told


def _recurring(tx: Transaction) -> Iterator[Alarm]:
    for fault in OURS:
        many = faults.recent(tx, fault, since=tx.now - RECURS_WITHIN, most=MOST_COUNTED)
        if many >= RECURS:
            some = f"{many} or more" if many == MOST_COUNTED else str(many)
            told = (
                f"{some} jobs met it in the last ten minutes; `orchestrator jobs --blame {fault}` lists them"
            )
            yield Alarm(AlarmName.FAULT_RECURS, f"{support.title(fault)}: {told}", fault)


def _gateway(tx: Transaction) -> Iterator[Alarm]:
    away_at = workers.last_pulse(tx, Pulse.GATEWAY_AWAY)
    if away_at is not None and tx.now < away_at + AWAY_FOR:
        told = "too many calls in a row got nothing from a gateway: it is asked now and then, creates wait"
        yield Alarm(AlarmName.GATEWAY_AWAY, f"{told}; `orchestrator check` says which gateway, and why")


def _left_out(one: Failing) -> Alarm:
    if one.disabled_at is not None:
        mend = f"`orchestrator destinations enable {one.name}` delivers again"
        return Alarm(
            AlarmName.DESTINATION_DISABLED, f"{one.name} wants nothing: {one.reason}; {mend}", one.name
        )
    failed = f"{one.name} failed {one.failures} times in a row: {one.reason}"
    return Alarm(AlarmName.DESTINATION_SHUT, failed, one.name)


def _ill_hooks(tx: Transaction) -> Iterator[Alarm]:
    recent = estimates.of_kind(tx, EstimateKind.RESCUES, changed_since=tx.now - NEWS_WITHIN)
    for channel, data in recent.items():
        rescues = legible(read_rescues, data)
        if rescues.ill:
            yield Alarm(AlarmName.HOOKS_ILL, _in_words(channel, rescues), channel)


def _in_words(channel: str, rescues: Rescues) -> str:
    shares = (rescues.found, rescues.foreseen, rescues.most)
    found, foreseen, most = (f"{100 * count / rescues.followed:.0f} %" for count in shares)
    told = f"looks told {found} of the latest {rescues.followed:.0f} ends of {channel}"
    return f"{told}, {foreseen} were foreseen, {most} would still be chance: webhooks are late or lost"


def _silent(one: Standing) -> Alarm:
    about = f"{one.account}/{one.provider}" if one.provider else one.account
    return Alarm(AlarmName.HOOKS_SILENT, f"no webhook of {about} comes: {one.why}", about)


def _late_pulse(tx: Transaction, *, beat_expected: bool) -> list[Alarm]:
    swept_at = workers.last_pulse(tx, Pulse.SWEEP)
    if swept_at is None:
        return []
    if tx.now > swept_at + PULSE_IS_LATE:
        return [Alarm(AlarmName.NO_SWEEP, f"no worker swept for {tx.now - swept_at:.0f} s")]
    beaten_at, late = workers.last_pulse(tx, Pulse.BEAT), PULSE_IS_LATE
    if beaten_at is None:  # it is missed only once a worker has been there for a while to take it
        beaten_at, late = workers.first_start(tx), FIRST_BEAT_WITHIN
    if not beat_expected or beaten_at is None or tx.now <= beaten_at + late:
        return []
    silence = f"no message of beat's arrived for {tx.now - beaten_at:.0f} s"
    return [Alarm(AlarmName.NO_BEAT, f"{silence}; the workers sweep instead")]


def _behind(tx: Transaction, shut: Collection[str]) -> list[Alarm]:
    """What waits for a worker; not what waits for a tenant's limit, or for a destination that is shut."""
    kinds = (due_jobs.CREATES, due_jobs.LOOKS)
    waiting = {one.name: due_jobs.since(tx, one, held_within=BEHIND_AFTER) for one in kinds}
    waiting[hand_offs.HAND_OFFS.name] = hand_offs.due_since(tx, without=shut)
    late = {name: tx.now - since for name, since in waiting.items() if since is not None}
    return [
        Alarm(AlarmName.BEHIND, f"a {name} has been due for {seconds:.0f} s and nobody takes it", name)
        for name, seconds in late.items()
        if seconds > BEHIND_AFTER
    ]


@dataclass(slots=True)
class Bell:
    """Logs each alarm once when it begins and once when it is over, apart for whatever it is about."""

    ringing: set[tuple[AlarmName, str | None]] = field(default_factory=set)

    def ring(self, alarms: Sequence[Alarm]) -> None:
        """Take note of everything that is wrong now."""
        now = {(alarm.name, alarm.about): alarm.detail for alarm in alarms}
        for (name, about), detail in now.items():
            if (name, about) not in self.ringing:
                log(Event.ALARM_RAISED, level=logging.ERROR, alarm=name, about=about, detail=detail)
        for name, about in self.ringing - now.keys():
            log(Event.ALARM_CLEARED, level=logging.WARNING, alarm=name, about=about)
        self.ringing = set(now)
