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

import logging
import math
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.warehouse.dialects.base import HASHES
from profilemesh_airflow.warehouse.dialects.names import NamedType
from profilemesh_airflow.warehouse.dialects.postgres_catalog import PostgresCatalog
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.moments import MAX_DOUBLE, between
from profilemesh_airflow.warehouse.relation import ALIAS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.plan import Column, TableInfo
    from profilemesh_airflow.warehouse.dialects.base import Run

log = logging.getLogger(__name__)

#: Below this estimate a second connection costs more than it saves.
_SMALL = 20_000
#: From this estimate on the planner's statistics are worth a look.
_LARGE = 100_000

_DISTINCT_VALUES = sa.text("""
SELECT attname, n_distinct FROM pg_catalog.pg_stats
WHERE schemaname = :schema AND tablename = :table AND n_distinct <> 0
    AND (avg_width <= 64 OR n_distinct < -0.1 OR n_distinct > 100000)
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

#: Under this name each connection keeps that of the snapshot, for whoever else joins.
SNAPSHOT = "profilemesh_snapshot"

#: What the server takes as the longest statement_timeout: some 24 days.
_LONGEST_LIMIT = 2**31 - 1

#: The same bound as for doubles, compared without converting the column.
_MAX_DECIMAL = Decimal(MAX_DOUBLE)


_HASH_OF_TEXT: tuple[str, Any] = ("hashtextextended", sa.Text())

_HASHES: dict[Kind, tuple[str, Any]] = {
    Kind.INTEGER: ("hashint8extended", sa.BigInteger()),
    Kind.FLOAT: ("hashfloat8extended", sa.Float(53)),
    Kind.DECIMAL: ("hash_numeric_extended", sa.Numeric()),
    Kind.TEMPORAL: ("timestamp_hash_extended", sa.TIMESTAMP()),
}


class PostgresDialect(PostgresCatalog):
    """PostgreSQL: pg_catalog, cumulative statistics, an exported snapshot for two connections."""

    name = "postgres"
    infinite_times = True
    missing_codes = frozenset({"42P01", "3F000"})
    tablesample = frozenset({"table", "partitioned table", "materialized view"})
    random = "random()"
    # Those of the hashes of numbers are not quite.
    even_bits = 32

    def lanes(self, info: TableInfo) -> int:
        """Two, but for a table that is known to be small."""
        return 1 if info.estimated_rows is not None and info.estimated_rows < _SMALL else 2

    def share_moment(self, connections: Sequence[Connection]) -> Sequence[Connection]:
        """The first connection exports its snapshot, the others take it over.

        The savepoint is what :meth:`recover` goes back to.
        """
        first, *others = connections
        snapshot = first.exec_driver_sql(f"SELECT pg_export_snapshot(), {_SETTINGS}").scalar()
        first.exec_driver_sql(_SAVEPOINT)
        for connection in connections:
            connection.info[SNAPSHOT] = snapshot
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

    def cancel(self, driver_connection: Any, engine: Engine) -> None:
        """Ask the server to stop the statement."""
        driver_connection.cancel()

    def estimate_rows(self, info: TableInfo, run: Run) -> int | None:
        """As the planner does: by how much the file has grown since rows were last counted."""
        rows, size = info.estimated_rows, info.estimated_bytes
        if rows is None or not size:
            return rows
        now = self.measure_bytes(info, run)
        return rows if now is None else int(rows * now / size)

    def measure_bytes(self, info: TableInfo, run: Run) -> int | None:
        """Its file; the catalog knows of it only after the first ANALYZE or VACUUM. A partitioned table has none."""
        if info.kind not in ("table", "materialized view"):
            return None
        statement: Any = sa.select(sa.func.pg_relation_size(sa.literal_column(str(info.details["oid"]))))
        ((now,),) = run(statement)
        return int(now)

    def distinct_estimates(self, info: TableInfo, run: Run) -> Mapping[str, float]:
        """From the planner's statistics, for a large table."""
        rows = info.estimated_rows or 0
        if rows < _LARGE:
            return {}
        statement = _DISTINCT_VALUES.bindparams(schema=info.details["schema"], table=info.details["name"])
        found: Any = run(statement)  # type: ignore[arg-type]
        # Negative numbers are shares of the rows.
        return {name: number if number > 0 else -number * rows for name, number in found}

    def length(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """In characters; trailing blanks of a ``char(n)`` are not part of the text."""
        return sa.func.length(sa.cast(value, sa.Text))

    def row_hash(self, info: TableInfo, seed: int) -> sa.ColumnElement[int]:
        """By a row's place; of a view or a foreign table by its contents, so that equal rows are drawn together."""
        if info.kind not in self.tablesample:
            hashed = f"hashtextextended(CAST({ALIAS}.* AS text), {seed})"
        elif info.details["hashes_places"]:
            hashed = f"hashtidextended({ALIAS}.ctid, CAST({ALIAS}.tableoid AS bigint) + {seed})"
        else:
            hashed = f"hashtextextended({ALIAS}.tableoid || ' ' || {ALIAS}.ctid, {seed})"
        return sa.literal_column(f"abs({hashed} % {HASHES})", sa.BigInteger())

    def partition_version(self, info: TableInfo) -> sa.ColumnElement[Any] | None:
        """The transactions that wrote the rows: an inserted and an updated row each have another one."""
        if info.kind not in self.tablesample:
            return None
        return sa.literal_column(f"sum(hashint8(CAST(CAST({ALIAS}.xmin AS text) AS bigint)))")

    def code_point_order(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """The collation of that name; in UTF-8 the order of bytes is that of code points."""
        return sa.collate(sa.cast(value, sa.Text), "C")

    def sorting_key(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any] | None:
        """Texts and exact numbers sort slowly: their hash instead."""
        return hash_of(value, kind) if kind in (Kind.TEXT, Kind.DECIMAL) else super().sorting_key(value, kind)

    def bin_number(self, value: sa.ColumnElement[Any], edges: Sequence[float]) -> sa.ColumnElement[int]:
        """``width_bucket`` makes the same search, and takes the value once."""
        inner: Any = sa.literal_column(f"CAST('{{{','.join(map(repr, edges[1:-1]))}}}' AS double precision[])")
        return sa.func.width_bucket(value, inner, type_=sa.Integer)

    def value_hash(self, value: sa.ColumnElement[Any], column: Column, kind: Kind) -> sa.ColumnElement[int]:
        """The hashes of hash indexes; of types that have none of their own here, that of the text."""
        has_none = kind is Kind.TEMPORAL and not column.type.startswith(("date", "timestamp"))
        return hash_of(value, Kind.TEXT if has_none else kind)

    def carry(self, fields: Sequence[sa.ColumnElement[Any]], rate: int, null: str) -> sa.ColumnElement[bytes]:
        """As in binary COPY."""
        absent: Any = sa.func.decode(sa.literal_column(f"'{null}'"), sa.literal_column("'hex'"))
        sent: list[Any] = [sa.func.coalesce(_bytes_of(field), absent) for field in fields]
        row = reduce(lambda left, right: left.op("||")(right), sent)
        drawn = sa.literal_column(self.random) < sa.literal_column(repr(1 / rate))
        carried: sa.ColumnElement[bytes] = sa.func.string_agg(row, sa.literal_column("''")).filter(drawn)
        return carried

    def finite(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[bool]:
        """A decimal is compared with decimals, so that it is not converted."""
        if kind is Kind.DECIMAL:
            return between(value, -_MAX_DECIMAL, _MAX_DECIMAL)
        return super().finite(value, kind)

    def extreme(self, value: sa.ColumnElement[Any], kind: Kind) -> sa.ColumnElement[Any]:
        """A time as in JSON, which is ISO 8601 whatever ``DateStyle`` says."""
        if kind is Kind.TEMPORAL:
            return sa.func.btrim(sa.cast(sa.func.to_jsonb(value), sa.Text), '"')
        return super().extreme(value, kind)

    def partition_value(self, column: Column, value: Any) -> sa.ColumnElement[Any]:
        """The text, cast to the column's type: written out, as the server then casts it once and not for each row.

        The drivers take a percent sign in the type's name for a parameter.
        """
        text: Any = sa.bindparam(None, str(value), sa.String(), unique=True, literal_execute=True)
        return sa.cast(text, NamedType(column.type.replace("%", "%%")))


def hash_of(value: sa.ColumnElement[Any], kind: Kind, seed: int = 0) -> sa.ColumnElement[int]:
    """SQL for a hash of 64 bits, equal for equal values."""
    function, base = _HASHES.get(kind, _HASH_OF_TEXT)
    call: Any = getattr(sa.func, function)
    hashed: sa.ColumnElement[int] = call(sa.cast(value, base), sa.literal_column(str(seed)), type_=sa.BigInteger)
    return hashed


def _bytes_of(number: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
    """The eight bytes of a whole number, or of a double."""
    send = sa.func.float8send if isinstance(number.type, sa.Float) else sa.func.int8send
    return send(number)
