"""PostgreSQL 12 and later.

What its data version can miss
------------------------------
The version is made of the server's own counters of inserted, updated and deleted rows, and of the number of the file
that holds the table (which TRUNCATE, VACUUM FULL, CLUSTER and a rewriting ALTER TABLE replace); those of all partitions
or inheriting tables are added up.

- A session reports its counts when its transaction has ended, at most once a second; one that goes idle right after
  may keep the last ones for ten more seconds (before PostgreSQL 15, until its next statement). Such a change is seen
  one refresh later. It is not lost.
- A rolled-back insert counts, and so do resetting the statistics, a crash of the server, VACUUM FULL and CLUSTER: one
  profile more than needed.
- Unknown, and so left to ``profile_after``: views, foreign tables, tables with a foreign partition, standby servers,
  and servers with ``track_counts`` off.
"""

from __future__ import annotations

import json
import logging
import math
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import UserDefinedType

from profilemesh_airflow.core.plan import Column, TableInfo
from profilemesh_airflow.core.table import short_hash
from profilemesh_airflow.warehouse.dialects.base import Dialect
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.moments import MAX_DOUBLE, between, is_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.warehouse.dialects.base import Run

log = logging.getLogger(__name__)

#: Below this estimate a second connection costs more than it saves.
_SMALL = 20_000
#: From this estimate on the planner's statistics are worth a look.
_LARGE = 100_000

_CATALOG = sa.text("""
WITH RECURSIVE domain(oid, base) AS (
    SELECT oid, typbasetype FROM pg_catalog.pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype FROM domain d JOIN pg_catalog.pg_type t ON t.oid = d.base WHERE t.typtype = 'd'
)
SELECT wanted.id, c.oid, n.nspname, c.relname, c.relkind, c.reltuples,
    c.relpages * CAST(current_setting('block_size') AS bigint), a.attname,
    pg_catalog.format_type(a.atttypid, a.atttypmod), base.typname, base.typcategory,
    base.typname = 'citext' OR NOT coalesce(o.collisdeterministic, true)
FROM jsonb_to_recordset(CAST(:refs AS jsonb)) AS wanted(id integer, schema_name text, table_name text)
JOIN pg_catalog.pg_class c ON c.relname = wanted.table_name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN domain d ON d.oid = a.atttypid
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type t WHERE t.oid = d.base AND t.typtype = 'd')
LEFT JOIN pg_catalog.pg_type base ON base.oid = coalesce(d.base, a.atttypid)
LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
WHERE CASE WHEN wanted.schema_name IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
    ELSE n.nspname = wanted.schema_name END
ORDER BY wanted.id, a.attnum
""")

_VERSIONS = sa.text("""
WITH RECURSIVE tree(root, oid) AS (
    SELECT CAST(value AS oid), CAST(value AS oid) FROM jsonb_array_elements_text(CAST(:oids AS jsonb)) AS wanted(value)
    UNION
    SELECT tree.root, i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
)
SELECT tree.root, sum(pg_stat_get_tuples_inserted(c.oid)), sum(pg_stat_get_tuples_updated(c.oid)),
    sum(pg_stat_get_tuples_deleted(c.oid)),
    string_agg(CAST(pg_relation_filenode(c.oid) AS text), ',' ORDER BY c.oid) FILTER (WHERE c.relkind IN ('r', 'm'))
FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
GROUP BY tree.root
HAVING bool_and(c.relkind IN ('r', 'p', 'm'))
    AND CAST(current_setting('track_counts') AS boolean) AND NOT pg_is_in_recovery()
""")

_MANY_VALUES = sa.text("""
SELECT attname FROM pg_catalog.pg_stats
WHERE schemaname = :schema AND tablename = :table AND (n_distinct < -0.1 OR n_distinct > 100000)
""")

_SAVEPOINT = "SAVEPOINT profilemesh"

#: For the transaction: times in UTC; and no parallel workers, so that a profile takes one core of the server for each
#: of its connections and no more. With two connections on two cores that is faster, too.
_SETTINGS = "set_config('TimeZone', 'UTC', true), set_config('max_parallel_workers_per_gather', '0', true)"

#: For the transaction: the milliseconds that a statement may take. ``reset_val`` is what the server, the database, the
#: login or the connection's own options say, 0 for no limit.
_LIMIT = """
SELECT set_config('statement_timeout', CAST(least({0}, nullif(CAST(reset_val AS bigint), 0)) AS text), true)
FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'
"""

#: What the server takes as the longest statement_timeout: some 24 days.
_LONGEST_LIMIT = 2**31 - 1

#: The same bound as for doubles, compared without converting the column.
_MAX_DECIMAL = Decimal(MAX_DOUBLE)

_RELATION_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}

_KIND_OF_TYPE = {
    **dict.fromkeys(("int2", "int4", "int8"), Kind.INTEGER),
    **dict.fromkeys(("float4", "float8"), Kind.FLOAT),
    "numeric": Kind.DECIMAL,
    **dict.fromkeys(("uuid", "macaddr", "macaddr8", "pg_lsn"), Kind.OPAQUE),
}

#: By ``pg_type.typcategory``, for the types that are not in the table above.
_KIND_OF_CATEGORY = {
    "S": Kind.TEXT,
    "D": Kind.TEMPORAL,
    "B": Kind.BOOLEAN,
    **dict.fromkeys("ENTIVZ", Kind.OPAQUE),
}


class PostgresDialect(Dialect):
    """PostgreSQL: pg_catalog, cumulative statistics, an exported snapshot for two connections."""

    name = "postgres"
    missing_codes = frozenset({"42P01", "3F000"})

    def catalog(
        self, connection: Connection, refs: Sequence[TableRef], schema: str | None
    ) -> dict[TableRef, TableInfo]:
        """One query on ``pg_catalog``; a bare name means ``schema``, or else the first match on the search path."""
        wanted = [
            {"id": number, "schema_name": ref.schema or schema, "table_name": ref.table}
            for number, ref in enumerate(refs)
            if _can_exist(ref)
        ]
        rows = connection.execute(_CATALOG, {"refs": json.dumps(wanted)})
        return {refs[number]: _info(refs[number], list(found)) for number, found in groupby(rows, lambda row: row[0])}

    def versions(self, connection: Connection, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """The statistics need no right on the tables, so that no table can fail the others."""
        oids = sorted({info.details["oid"] for info in infos})
        rows = connection.execute(_VERSIONS, {"oids": json.dumps(oids)})
        by_oid = {row[0]: _version(*row[1:]) for row in rows}
        return {info.ref: by_oid.get(info.details["oid"]) for info in infos}

    def lanes(self, info: TableInfo) -> int:
        """Two, but for a table that is known to be small."""
        return 1 if info.estimated_rows is not None and info.estimated_rows < _SMALL else 2

    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """The first connection exports its snapshot, the others take it over.

        The savepoint is what :meth:`recover` goes back to.
        """
        first, *others = connections
        export = "pg_export_snapshot()" if others else "NULL"
        snapshot = first.exec_driver_sql(f"SELECT {export}, {_SETTINGS}").scalar()
        first.exec_driver_sql(_SAVEPOINT)
        ready = [first]
        for connection in others:
            try:
                connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                connection.exec_driver_sql(f"SELECT {_SETTINGS}")
                connection.exec_driver_sql(_SAVEPOINT)
            except DBAPIError as error:
                log.info("profiling with fewer connections, as a snapshot could not be shared: %s", error.orig)
            else:
                ready.append(connection)
        return ready

    def recover(self, connection: Connection) -> None:
        """Undo the failure of a statement; everything before it was reading, so nothing is lost."""
        connection.exec_driver_sql(f"ROLLBACK TO {_SAVEPOINT}")

    def limit(self, connection: Connection, seconds: float) -> None:
        """By ``statement_timeout``, set for the transaction alone."""
        connection.exec_driver_sql(_LIMIT.format(min(math.ceil(seconds * 1000), _LONGEST_LIMIT)))

    def cancel(self, driver_connection: Any) -> None:
        """Ask the server to stop the statement."""
        driver_connection.cancel()

    def many_values(self, info: TableInfo, run: Run) -> frozenset[str]:
        """From the planner's statistics, for a large table."""
        if (info.estimated_rows or 0) < _LARGE:
            return frozenset()
        statement = _MANY_VALUES.bindparams(schema=info.details["schema"], table=info.details["name"])
        return frozenset(row[0] for row in run(statement))  # type: ignore[arg-type]

    def length(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """In characters; trailing blanks of a ``char(n)`` are not part of the text."""
        return sa.func.length(sa.cast(value, sa.Text))

    def finite(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[bool]:
        """NaN is greater than every number here, and infinite times exist."""
        if kind is Kind.TEMPORAL:
            return sa.func.isfinite(value)
        bound: float | Decimal = MAX_DOUBLE
        if kind is Kind.DECIMAL:
            bound = _MAX_DECIMAL
        return between(value, -bound, bound)

    def extreme(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any]:
        """A ``real`` as the double it equals; a time as in JSON, which is ISO 8601 whatever ``DateStyle`` says."""
        if kind is Kind.FLOAT:
            return sa.cast(value, sa.Float(53))
        if kind is Kind.TEMPORAL:
            return sa.func.btrim(sa.cast(sa.func.to_jsonb(value), sa.Text), '"')
        return value

    def is_regular(self, value: Any, kind: Kind) -> bool:
        """Not NaN, and neither an infinite number nor an infinite time."""
        if kind is Kind.TEMPORAL:
            return value not in ("infinity", "-infinity")
        return is_finite(value)

    def partition_key(self, key: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """As text: exact for every type, and independent of the driver."""
        return sa.cast(key, sa.Text)

    def partition_value(self, column: Column, value: Any) -> sa.ColumnElement[Any]:
        """The text, cast to the column's type."""
        return sa.cast(sa.cast(sa.literal(str(value), sa.Text()), sa.Text), _Named(column.type))


class _Named(UserDefinedType[Any]):
    """A type by the name that the catalog gave."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        return self.name.replace("%", "%%")


def _can_exist(ref: TableRef) -> bool:
    """Whether the server could even be asked: no name holds NUL, or half of a UTF-16 pair."""
    text = f"{ref.schema}{ref.table}"
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _info(ref: TableRef, rows: list[Any]) -> TableInfo:
    _, oid, schema, name, relation_kind, rows_estimate, size = rows[0][:7]
    columns = [row[7:] for row in rows if row[7] is not None]
    return TableInfo(
        ref=ref,
        columns=tuple(Column(column[0], column[1]) for column in columns),
        kind=_RELATION_KINDS[relation_kind],
        estimated_rows=None if rows_estimate < 0 or (rows_estimate == 0 and size == 0) else int(rows_estimate),
        estimated_bytes=int(size) or None,
        details={
            "oid": int(oid),
            "schema": schema,
            "name": name,
            "kinds": tuple(_kind(column[2], column[3]) for column in columns),
            "folded": frozenset(column[0] for column in columns if column[4]),
        },
    )


def _kind(type_name: str, category: str) -> Kind:
    return _KIND_OF_TYPE.get(type_name) or _KIND_OF_CATEGORY.get(category, Kind.NONE)


def _version(inserted: int, updated: int, deleted: int, filenodes: str | None) -> str:
    files = filenodes.split(",") if filenodes else []
    text = f"inserted={inserted} updated={updated} deleted={deleted} "
    if len(files) == 1:
        return f"{text}filenode={files[0]}"
    return f"{text}partitions={len(files)} filenodes={short_hash(','.join(files))}"
