"""Which rows of a table a partition setting selects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.core.table import short_hash
from profilemesh_airflow.exceptions import ProfileError
from profilemesh_airflow.warehouse.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from profilemesh_airflow.core.plan import Column, Partition, TableInfo
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.lanes import Lane
    from profilemesh_airflow.warehouse.relation import Relation

_STRATEGIES = ("all", "latest", "recent_n", "sample", "specific_values")

#: Where the database declares no partition key, the column of the first of these names is taken for it.
_USUAL_KEYS = ("date", "event_date", "partition_date", "created_at", "updated_at", "timestamp", "dt", "ds")

#: A table with more partitions than this has another key, or none.
MOST_PARTITIONS = 10_000


@dataclass(frozen=True)
class Partitions:
    """Some partitions of a table: ``key IN (values)``, in which NULL is a value like any other.

    :param values: as :meth:`Dialect.partition_key` fetches them, or as the configuration has them.
    """

    key: Column
    values: Sequence[Any]

    def of(self, relation: Relation, dialect: Dialect) -> Relation:
        """Their rows; of no partitions there are none."""
        key = relation.column(self.key.name)
        spellings = (
            spelling for value in self.values if value is not None for spelling in dialect.value_spellings(value)
        )
        wanted = [dialect.partition_value(self.key, spelling) for spelling in spellings]
        conditions = [key.in_(wanted)] if wanted else []
        if None in self.values:
            conditions.append(key.is_(None))
        return relation.where(sa.or_(sa.false(), *conditions))


def check_partition(info: TableInfo, partition: Partition | None) -> None:
    """Refuse a setting that does not fit the table.

    :raises ProfileError: it would otherwise select other rows than are meant.
    """
    if partition is None or partition.strategy == "all":
        return
    if partition.strategy not in _STRATEGIES:
        raise ProfileError(
            f"{info.ref}: unknown partition strategy {partition.strategy!r}; one of {', '.join(_STRATEGIES)}"
        )
    find_key(info, partition)
    if partition.strategy == "recent_n" and not partition.recent_n:
        raise ProfileError(f"{info.ref}: partition strategy recent_n needs `recent_n`, the number of partitions")


def find_key(info: TableInfo, partition: Partition) -> Column:
    """The partition key: the configured one, or what ``metadata_fallback`` finds.

    That is the column by which the database itself divides the table, or the first with a usual name, or else the only
    one of dates or times.

    :raises ProfileError: there is no such column.
    """
    by_name = {column.name: column for column in info.columns}
    names = ", ".join(by_name)
    if partition.key is not None:
        if partition.key not in by_name:
            raise ProfileError(f"{info.ref}: the partition key {partition.key!r} is not a column of it; it has {names}")
        return by_name[partition.key]
    if not partition.metadata_fallback:
        raise ProfileError(
            f"{info.ref}: partition strategy {partition.strategy} needs `key`, as metadata_fallback is off"
        )
    found = _inferred(info)
    if found is None:
        raise ProfileError(f"{info.ref}: no column of it stands out as the partition key; name it in `key`: {names}")
    return by_name[found]


def _inferred(info: TableInfo) -> str | None:
    declared: str | None = info.details.get("partition_key")
    if declared is not None:
        return declared
    by_lower = {column.name.lower(): column.name for column in reversed(info.columns)}
    usual = next((by_lower[name] for name in _USUAL_KEYS if name in by_lower), None)
    kinds = zip(info.columns, info.details["kinds"], strict=True)
    times = [column.name for column, kind in kinds if kind is Kind.TEMPORAL]
    return usual or (times[0] if len(times) == 1 else None)


def select_partitions(
    lane: Lane, relation: Relation, info: TableInfo, partition: Partition | None, dialect: Dialect
) -> Partitions | None:
    """The partitions that a setting selects, or none for all rows.

    What depends on the data is looked up once, so that every statement means the same rows.
    """
    if partition is None or partition.strategy == "all":
        return None
    key = find_key(info, partition)
    if partition.strategy == "specific_values":
        return Partitions(key, partition.values)
    if partition.strategy == "sample":
        return Partitions(key, _drawn(_all_values(lane, relation, info, key, dialect), partition))
    newest = 1 if partition.strategy == "latest" else partition.recent_n
    column = relation.column(key.name)
    known = relation.where(column.is_not(None)).select(column.label("k")).distinct().order_by(column.desc())
    return Partitions(key, _fetch(lane, known.limit(newest), dialect))


def _all_values(lane: Lane, relation: Relation, info: TableInfo, key: Column, dialect: Dialect) -> Sequence[Any]:
    every = relation.select(relation.column(key.name).label("k")).distinct().limit(MOST_PARTITIONS + 1)
    values = _fetch(lane, every, dialect)
    if len(values) > MOST_PARTITIONS:
        raise ProfileError(
            f"{info.ref}: {key.name} has more than {MOST_PARTITIONS:,} different values, too many for partitions; "
            "choose another `key`, or `sampling` instead"
        )
    return values


def _fetch(lane: Lane, keys: sa.Select[Any], dialect: Dialect) -> Sequence[Any]:
    found = keys.subquery("p")
    return [row[0] for row in lane.scan(sa.select(dialect.partition_key(found.c.k)))]


def _drawn(values: Sequence[Any], partition: Partition) -> Sequence[Any]:
    """By a hash of each value, so that a partition more or less hardly changes which others are drawn."""
    count = math.ceil(partition.fraction * len(values))
    return sorted(values, key=lambda value: short_hash(f"{partition.seed} {value!r}"))[:count]
