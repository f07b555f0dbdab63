"""What PostgreSQL's catalog says of tables, and its statistics of their changes."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.core.plan import Column, TableInfo
from profilemesh_airflow.core.selection import tags_in_comment
from profilemesh_airflow.core.table import short_hash
from profilemesh_airflow.warehouse.dialects.base import Dialect
from profilemesh_airflow.warehouse.dialects.names import can_exist
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.table import TableRef

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

_COMMENTS = """
SELECT n.nspname, c.relname, d.description
FROM pg_catalog.pg_description AS d
JOIN pg_catalog.pg_class AS c ON c.oid = d.objoid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE d.classoid = CAST('pg_catalog.pg_class' AS regclass) AND d.objsubid = 0
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""

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


class PostgresCatalog(Dialect):
    """The questions that planning asks; :mod:`~.postgres` says what the answers can miss."""

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


def _kind(type_name: str, category: str) -> Kind:
    return _KIND_OF_TYPE.get(type_name) or _KIND_OF_CATEGORY.get(category, Kind.NONE)


def _version(inserted: int, updated: int, deleted: int, filenodes: str | None) -> str:
    files = filenodes.split(",") if filenodes else []
    text = f"inserted={inserted} updated={updated} deleted={deleted} "
    if len(files) == 1:
        return f"{text}filenode={files[0]}"
    return f"{text}partitions={len(files)} filenodes={short_hash(','.join(files))}"
