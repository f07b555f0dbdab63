"""The rows that one profile is of: all of the table, some partitions, a sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from profilemesh_airflow.warehouse.partitions import check_partition, select_partitions
from profilemesh_airflow.warehouse.relation import Relation
from profilemesh_airflow.warehouse.sampling import Sampler, check_sampling

if TYPE_CHECKING:
    from profilemesh_airflow.core.plan import TableInfo, TableSettings
    from profilemesh_airflow.core.profile import RowsOf
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane

#: Selected partitions that are named in the notes.
_NAMED = 20


@dataclass(frozen=True)
class Selection:
    """Some rows.

    :param notes: how they were selected, for the strategy of a profile; fit for JSON.
    :param reads_all: whether a statement reads the rows that were not drawn, too.
    """

    relation: Relation
    rows_of: RowsOf = "table"
    notes: dict[str, Any] = field(default_factory=dict)
    reads_all: bool = False


def check_supported(info: TableInfo, settings: TableSettings, dialect: Dialect) -> None:
    """Refuse settings that cannot be followed.

    :raises ProfileError: for a partition or sample that does not fit the table.
    :raises NotBuiltError: for a sample of rows that cannot be told apart.
    """
    check_partition(info, settings.partition)
    check_sampling(info, settings, dialect)


def select_rows(lane: Lane, info: TableInfo, settings: TableSettings, dialect: Dialect) -> Selection:
    """The rows that ``settings`` ask for, looked up once: every statement of a profile is about the same ones."""
    everything = Relation.of(info)
    partitions = select_partitions(lane, everything, info, settings.partition, dialect)
    rows_of: RowsOf = "table"
    notes: dict[str, Any] = {}
    if partitions is not None:
        assert settings.partition is not None
        named = [None if value is None else str(value) for value in partitions.values[:_NAMED]]
        notes["partitions"] = {"key": partitions.key.name, "values": named, "number": len(partitions.values)}
        rows_of = "sample" if settings.partition.strategy == "sample" else "partitions"
    if settings.sampling is not None:
        sample = Sampler(lane, info, settings, dialect, partitions).draw()
        return Selection(sample.relation, "sample", {**notes, "sample": sample.notes}, sample.reads_all)
    relation = everything if partitions is None else partitions.of(everything, dialect)
    return Selection(relation, rows_of, notes)
