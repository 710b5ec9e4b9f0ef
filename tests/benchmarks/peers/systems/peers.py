"""The peers, each by the best path that its makers document."""

from typing import ClassVar

from tests.benchmarks.peers.systems.peer import Peer

SHARED = ("aiohttp", "starlette", "uvicorn", "uvloop")


class PlainCelery(Peer):
    """Fast, and nothing that survives a kill."""

    name = "celery"
    title = "plain Celery, a countdown per job (Redis)"
    durable = False
    program = "celery_plain"
    packages: ClassVar[tuple[str, ...]] = ("celery", "kombu", "redis", "httpx", *SHARED)
    redis = True


class CeleryTuned(PlainCelery):
    """The same, made faster."""

    name = "celery-tuned"
    title = "plain Celery, made faster (Redis)"
    program = "celery_tuned"
    packages = ("celery", "kombu", "redis", "urllib3", *SHARED)


class PhaseoLoop(Peer):
    """The official SDK in threads: no webhook, no memory."""

    name = "phaseo"
    title = "a loop over the phaseo SDK in threads"
    durable = False
    program = "phaseo_loop"
    packages = ("phaseo", "httpx")


class Dbos(Peer):
    """Workflows in PostgreSQL, in the worker's own process."""

    name = "dbos"
    title = "DBOS (PostgreSQL)"
    program = "dbos_program"
    packages: ClassVar[tuple[str, ...]] = ("dbos", *SHARED)
    postgres = True


class Awa(Peer):
    """Jobs in PostgreSQL, with an engine in Rust."""

    name = "awa"
    title = "awa-pg (PostgreSQL)"
    program = "awa_program"
    packages = ("awa-pg", *SHARED)
    postgres = True


class DbosTuned(Dbos):
    """The same by fresh eyes."""

    name = "dbos-tuned"
    title = "DBOS, made faster (PostgreSQL)"
    program = "dbos_tuned"
    packages = ("dbos", "psycopg-pool", "urllib3", *SHARED)


class AwaTuned(Awa):
    """The same by fresh eyes."""

    name = "awa-tuned"
    title = "awa-pg, made faster (PostgreSQL)"
    program = "awa_tuned"
