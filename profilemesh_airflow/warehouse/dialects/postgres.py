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
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.core.plan import Column, TableInfo
from profilemesh_airflow.core.selection import tags_in_comment
from profilemesh_airflow.core.table import short_hash
from profilemesh_airflow.warehouse.dialects.base import HASHES, Dialect
from profilemesh_airflow.warehouse.dialects.names import NamedType, can_exist
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.moments import MAX_DOUBLE, between
from profilemesh_airflow.warehouse.relation import ALIAS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

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
SELECT wanted.id, c.oid, n.nspname, c.relname, c.relkind,
    CASE c.relkind WHEN 'p' THEN coalesce(leaves.estimate, -1) ELSE c.reltuples END,
    CASE c.relkind WHEN 'p' THEN coalesce(leaves.pages, 0) ELSE c.relpages END
    * CAST(current_setting('block_size') AS bigint), CAST(current_setting('server_version_num') AS integer) >= 140000,
    CAST(json_agg(json_build_array(
        a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), base.typname, base.typcategory,
        base.typname = 'citext' OR NOT coalesce(o.collisdeterministic, true),
        a.attnum = p.partattrs[0] AND p.partnatts = 1
    ) ORDER BY a.attnum) FILTER (WHERE a.attname IS NOT NULL) AS pg_catalog.text)
FROM jsonb_to_recordset(CAST(:refs AS jsonb)) AS wanted(id integer, schema_name text, table_name text)
JOIN pg_catalog.pg_class c ON c.relname = wanted.table_name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
    SELECT sum(leaf.relpages) AS pages,
        CASE WHEN min(leaf.reltuples) < 0 THEN -1 ELSE sum(leaf.reltuples) END AS estimate
    FROM pg_catalog.pg_partition_tree(c.oid) tree JOIN pg_catalog.pg_class leaf ON leaf.oid = tree.relid
    WHERE tree.isleaf AND leaf.relkind = 'r'
) leaves ON c.relkind = 'p'
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
LEFT JOIN domain d ON d.oid = a.atttypid
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type t WHERE t.oid = d.base AND t.typtype = 'd')
LEFT JOIN pg_catalog.pg_type base ON base.oid = coalesce(d.base, a.atttypid)
LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
WHERE CASE WHEN wanted.schema_name IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
    ELSE n.nspname = wanted.schema_name END
GROUP BY wanted.id, c.oid, n.nspname, c.relname, c.relkind, c.reltuples, c.relpages, leaves.estimate, leaves.pages
""")

_TABLES = """
SELECT n.nspname, c.relname, c.relkind
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
"""

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

_UNREADABLE = sa.text("""
SELECT c.oid FROM jsonb_array_elements_text(CAST(:oids AS jsonb)) AS wanted(value)
JOIN pg_catalog.pg_class c ON c.oid = CAST(wanted.value AS oid)
WHERE NOT has_schema_privilege(c.relnamespace, 'USAGE')
    OR NOT has_table_privilege(c.oid, 'SELECT') AND NOT coalesce((
        SELECT bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT')) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), false)
""")

_DISTINCT_VALUES = sa.text("""
SELECT attname, n_distinct FROM pg_catalog.pg_stats
WHERE schemaname = :schema AND tablename = :table AND n_distinct <> 0
    AND (avg_width <= 64 OR n_distinct < -0.1 OR n_distinct > 100000)
""")

_SAVEPOINT = "SAVEPOINT profilemesh"

#: For the transaction: times in UTC; and no parallel workers, so that a profile takes one core of the server for each
#: of its connections and no more. With two connections on two cores that is faster, too.
_SETTINGS = "set_config('TimeZone', 'UTC', true), set_config('max_parallel_workers_per_gather', '0', true)"

_COMMENTS = """
SELECT n.nspname, c.relname, d.description
FROM pg_catalog.pg_description AS d
JOIN pg_catalog.pg_class AS c ON c.oid = d.objoid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE d.classoid = CAST('pg_catalog.pg_class' AS regclass) AND d.objsubid = 0
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

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


_HASH_OF_TEXT: tuple[str, Any] = ("hashtextextended", sa.Text())

_HASHES: dict[Kind, tuple[str, Any]] = {
    Kind.INTEGER: ("hashint8extended", sa.BigInteger()),
    Kind.FLOAT: ("hashfloat8extended", sa.Float(53)),
    Kind.DECIMAL: ("hash_numeric_extended", sa.Numeric()),
    Kind.TEMPORAL: ("timestamp_hash_extended", sa.TIMESTAMP()),
}


class PostgresDialect(Dialect):
    """PostgreSQL: pg_catalog, cumulative statistics, an exported snapshot for two connections."""

    name = "postgres"
    infinite_times = True
    missing_codes = frozenset({"42P01", "3F000"})
    tablesample = frozenset({"table", "partitioned table", "materialized view"})
    random = "random()"
    # Those of the hashes of numbers are not quite.
    even_bits = 32

    def catalog(
        self, connection: Connection, refs: Sequence[TableRef], schema: str | None
    ) -> dict[TableRef, TableInfo]:
        """One query on ``pg_catalog``; a bare name means ``schema``, or else the first match on the search path."""
        wanted = [
            {"id": number, "schema_name": ref.schema or schema, "table_name": ref.table}
            for number, ref in enumerate(refs)
            if can_exist(ref)
        ]
        rows = connection.execute(_CATALOG, {"refs": json.dumps(wanted)}).all()
        return {refs[number]: _info(refs[number], *described) for number, *described in rows}

    def tables(self, connection: Connection) -> list[tuple[str, str, str]]:
        """From ``pg_class``, which needs no right on the tables: who loses a right on one has not lost the table."""
        rows = connection.exec_driver_sql(_TABLES)
        return [(schema, table, _RELATION_KINDS[kind]) for schema, table, kind in rows]

    def tags(self, connection: Connection) -> dict[tuple[str, str], frozenset[str]]:
        """In the comments of tables and views."""
        rows = connection.exec_driver_sql(_COMMENTS)
        return {(schema, table): tags_in_comment(comment) for schema, table, comment in rows}

    def versions(self, connection: Connection, infos: Sequence[TableInfo]) -> dict[TableRef, str | None]:
        """The statistics need no right on the tables, so that no table can fail the others."""
        oids = sorted({info.details["oid"] for info in infos})
        rows = connection.execute(_VERSIONS, {"oids": json.dumps(oids)})
        by_oid = {row[0]: _version(*row[1:]) for row in rows}
        return {info.ref: by_oid.get(info.details["oid"]) for info in infos}

    def unreadable(self, connection: Connection, infos: Sequence[TableInfo]) -> list[TableRef]:
        """The catalog has every table, whatever its rights; a right on each column counts, too."""
        rows = connection.execute(_UNREADABLE, {"oids": json.dumps([info.details["oid"] for info in infos])})
        oids = {row[0] for row in rows}
        return [info.ref for info in infos if info.details["oid"] in oids]

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


def _info(
    ref: TableRef,
    oid: int,
    schema: str,
    name: str,
    relation_kind: str,
    rows_estimate: float,
    size: int,
    hashes_places: bool,
    described: str | None,
) -> TableInfo:
    columns, shape = _shape(described or "[]")
    return TableInfo(
        ref=ref,
        columns=columns,
        kind=_RELATION_KINDS[relation_kind],
        estimated_rows=None if rows_estimate < 0 or (rows_estimate == 0 and size == 0) else int(rows_estimate),
        estimated_bytes=int(size) or None,
        details={
            "oid": int(oid),
            "schema": schema,
            "name": name,
            "hashes_places": hashes_places,
            **shape,
        },
    )


@lru_cache(256)
def _shape(described: str) -> tuple[tuple[Column, ...], Mapping[str, Any]]:
    """The columns, and the details that are theirs: of many tables they are the same."""
    columns = json.loads(described)
    return tuple(Column(name, kind) for name, kind, *_ in columns), {
        "kinds": tuple(_kind(base, category) for _, _, base, category, *_ in columns),
        "folded": frozenset(name for name, *_, folded, _ in columns if folded),
        "partition_key": next((name for name, *_, is_key in columns if is_key), None),
    }


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


def _kind(type_name: str, category: str) -> Kind:
    return _KIND_OF_TYPE.get(type_name) or _KIND_OF_CATEGORY.get(category, Kind.NONE)


def _version(inserted: int, updated: int, deleted: int, filenodes: str | None) -> str:
    files = filenodes.split(",") if filenodes else []
    text = f"inserted={inserted} updated={updated} deleted={deleted} "
    if len(files) == 1:
        return f"{text}filenode={files[0]}"
    return f"{text}partitions={len(files)} filenodes={short_hash(','.join(files))}"
