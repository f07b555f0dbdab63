"""What the cloud warehouses have in common.

Their statements are compiled with the real packages and parsed in the tests, and run there on another database; they
have not been run on the warehouses themselves.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from profilemesh_airflow.core.plan import Column, TableInfo
from profilemesh_airflow.warehouse.dialects.base import Dialect
from profilemesh_airflow.warehouse.dialects.names import NamedType, can_exist
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.table import TableRef

_RELATION_KINDS = {"BASE TABLE": "table", "CLONE": "table", "SNAPSHOT": "table", "EXTERNAL": "external table"}

#: A schema and a table in it.
Name = tuple[str, str]


@dataclass(frozen=True)
class Asked:
    """Which tables a catalog query is about."""

    schemas: tuple[str, ...]
    tables: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[Name]) -> Asked:
        """Of these, and perhaps of some more."""
        schemas, tables = zip(*names, strict=True)
        return cls(tuple(sorted(set(schemas))), tuple(sorted(set(tables))))


class CloudDialect(Dialect):
    """A warehouse whose catalog is asked as tables are."""

    digits = 38
    text = sa.String()
    #: By the type's name, without length or precision.
    kinds: ClassVar[Mapping[str, Kind]]
    #: The schema of a bare name.
    default_schema: ClassVar[str | None] = None

    @abstractmethod
    def catalog_query(self, connection: Connection, asked: Asked) -> sa.sql.expression.Executable:
        """Rows of a column each.

        Schema, table, kind, number of rows, bytes, column, type's name, precision, scale, collation, and when rows were
        last written, in seconds since 1970.
        """

    @abstractmethod
    def tables_query(self, connection: Connection) -> str:
        """Rows of schema, table and kind: of all tables and views of all schemas.

        :raises ConfigError: the configuration does not say where they are.
        """

    @abstractmethod
    def version_query(self, connection: Connection, asked: Asked) -> sa.sql.expression.Executable | None:
        """Rows of schema, table and version; none where nothing is known of any table."""

    def spellings(self, name: str) -> Sequence[str]:
        """What ``name`` may be called in the catalog, the likeliest first."""
        return (name,)

    def catalog(
        self, connection: Connection, refs: Sequence[TableRef], schema: str | None
    ) -> dict[TableRef, TableInfo]:
        """One query; a bare name is looked up in ``schema``, or else in the usual one."""
        wanted = {ref: self._names(ref.schema or schema, ref.table) for ref in refs if can_exist(ref)}
        asked = [name for names in wanted.values() for name in names]
        if not asked:
            return {}
        found: defaultdict[Name, list[Any]] = defaultdict(list)
        for row in connection.execute(self.catalog_query(connection, Asked.of(asked))):
            found[row[0], row[1]].append(row)
        first = {ref: next((found[name] for name in names if name in found), None) for ref, names in wanted.items()}
        return {ref: self._info(ref, rows) for ref, rows in first.items() if rows}

    def tables(self, connection: Connection) -> list[tuple[str, str, str]]:
        """Of all schemas together."""
        rows = connection.exec_driver_sql(self.tables_query(connection))
        return [(schema, table, _relation_kind(kind)) for schema, table, kind in rows]

    def versions(self, connection: Connection, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """One query, where there is any."""
        names = {info.ref: (info.details["schema"], info.details["name"]) for info in infos}
        query = self.version_query(connection, Asked.of(names.values())) if names else None
        versions = {} if query is None else {(row[0], row[1]): row[2] for row in connection.execute(query)}
        return {ref: versions.get(name) for ref, name in names.items()}

    def lanes(self, info: TableInfo) -> int:
        """One: the warehouse itself works in parallel."""
        return 1

    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """One connection."""
        return connections[:1]

    def recover(self, connection: Connection) -> None:
        """Nothing to do: a refused statement leaves the session as it was."""

    def partition_value(self, column: Column, value: Any) -> sa.ColumnElement[Any]:
        """The text, cast to the column's type where that is none itself."""
        text = sa.literal(str(value), sa.String())
        return text if self._kind(column.type) is Kind.TEXT else sa.cast(text, NamedType(column.type))

    def _names(self, schema: str | None, table: str) -> list[Name]:
        schema = schema or self.default_schema
        if schema is None:
            return []
        return [(one, other) for one in self.spellings(schema) for other in self.spellings(table)]

    def _kind(self, declared: str) -> Kind:
        return self.kinds.get(declared.partition("(")[0].rstrip(), Kind.NONE)

    def _info(self, ref: TableRef, rows: Sequence[Any]) -> TableInfo:
        schema, name, kind, rows_estimate, size = rows[0][:5]
        columns = tuple(Column(row[5], _declared(*row[6:9])) for row in rows)
        return TableInfo(
            ref=ref,
            columns=columns,
            kind=_relation_kind(kind),
            estimated_rows=None if rows_estimate is None else int(rows_estimate),
            estimated_bytes=None if size is None else int(size),
            details={
                "name": name,
                "schema": schema,
                "kinds": tuple(self._kind(column.type) for column in columns),
                "folded": frozenset(row[5] for row in rows if row[9]),
                "modified": None if rows[0][10] is None else float(rows[0][10]),
            },
        )


def _relation_kind(table_type: str) -> str:
    return _RELATION_KINDS.get(table_type, table_type.lower())


def about(query: str, asked: Asked) -> sa.sql.expression.Executable:
    """``query`` with the names filled in: its parameters are ``:tables`` and perhaps ``:schemas``."""
    names = {"schemas": asked.schemas, "tables": asked.tables}
    return sa.text(query).bindparams(
        *(
            sa.bindparam(name, list(values), sa.String(), expanding=True)
            for name, values in names.items()
            if f":{name}" in query
        )
    )


def _declared(name: str, precision: int | None, scale: int | None) -> str:
    return name if precision is None or scale is None else f"{name}({precision},{scale})"
