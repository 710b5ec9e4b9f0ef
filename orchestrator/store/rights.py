"""Whether the database lets us write, found out without writing: SQLite's lock tells that by itself."""

from __future__ import annotations

from sqlalchemy import text

from orchestrator.errors import StoreError
from orchestrator.store.database import Transaction
from orchestrator.store.schema import metadata

_READ_ONLY = text("SELECT current_setting('transaction_read_only') = 'on', pg_is_in_recovery()")
# Each by itself: a list of privileges is granted where any one of them is.
_MAY = text(
    "SELECT bool_and(has_table_privilege(current_user, to_regclass(:name), one)) "
    "FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS one"
)


def require_writable(tx: Transaction) -> None:
    """Raise StoreError where a transaction that writes would be refused. `tx` is one that may write."""
    if tx.dialect != "postgresql":
        return
    read_only, standby = tuple(tx.execute(_READ_ONLY).one())
    if standby:
        raise StoreError(
            "the database server is a standby, which takes no writes",
            hint="point ORCHESTRATOR_DATABASE_URL at the primary",
        )
    if read_only:
        raise StoreError(
            "the database is set to read only",
            hint="see default_transaction_read_only of the server, the database (ALTER DATABASE … RESET) and "
            "the user",
        )
    if barred := [name for name in sorted(metadata.tables) if not tx.execute(_MAY, {"name": name}).scalar()]:
        raise StoreError(
            f"this user may not read and write {len(barred)} of {len(metadata.tables)} tables, {barred[0]} "
            "among them",
            hint="let this user own the tables, or grant it SELECT, INSERT, UPDATE and DELETE on all of them",
        )
