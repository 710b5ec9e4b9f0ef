"""Checks of what only several processes need: their broker, and whether each of them lives."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection, HTTPException

from orchestrator import wiring
from orchestrator.cli.checking import Process
from orchestrator.cli.findings import Finding
from orchestrator.engine.alarms import PULSE_IS_LATE
from orchestrator.errors import StoreError
from orchestrator.settings import Settings
from orchestrator.store import workers
from orchestrator.store.database import Transaction, missing_file
from orchestrator.store.workers import Pulse

ANSWER_WITHIN = 5.0  # seconds
HEALTHY = b'{"status":"ok"}'  # what a receiver of ours says at /healthz
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only asked, at one of them


def alive(settings: Settings, process: Process) -> Finding:
    """Whether such a process lives and works; for supervisors that ask from outside."""
    if process is Process.WEB:
        return web_answers(settings)
    if path := missing_file(settings.resolved_database_url):  # asking would make it
        return Finding("fail", process, f"there is no database {path}", "set ORCHESTRATOR_DATABASE_URL")
    try:
        with closing(wiring.open_store(settings, only_looks=True)) as store, store.read() as tx:
            return _worker(tx) if process is Process.WORKER else _beat(tx)
    except StoreError as error:
        return Finding("fail", process, error.message, error.hint)


def web_answers(settings: Settings) -> Finding:
    """Whether a receiver of ours listens where the settings say."""
    where = f"{settings.host}:{settings.port}"
    host = ANY_ADDRESS.get(settings.host, settings.host)
    try:
        with closing(HTTPConnection(host, settings.port, timeout=ANSWER_WITHIN)) as connection:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            status, said = answer.status, answer.read(len(HEALTHY) + 1)
    except (OSError, HTTPException) as error:
        return Finding("fail", Process.WEB, f"{where} does not answer: {error}", "start `orchestrator web`")
    if (status, said) != (200, HEALTHY):
        hint = "something else listens there; see ORCHESTRATOR_HOST and ORCHESTRATOR_PORT"
        found = f"answers with {status}" if status != 200 else "answers as no receiver does"
        return Finding("fail", Process.WEB, f"{where} {found}", hint)
    return Finding("ok", Process.WEB, f"{where} answers")


def answers_here(settings: Settings) -> bool:
    """Whether a receiver of ours answers on this machine."""
    return web_answers(settings).status == "ok"


def _worker(tx: Transaction) -> Finding:
    host, _ = wiring.whoami()
    found = workers.alive(tx, host=host)
    if not found:
        return Finding("fail", Process.WORKER, f"none beats on {host}", "start `orchestrator worker`")
    return Finding("ok", Process.WORKER, f"beats on {host}: process {', '.join(map(str, found))}")


def _beat(tx: Transaction) -> Finding:
    at = workers.last_pulse(tx, Pulse.BEAT)
    if at is not None and tx.now <= at + PULSE_IS_LATE:
        return Finding("ok", Process.BEAT, f"a message of beat's arrived {max(0.0, tx.now - at):.0f} s ago")
    since = "ever" if at is None else f"for {tx.now - at:.0f} s"
    hint = "see whether beat, the broker and a worker run; until then the workers sweep by themselves"
    return Finding("fail", Process.BEAT, f"no message of beat's arrived {since}", hint)


def brokers(settings: Settings) -> list[Finding]:
    """The one, where the settings name it."""
    return [broker(settings)] if settings.scaled else []


def broker(settings: Settings) -> Finding:
    """Whether Redis answers, takes messages, and keeps what it is given."""
    from redis import Redis
    from redis.exceptions import NoPermissionError, RedisError

    url, within = settings.broker_url.get_secret_value(), ANSWER_WITHIN
    try:
        with closing(Redis.from_url(url, socket_timeout=within, socket_connect_timeout=within)) as redis:
            redis.ping()
            told = redis.info()
    except NoPermissionError:
        return Finding("ok", "broker", "Redis answers; this user may not ask whether it evicts messages")
    except (RedisError, ValueError) as error:  # the latter for a parameter of the URL
        hint = "start Redis, or correct ORCHESTRATOR_BROKER_URL; work goes on without it, more slowly"
        return Finding("fail", "broker", f"Redis does not answer: {error}", hint)
    if told.get("role") == "slave":
        hint = "let ORCHESTRATOR_BROKER_URL name the primary"
        return Finding("fail", "broker", "Redis answers as a replica, which takes no messages", hint)
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        hint = "set maxmemory-policy to noeviction, or messages are lost in silence until the next sweep"
        return Finding("warn", "broker", f"Redis answers, and may evict messages ({policy})", hint)
    return Finding("ok", "broker", "Redis answers")
