"""Come-back tokens over the API."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from orchestrator.core.access import Caller, Scope
from orchestrator.engine import granting
from orchestrator.web.api.authentication import requires
from orchestrator.web.api.door import DoorDep
from orchestrator.web.api.routing import api_router
from orchestrator.wire.access import MadeToken, NewToken

router = api_router()
Reader = Annotated[Caller, requires(Scope.READ)]


@router.post("/tokens", status_code=201, operation_id="make_token")
async def make_token(door: DoorDep, caller: Reader, new: NewToken) -> MadeToken:
    """Make a token that lets a browser read one job, or the jobs of one end user, until it expires."""
    make = partial(
        granting.make_token,
        door.context.store,
        door.guard.chance,
        caller.tenant_id,
        lasts=new.expires_in_seconds,
        job_id=new.job_id,
        end_user=new.end_user,
    )
    made, whole = await door.run(make)
    facts = {"job_id": made.job_id, "end_user": made.end_user, "expires_at": made.expires_at}
    return MadeToken.model_validate({"id": made.id, "token": whole.get_secret_value(), **facts})


@router.delete("/tokens/{token_id}", status_code=204, operation_id="revoke_token")
async def revoke_token(door: DoorDep, caller: Reader, token_id: str) -> None:
    """Revoke a token: within five seconds it is refused everywhere."""
    await door.run(partial(granting.revoke_token, door.context.store, token_id, caller.tenant_id))
