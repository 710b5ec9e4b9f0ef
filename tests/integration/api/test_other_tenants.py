"""Every operation of the API, tried by another tenant: nothing is seen, and nothing changes.

The operations are those of the API's own document, so that none can be forgotten: one with a parameter or a
body of which nothing is said here fails.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.store import schema
from orchestrator.store.database import Store
from orchestrator.web.api.openapi import METHODS, document
from tests.integration.api.conftest import NewApi
from tests.integration.api.served import REQUEST, Holder, Served
from tests.patience import LONG

END_USER, REFERENCE, KEY = "the same end user", "their-reference", "their-idempotency-key"
SECRET = "seen-by-nobody-else"
LISTENED = 0.3  # seconds that a stream is listened to once it has begun


@dataclass
class Theirs:
    """What one tenant has, each as whatever stands in a path; `absent` has the like that nobody has."""

    job: Job
    parameters: dict[str, str]
    absent: dict[str, str]

    def bodies(self, parameters: dict[str, str]) -> dict[str, Any]:
        """What each operation with a body is sent."""
        return {
            "submit_jobs": {"request": REQUEST},
            "resolve_job": {"give_up": True},
            "replay_dead_letters": {},
            "replay_hand_off": {"as_new": True},
            "make_key": {"name": "k", "scopes": ["read"]},
            "make_token": {"job_id": parameters["job_id"]},
        }


@pytest.fixture(scope="module")
def api(new_api: NewApi) -> Served:
    return new_api(requests_per_minute=0)


@pytest.fixture(scope="module")
def theirs(api: Served) -> Theirs:
    them = api.new_tenant()
    job = them.completed(reference=REFERENCE, end_user=END_USER, metadata={"m": SECRET})
    them.archive(job)
    stuck = them.move(them.kept(end_user=END_USER), State.UNCERTAIN, needs_person=True)
    hand_off = them.dead(end_user=END_USER, metadata={"m": SECRET})
    key = them.get("/keys").json()["keys"][0]["id"]
    token = them.post("/tokens", {"end_user": END_USER}).json()["id"]
    them.post("/jobs", {"request": REQUEST}, Idempotency_Key=KEY)
    given = {"job_id": stuck.id, "reference": REFERENCE, "hand_off_id": str(hand_off)}
    given |= {"key_id": key, "token_id": token, "index": "0", "Idempotency-Key": KEY}
    absent = {"job_id": "job_" + "0" * 26, "reference": "no-" + REFERENCE, "hand_off_id": "987654321"}
    absent |= {
        "key_id": "a" * len(key),
        "token_id": "b" * len(token),
        "index": "0",
        "Idempotency-Key": "no-" + KEY,
    }
    return Theirs(job, given, absent)


def strangers(api: Served) -> Iterator[tuple[str, Holder]]:
    """Everybody who is not them, with all that they may have."""
    us = api.new_tenant()
    yield "a key with every scope", us
    yield "a token for a job", us.with_token(job_id=us.kept(end_user=END_USER).id)
    yield "a token for an end user of the same name", us.with_token(end_user=END_USER)


def test_another_tenant_sees_and_changes_nothing_by_any_operation(api: Served, theirs: Theirs) -> None:
    found, tries, listed = document(api.app), 0, 0
    for name, stranger in strangers(api):
        before = _all_of(api.store, theirs.job.tenant_id)
        for method, path, operation in _operations(found):
            for query in _queries(operation):
                answer = _ask(stranger, method, path, operation, query, theirs, theirs.parameters)
                like = _ask(stranger, method, path, operation, query, theirs, theirs.absent)
                about = f"{name}: {method} {path} {query}"
                assert answer.status_code == like.status_code, about
                assert _words(answer, theirs.parameters) == _words(like, theirs.absent), about
                assert not _given_away(answer, theirs), about
                if "{" in path:
                    assert answer.status_code in (401, 403, 404), about
                tries, listed = tries + 1, listed + (answer.status_code < 300)
        assert _all_of(api.store, theirs.job.tenant_id) == before, name
    print(f"{tries} tries by another tenant, none let through")
    assert tries >= 3 * len(list(_operations(found)))
    assert listed, "some of it was allowed, and showed nothing of theirs"


def test_the_tenant_itself_can_do_each_of_it(api: Served, theirs: Theirs) -> None:
    """Else the refusals above would prove nothing: here the same requests are made by who may."""
    them = Holder(api, theirs.job.tenant_id, api.key(tenant=theirs.job.tenant_id))
    for method, path, operation in _operations(document(api.app)):
        if method == "get" and "index" not in path:
            answer = _ask(them, method, path, operation, {}, theirs, theirs.parameters)
            assert answer.status_code == 200, path


def _operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in found["paths"].items():
        yield from ((method, path, item[method]) for method in METHODS if method in item)


def _queries(operation: dict[str, Any]) -> list[dict[str, str]]:
    names = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    known = {"reference": REFERENCE, "end_user": END_USER, "destination": "folder", "wait": "0"}
    return [{}, *({name: known[name]} for name in sorted(names & set(known)))]


def _ask(
    who: Holder,
    method: str,
    path: str,
    operation: dict[str, Any],
    query: dict[str, str],
    theirs: Theirs,
    parameters: dict[str, str],
) -> httpx.Response:
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", parameters[one["name"]])
    body = {}
    if "requestBody" in operation:
        body = {"json": theirs.bodies(parameters)[operation["operationId"]]}
    given = {"params": query, "headers": {"Idempotency-Key": parameters["Idempotency-Key"]}, **body}
    return _read(who, method.upper(), path.removeprefix("/v1"), given)


def _read(who: Holder, method: str, path: str, given: dict[str, Any]) -> httpx.Response:
    """The answer; of one that does not end, how it begins."""
    given["params"] |= {"token": who.token} if who.token else {}
    given["headers"] |= {} if who.token else {"Authorization": f"Bearer {who.key}"}
    with who.api.client.stream(method, path, timeout=LONG, **given) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
            return answer
    return asyncio.run(_beginning(who.api.client.base_url, path, given))


async def _beginning(base: httpx.URL, path: str, given: dict[str, Any]) -> httpx.Response:
    """What a stream says first, however late that comes, and what comes within a moment after it."""
    async with (
        httpx.AsyncClient(base_url=base, timeout=LONG, verify=False) as client,
        client.stream("GET", path, **given) as answer,
    ):
        pieces = answer.aiter_raw()
        heard = await anext(pieces)
        with suppress(TimeoutError):
            async with asyncio.timeout(LISTENED):
                async for piece in pieces:
                    heard += piece
        return httpx.Response(answer.status_code, headers=answer.headers, content=heard)


_VARYING = {"request_id", "id", "accepted_at", "state_since", "deadline_at", "created_at", "expires_at"}
_VARYING |= {"key", "token", "last_used_at", "url"}


def _words(answer: httpx.Response, parameters: dict[str, str]) -> Any:
    """What was said, but for what was named in the request and what is never twice the same."""
    text = answer.text
    for name, value in parameters.items():
        if name == "hand_off_id":  # a number that others may be as well
            text = text.replace(f"hand-off {value}", f"hand-off <{name}>")
        elif name != "index":
            text = text.replace(value, f"<{name}>")
    if text and answer.headers.get("content-type", "").endswith("json"):
        return _without_varying(json.loads(text))
    return text if answer.status_code >= 300 else None


def _without_varying(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_varying(one) for name, one in value.items() if name not in _VARYING}
    return [_without_varying(one) for one in value] if isinstance(value, list) else value


def _given_away(answer: httpx.Response, theirs: Theirs) -> bool:
    if answer.status_code >= 300:
        return SECRET in answer.text
    seen = [
        SECRET,
        theirs.job.id,
        theirs.job.tenant_id,
        *(theirs.parameters[one] for one in ("job_id", "key_id")),
    ]
    return any(one in answer.text for one in seen)


def _all_of(store: Store, tenant: str) -> dict[str, list[Any]]:
    """Every row that is a tenant's, but for when its keys were used."""
    found = {}
    with store.read() as tx:
        for table in schema.metadata.sorted_tables:
            if "tenant_id" in table.c and table.name != "lanes":
                columns = [one for one in table.c if one.name != "last_used_at"]
                rows = tx.execute(select(*columns).where(table.c.tenant_id == tenant))
                found[table.name] = sorted(map(repr, rows))
    return found
