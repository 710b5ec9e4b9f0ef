"""Who may do what: the scopes of API keys, and whoever calls."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What an API key may be used for."""

    SUBMIT = "submit"  # submit jobs, and cancel and retry them
    READ = "read"  # read jobs, events and outputs, and let end users do so by tokens
    OPERATE = "operate"  # replay hand-offs, settle uncertain creates
    ADMIN = "admin"  # make and revoke keys
    INSTALLATION = (
        "installation"  # on the dashboard: every tenant, and what is no tenant's, such as the inbox
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls, by an API key or by a come-back token; `id` is the key's or the token's.

    A token reads one job, `job_id`, or the jobs of one `end_user`; a key has both None. `allowed_origins`
    are those whose pages may use tokens of this tenant.
    """

    id: str
    tenant_id: str
    scopes: frozenset[Scope]
    job_id: str | None = None
    end_user: str | None = None
    allowed_origins: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    name: str = ""  # of the key, for people

    @property
    def by_token(self) -> bool:
        """Whether it is somebody with a come-back token, who sees less."""
        return self.job_id is not None or self.end_user is not None
