"""What the archive has, so that nothing is removed while somebody keeps the same content anew.

Whoever archives says first that the content is wanted, then puts it there, then confirms. Whoever purges
holds the row while the content is removed. So a confirmation either finds the row, and the content is there,
or does not, and the content is put there once more.
"""

from __future__ import annotations

from sqlalchemy import delete, exists, select, update

from orchestrator.store.database import Transaction
from orchestrator.store.schema import ARCHIVED, archived, outputs

IN_USE = 3_600.0  # seconds; whoever said that content is wanted has long confirmed it, or tries again


def want(tx: Transaction, sha256: str, size: int) -> None:
    """Say that this content is about to be put there, or is to stay if it is there."""
    statement = tx.insert(archived).values(sha256=sha256, bytes=size, wanted_at=tx.now)
    tx.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_={"wanted_at": tx.now}))


def confirm(tx: Transaction, sha256: str) -> bool:
    """Hold on to what was put there; False if it was removed since it was wanted."""
    guard = archived.c.sha256 == sha256
    return tx.execute(update(archived).where(guard).values(wanted_at=tx.now)).rowcount == 1


def unused(tx: Transaction, *, limit: int, after: str = "") -> list[str]:
    """Content that no output is of any more, and that nobody is about to keep.

    `after`, a hash, goes on where an earlier call ended: what is in use is gone through once.
    """
    used = exists().where(outputs.c.sha256 == archived.c.sha256, ARCHIVED)
    old = archived.c.wanted_at < tx.now - IN_USE
    query = select(archived.c.sha256).where(archived.c.sha256 > after, old, ~used)
    return [row.sha256 for row in tx.execute(query.order_by(archived.c.sha256).limit(limit))]


def forget(tx: Transaction, sha256: str) -> bool:
    """Hold the row and forget it at the end: what is there is damaged. False if somebody did."""
    return tx.execute(delete(archived).where(archived.c.sha256 == sha256)).rowcount == 1


def take_out(tx: Transaction, sha256: str) -> bool:
    """Hold the row and forget it at the end, unless an output is of it again: the content may be removed."""
    tx.execute(select(archived).where(archived.c.sha256 == sha256).with_for_update())
    used = exists().where(outputs.c.sha256 == sha256, ARCHIVED)
    guard = (archived.c.sha256 == sha256, archived.c.wanted_at < tx.now - IN_USE, ~used)
    return tx.execute(delete(archived).where(*guard)).rowcount == 1
