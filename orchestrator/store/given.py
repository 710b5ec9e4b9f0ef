"""Rows that a statement is given as one parameter, so that one UPDATE writes them all."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import JSON, Column, FromClause, Text, bindparam, cast, column, func, select

from orchestrator.store.database import Transaction


def given_rows(tx: Transaction, columns: Sequence[Column[object]], parameter: str) -> FromClause:
    """A table of these columns, read from a parameter that is a JSON array of objects."""
    rows = bindparam(parameter, type_=Text)
    if tx.connection.dialect.name == "postgresql":
        typed = [column(one.name, one.type) for one in columns]
        unpacked = func.json_to_recordset(cast(rows, JSON)).table_valued(*typed)
        return unpacked.render_derived(with_types=True)
    each = func.json_each(rows).table_valued("value")
    fields = [
        func.json_extract(each.c.value, f"$.{one.name}", type_=one.type).label(one.name) for one in columns
    ]
    return select(*fields).subquery()
