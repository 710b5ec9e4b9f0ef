"""The heart of the sandbox: jobs live, end, are noticed, and owe their webhooks.

Two states per job, as on the gateway: the provider's truth, which only a look reveals, and the stored state,
which keeps its first end for ever. Lists, links, webhooks and WebSockets tell the stored one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from orchestrator.sandbox.answers import Scribe, Sight
from orchestrator.sandbox.clock import Clock
from orchestrator.sandbox.config import SandboxConfig
from orchestrator.sandbox.drawing import FOR_EVER, draw
from orchestrator.sandbox.endpoints import EndpointBook
from orchestrator.sandbox.ids import Ids
from orchestrator.sandbox.links import Links
from orchestrator.sandbox.log import RequestLog
from orchestrator.sandbox.names import check_names
from orchestrator.sandbox.outbox import Outbox, subscribed
from orchestrator.sandbox.sender import Sender
from orchestrator.sandbox.state import TERMINAL, Job, JobStore, Order
from orchestrator.sandbox.switches import JobSwitches, LiveSwitches, apply, names

PROGRESS_BUCKETS = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
ALL_CREATES = "create"  # the counter of a create error that is a default


class Gateway:
    """Everything that one sandbox knows and does."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.clock = Clock(config.time_scale)
        self.links = Links(config.seed, config.workspace_id, config.time_scale)
        self.log = RequestLog(config.log_size)
        self.sender = Sender(config.webhook_timeout)
        self.base = f"http://{config.host}:{config.port}"
        self.faults_changed = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        self.ids = Ids(self.config.seed)
        self.endpoints = EndpointBook(self.config, self.ids, self.clock.now())
        self.jobs = JobStore()
        self.outbox = Outbox(self.clock, self.endpoints, self.sender, self.scribe)
        self._numbers = 0
        self.restore_faults()

    async def reset(self) -> None:
        """Back to the start: no jobs, no log, the configured faults and endpoint."""
        await self.outbox.close()
        self.log.clear()
        self._begin()

    def restore_faults(self) -> None:
        """The switches that the sandbox was started with."""
        self.defaults, self.live = JobSwitches(), LiveSwitches()
        self.counters: dict[str, int] = {}
        self.set_faults(self.config.faults)

    def set_faults(self, given: dict[str, Any]) -> None:
        """Lay switches over the current ones. Raises UnknownSwitch and then changes nothing."""
        live_names = names(LiveSwitches)
        live = {name: value for name, value in given.items() if name in live_names}
        defaults = {name: value for name, value in given.items() if name not in live_names}
        new_defaults, new_live = apply(self.defaults, defaults), apply(self.live, live)
        check_names(new_defaults)
        self.defaults, self.live = new_defaults, new_live
        self.outbox.stopped = self.live.hooks_stopped
        if given.keys() & {"create_error", "create_error_times"}:
            self.counters.pop(ALL_CREATES, None)
        self.faults_changed.set()  # wakes who waits for it; the next change has an event of its own
        self.faults_changed = asyncio.Event()

    def spend_db_error(self) -> bool:
        """Whether this request is one of those that meet a database fault."""
        left = self.live.db_error_next
        if left > 0:
            self.live = replace(self.live, db_error_next=left - 1)
        return left > 0

    def loses_an_answer(self) -> bool:
        """Whether this answer of a control route is one of those that get lost."""
        left = self.live.control_lost_next
        if left > 0:
            self.live = replace(self.live, control_lost_next=left - 1)
        return left > 0

    def scribe(self) -> Scribe:
        """A writer of answers under the present settings."""
        config = self.config
        return Scribe(self.base, self.links, config.seed, config.poll_after_seconds, self.live.signing)

    def new_request_id(self) -> str:
        """An id for a request that makes no job."""
        return self.ids.request(self.clock.now())

    def create(self, order: Order) -> Job:
        """A new job with its whole future drawn; stored and announced unless it is not to be persisted."""
        self._numbers += 1
        job = draw(order, self._numbers, self.new_request_id(), self.config, self.clock)
        if order.switches.persist:
            self.jobs.add(job)
            self.jobs.touch(job, job.created_at)
            self.outbox.emit(job, "created")
            self._plan(job)
        return job

    def _plan(self, job: Job) -> None:
        """Set the alarms at which the gateway learns of the job by itself."""
        by_tick = job.switches.notice == "tick"
        self._alarm(self.clock.next_tick(job.starts_at) if by_tick else job.starts_at, job, "start")
        if job.ends_at < FOR_EVER:
            self._plan_end(job)
            if not by_tick:
                self._plan_progress(job)

    def _plan_end(self, job: Job) -> None:
        if job.switches.notice == "tick":
            self._alarm(self.clock.next_tick(job.ends_at), job, "end")
        else:
            self._alarm(job.ends_at + self.clock.scaled(job.switches.notice_delay), job, "end")

    def _plan_progress(self, job: Job) -> None:
        if subscribed(job.webhook_events, "progress"):
            span = job.ends_at - job.starts_at
            for bucket in PROGRESS_BUCKETS:
                at = job.starts_at + span * bucket / 100
                self.clock.call_at(at, partial(self._progress, job, bucket))

    def _progress(self, job: Job, bucket: int) -> None:
        if job.stored not in TERMINAL and self.jobs.find(job.id) is job:
            self.outbox.emit(job, "progress", progress=bucket)

    def _alarm(self, at: float, job: Job, what: str) -> None:
        if at <= self.clock.now():
            self._notice(job, what)
        else:
            self.clock.call_at(at, lambda: self._notice(job, what))

    def _notice(self, job: Job, what: str) -> None:
        if self.jobs.find(job.id) is not job:
            return  # the sandbox was reset meanwhile
        if what == "end":
            self.settle(job, job.outcome)
        else:
            self.start(job)

    def start(self, job: Job, by_look: bool = False) -> None:
        """Store that the provider works on the job."""
        if job.stored == "queued":
            self._store(job, "in_progress", by_look)

    def settle(self, job: Job, status: str, by_look: bool = False) -> bool:
        """Store an end, the first one for ever, and owe its webhooks. True when this call did it."""
        first = job.stored not in TERMINAL
        if first:
            job.finalized_at = self.clock.now()
            self._store(job, status, by_look)
        self.outbox.emit(job, job.stored)  # again, should the first have been dropped
        return first

    def _store(self, job: Job, status: str, by_look: bool) -> None:
        before, job.stored = job.stored, status
        self.jobs.touch(job, self.clock.now())
        # What a GET reveals goes through the outbox, so this event may come up to a tick after the end's own.
        self.outbox.emit(job, "status_changed", at_tick=by_look, change=(before, status))

    def look(self, job: Job) -> Sight:
        """Ask the provider, as GET and content do; an end found here is stored and announced at once."""
        now = self.clock.now()
        if now >= job.ends_at:
            fresh = self.settle(job, job.outcome, by_look=True)
            return Sight(job.outcome, self._done(job), now, fresh)
        if now >= job.starts_at:
            self.start(job, by_look=True)
            return Sight("processing", self._share(job, now), now)
        return Sight("queued", 0, now)

    def _done(self, job: Job) -> int:
        return 100 if job.outcome == "completed" or job.profile.openai_types else 0

    def _share(self, job: Job, now: float) -> int:
        if not job.profile.openai_types or job.ends_at == FOR_EVER:
            return 0
        return min(99, int(100 * (now - job.starts_at) / max(job.ends_at - job.starts_at, 1e-9)))

    def finish(self, job: Job, status: str) -> None:
        """Let the provider end a running job at this moment; how the gateway learns of it, the job says."""
        if job.stored not in TERMINAL and self.clock.now() < job.ends_at:
            job.outcome, job.ends_at = status, self.clock.now()
            self._plan_end(job)

    def end_now(self, job: Job, status: str) -> None:
        """Let the provider end the job at this moment, and the gateway know."""
        if job.stored not in TERMINAL:
            job.outcome, job.ends_at = status, self.clock.now()
            self.settle(job, status)

    def count(self, key: str, times: int) -> bool:
        """Whether a fault that strikes so many times over several requests strikes now; 0 is always."""
        if times <= 0:
            return True
        self.counters[key] = self.counters.get(key, 0) + 1
        return self.counters[key] <= times
