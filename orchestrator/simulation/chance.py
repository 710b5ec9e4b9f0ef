"""What a seed decides: the jobs, and which faults there are and how often.

Each seed has some kinds of faults only, each at a rate of its own: all at once would hide each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

START = 1_800_000_000.0  # epoch seconds at which every simulation begins


class Fault(StrEnum):
    """What can go wrong. Each seed has some of them, at rates of its own."""

    REQUEST_LOST = "request_lost"  # a request never reaches the gateway, and nobody says so
    ANSWER_LOST = "answer_lost"  # the gateway acts, its answer is cut
    NO_CONNECTION = "no_connection"  # the connection is refused: surely not sent
    SLOW_NETWORK = "slow_network"  # an answer takes tens of seconds, maybe longer than anybody waits
    RETRY_AFTER = (
        "retry_after"  # an answer asks to be left alone for long, as what stands before a gateway may
    )
    LOOK_502 = "look_502"  # a GET answers 502, whatever the job's state
    LIST_502 = "list_502"  # the list or a snapshot answers an error
    LIVE_REGRESSES = "live_regresses"  # after the stored end a GET shows anything but that end
    CRIES_WOLF = "cries_wolf"  # a GET shows a bad end that the gateway does not store
    NOT_FINALISED = "not_finalised"  # a GET shows the end, and the gateway fails to store it at once
    CREATE_THROTTLED = "create_throttled"  # 429: surely no job
    CREATE_REFUSED = "create_refused"  # 400, or a 502 whose providers all refused: never a job
    CREATE_500 = "create_500"  # text/plain 500, with or without a job
    CREATE_502 = "create_502"  # a 502 that leaves open whether a job was made
    WEBHOOK_REFUSED = "webhook_refused"  # the gateway refuses our endpoint: the job is made without
    HOOK_LOST = "hook_lost"  # a delivery does not arrive; the gateway tries again
    HOOK_DROPPED = "hook_dropped"  # an event is never sent
    HOOK_LATE = "hook_late"  # a delivery takes long, so that others overtake it
    HOOK_TWICE = "hook_twice"  # a delivery arrives twice
    HOOK_FORGED = "hook_forged"  # a delivery that nobody signed arrives beside the real one
    MESSAGE_LOST = "message_lost"  # a message between our processes is lost
    MESSAGE_TWICE = "message_twice"  # it arrives twice
    MESSAGE_LATE = "message_late"  # it arrives late
    BROKER_AWAY = "broker_away"  # it cannot be sent
    CRASH = "crash"  # a process dies at a fault point
    CRASH_WAITING = "crash_waiting"  # a process dies while it waits for the gateway
    STALL = "stall"  # a thread stands still at a fault point, its process beats on
    PAUSE = "pause"  # a process stands still, then goes on as if nothing had been
    DATABASE_AWAY = "database_away"  # a transaction cannot begin
    COMMIT_UNKNOWN = "commit_unknown"  # a commit took effect, but its caller is told that it failed
    OLDER_READ = "older_read"  # a read that holds nothing shows a job as it was some seconds ago
    SINK_FAILS = "sink_fails"  # a destination takes nothing
    SINK_HALF = "sink_half"  # a destination takes it, and says that it failed
    SINK_SLOW = "sink_slow"  # a destination takes long
    ARCHIVE_FAILS = "archive_fails"  # the archive can be neither read nor written
    ARCHIVE_HALF = "archive_half"  # the archive keeps it, and says that it failed
    ARCHIVE_SLOW = "archive_slow"  # the archive takes long
    ARCHIVE_DAMAGED = "archive_damaged"  # what the archive has is not any more what was kept
    ARCHIVE_LOST = "archive_lost"  # what the archive had is gone
    CONTENT_502 = "content_502"  # the content cannot be fetched now
    CONTENT_SLOW = "content_slow"  # it takes minutes to come
    CONTENT_CUT = "content_cut"  # it stops in the middle, with an error or without


RATES = (0.05, 0.15, 0.4)
COMMON = 0.3  # of the seeds have a given kind of fault
# Of those that have to meet something rare.
COMMONER = {
    Fault.LIVE_REGRESSES: 0.7,
    Fault.LIST_502: 0.5,
    Fault.OLDER_READ: 0.8,
    Fault.CONTENT_CUT: 0.5,
    Fault.ARCHIVE_DAMAGED: 0.5,
    Fault.ARCHIVE_LOST: 0.4,
}
OTHERWISE = {
    Fault.DATABASE_AWAY: (0.01, 0.04),
    Fault.CRASH: (0.02, 0.1),
    Fault.STALL: (0.03, 0.15),
    Fault.LIST_502: (0.3, 1.0),  # also for as long as there are faults at all
    Fault.LIVE_REGRESSES: (0.3, 0.9),
    Fault.OLDER_READ: (0.3, 0.9),
    Fault.NOT_FINALISED: (0.3, 0.9),  # few looks are the first to find an end
    Fault.ARCHIVE_DAMAGED: (0.3, 0.7),
    Fault.ARCHIVE_LOST: (0.3, 0.7),
}
SELDOM = dict.fromkeys(  # has few occasions in a life
    [one for one in Fault if one.startswith(("hook_", "webhook_", "content_"))] + [Fault.CRIES_WOLF],
    (0.15, 0.5),
)


HANDS_EACH = 11  # of so many other seeds, one has processes that hand off what they owe themselves
TELLS_ONLY_EACH = 8  # of so many seeds one has a time in which no outputs are kept


@dataclass(frozen=True, slots=True)
class Scenario:
    """One seed's world. Times are seconds after its start."""

    rates: dict[Fault, float]
    heals_at: float  # nothing of the above happens afterwards
    jobs: int
    workers: int
    quick: bool  # no switches of turns but where somebody waits
    hooks: bool  # the account has a webhook endpoint
    resubmits: bool  # uncertain creates are risked again by setting
    uncertain_wait: float  # until an uncertain create is left to a person, or risked again
    deadline: float
    list_reaches: int
    strangers: float  # other programs' jobs per second
    operator_after: float  # a person decides so long after being asked
    clock_off: float  # the receiver's wall clock against the gateway's
    misled: bool  # what was learned says anything at all
    keeps_outputs: bool  # outputs are fetched; destinations are only told otherwise
    switches_at: float | None  # from then on it is the other way round
    hands: bool  # each process hands off what it owes itself, as far as it can


def draw(random: Random, seed: int) -> Scenario:
    """The world of one seed."""
    tells_only, switches = _keeping(seed)
    calm = random.random() < 0.05
    rates = {}
    for fault in Fault:
        if random.random() < COMMONER.get(fault, COMMON) and not calm:
            rates[fault] = random.choice((SELDOM | OTHERWISE).get(fault, RATES))
    return Scenario(
        rates=rates,
        heals_at=random.choice((60.0, 150.0, 300.0)),
        jobs=random.choice((1, 1, 1, 2, 2, 3)),
        workers=random.choice((1, 2, 2, 3)),
        quick=random.random() < 0.3,
        hooks=random.random() < 0.85,
        resubmits=random.random() < 0.3,
        uncertain_wait=random.choice((8.0, 60.0)),
        deadline=random.choice((60.0, 120.0, 300.0, 900.0)),
        list_reaches=random.choice((2, 5, 100)),
        strangers=random.choice((0.0, 0.0, 0.05, 0.3)),
        operator_after=random.choice((5.0, 40.0)),
        clock_off=random.choice((0.0, 0.0, 60.0, -60.0)),
        misled=random.random() < 0.4,
        keeps_outputs=not tells_only,
        switches_at=switches,
        hands=_hands(seed),
    )


def _hands(seed: int) -> bool:
    """Likewise by the seed; mostly where documents become owed at once, since nothing else is done so."""
    if seed % TELLS_ONLY_EACH == TELLS_ONLY_EACH - 1:
        return seed // TELLS_ONLY_EACH % 4 != 3
    return seed % HANDS_EACH == HANDS_EACH - 1


def _keeping(seed: int) -> tuple[bool, float | None]:
    """Whether outputs are not kept, and when that changes; by the seed, so other worlds stay as they are."""
    if seed % TELLS_ONLY_EACH != TELLS_ONLY_EACH - 1:
        return False, None
    number = seed // TELLS_ONLY_EACH
    return number % 3 != 1, None if number % 3 == 0 else (15.0, 45.0)[number // 3 % 2]
