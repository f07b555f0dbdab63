"""Which rows of a table a partition setting selects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.exceptions import NotBuiltError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.core.plan import Column, Partition, TableInfo, TableSettings
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation

_STRATEGIES = ("all", "latest", "recent_n", "specific_values")


def check_supported(info: TableInfo, settings: TableSettings) -> None:
    """Refuse settings that would otherwise be ignored.

    :raises NotBuiltError: for a sample.
    :raises ProfileError: for a partition setting that does not fit the table.
    """
    partition = settings.partition
    if settings.sampling is not None or (partition is not None and partition.strategy == "sample"):
        raise NotBuiltError(
            f"{info.ref}: profiling a sample is not supported yet; remove `sampling`, `sample_ratio` and partition"
            " strategy `sample` to profile all rows"
        )
    if partition is None or partition.strategy == "all":
        return
    if partition.strategy not in _STRATEGIES:
        raise ProfileError(
            f"{info.ref}: unknown partition strategy {partition.strategy!r}; one of {', '.join(_STRATEGIES)}"
        )
    if partition.key not in {column.name for column in info.columns}:
        names = ", ".join(column.name for column in info.columns)
        raise ProfileError(f"{info.ref}: the partition key {partition.key!r} is not a column of it; it has {names}")
    if partition.strategy == "recent_n" and not partition.recent_n:
        raise ProfileError(f"{info.ref}: partition strategy recent_n needs `recent_n`, the number of partitions")


def select_partitions(
    lane: Lane, relation: Relation, info: TableInfo, partition: Partition | None, dialect: Dialect
) -> Relation:
    """The rows that ``partition`` selects.

    The values of ``latest`` and ``recent_n`` are looked up once, so that every statement means the same rows.
    """
    if partition is None or partition.strategy == "all":
        return relation
    column = next(column for column in info.columns if column.name == partition.key)
    key = relation.column(column.name)
    values: Sequence[Any] = partition.values
    if partition.strategy != "specific_values":
        newest = relation.where(key.is_not(None)).select(key.label("k")).distinct().order_by(key.desc())
        newest_keys = newest.limit(partition.recent_n if partition.strategy == "recent_n" else 1).subquery("p")
        values = [row[0] for row in lane.scan(sa.select(dialect.partition_key(newest_keys.c.k)))]
    return relation.where(_is_any_of(key, column, values, dialect))


def _is_any_of(key: Any, column: Column, values: Sequence[Any], dialect: Dialect) -> sa.ColumnElement[bool]:
    """``key IN (values)``, in which NULL equals NULL; of no values at all it is false."""
    conditions = [key.is_(None) if value is None else key == dialect.partition_value(column, value) for value in values]
    return sa.or_(sa.false(), *conditions)
