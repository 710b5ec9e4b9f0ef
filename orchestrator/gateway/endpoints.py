"""The gateway's webhook endpoints, by its control routes and with a management key (gateway contract 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx
from pydantic import SecretStr

from orchestrator.errors import NEVER, BadAnswer
from orchestrator.gateway import connection, reading
from orchestrator.gateway.account import Account
from orchestrator.gateway.connection import Answer, Timeouts, json_object
from orchestrator.gateway.error_answers import ErrorAnswer, explain

ACTIVE = "active"
PAGE = 100  # the most that one answer lists
PAGES = 20  # that are read at most
LONGEST_SECRET = 500
_MOST_EVENTS = 100

# What to do, by the reason or code of a refusal; whatever is not here has the hint of its status.
_HINTS = {
    "management_key_required": "a management key begins with phaseo_v1_mk_; the gateway's console makes them",
    "insufficient_scope": "give the management key the scopes settings:read and settings:write",
    "batch_api_feature_flag_disabled": "the gateway opens webhook endpoints to workspaces with its batch "
    "feature: ask its support for that",
    "webhook_url_must_use_https": "put something that terminates TLS in front of the receiver, and set "
    "ORCHESTRATOR_PUBLIC_URL to its https URL, or give that by --url",
    "webhook_url_private_network_not_allowed": "the gateway calls public addresses only: set "
    "ORCHESTRATOR_PUBLIC_URL or --url to one, or use a tunnel",
    "webhook_url_dns_resolution_failed": "let the host name of the URL resolve publicly",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook endpoint as the gateway shows it. `events` are names as it keeps them, in lower case."""

    id: str
    url: str
    name: str
    status: str
    events: tuple[str, ...]

    @property
    def active(self) -> bool:
        """Whether the gateway calls it."""
        return self.status == ACTIVE


class Management:
    """The control routes of one workspace. Belongs to one event loop; every call raises GatewayError."""

    def __init__(self, account: Account, timeouts: Timeouts) -> None:
        """`account` has the management key in the place of the key."""
        self._account = account
        self._timeouts = timeouts
        self._client = connection.pooled_client(account, timeouts, connections=2)

    async def every(self) -> list[Endpoint]:
        """All endpoints that were not deleted."""
        found: list[Endpoint] = []
        for page in range(PAGES):
            query = {"limit": PAGE, "offset": page * PAGE}
            listed = json_object(await self._ask("GET", "webhook-endpoints", params=query)).get("data")
            if not isinstance(listed, list):
                raise BadAnswer("the list of webhook endpoints has no data", reason="not_a_list")
            found += [_endpoint(one) for one in listed]
            if len(listed) < PAGE:
                break
        return found

    async def get(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint; None where this workspace has none of that id, or deleted it."""
        try:
            return _endpoint(json_object(await self._ask("GET", _path(endpoint_id))))
        except BadAnswer as error:
            if error.status == 404 and error.code == "not_found":
                return None
            raise

    async def create(self, url: str, name: str, events: Sequence[str]) -> tuple[Endpoint, SecretStr]:
        """A new one with its secret, which the gateway shows this once."""
        body = {"url": url, "name": name, "events": list(events)}
        made = json_object(await self._ask("POST", "webhook-endpoints", json=body))
        return _endpoint(made), _secret(made)

    async def change(self, endpoint_id: str, **changes: Any) -> Endpoint:
        """Change `name`, `url`, `events` or `status`; queued deliveries follow."""
        return _endpoint(json_object(await self._ask("PATCH", _path(endpoint_id), json=changes)))

    async def rotate(self, endpoint_id: str) -> SecretStr:
        """A new secret. From this moment on the gateway signs with it alone, retries too."""
        return _secret(json_object(await self._ask("POST", f"{_path(endpoint_id)}/rotate-secret")))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _ask(self, method: str, path: str, **what: Any) -> Answer:
        with connection.translated(f"{method} {path}"):
            async with asyncio.timeout(self._timeouts.total_look):
                answer = await self._answer(method, path, what)
        if not 200 <= answer.status < 300:
            raise _refusal(explain(answer.status, answer.headers, answer.body))
        return answer

    async def _answer(self, method: str, path: str, what: Mapping[str, Any]) -> Answer:
        response: httpx.Response
        async with self._client.stream(method, path, **what) as response:
            return await connection.read_whole(response, self._account)


def _refusal(answer: ErrorAnswer) -> BadAnswer:
    error = answer.as_error()
    hint = _HINTS.get(answer.reason or "") or _HINTS.get(answer.code or "")
    if hint is None and answer.status == 404:
        hint = "check the gateway URL: what answers there knows no webhook endpoints"
    if hint is None and answer.status == 401:
        hint = "check the management key; `db_error` is the gateway's own fault and passes"
    error.hint = hint or error.hint
    return error


def _path(endpoint_id: str) -> str:
    """Endpoint ids are UUIDs, which the settings and whoever keeps one have checked."""
    if not all(letter.isalnum() or letter == "-" for letter in endpoint_id):
        raise BadAnswer(f"{endpoint_id[:40]!r} is not an endpoint id", reason="bad_endpoint_id", retry=NEVER)
    return f"webhook-endpoints/{endpoint_id}"


def _endpoint(data: Any) -> Endpoint:
    shown = reading.mapping(data)
    endpoint_id, url = reading.word(shown.get("id")), shown.get("url")
    if endpoint_id is None or not isinstance(url, str):
        raise BadAnswer("the answer is not about a webhook endpoint", reason="not_an_endpoint")
    events = shown.get("events")
    listed = events[:_MOST_EVENTS] if isinstance(events, list) else []
    names = tuple(name for one in listed if (name := reading.word(one)))
    name, status = reading.word(shown.get("name")) or "", reading.word(shown.get("status")) or ""
    return Endpoint(endpoint_id, _without_user(reading.kept(url)), name, status, names)


def _without_user(url: str) -> str:
    """The URL without a name and a password, which it may have (4.4) and nobody here needs to see."""
    before, found, after = url.partition("://")
    authority, slash, path = after.partition("/")
    return f"{before}{found}{authority.rpartition('@')[2]}{slash}{path}"


def _secret(data: Mapping[str, Any]) -> SecretStr:
    found = data.get("signing_secret")
    usable = isinstance(found, str) and found.isascii() and found.isprintable() and "," not in found
    if not isinstance(found, str) or not usable or not 0 < len(found.strip()) <= LONGEST_SECRET:
        raise BadAnswer("the answer has no signing secret", reason="no_secret")
    return SecretStr(found)
