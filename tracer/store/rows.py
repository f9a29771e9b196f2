"""Turns prepared blocks into rows of plain tuples and inserts them in bulk, the fast way that ORM objects are not."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection
from sqlmodel import SQLModel

from tracer.store.tables import METADATA, Amount

Row = Sequence[object]


def insert_many(connection: Connection, model: type[SQLModel], columns: str, rows: Iterable[Row]) -> None:
    """Insert tuples of the named columns (names separated by blanks); amounts are whole numbers."""
    names = columns.split()
    table = METADATA.tables[str(model.__tablename__)]
    amounts = [place for place, name in enumerate(names) if isinstance(table.c[name].type, Amount)]
    values = [bind(row, amounts) for row in rows] if amounts else [tuple(row) for row in rows]
    if values:
        marker = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        sql = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join([marker] * len(names))})"
        connection.exec_driver_sql(sql, values)


def bind(row: Row, amounts: Sequence[int]) -> tuple[object, ...]:
    """Write the amounts of a row as decimal text, which both databases take without loss."""
    if len(amounts) == 1 and amounts[0] == len(row) - 1:
        return (*row[:-1], str(row[-1]))
    values = list(row)
    for place in amounts:
        values[place] = str(values[place])
    return tuple(values)
