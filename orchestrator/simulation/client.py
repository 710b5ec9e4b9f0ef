"""One process's client of the pretend gateway: the real one's methods, over a network that loses things."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.core.job import Observation
from orchestrator.errors import ContentError, NoAnswer, Unreachable
from orchestrator.gateway import error_answers, vocabulary
from orchestrator.gateway.content import content_error
from orchestrator.gateway.create_answer import CreateAnswer, CreateClass, classify, no_answer
from orchestrator.gateway.error_answers import explain
from orchestrator.gateway.snapshot import Snapshot
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.gateway import Answer, PretendGateway
from orchestrator.simulation.scheduler import Scheduler
from orchestrator.simulation.tools import Chance

LOOK_WITHIN = 10.0
CREATE_WITHIN = 30.0
RETRY_AFTER = (3, 45, 150)  # seconds
SLOWEST_PIECE = 55.0  # seconds; the real client waits no longer than 60


@dataclass(slots=True)
class PretendClient:
    """Stands in for `orchestrator.gateway.client.Gateway`.

    `asks` is told of every question sent, `hears` of every answer that came.
    """

    server: PretendGateway
    scheduler: Scheduler
    chance: Chance
    has_endpoint: bool
    asks: Callable[[str, str], None]
    hears: Callable[[str, str, Answer], None]

    async def create(
        self,
        request: Mapping[str, Any],
        *,
        session_id: str,
        webhook_events: Sequence[str] | None,
        traceparent: str | None = None,
    ) -> CreateAnswer:
        """Never raises; every outcome is one of the five classes."""
        self.asks("create", session_id)
        if self.chance.happens(Fault.NO_CONNECTION):
            return no_answer(CreateClass.UNSENT, "cannot connect (simulated)")
        refused = bool(webhook_events) and self.has_endpoint and self.chance.happens(Fault.WEBHOOK_REFUSED)
        hooks = bool(webhook_events) and self.has_endpoint and not refused
        samples = int(request.get("sample_count") or 1)
        try:
            came = await self._ask(
                lambda: self._create(session_id, hooks=hooks, samples=samples), CREATE_WITHIN
            )
        except NoAnswer as error:
            answer = no_answer(CreateClass.UNCERTAIN, error.message)
        else:
            self.hears("create", session_id, came)
            answer = classify(came.status, _headers(came), _bytes(came.body))
        told = replace(answer.observation, attempt_id=session_id, hooked=hooks)
        return replace(answer, observation=told, webhook_refused=refused)

    async def look(self, gateway_id: str) -> Observation:
        """Raises GatewayError."""
        came = await self._get("look", gateway_id, lambda: self.server.look(gateway_id))
        seen = vocabulary.from_look(came.body, json.dumps(came.body))
        return replace(seen, gateway_id=gateway_id, retry_after=error_answers.retry_after(_headers(came)))

    async def list_recent(self, limit: int = 100) -> list[Observation]:
        """Raises GatewayError."""
        came = await self._get("list", "", self.server.listed)
        return [vocabulary.from_list(item) for item in came.body["data"]]

    async def snapshot(self, gateway_id: str) -> Snapshot:
        """Raises GatewayError."""
        came = await self._get("snapshot", gateway_id, lambda: self.server.snapshot(gateway_id))
        return Snapshot(came.body["session_id"], vocabulary.from_list(came.body))

    @asynccontextmanager
    async def content(self, gateway_id: str, index: int = 0) -> AsyncIterator[PretendContent]:
        """Raises ContentError."""
        self.asks("content", f"{gateway_id}/{index}")
        try:
            came = await self._ask(lambda: self.server.content(gateway_id, index), LOOK_WITHIN)
        except (NoAnswer, Unreachable) as error:
            raise ContentError(error.message) from None
        if came.status != 200:
            raise content_error(explain(came.status, _headers(came), _bytes(came.body)))
        mime_type = self.server.jobs[gateway_id].mime_type
        yield PretendContent(mime_type, None, came.body, self.chance)

    async def aclose(self) -> None:
        """There is nothing to close."""

    def _create(self, session_id: str, *, hooks: bool, samples: int) -> Answer:
        happens, random = self.chance.happens, self.chance.random
        if happens(Fault.CREATE_THROTTLED):
            return Answer(429, {"error": "key_limit_exceeded", "description": "too many"})
        if happens(Fault.CREATE_REFUSED):
            return random.choice((Answer(400, {"error": "validation_error"}), Answer(502, _all_refused())))
        unclear = None
        if happens(Fault.CREATE_500):
            unclear = Answer(500, "Internal Server Error")
        elif happens(Fault.CREATE_502):
            unclear = Answer(502, {"error": "upstream_error", "reason": "async_job_persistence_failed"})
        if unclear is not None and random.random() < 0.5:
            return unclear
        job = self.server.make(session_id, wants_hooks=hooks, samples=samples)
        return unclear or self.server.answers_create(job)

    async def _get(self, what: str, about: str, act: Callable[[], Answer]) -> Answer:
        self.asks(what, about)
        came = await self._ask(act, LOOK_WITHIN)
        self.hears(what, about, came)
        if came.status != 200:
            raise explain(came.status, _headers(came), _bytes(came.body)).as_error()
        return came

    async def _ask(self, act: Callable[[], Answer], within: float) -> Answer:
        """A question and its answer; raises Unreachable or NoAnswer as the network has it."""
        happens = self.chance.happens
        if within == LOOK_WITHIN and happens(Fault.NO_CONNECTION):
            raise Unreachable("cannot connect (simulated)")
        there, back = self._travels(), self._travels()
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        if not happens(Fault.REQUEST_LOST):
            lost = happens(Fault.ANSWER_LOST)

            def arrive() -> None:
                answer = act()  # whatever becomes of whoever asked
                if happens(Fault.RETRY_AFTER):
                    answer = replace(answer, retry_after=self.chance.random.choice(RETRY_AFTER))
                if not lost:
                    self.scheduler.after(back, lambda: _answer(answered, answer))

            self.scheduler.after(there, arrive)
        try:
            async with asyncio.timeout(within):
                return await answered
        except TimeoutError:
            raise NoAnswer(f"no answer in {within:g} s (simulated)") from None

    def _travels(self) -> float:
        random = self.chance.random
        if self.chance.happens(Fault.SLOW_NETWORK):
            return random.choice((2.0, 8.0, 40.0)) * random.random()
        return 0.01 + 0.2 * random.random()


@dataclass(slots=True)
class PretendContent:
    """Stands in for `orchestrator.gateway.content.Content`."""

    mime_type: str
    length: int | None
    _body: bytes
    _chance: Chance

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes; raises ContentError when they stop coming. A cut may also go unsaid."""
        half, quarter = len(self._body) // 2, len(self._body) // 4
        yield self._body[:half]
        await self._pass_time()
        if self._chance.happens(Fault.CONTENT_CUT):
            # A stream of another type than MP4 does not show where it ends: there the cut is told.
            if self.mime_type != "video/mp4" or self._chance.random.random() < 0.5:
                raise ContentError("the content stopped coming (simulated)")
            return
        yield self._body[half : half + quarter]
        await self._pass_time()
        yield self._body[half + quarter :]
        await self._pass_time()

    async def _pass_time(self) -> None:
        await asyncio.sleep(SLOWEST_PIECE if self._chance.happens(Fault.CONTENT_SLOW) else 0.02)


def _answer(waiting: asyncio.Future[Answer], answer: Answer) -> None:
    if not waiting.done():
        waiting.set_result(answer)


def _headers(came: Answer) -> dict[str, str]:
    return {} if came.retry_after is None else {"retry-after": str(came.retry_after)}


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _all_refused() -> dict[str, Any]:
    sample = {"provider": "google-ai-studio", "status": 400, "upstream_error_code": "INVALID"}
    return {
        "error": "upstream_error",
        "reason": "all_candidates_failed",
        "attempt_count": 1,
        "failed_statuses": [400],
        "failure_sample": [sample],
    }
