"""Playing the demo: submit every case, follow them, judge them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator import wiring
from orchestrator.demo.cases import CASES, Case
from orchestrator.demo.evidence import Evidence, gather
from orchestrator.demo.judge import problems
from orchestrator.demo.stage import Stage
from orchestrator.engine import standing
from orchestrator.engine.standing import Standing
from orchestrator.engine.submit import submit
from orchestrator.errors import NotFound, OrchestratorError
from orchestrator.store.database import Store

GRACE = 20.0  # seconds after the last end, for webhooks that are still to come
EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one case went; no problems means that it went as it must."""

    case: Case
    evidence: Evidence
    problems: list[str]


def choose(names: Sequence[str]) -> list[Case]:
    """The cases with these names; all when none is named. Raises NotFound."""
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            raise NotFound(f"there is no case {name}", hint=f"one of: {', '.join(known)}")
    return [known[name] for name in names] or list(CASES)


def submit_all(stage: Stage, store: Store, cases: Sequence[Case]) -> dict[str, Case]:
    """Write the jobs to the database, as `orchestrator submit` does. Returns the case of each job."""
    context = wiring.build(stage.settings, store, asks_gateway=False)
    jobs, _ = submit(context, [case.submission for case in cases])
    context.close()
    return dict(zip((job.id for job in jobs), cases, strict=True))


def follow(
    stage: Stage,
    store: Store,
    cases: Mapping[str, Case],
    show: Callable[[Sequence[Standing]], None],
    deadline: float,
) -> list[Verdict]:
    """Follow the jobs until each ended as it must, or it is plain that one will not.

    `deadline` is in seconds from now. Raises OrchestratorError if a process of the demo dies.
    """
    end, over_since = time.monotonic() + deadline, None
    sent: set[str] = set()
    while True:
        stage.require_alive()
        with store.read() as tx:
            standings = standing.read(tx, list(cases))
        show(standings)
        for one in standings:
            if one.over and one.job.id not in sent:
                sent.add(one.job.id)
                _send_afterwards(stage, cases[one.job.id], one)
        now = time.monotonic()
        if all(one.over for one in standings):
            over_since = over_since or now
            verdicts = _judge(stage, store, cases)
            if now >= over_since + GRACE or not any(one.problems for one in verdicts):
                return verdicts
        if now >= end:
            return _judge(stage, store, cases)
        time.sleep(EVERY)


def _send_afterwards(stage: Stage, case: Case, one: Standing) -> None:
    for event in case.afterwards:
        answer = stage.control.post(f"/_sandbox/jobs/{one.job.gateway_id}/trigger", json={"event": event})
        if not answer.is_success:
            raise OrchestratorError(f"the sandbox would not send {event}: {answer.text[:200]}")


def _judge(stage: Stage, store: Store, cases: Mapping[str, Case]) -> list[Verdict]:
    verdicts = []
    for job_id, case in cases.items():
        evidence = gather(store, stage.control, job_id)
        verdicts.append(Verdict(case, evidence, problems(case, evidence)))
    return verdicts
