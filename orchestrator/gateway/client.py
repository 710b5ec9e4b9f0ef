"""The calls to the gateway. Coroutines, because they are many at once and mostly waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import httpx
from pydantic import SecretStr

from orchestrator.core.drift import Notice, ignored
from orchestrator.core.job import Observation
from orchestrator.errors import BadAnswer
from orchestrator.gateway import connection, drift, reading, vocabulary
from orchestrator.gateway.account import Account
from orchestrator.gateway.addresses import quoted
from orchestrator.gateway.connection import Answer, Timeouts, json_object
from orchestrator.gateway.content import Content, content_errors, open_content
from orchestrator.gateway.create_answer import CreateAnswer, CreateClass, classify, no_answer
from orchestrator.gateway.deliveries import Try, tries
from orchestrator.gateway.error_answers import date, explain, retry_after
from orchestrator.gateway.snapshot import Snapshot, read_snapshot

LIST_REACHES = 100  # gateway contract 1.6: the list gives at most this many
CONNECTIONS = 200

# On the fresh client only: the connection was not made, so nothing was sent.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class Link:
    """A link to an output that needs no key until `expires_at`, in epoch seconds if the gateway said."""

    url: SecretStr
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Greeting:
    """How an account is taken: why not, if not, and the gateway's clock in epoch seconds, if it told it."""

    refusal: BadAnswer | None
    told_at: float | None


class Gateway:
    """One account's gateway. All calls of one instance belong to one event loop.

    `notice` is told of what its contract does not foresee.

    Every call but `create` raises GatewayError, or ContentError where an output is fetched.
    """

    def __init__(
        self,
        account: Account,
        *,
        pooled: connection.Pooled,
        fresh: httpx.AsyncClient,
        timeouts: Timeouts,
        notice: Notice = ignored,
    ) -> None:
        self.account = account
        self.timeouts = timeouts
        self._notice = notice
        self._pooled = pooled
        self._fresh = fresh
        self._under_way = 0

    @property
    def idle(self) -> bool:
        """Whether no call is under way, so that closing it harms none."""
        return not self._under_way

    @contextmanager
    def _call(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def create(
        self,
        request: Mapping[str, Any],
        *,
        session_id: str,
        webhook_events: Sequence[str] | None,
        traceparent: str | None = None,
    ) -> CreateAnswer:
        """Ask for a job. Never raises for what the gateway does: every outcome is one of five classes.

        With `webhook_events`, and an endpoint in the account, the gateway is asked to call. If it
        refuses the endpoint, the job is asked for once more without, and the answer says so. The gateway
        reads no `traceparent`; what stands in front of it may.
        """
        endpoint = self.account.webhook_endpoint_id if webhook_events else None
        hook = (
            {"webhook": {"endpoint_id": endpoint, "events": list(webhook_events or ())}} if endpoint else {}
        )
        refused = False
        headers = {"content-type": "application/json", "x-session-id": session_id}
        if traceparent is not None:
            headers["traceparent"] = traceparent
        try:
            with self._call():
                async with asyncio.timeout(self.timeouts.total_create):
                    answer = await self._create_once({**request, **hook}, headers)
                    refused = bool(hook) and answer.webhook_refused
                    if refused:
                        bare = {name: value for name, value in request.items() if name != "webhook"}
                        answer = await self._create_once(bare, headers)
        except TimeoutError:
            answer = no_answer(CreateClass.UNCERTAIN, f"no answer in {self.timeouts.total_create:g} s")
        told = replace(answer.observation, attempt_id=session_id, hooked=bool(hook) and not refused)
        return replace(answer, observation=told, webhook_refused=refused)

    async def _create_once(self, request: Mapping[str, Any], headers: Mapping[str, str]) -> CreateAnswer:
        try:
            body = json.dumps(request, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as exc:
            return no_answer(CreateClass.REFUSED, f"the request is not JSON: {exc}")
        try:
            async with self._fresh.stream("POST", "videos", content=body, headers=headers) as response:
                answer = await connection.read_whole(response, self.account)
        except _NOT_SENT as exc:
            return no_answer(CreateClass.UNSENT, f"cannot connect ({connection.describe(exc)})")
        except Exception as exc:  # noqa: BLE001 - the request may have arrived, so no error may hide it
            return no_answer(CreateClass.UNCERTAIN, f"the answer was lost ({connection.describe(exc)})")
        created = classify(answer.status, answer.headers, answer.body)
        seen = drift.of_create_answer(answer.status, answer.headers, answer.body)
        self._notice(seen, created.observation.request_id)
        return created

    async def look(self, gateway_id: str) -> Observation:
        """The job as its provider shows it now."""
        answer = await self._ask("GET", f"videos/{quoted(gateway_id)}")
        data = json_object(answer)
        if reading.word(data.get("status")) is None or data.get("id", gateway_id) != gateway_id:
            raise BadAnswer(f"the answer is not about {gateway_id}", status=answer.status, reason="not_a_job")
        seen = vocabulary.from_look(data, answer.body.decode())
        self._notice(drift.of_look(data, answer.headers), seen.request_id)
        wait = retry_after(answer.headers)
        if wait is None and seen.gateway_id is not None:
            return seen  # as nearly always: a copy is not worth its time
        return replace(seen, gateway_id=gateway_id, retry_after=wait)

    async def list_recent(self, limit: int = LIST_REACHES) -> list[Observation]:
        """The stored state of the most recent jobs; items without a usable id are left out."""
        seen = [vocabulary.from_list(item) for item in await self._list(limit)]
        return [item for item in seen if item.gateway_id]

    async def greet(self) -> Greeting:
        """Ask for next to nothing, as it takes the key to. Raises GatewayError where no answer comes."""
        answer = await self._sent("GET", "videos", params={"limit": 1})
        told, refusal = date(answer.headers.get("date", "")), None
        try:
            self._listed(self._taken(answer))
        except BadAnswer as error:
            refusal = error
        return Greeting(refusal, told.timestamp() if told else None)

    async def deliveries(self, limit: int = LIST_REACHES) -> list[Try]:
        """The latest attempts at webhooks that the list of recent jobs tells of, the newest first."""
        return tries(await self._list(limit))

    async def snapshot(self, gateway_id: str) -> Snapshot:
        """The stored state of one job, and the session id that its create was sent with."""
        return await read_snapshot(self.account, quoted(gateway_id), self.timeouts, self._notice)

    @asynccontextmanager
    async def content(self, gateway_id: str, index: int = 0) -> AsyncIterator[Content]:
        """The bytes of one output, to be used in `async with`. Raises ContentError."""
        params = {"index": index} if index else {}
        with content_errors("asking for the content"):
            path = f"videos/{quoted(gateway_id)}/content"
        with self._call():
            async with open_content(self._pooled, self.account, path, params, self.timeouts) as content:
                yield content

    async def download_url(
        self, gateway_id: str, *, index: int = 0, ttl_seconds: int = 900, disposition: str = "attachment"
    ) -> Link:
        """A link to one output for `ttl_seconds`, which the gateway clamps to 60…3600."""
        wish: dict[str, Any] = {"ttl_seconds": ttl_seconds, "disposition": disposition}
        if index:
            wish["index"] = index
        data = json_object(await self._ask("POST", f"videos/{quoted(gateway_id)}/download_url", json=wish))
        url = data.get("download_url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise BadAnswer("the answer has no link", reason="no_link")
        return Link(SecretStr(url), reading.number(data.get("expires_at")))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pooled.aclose()
        await self._fresh.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _list(self, limit: int) -> list[Mapping[str, Any]]:
        params = {"limit": max(1, min(limit, LIST_REACHES))}
        return self._listed(await self._ask("GET", "videos", longest=connection.LIST_LIMIT, params=params))

    def _listed(self, answer: Answer) -> list[Mapping[str, Any]]:
        listed = json_object(answer)
        items = listed.get("data")
        if not isinstance(items, list):
            raise BadAnswer("the list has no data", reason="not_a_list")
        self._notice(drift.of_list(listed, answer.headers), None)
        return [item for item in items if isinstance(item, dict)]

    async def _ask(
        self, method: str, path: str, *, longest: int = connection.ANSWER_LIMIT, **what: Any
    ) -> Answer:
        return self._taken(await self._sent(method, path, longest=longest, **what))

    async def _sent(
        self, method: str, path: str, *, longest: int = connection.ANSWER_LIMIT, **what: Any
    ) -> Answer:
        with self._call(), connection.translated(f"{method} {path}"):
            async with asyncio.timeout(self.timeouts.total_look):
                response = await self._pooled.directly(method, path, **what)
                try:
                    return await connection.read_whole(response, self.account, longest)
                finally:
                    await response.aclose()

    def _taken(self, answer: Answer) -> Answer:
        if not 200 <= answer.status < 300:
            refused = explain(answer.status, answer.headers, answer.body)
            self._notice(drift.of_error(refused, answer.headers), refused.request_id)
            raise refused.as_error()
        return answer


def connect(
    account: Account, timeouts: Timeouts, connections: int = CONNECTIONS, notice: Notice = ignored
) -> Gateway:
    """A gateway with clients of its own; may be built in any thread, before its event loop runs."""
    pooled = connection.pooled_client(account, timeouts, connections)
    fresh = connection.fresh_client(account, timeouts)
    return Gateway(account, pooled=pooled, fresh=fresh, timeouts=timeouts, notice=notice)
