"""What all tables are made with. Times are epoch seconds by the database's clock."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, MetaData, TextClause, text

DEFAULT = "default"  # the tenant and the account that the first migration makes
FOR_SOMEBODY = text("end_user IS NOT NULL")
LEASED = text("leased_by IS NOT NULL")  # what is being done at this moment
# What is not kept, being known already, uses up a number too: 32 bits would not last.
NUMBER = BigInteger().with_variant(Integer, "sqlite")  # whose rowid is an INTEGER, of 64 bits anyway

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def index_of(some: TextClause, name: str, *columns: str, unique: bool = False) -> Index:
    """An index of some rows alone. Queries repeat the words of the condition: it serves no others."""
    return Index(name, *columns, unique=unique, sqlite_where=some, postgresql_where=some)
