"""What the latest search for uncertain creates met, a row for each account, for a person to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import select

from orchestrator.store.database import Transaction
from orchestrator.store.schema import searches

MOST_STRANGERS = 50  # of an account


@dataclass(frozen=True, slots=True)
class Stranger:
    """A recent job of the gateway's that no job of ours owns. `opened`: its session could be read."""

    gateway_id: str
    opened: bool
    session_id: str | None = None
    status: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """One search. `listed`: jobs on the gateway's list, None where it could not be read: `problem` says why.

    `whole`: every job on the list that may be ours was looked into.
    """

    account_id: str
    searched_at: float
    listed: int | None
    whole: bool
    problem: str | None
    strangers: tuple[Stranger, ...] = ()


def note(
    tx: Transaction,
    account_id: str,
    *,
    listed: int | None,
    whole: bool,
    problem: str | None,
    strangers: Sequence[Stranger],
) -> None:
    """Keep what a search met, in the place of what the one before it did."""
    facts = {
        "searched_at": tx.now,
        "listed": listed,
        "whole": whole,
        "problem": problem,
        "strangers": [asdict(one) for one in strangers[:MOST_STRANGERS]],
    }
    statement = tx.insert(searches).values(account_id=account_id, **facts)
    tx.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=facts))


def of_account(tx: Transaction, account_id: str) -> Search | None:
    """The latest search at an account; None where there never was one."""
    row = tx.execute(select(searches).where(searches.c.account_id == account_id)).first()
    if row is None:
        return None
    values = dict(row._mapping)
    return Search(**values | {"strangers": tuple(Stranger(**one) for one in values["strangers"])})
