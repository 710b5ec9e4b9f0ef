"""Whoever calls the API of a running orchestrator: keys, tokens, and clients that show them."""

from collections.abc import Collection
from typing import Any

import httpx

from orchestrator import wiring
from orchestrator.core.access import Scope
from orchestrator.engine import granting
from orchestrator.store import tenants
from orchestrator.store.schema import DEFAULT
from tests.acceptance.database import Database
from tests.acceptance.waiting import LONG

DAY = 86_400.0


def new_key(database: Database, scopes: Collection[Scope] = tuple(Scope), tenant: str = DEFAULT) -> str:
    """A key that may do all this."""
    made = granting.make_key(database.store, wiring.chance, tenant, name="a test", scopes=scopes)
    return made[1].get_secret_value()


def new_token(database: Database, job_id: str, tenant: str = DEFAULT) -> str:
    """A come-back token for one job."""
    made = granting.make_token(database.store, wiring.chance, tenant, lasts=DAY, job_id=job_id)
    return made[1].get_secret_value()


def allow(database: Database, *origins: str, tenant: str = DEFAULT) -> None:
    """Let pages of these origins use the tenant's tokens."""
    with database.store.write() as tx:
        tenants.change(tx, tenant, {"allowed_origins": list(origins)})


def calling(base_url: str, key: str = "", **options: Any) -> httpx.Client:
    """A client that shows this key."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(
        base_url=base_url, headers=headers, timeout=LONG, trust_env=False, **options, verify=False
    )
