"""What one look asks and learns about its jobs, on its way between the gateway and the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.core.breaker import Breakers
from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.learned.classes import UNKNOWN, model_of
from orchestrator.core.learned.lessons import Lesson, LessonKind
from orchestrator.core.learned.lists import Lists
from orchestrator.core.learned.paces import Pace
from orchestrator.core.lifecycle import Seen
from orchestrator.engine.budget import Allowance
from orchestrator.errors import AccountUnusable, GatewayError

if TYPE_CHECKING:
    from orchestrator.gateway.client import Gateway


@dataclass(slots=True)
class Answer:
    """What was learned about one job: observations in order, or why there are none.

    `asked` says whether a GET was really sent, `listed` what a list showed just before. `believed` is a job
    that the list shows as running, and that is taken for looked at; `measures` one whose end says whether the
    list is fresh. `put_off` is for how many seconds there is no room to ask. `after` and `took` are when the
    GET was sent, in seconds after the claim, and how long it took.
    """

    seen: list[Observation] = field(default_factory=list)
    error: GatewayError | None = None
    asked: bool = False
    listed: Observation | None = None
    believed: bool = False
    measures: bool = False
    put_off: float | None = None
    after: float = 0.0
    took: float = 0.0

    @property
    def decided(self) -> bool:
        """Whether it needs no GET any more."""
        return bool(self.seen) or self.put_off is not None

    @property
    def list_was_fresh(self) -> bool | None:
        """Whether the list had shown an end that was found; None where none was, or it does not count."""
        if not self.measures or self.listed is None:
            return None
        if self.listed.seen is not Seen.OPEN:
            return True
        ended = any(one.source is Source.POLL and one.seen is not Seen.OPEN for one in self.seen)
        return False if ended else None


@dataclass(slots=True)
class Sent:
    """What one look sent: requests by tenant, and the jobs that each list was asked for.

    `unasked` are ends, by account, that lists showed of what else there is.
    """

    requests: Counter[str] = field(default_factory=Counter)
    lists: list[Sequence[Job]] = field(default_factory=list)
    unasked: dict[str, list[Observation]] = field(default_factory=dict)

    def list_for(self, jobs: Sequence[Job]) -> None:
        """A list, which is counted as the first one's tenant's."""
        self.requests[jobs[0].tenant_id] += 1
        self.lists.append(jobs)

    def take_unasked(self) -> dict[str, list[Observation]]:
        """The same, once."""
        taken, self.unasked = self.unasked, {}
        return taken

    def take_lists(self) -> list[Lesson]:
        """What is to be noted of the lists, once."""
        taken, self.lists = self.lists, []
        return [Lesson(LessonKind.LISTED, 0.0, _whose(jobs)) for jobs in taken]


@dataclass(frozen=True, slots=True)
class Asking:
    """What all questions of one look have in common: the clients by account, or why there is none.

    `now` is the database's time of the claim, which was when `clock` counted `began` seconds.
    `allowances` are those of the tenants that have a limit, `paces` are by the ids of their jobs.
    """

    breakers: Breakers
    gateways: Mapping[str, Gateway | AccountUnusable]
    now: float
    clock: Callable[[], float]
    began: float
    lists: Lists
    when_absent: float
    sent: Sent
    allowances: Mapping[str, Allowance]
    paces: Mapping[str, Pace]


def listings(answered: Sequence[tuple[Job, Answer]]) -> list[Lesson]:
    """What was learned of the freshness of the lists."""
    counts: dict[tuple[str, str], list[int]] = {}
    for job, answer in answered:
        fresh = answer.list_was_fresh
        if fresh is not None:
            counts.setdefault((job.account_id, job.provider or UNKNOWN), [0, 0])[0 if fresh else 1] += 1
    return [
        Lesson(
            LessonKind.LISTING,
            0.0,
            {"account": account, "provider": provider, "fresh": fresh, "stale": stale},
        )
        for (account, provider), (fresh, stale) in counts.items()
    ]


def _whose(jobs: Sequence[Job]) -> dict[str, object]:
    models = {model_of(job.request) for job in jobs}
    model = models.pop() if len(models) == 1 else "*"
    return {"tenant": jobs[0].tenant_id, "model": model, "requests": 1}
