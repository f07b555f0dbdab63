"""Google BigQuery. Compiled and parsed, not run: see :mod:`profilemesh_airflow.warehouse.dialects.cloud`.

A schema is a dataset, a database is a project.

What its data version can miss
------------------------------
The version is ``last_modified_time`` of the dataset's ``__TABLES__``, in milliseconds, with the number of rows and
bytes.

- Rows that were streamed in move it only when they leave the streaming buffer, up to 90 minutes later: such a change is
  seen later. It is not lost.
- Two changes within one millisecond that leave rows and bytes as they are count as one.
- It also moves with labels and descriptions: one profile more than needed.
- Unknown, and so left to ``profile_after``: views, materialized views and external tables.

Patterns
--------
BigQuery lists the tables of one location at a time, and has to be told which: ``location`` in ``extra_params``. The
login needs the right to list tables of the whole project (as in the role BigQuery Metadata Viewer).

One moment, time and cost
-------------------------
A statement sees the data of its own beginning. A statement that is running cannot be stopped from here: a profile that
takes too long ends when its statement does. BigQuery bills the columns that a statement names: each is read twice, but
those that no metric but the first scan's needs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from profilemesh_airflow.core.selection import with_values
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.warehouse.dialects.base import HASHES
from profilemesh_airflow.warehouse.dialects.cloud import Asked, CloudDialect, Name, about
from profilemesh_airflow.warehouse.dialects.names import columns_of
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.plan import TableInfo

_CATALOG = """
SELECT c.table_schema, c.table_name, k.table_type, r.row_count, r.size_bytes, c.column_name, c.data_type, NULL, NULL,
    CASE WHEN c.collation_name <> 'NULL' THEN c.collation_name END,
    CASE r.type WHEN 1 THEN r.last_modified_time / 1000 END, c.ordinal_position
FROM {dataset}.INFORMATION_SCHEMA.COLUMNS AS c
JOIN {dataset}.INFORMATION_SCHEMA.TABLES AS k ON k.table_name = c.table_name
LEFT JOIN {dataset}.__TABLES__ AS r ON r.table_id = c.table_name
WHERE c.table_name IN :tables
"""

_VERSIONS = """
SELECT dataset_id, table_id, CONCAT('last_modified=', CAST(TIMESTAMP_MILLIS(last_modified_time) AS STRING),
    ' rows=', CAST(row_count AS STRING), ' bytes=', CAST(size_bytes AS STRING))
FROM {dataset}.__TABLES__
WHERE type = 1 AND table_id IN :tables
"""

#: Datasets whose name begins with an underscore are hidden: they hold the cached results of queries.
_TABLES = """
SELECT table_schema, table_name, table_type FROM {region}.INFORMATION_SCHEMA.TABLES
WHERE NOT STARTS_WITH(table_schema, '_')
"""

_LABELS = """
SELECT table_schema, table_name, option_value FROM {region}.INFORMATION_SCHEMA.TABLE_OPTIONS
WHERE option_name = 'labels'
"""

#: Labels are written as SQL: ``[STRUCT("team", "sales"), STRUCT("daily", "")]``.
_LABEL = re.compile(r'STRUCT\("([^"]*)", "([^"]*)"\)')


class BigQueryDialect(CloudDialect):
    """BigQuery: the metadata of each dataset, in one query."""

    name = "bigquery"
    random = "rand()"
    missing_messages = ("Not found: Table", "Not found: Dataset")
    kinds: ClassVar[Mapping[str, Kind]] = {
        "INT64": Kind.INTEGER,
        **dict.fromkeys(("NUMERIC", "BIGNUMERIC"), Kind.DECIMAL),
        "FLOAT64": Kind.FLOAT,
        "STRING": Kind.TEXT,
        "BOOL": Kind.BOOLEAN,
        **dict.fromkeys(("DATE", "TIME", "DATETIME", "TIMESTAMP"), Kind.TEMPORAL),
        "INTERVAL": Kind.OPAQUE,
    }

    def catalog_query(self, connection: Connection, asked: Asked) -> sa.sql.expression.Executable:
        """Of all datasets together."""
        return about(f"{_of_each_dataset(_CATALOG, connection, asked)} ORDER BY ordinal_position", asked)

    def tables_query(self, connection: Connection) -> str:
        """Of all datasets of the project in one location."""
        return _TABLES.format(region=_region(connection))

    def tags(self, connection: Connection) -> dict[Name, frozenset[str]]:
        """The labels."""
        rows = connection.exec_driver_sql(_LABELS.format(region=_region(connection)))
        return {(schema, table): with_values(_LABEL.findall(labels)) for schema, table, labels in rows}

    def version_query(self, connection: Connection, asked: Asked) -> sa.sql.expression.Executable:
        """Of tables alone: a view is modified only when it is defined anew."""
        return about(_of_each_dataset(_VERSIONS, connection, asked), asked)

    def limit(self, connection: Connection, seconds: float) -> None:
        """Nothing to do: a session has no limit."""

    def cancel(self, driver_connection: Any, engine: Engine) -> None:
        """Nothing to do: the driver does not tell which job runs."""

    def approximate_distinct(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        """By HyperLogLog."""
        return sa.func.approx_count_distinct(value)

    def row_hash(self, info: TableInfo, seed: int) -> sa.ColumnElement[int]:
        """By a row's contents, so that equal rows are drawn together: a row has no address here."""
        values = (column for column, _ in columns_of(info))
        text = sa.func.to_json_string(sa.func.struct(sa.literal_column(str(seed)), *values))
        positive = sa.func.farm_fingerprint(text).op("&")(sa.literal_column(str(2**63 - 1)))
        return sa.func.mod(positive, sa.literal_column(str(HASHES)), type_=sa.BigInteger())


def _of_each_dataset(query: str, connection: Connection, asked: Asked) -> str:
    quote = connection.dialect.identifier_preparer.quote_identifier
    # A colon would be taken for a parameter.
    datasets = [quote(schema).replace(":", r"\:") for schema in asked.schemas]
    return "UNION ALL".join(query.format(dataset=dataset) for dataset in datasets)


def _region(connection: Connection) -> str:
    location = getattr(connection.dialect, "location", None)
    if not location:
        raise ConfigError(
            "source.extra_params: BigQuery lists the tables of one location; add `location`, such as EU or us-east1"
        )
    return connection.dialect.identifier_preparer.quote_identifier(f"region-{str(location).lower()}")
