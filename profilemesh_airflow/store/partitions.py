"""What is known of the partitions of a table at its baseline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import and_, select

from profilemesh_airflow.core.merge import PartitionState
from profilemesh_airflow.store.bulk import BulkInsert
from profilemesh_airflow.store.rows import belongs_to, identity_columns

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.elements import ColumnElement

    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.store.profiles import RunRecord
    from profilemesh_airflow.store.schema import Tables


def read_partitions(
    connection: Connection, tables: Tables, identity: Identity, key: str, run_id: str
) -> dict[str, PartitionState]:
    """The partitions as this very run left them, by digest; those of an earlier run say nothing of the baseline."""
    partitions = tables.partitions
    query = select(
        partitions.c.partition_value, partitions.c.version, partitions.c.row_count, partitions.c.columns_json
    ).where(_of_table(tables, identity, key), partitions.c.run_id == run_id)
    states = (PartitionState.from_json(*row) for row in connection.execute(query))
    return {state.digest: state for state in states}


def replace_partitions(connection: Connection, tables: Tables, identity: Identity, run: RunRecord) -> None:
    """Keep what a run found out; where it found out nothing, what there is goes by its run id and is not read again."""
    if not run.partitions:
        return
    connection.execute(tables.partitions.delete().where(_of_table(tables, identity, run.entry.key)))
    rows = [
        {
            **identity_columns(identity),
            "table_key": run.entry.key,
            "partition_digest": state.digest,
            "partition_value": json.dumps(state.value),
            "version": state.version,
            "row_count": state.rows,
            "columns_json": state.columns_json(),
            "run_id": run.run_id,
        }
        for state in run.partitions
    ]
    BulkInsert(tables.partitions, connection.dialect).run(connection, rows)


def _of_table(tables: Tables, identity: Identity, key: str) -> ColumnElement[bool]:
    return and_(belongs_to(tables.partitions, identity), tables.partitions.c.table_key == key)
