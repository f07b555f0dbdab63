"""The rows that one profile is about: a table, and which of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import quoted_name

#: What every statement calls the table.
ALIAS = "t"

if TYPE_CHECKING:
    from profilemesh_airflow.core.plan import TableInfo


@dataclass(frozen=True)
class TableSample:
    """SQL's TABLESAMPLE: the same fraction and seed give the same rows in every statement of a transaction.

    :param method: ``system`` takes blocks of rows and reads no others; ``bernoulli`` takes rows.
    """

    method: str
    fraction: float
    seed: int


@dataclass(frozen=True)
class Relation:
    """What every statement of a profile selects from.

    Anything that narrows the rows (a sample, a partition) gives a new relation, so that no statement can forget it.
    Columns are written with the table's alias: SQLite reads an unknown bare ``"name"`` as a text.

    :param source: the table, under an alias.
    :param conditions: what the rows fulfil.
    """

    source: Any
    conditions: tuple[sa.ColumnElement[bool], ...] = ()

    @classmethod
    def of(cls, info: TableInfo, sample: TableSample | None = None) -> Relation:
        """All rows of a table, or the sample of them that the database draws; names are quoted whatever they are."""
        columns: list[Any] = [sa.column(quoted_name(column.name, quote=True)) for column in info.columns]
        schema = info.details.get("schema")
        table = sa.table(
            quoted_name(info.details["name"], quote=True),
            *columns,
            schema=None if schema is None else quoted_name(schema, quote=True),
        )
        if sample is None:
            return cls(table.alias(ALIAS))
        method: Any = getattr(sa.func, sample.method)(sa.literal_column(repr(sample.fraction * 100)))
        return cls(table.tablesample(method, ALIAS, sa.literal_column(str(sample.seed))))

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
