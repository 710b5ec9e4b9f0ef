"""What a statement is given as one parameter: names that it finds, rows that it writes all at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnClause,
    ColumnElement,
    FromClause,
    Insert,
    String,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.store.database import Transaction

_ROWS = "rows"


def among(dialect: str, of: Column[str], parameter: str) -> ColumnElement[bool]:
    """Whether it is one of those that a parameter lists.

    On PostgreSQL that is one array, whatever their number: the statement stays the same, and is planned once.
    """
    if dialect == "postgresql":
        # Without a length: what is too long would be cut, and would be something else.
        return of == func.any(bindparam(parameter, type_=ARRAY(String)))
    return of.in_(bindparam(parameter, expanding=True))


def given_rows(tx: Transaction, columns: Sequence[Column[object]], parameter: str) -> FromClause:
    """A table of these columns, read from a parameter that is a JSON array of objects."""
    rows = bindparam(parameter, type_=Text)
    if tx.dialect == "postgresql":
        return recordset(columns, parameter)
    each = func.json_each(rows).table_valued("value")
    fields = [
        func.json_extract(each.c.value, f"$.{one.name}", type_=one.type).label(one.name) for one in columns
    ]
    return select(*fields).subquery()


def recordset(columns: Sequence[Column[Any] | ColumnClause[Any]], parameter: str = _ROWS) -> FromClause:
    """The same on PostgreSQL; the rows that `as_one` gives, unless another parameter is named."""
    typed = [column(one.name, one.type) for one in columns]
    unpacked = func.json_to_recordset(cast(bindparam(parameter, type_=Text), JSON)).table_valued(*typed)
    return unpacked.render_derived(with_types=True)


def add_rows(
    tx: Transaction, table: Table, rows: Sequence[Mapping[str, Any]], *, unless_there: tuple[str, ...] = ()
) -> None:
    """Insert rows of the same columns; `unless_there`: not those whose key, in these columns, is taken."""
    if together := as_one(tx, rows):
        tx.execute(_adding(table, tuple(rows[0]), unless_there), together)
    elif rows:
        tx.execute(_plain(table, unless_there, tx.dialect), list(rows))


def as_one(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """Rows as the parameter of one statement; None where each is better written by one of its own.

    On PostgreSQL, several belong together: one by one, each would be a way to the server and back, and
    a list of values takes SQLAlchemy longer to put together than the server to insert.
    """
    if len(rows) < 2 or tx.dialect != "postgresql":
        return None
    text = json.dumps(rows, ensure_ascii=False)
    return {_ROWS: text} if _readable(text) else None


def _readable(text: str) -> bool:
    """Whether PostgreSQL can take it apart: what it can keep as JSON may have in it what no text may have."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return "\\u0000" not in text


def adding(
    table: Table,
    names: Sequence[str],
    more: Callable[[FromClause], Mapping[str, ColumnElement[Any]]] = lambda _: {},
) -> postgresql.Insert:
    """Inserts rows that are given with these columns, and `more` about each, on PostgreSQL."""
    rows = recordset([table.c[name] for name in names])
    besides = more(rows)
    chosen = select(*(rows.c[name] for name in names), *besides.values())
    return postgresql.insert(table).from_select([*names, *besides], chosen)


def changing(table: Table, as_read: Mapping[str, Column[Any]], to_be: Mapping[str, Column[Any]]) -> Update:
    """Changes rows that are still as they were read, by the names that both are given by, on PostgreSQL."""
    rows = recordset([column(name, of.type) for name, of in {**as_read, **to_be}.items()])
    guard = and_(*(of == rows.c[name] for name, of in as_read.items()))
    return update(table).where(guard).values({of: rows.c[name] for name, of in to_be.items()})


@cache  # putting one together takes SQLAlchemy longer than running it
def _adding(table: Table, names: tuple[str, ...], unless_there: tuple[str, ...]) -> Insert:
    new = adding(table, names)
    return new.on_conflict_do_nothing(index_elements=unless_there) if unless_there else new


@cache
def _plain(table: Table, unless_there: tuple[str, ...], dialect: str) -> Insert:
    if not unless_there:
        return insert(table)
    new = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return new.on_conflict_do_nothing(index_elements=unless_there)
