"""API keys and come-back tokens."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from orchestrator.core.access import Scope
from orchestrator.wire.base import Answered, Asked, Moment, Number
from orchestrator.wire.jobs import Name

LONGEST_TOKEN = 90 * 86_400  # seconds


class NewKey(Asked):
    """An API key to make for the caller's tenant."""

    name: Name = Field(description="A name for people, such as what it is for.")
    # One that is named twice is no mistake.
    scopes: frozenset[Scope] = Field(min_length=1, json_schema_extra={"uniqueItems": False})
    expires_in_seconds: Number | None = Field(None, gt=0, le=315_360_000)


class Key(Answered):
    """An API key, without its secret, which is not stored."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None


class MadeKey(Key):
    """A new API key. `key` is shown this once."""

    key: str


class Keys(Answered):
    """The keys of a tenant, including revoked ones."""

    keys: tuple[Key, ...]


class NewToken(Asked):
    """A come-back token to make: for one job, or for all jobs of one end user."""

    job_id: str | None = Field(None, min_length=1, max_length=64)
    end_user: Name | None = None
    expires_in_seconds: Number = Field(86_400, ge=1, le=LONGEST_TOKEN)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.job_id is None) == (self.end_user is None):
            raise ValueError("say either job_id or end_user")
        return self


class MadeToken(Answered):
    """A new come-back token, shown this once: goes into a URL as `?token=`."""

    id: str
    token: str
    job_id: str | None
    end_user: str | None
    expires_at: Moment


class Whoami(Answered):
    """Whose key this is, and what it may be used for."""

    tenant: str
    key_id: str
    name: str
    scopes: tuple[Scope, ...]
