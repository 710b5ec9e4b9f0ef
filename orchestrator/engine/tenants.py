"""Tenants: adding them, and setting their limits and the origins of their pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite

from orchestrator.core import origins
from orchestrator.errors import NotAllowed, RequestError
from orchestrator.store import tenants
from orchestrator.store.database import Store
from orchestrator.store.tenants import Tenant

MOST = 2_147_483_647  # of what is counted
DEAREST = 1e12  # US dollars
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_MOST = {
    "max_open_jobs": MOST,
    "spend_cap_usd": DEAREST,
    "requests_per_minute": MOST,
    "looks_per_second": MOST,
}


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be set: `limits` by their columns, where None is as the settings say and 0 is none."""

    limits: Mapping[str, float | None] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()


def add(store: Store, name: str, changes: Changes) -> Tenant:
    """A new tenant. Raises NotAllowed where there is one of that name, and RequestError."""
    if not _NAME.fullmatch(name):
        raise RequestError(
            f"{name!r} is not a valid tenant name",
            hint="use 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit",
        )
    _check(changes)
    with store.write() as tx:
        if not tenants.add_once(tx, name):
            raise NotAllowed(
                f"there is a tenant {name} already", hint="`orchestrator tenants change` sets its limits"
            )
        return tenants.change(tx, name, _values(changes, ()))


def change(store: Store, name: str, changes: Changes) -> Tenant:
    """Set some of a tenant's limits; it is taken up within seconds. Raises NotFound and RequestError."""
    _check(changes)
    with store.write() as tx:
        before = tenants.lock(tx, name)
        return tenants.change(tx, name, _values(changes, before.allowed_origins))


def list_tenants(store: Store) -> list[Tenant]:
    """All of them, by name."""
    with store.read() as tx:
        return tenants.every(tx)


def _check(changes: Changes) -> None:
    for name, value in changes.limits.items():
        if value is not None and not (isfinite(value) and 0 <= value <= _MOST[name]):
            raise RequestError(f"{name.replace('_', ' ')} cannot be {value:g}", hint="0 is for no limit")
    _normal((*changes.allow, *changes.forbid))


def _values(changes: Changes, before: Iterable[str]) -> dict[str, object]:
    values: dict[str, object] = dict(changes.limits)
    if changes.allow or changes.forbid:
        kept = {*before, *_normal(changes.allow)} - {*_normal(changes.forbid)}
        values["allowed_origins"] = sorted(kept) or None
    return values


def _normal(given: Iterable[str]) -> list[str]:
    found = [(one, origins.normal(one)) for one in given]
    if wrong := next((one for one, origin in found if origin is None), None):
        raise RequestError(
            f"{wrong!r} is not an origin of web pages",
            hint="give scheme and host alone: https://shop.example",
        )
    return [origin for _, origin in found if origin is not None]
