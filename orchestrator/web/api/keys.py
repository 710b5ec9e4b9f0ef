"""API keys over the API: those of the caller's own tenant."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from orchestrator.core.access import Caller, Scope
from orchestrator.engine import granting
from orchestrator.store.api_keys import ApiKey
from orchestrator.web.api.authentication import requires
from orchestrator.web.api.door import DoorDep
from orchestrator.web.api.routing import api_router
from orchestrator.wire.access import Key, Keys, MadeKey, NewKey, Whoami

router = api_router()
Admin = Annotated[Caller, requires(Scope.ADMIN)]


@router.get("/keys", operation_id="list_keys")
async def list_keys(door: DoorDep, caller: Admin) -> Keys:
    """The keys of your tenant, the oldest first, including expired and revoked ones."""
    found = await door.run(partial(granting.list_keys, door.context.store, caller.tenant_id))
    return Keys(keys=tuple(shown(one) for one in found))


@router.post("/keys", status_code=201, operation_id="make_key")
async def make_key(door: DoorDep, caller: Admin, new: NewKey) -> MadeKey:
    """Make a key for your tenant, with scopes that yours has. Only this answer shows it."""
    make = partial(
        granting.make_key,
        door.context.store,
        door.guard.chance,
        caller.tenant_id,
        name=new.name,
        scopes=new.scopes,
        lasts=new.expires_in_seconds,
        maker=caller,
    )
    made, whole = await door.run(make)
    return MadeKey(**dict(shown(made)), key=whole.get_secret_value())


@router.delete("/keys/{key_id}", operation_id="revoke_key")
async def revoke_key(door: DoorDep, caller: Admin, key_id: str) -> Key:
    """Revoke a key: within five seconds it is refused everywhere."""
    revoke = partial(granting.revoke_key, door.context.store, key_id, tenant_id=caller.tenant_id)
    return shown(await door.run(revoke))


@router.get("/whoami", operation_id="whoami")
async def whoami(caller: Annotated[Caller, requires(None)]) -> Whoami:
    """Whose key this is, and what it may be used for."""
    scopes = tuple(sorted(caller.scopes))
    return Whoami(tenant=caller.tenant_id, key_id=caller.id, name=caller.name, scopes=scopes)


def shown(key: ApiKey) -> Key:
    """A key as it is told, without its secret."""
    return Key.model_validate(
        {
            "id": key.id,
            "name": key.name,
            "scopes": tuple(sorted(key.scopes)),
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
            "last_used_at": key.last_used_at,
        }
    )
