"""What somebody looks for, as it stands in the address of a page: all of it, so that a link leads back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from orchestrator.core.blame import Fault
from orchestrator.core.lifecycle import OPEN, SETTLED, State
from orchestrator.errors import RequestError
from orchestrator.store.job_ranges import Undone, Wanted

# Several states by one name.
GROUPS: Mapping[str, frozenset[State]] = {"open": OPEN, "ended badly": SETTLED - {State.COMPLETED}}
LONGEST = 200  # characters of anything that is looked for


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for, word for word; empty means any. `before` is the id after which a page begins."""

    q: str = ""
    state: str = ""
    model: str = ""
    fault: str = ""
    hand_offs: str = ""
    tenant: str = ""
    before: str = ""

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Search:
        """Of an address or a form. Raises RequestError for what nobody can look for."""
        told = {name: str(given.get(name, "")).strip() for name in cls.__dataclass_fields__}
        for name, value in told.items():
            if len(value) > LONGEST or "\x00" in value:
                raise RequestError(f"nothing can be looked for with such a {name}", hint="begin anew")
        found = cls(**told)
        _ = found.states, found.whose_fault, found.undone
        return found

    @property
    def states(self) -> tuple[State, ...]:
        """The states that are meant. Raises RequestError."""
        if not self.state:
            return ()
        if self.state in GROUPS:
            return tuple(sorted(GROUPS[self.state]))
        if self.state not in set(State):
            raise RequestError(f"there is no state {self.state!r}", hint="the list of jobs names them all")
        return (State(self.state),)

    @property
    def whose_fault(self) -> Fault | None:
        """The fault that is meant. Raises RequestError."""
        if self.fault and self.fault not in set(Fault):
            raise RequestError(f"there is no fault {self.fault!r}", hint="the list of jobs names them all")
        return Fault(self.fault) if self.fault else None

    @property
    def undone(self) -> Undone | None:
        """What is meant of hand-offs. Raises RequestError."""
        if self.hand_offs and self.hand_offs not in set(Undone):
            raise RequestError(
                f"there are no hand-offs {self.hand_offs!r}", hint="the list of jobs has what there is"
            )
        return Undone(self.hand_offs) if self.hand_offs else None

    def wanted(self, tenant_id: str | None) -> Wanted:
        """The same for the store; who sees one tenant only, whatever is asked, sees no other."""
        return Wanted(
            tenant_id=tenant_id if tenant_id is not None else self.tenant or None,
            states=self.states,
            reference=self.q or None,
            model=self.model or None,
            fault=self.whose_fault,
            undone=self.undone,
        )

    def query(self, **other: str) -> str:
        """The address of it, with some of it otherwise."""
        told = asdict(replace(self, **{k: v for k, v in other.items() if k in self.__dataclass_fields__}))
        more = {name: value for name, value in other.items() if name not in told}
        return urlencode({name: value for name, value in (told | more).items() if value})

    def words(self, tenant_id: str | None) -> list[tuple[str, str]]:
        """What is looked for, for people: each name and its value. The tenant is told in any case."""
        whose = tenant_id if tenant_id is not None else self.tenant or "all"
        named = {"reference": self.q, "state": self.state, "model": self.model, "fault": self.fault}
        named |= {"hand-offs": self.hand_offs, "tenant": whose}
        return [(name, value) for name, value in named.items() if value]

    def fields(self) -> dict[str, str]:
        """For a form: what is looked for, wherever in the list."""
        return {name: value for name, value in asdict(replace(self, before="")).items() if value}
