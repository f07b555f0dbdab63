"""Reading profiles back: this package's own, and before them those of the earlier integration."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import and_, or_, select, true

from profilemesh_airflow.store.history import COMPLETED, StoredProfile, StoredRun, origin_of
from profilemesh_airflow.store.legacy import Owners, TableHistory
from profilemesh_airflow.store.partitions import read_partitions
from profilemesh_airflow.store.profiles import columns_of
from profilemesh_airflow.store.rows import belongs_to, reasons_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime
    from typing import Any

    from sqlalchemy.engine import Connection, RowMapping
    from sqlalchemy.sql import Select

    from profilemesh_airflow.core.merge import PartitionState
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.legacy import LegacyTables
    from profilemesh_airflow.store.schema import Tables

T = TypeVar("T")


class Results:
    """The profiles of one configuration. Every method is one transaction, and only reads.

    Where the tables of the earlier integration are in the same database, what it found out about a table of the plan in
    this environment is a part of that table's history.

    :param find_tables: gives the store's tables, or none where there are none yet.
    :param find_legacy: gives the tables of the earlier integration, or none.
    :param refs: the tables of the plan.
    """

    def __init__(
        self,
        database: Database,
        find_tables: Callable[[], Tables | None],
        find_legacy: Callable[[Connection], LegacyTables | None],
        identity: Identity,
        refs: Iterable[TableRef] = (),
    ) -> None:
        self._database = database
        self._find_tables = find_tables
        self._find_legacy = find_legacy
        self._identity = identity
        self._owners = Owners(refs)

    def latest(self, key: str) -> StoredProfile | None:
        """The latest profile of a table, or none; one of the earlier integration only where there is no other."""
        return self._newest(key)

    def previous(self, profile: StoredProfile) -> StoredProfile | None:
        """The profile of the same table before this one, or none."""
        return self._newest(profile.table_key, before=profile.profiled_at)

    def earlier(self, profile: StoredProfile, limit: int, metrics: Collection[str]) -> list[StoredProfile]:
        """The latest profiles of the same table before this one that are of rows of the same kind, newest first.

        One of which is not known what its rows are of counts as of the same kind.

        :param limit: how many, at most.
        :param metrics: only these are read, for all profiles in one query.
        """
        before, rows_of = profile.profiled_at, profile.rows_of
        return self._profiles(profile.table_key, limit, before=before, rows_of=rows_of, metrics=metrics)

    def data_seen(self, key: str, limit: int) -> list[tuple[datetime, str]]:
        """When the latest completed runs of a table were, and the digest of the data version that each saw.

        Newest first; a run that did not know the data version is left out.
        """

        def work(connection: Connection, tables: Tables | None) -> list[tuple[datetime, str]]:
            if tables is None:
                return []
            runs = tables.runs.c
            wanted = self._of_table(tables, key).where(runs.status == COMPLETED, runs.data_digest.isnot(None))
            moments = wanted.with_only_columns(runs.profiled_at, runs.data_digest).limit(limit)
            return [(moment, digest) for moment, digest in connection.execute(moments)]

        return self._read(work, [])

    def profile(self, run_id: str, key: str) -> StoredProfile | None:
        """What one run found out about one table, or none."""
        return self._newest(key, run_id=run_id)

    def partitions(self, run_id: str, key: str) -> dict[str, PartitionState]:
        """What one run, the table's baseline, left of each partition, by digest; empty where it left nothing."""

        def work(connection: Connection, tables: Tables | None) -> dict[str, PartitionState]:
            return read_partitions(connection, tables, self._identity, key, run_id) if tables else {}

        return self._read(work, {})

    def runs(self, key: str, limit: int = 20) -> list[StoredRun]:
        """The latest runs of a table, failed ones too, newest first."""

        def work(connection: Connection, tables: Tables | None) -> list[StoredRun]:
            own = _own_runs(connection, self._of_table(tables, key).limit(limit)) if tables else []
            earlier = self._earlier(connection, key)
            # Where `--adopt` was cut short on MySQL, a run may be in both.
            known = {run.run_id for run in own}
            older = [run for run in earlier.runs(limit) if run.run_id not in known] if earlier else []
            return sorted([*own, *older], key=lambda run: run.profiled_at, reverse=True)[:limit]

        return self._read(work, [])

    def runs_for(self, key: str, change_ids: Collection[str]) -> list[StoredRun]:
        """The runs of a table that were for these changes of it, failed ones too, newest first."""

        def work(connection: Connection, tables: Tables | None) -> list[StoredRun]:
            if tables is None:
                return []
            return _own_runs(
                connection, self._of_table(tables, key).where(tables.runs.c.change_id.in_(list(change_ids)))
            )

        return self._read(work, [])

    def _newest(self, key: str, *, before: datetime | None = None, run_id: str | None = None) -> StoredProfile | None:
        found = self._profiles(key, 1, before=before, run_id=run_id)
        return found[0] if found else None

    def _profiles(
        self,
        key: str,
        limit: int,
        *,
        before: datetime | None = None,
        run_id: str | None = None,
        rows_of: str | None = None,
        metrics: Collection[str] | None = None,
    ) -> list[StoredProfile]:
        def work(connection: Connection, tables: Tables | None) -> list[StoredProfile]:
            own: list[StoredProfile] = []
            if tables is not None:
                runs = tables.runs.c
                wanted = and_(
                    runs.status == COMPLETED,
                    true() if before is None else runs.profiled_at < before,
                    true() if run_id is None else runs.run_id == run_id,
                    true() if rows_of is None else or_(runs.rows_of == rows_of, runs.rows_of.is_(None)),
                )
                of_table = self._of_table(tables, key).where(wanted).limit(limit)
                own = _own_profiles(connection, tables, of_table, metrics)
            # Second, in the same transaction: until that ends, `--adopt` cannot give the names to other tables.
            earlier = self._earlier(connection, key) if len(own) < limit else None
            if earlier is None:
                return own
            known = {profile.run_id for profile in own}
            older = earlier.profiles(limit, before, run_id)
            return [*own, *(profile for profile in older if profile.run_id not in known)][:limit]

        return self._read(work, [])

    def _of_table(self, tables: Tables, key: str) -> Select[Any]:
        """The runs of a table, newest first."""
        runs = tables.runs
        own = and_(belongs_to(runs, self._identity), runs.c.table_key == key)
        return select(runs).where(own).order_by(runs.c.profiled_at.desc(), runs.c.run_id)

    def _earlier(self, connection: Connection, key: str) -> TableHistory | None:
        named = self._owners.named(key)
        tables = self._find_legacy(connection) if named else None
        if named is None or tables is None:
            return None
        return TableHistory(connection, tables, self._identity.environment, key, named)

    def _read(self, work: Callable[[Connection, Tables | None], T], nothing: T) -> T:
        if not self._database.exists():
            return nothing
        tables = self._find_tables()
        return self._database.read(lambda connection: work(connection, tables))


def _own_runs(connection: Connection, wanted: Select[Any]) -> list[StoredRun]:
    plain = StoredRun.__dataclass_fields__.keys() - {"reasons", "strategy"}
    return [
        StoredRun(
            reasons=reasons_from_json(row["reasons"]),
            strategy=None if row["strategy"] is None else json.loads(row["strategy"]),
            **{name: row[name] for name in plain},
        )
        for row in connection.execute(wanted).mappings()
    ]


def _own_profiles(
    connection: Connection, tables: Tables, wanted: Select[Any], metrics: Collection[str] | None
) -> list[StoredProfile]:
    """The profiles of the wanted runs of one table; the metrics of all of them come with one query."""
    runs = connection.execute(wanted).mappings().all()
    if not runs:
        return []
    results = tables.results
    rows: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(
        select(results)
        .where(
            results.c.run_id.in_([run["run_id"] for run in runs]),
            results.c.table_key == runs[0]["table_key"],
            true() if metrics is None else results.c.metric_name.in_(metrics),
        )
        .order_by(results.c.column_position)
    ).mappings():
        rows[row["run_id"]].append(row)
    return [
        StoredProfile(
            run["table_key"],
            run["run_id"],
            run["profiled_at"],
            run["row_count"],
            columns_of(rows[run["run_id"]]),
            origin_of(run["worker"]),
            run["rows_of"],
            run["rung"],
        )
        for run in runs
    ]
