"""What processes tell while something is wrong, and while nothing is: stories for the alert rules."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

MINUTE, HOUR = 60.0, 3_600.0

# By time, in seconds since what a story is about began; None where it is not told.
Value = Callable[[float], float | None]
Tells = Mapping[str, Value]

BEFORE, AFTER = -20 * MINUTE, 60 * MINUTE


def always(value: float) -> Value:
    return lambda _: value


def from_then(value: float, *, before: float | None = None, until: float = math.inf) -> Value:
    """A number that is this from the beginning, until so many seconds later."""
    return lambda at: value if 0 <= at < until else before


def _until_then(value: float) -> Value:
    return lambda at: value if at < 0 else None


def grows(a_second: float, *, before: float = 0.0) -> Value:
    """A counter that grows by so many a second, and by others before."""
    return lambda at: before * (min(at, 0.0) - BEFORE) + a_second * max(at, 0.0)


def once() -> Value:
    """A counter that grows by one."""
    return lambda at: 1.0 if at >= 0 else 0.0


def build(role: str) -> str:
    return f'orchestrator_build_info{{role="{role}",version="1",python="3"}}'


def took(a_second: Value, slower_than_5: Value) -> dict[str, Value]:
    """How long webhooks take: some are quick, others take between 5 s and 10 s."""
    name = 'orchestrator_webhook_seconds_bucket{fate="applied",le="%s"}'

    def both(at: float) -> float:
        return (a_second(at) or 0.0) + (slower_than_5(at) or 0.0)

    return {name % "0.1": a_second, name % "5.0": a_second, name % "10.0": both, name % "+Inf": both}


WEB: Tells = {
    build("web"): always(1),
    "process_start_time_seconds": always(1),
    "orchestrator_rows_age_seconds": always(3),
    "orchestrator_workers": always(2),
    'orchestrator_pulse_age_seconds{pulse="sweep"}': always(1),
    'orchestrator_due_lag_seconds{task="hand_off"}': always(2),
    'orchestrator_jobs_open{waits_for="person"}': always(0),
    'orchestrator_webhook_seconds_count{fate="applied"}': grows(1, before=1),
    'orchestrator_log_events_total{event="store_failed"}': always(0),
    **took(grows(1, before=1), always(0)),
}
WORKER: Tells = {
    build("worker"): always(1),
    "process_start_time_seconds": always(1),
    'orchestrator_create_seconds_count{result="created"}': grows(0.1, before=0.1),
    'orchestrator_create_seconds_count{result="rejected"}': grows(0.01, before=0.01),
    'orchestrator_looks_total{why="learned",result="ended"}': grows(1, before=1),
    'orchestrator_looks_total{why="learned",result="failed"}': grows(0.1, before=0.1),
    'orchestrator_log_events_total{event="look_broke"}': always(0),
    'orchestrator_log_events_total{event="drift_seen"}': always(0),
}
FLEET: dict[str, Tells] = {"web:1": WEB, "web:2": WEB, "worker:1": WORKER, "worker:2": WORKER}


def rarely_there(at: float) -> bool:
    """A process that ends a minute after each start, and is started anew two minutes later."""
    return at < 0 or at % (3 * MINUTE) < MINUTE


def restarted(tells: Tells, there: Callable[[float], bool], every: float) -> Tells:
    """The same from a process that is not always there, and knows since when it runs."""
    started = {**tells, "process_start_time_seconds": lambda at: max(at, 0.0) // every + 1}
    return {name: _while(there, value) for name, value in started.items()}


def _while(there: Callable[[float], bool], value: Value) -> Value:
    return lambda at: value(at) if there(at) else None


def fleet(**changed: Tells) -> dict[str, Tells]:
    """All processes, some of which tell something else: `web`, `worker`, or `web_1` alone."""
    told = dict(FLEET)
    for name, series in changed.items():
        role, _, number = name.partition("_")
        told |= {
            instance: {**tells, **series}
            for instance, tells in told.items()
            if instance.startswith(f"{role}:{number}")
        }
    return told


def away(*instances: str) -> dict[str, Tells]:
    """From then on nobody answers at these."""
    return {
        name: {one: _while(lambda at: at < 0, value) for one, value in tells.items()}
        if name in instances
        else tells
        for name, tells in FLEET.items()
    }


class Story(NamedTuple):
    """When an alert is to fire: within so many seconds of what it is about, and until so many after."""

    alert: str
    processes: Mapping[str, Tells]
    within: float
    until: float = AFTER  # the end of the story


STORIES = {
    "an alarm, which both webs tell": Story(
        "OrchestratorAlarm",
        fleet(web={'orchestrator_alarm{alarm="no_beat",about=""}': from_then(1, until=10 * MINUTE)}),
        2 * MINUTE,
        11 * MINUTE,
    ),
    "all webs are gone": Story("OrchestratorNobodyTells", away("web:1", "web:2"), 4 * MINUTE),
    "no web can read the database": Story(
        "OrchestratorNobodyTells",
        fleet(web={"orchestrator_rows_age_seconds": from_then(None, before=3)}),  # type: ignore[arg-type]
        9 * MINUTE,
    ),
    "no worker beats": Story(
        "OrchestratorNoWorker", fleet(web={"orchestrator_workers": from_then(0, before=2)}), 2 * MINUTE
    ),
    "nobody sweeps": Story(
        "OrchestratorSweepsStopped",
        fleet(web={'orchestrator_pulse_age_seconds{pulse="sweep"}': lambda at: max(at, 1.0)}),
        2 * MINUTE,
    ),
    "work is due for long": Story(
        "OrchestratorBehind",
        fleet(web={'orchestrator_due_lag_seconds{task="hand_off"}': lambda at: max(at, 2.0)}),
        11 * MINUTE,
    ),
    "a hand-off is given up, and replayed": Story(
        "OrchestratorDeadHandOffs",
        fleet(web={'orchestrator_hand_offs_dead{destination="s3"}': from_then(3, until=40 * MINUTE)}),
        MINUTE,
        41 * MINUTE,
    ),
    "a create is left to a person, who comes after 50 minutes; webs were started anew meanwhile": Story(
        "OrchestratorUncertainCreates",
        fleet(
            web_1=restarted(
                {
                    **WEB,
                    'orchestrator_jobs_open{waits_for="person"}': from_then(1, before=0, until=50 * MINUTE),
                },
                lambda at: not 20 * MINUTE < at < 30 * MINUTE,
                25 * MINUTE,
            ),
            web_2={'orchestrator_jobs_open{waits_for="person"}': from_then(1, before=0, until=50 * MINUTE)},
        ),
        MINUTE,
        51 * MINUTE,
    ),
    "a bug of ours": Story(
        "OrchestratorBug",
        fleet(worker_1={'orchestrator_log_events_total{event="look_broke"}': once()}),
        MINUTE,
        16 * MINUTE,
    ),
    "the database fails": Story(
        "OrchestratorDatabaseFails",
        fleet(web={'orchestrator_log_events_total{event="store_failed"}': grows(0.5)}),
        4 * MINUTE,
    ),
    "a secret that does not fit": Story(
        "OrchestratorWebhooksNotBelieved",
        fleet(
            web={
                'orchestrator_webhooks_rejected_total{reason="forged"}': grows(1),
                'orchestrator_webhook_seconds_count{fate="applied"}': grows(0, before=1),
                'orchestrator_webhook_seconds_count{fate="rejected"}': grows(1),
            }
        ),
        20 * MINUTE,
    ),
    "the gateway is away when it is to create": Story(
        "OrchestratorCreatesFail",
        fleet(
            worker={
                'orchestrator_create_seconds_count{result="created"}': grows(0, before=0.1),
                'orchestrator_create_seconds_count{result="unsent"}': grows(0.05),
            }
        ),
        30 * MINUTE,
    ),
    "a provider answers no look": Story(
        "OrchestratorLooksFail",
        fleet(
            worker={
                'orchestrator_looks_total{why="learned",result="ended"}': grows(0.1, before=1),
                'orchestrator_looks_total{why="learned",result="failed"}': grows(0.2, before=0.1),
                'orchestrator_looks_total{why="learned",result="not_asked"}': grows(0.8),
            }
        ),
        30 * MINUTE,
    ),
    "the gateway says something new": Story(
        "OrchestratorDrift",
        fleet(worker_2={'orchestrator_log_events_total{event="drift_seen"}': once()}),
        MINUTE,
    ),
    "webhooks take long": Story(
        "OrchestratorSlowWebhooks", fleet(web=took(grows(0, before=1), grows(1))), 11 * MINUTE
    ),
    "a worker ends soon after each start": Story(
        "OrchestratorProcessRestarts",
        {**FLEET, "worker:1": restarted(WORKER, rarely_there, 3 * MINUTE)},
        14 * MINUTE,
    ),
}

QUIET: dict[str, Mapping[str, Tells]] = {
    "all is well": FLEET,
    "one of two webs is gone": away("web:1"),
    "a release: each process starts once more": {
        name: restarted(tells, lambda at: not 0 <= at < MINUTE, HOUR * 2) for name, tells in FLEET.items()
    },
    "few webhooks are forged, and many are unreadable": fleet(
        web={
            'orchestrator_webhooks_rejected_total{reason="forged"}': grows(0.05),
            'orchestrator_webhooks_rejected_total{reason="unreadable"}': grows(0.9),
            'orchestrator_webhook_seconds_count{fate="rejected"}': grows(0.95),
        }
    ),
    "the database fails for a moment": fleet(
        web={'orchestrator_log_events_total{event="store_failed"}': lambda at: min(max(at / 10, 0.0), 6.0)}
    ),
    "nothing is to be done at night": fleet(
        worker={
            'orchestrator_create_seconds_count{result="created"}': grows(0, before=0.1),
            'orchestrator_create_seconds_count{result="rejected"}': grows(0, before=0.01),
            'orchestrator_looks_total{why="learned",result="ended"}': grows(0, before=1),
            'orchestrator_looks_total{why="learned",result="failed"}': grows(0, before=0.1),
        },
        web={'orchestrator_webhook_seconds_count{fate="applied"}': grows(0, before=1)},
    ),
}
