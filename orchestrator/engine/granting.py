"""Making and ending API keys, come-back tokens, and sessions of browsers."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import SecretStr

from orchestrator.core import keys
from orchestrator.core.access import Caller, Scope
from orchestrator.core.keys import Chance, Kind
from orchestrator.errors import Forbidden, NotFound, RequestError
from orchestrator.store import api_keys, jobs, sessions, tenants, tokens
from orchestrator.store.api_keys import ApiKey
from orchestrator.store.database import Store, Transaction
from orchestrator.store.sessions import Session
from orchestrator.store.tokens import Token
from orchestrator.telemetry import Event, log

LONGEST_NAME = 200
SESSION_LASTS = 12 * 3_600.0  # seconds: a day's work


def make_key(
    store: Store,
    chance: Chance,
    tenant_id: str,
    *,
    name: str,
    scopes: Collection[Scope],
    lasts: float | None = None,
    maker: Caller | None = None,
) -> tuple[ApiKey, SecretStr]:
    """A new key and what its holder shows; `lasts` seconds. Without a maker it is the operator's doing.

    Raises NotFound for a tenant that is none, and Forbidden for scopes that the maker lacks.
    """
    _check_text("the name of a key", name)
    if lacking := sorted(set(scopes) - maker.scopes) if maker else []:
        raise Forbidden(
            f"a key cannot make one that may do more than itself: {', '.join(lacking)}",
            hint="`orchestrator keys make` makes keys with any scope",
        )
    made = keys.make(Kind.KEY, chance)
    with store.write() as tx:
        tenants.get(tx, tenant_id)
        ends = None if lasts is None else tx.now + lasts
        key = ApiKey(made.id, tenant_id, name, frozenset(scopes), tx.now, ends, None, None)
        api_keys.add(tx, key, made.digest)
    log(Event.KEY_MADE, key=key.id, tenant=tenant_id, scopes=sorted(key.scopes))
    return key, SecretStr(made.whole)


def revoke_key(store: Store, key_id: str, *, tenant_id: str | None = None) -> ApiKey:
    """End a key of this tenant, or of any; within seconds every process refuses it. Raises NotFound."""
    key = None
    if keys.is_id(key_id):
        with store.write() as tx:
            key = api_keys.revoke_if_live(tx, key_id, tenant_id)
    if key is None:
        raise NotFound(f"there is no key {key_id}", hint="`orchestrator keys list` lists them")
    log(Event.KEY_REVOKED, key=key.id, tenant=key.tenant_id)
    return key


def list_keys(store: Store, tenant_id: str | None = None) -> list[ApiKey]:
    """The keys of one tenant, or of all, also those that ended."""
    with store.read() as tx:
        return api_keys.of_tenant(tx, tenant_id)


def make_token(
    store: Store,
    chance: Chance,
    tenant_id: str,
    *,
    lasts: float,
    job_id: str | None = None,
    end_user: str | None = None,
) -> tuple[Token, SecretStr]:
    """A new token for a job of this tenant or for an end user of it, and what goes into URLs.

    Raises NotFound.
    """
    if (job_id is None) == (end_user is None):
        raise RequestError("a token is for one job or for one end user", hint="say which, and only one")
    if end_user is not None:
        _check_text("the id of an end user", end_user)
    made = keys.make(Kind.TOKEN, chance)
    with store.write() as tx:
        tenants.get(tx, tenant_id)
        if job_id is not None:
            _require_job(tx, tenant_id, job_id)
        token = Token(made.id, tenant_id, job_id, end_user, tx.now, tx.now + lasts)
        tokens.add(tx, token, made.digest)
    return token, SecretStr(made.whole)


def revoke_token(store: Store, token_id: str, tenant_id: str) -> None:
    """End a token of this tenant; within seconds every process refuses it. Raises NotFound."""
    if keys.is_id(token_id):
        with store.write() as tx:
            if tokens.remove(tx, token_id, tenant_id):
                return
    raise NotFound(f"there is no token {token_id}")


def begin_session(store: Store, chance: Chance, key_id: str) -> SecretStr:
    """Whoever showed this key has signed in: what their browser shows from now on, for half a day."""
    made = keys.make(Kind.SESSION, chance)
    with store.write() as tx:
        sessions.add(tx, Session(made.id, key_id, tx.now, tx.now + SESSION_LASTS), made.digest)
    return SecretStr(made.whole)


def end_session(store: Store, shown: str) -> None:
    """Whoever shows it has signed out; nothing where there is no such session."""
    presented = keys.read(Kind.SESSION, shown)
    if presented is None:
        return
    with store.write() as tx:
        there = sessions.holder(tx, presented.id)
        if there is not None and presented.proves(there.digest):
            sessions.remove(tx, presented.id)


def _require_job(tx: Transaction, tenant_id: str, job_id: str) -> None:
    """Another tenant's is not there, in the same words."""
    job = jobs.get(tx, job_id)
    if job is None or job.tenant_id != tenant_id:
        raise NotFound(f"there is no job {job_id}", hint="`orchestrator jobs` lists them")


def _check_text(what: str, text: str) -> None:
    if not 0 < len(text) <= LONGEST_NAME or "\x00" in text or not _is_unicode(text):
        raise RequestError(f"{what} has 1 to {LONGEST_NAME} characters, and no NUL")


def _is_unicode(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which no database keeps."""
    return text.encode(errors="replace").decode() == text
