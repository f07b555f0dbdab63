"""The rows that one profile is about: a table, and which of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

if TYPE_CHECKING:
    from profilemesh_airflow.core.plan import TableInfo


@dataclass(frozen=True)
class Relation:
    """What every statement of a profile selects from.

    Anything that narrows the rows (a partition, and in time a sample) gives a new relation, so that no statement can
    forget it. Columns are written with the table's alias: SQLite reads an unknown bare ``"name"`` as a text.

    :param source: the table, under an alias.
    :param conditions: what the rows fulfil.
    """

    source: Any
    conditions: tuple[sa.ColumnElement[bool], ...] = ()

    @classmethod
    def of(cls, info: TableInfo) -> Relation:
        """All rows of a table; its names are quoted whatever they are."""
        columns: list[Any] = [sa.column(quoted_name(column.name, quote=True)) for column in info.columns]
        schema = info.details.get("schema")
        table = sa.table(
            quoted_name(info.details["name"], quote=True),
            *columns,
            schema=None if schema is None else quoted_name(schema, quote=True),
        )
        return cls(table.alias("t"))

    def column(self, name: str) -> sa.ColumnElement[Any]:
        """One of its columns."""
        column: sa.ColumnElement[Any] = self.source.c[name]
        return column

    def where(self, condition: sa.ColumnElement[bool]) -> Relation:
        """Only the rows that fulfil ``condition`` too."""
        return Relation(self.source, (*self.conditions, condition))

    def select(self, *expressions: Any) -> sa.Select[Any]:
        """The query of ``expressions`` over the rows."""
        return sa.select(*expressions).select_from(self.source).where(*self.conditions)
