"""Reading profiles back: this package's own, and before them those of the earlier integration."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import and_, select, true

from profilemesh_airflow.store.history import COMPLETED, StoredProfile, StoredRun, origin_of
from profilemesh_airflow.store.legacy import Owners, TableHistory
from profilemesh_airflow.store.profiles import columns_of
from profilemesh_airflow.store.rows import belongs_to, reasons_from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from typing import Any

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import Select

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

    def profile(self, run_id: str, key: str) -> StoredProfile | None:
        """What one run found out about one table, or none."""
        return self._newest(key, run_id=run_id)

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

    def _newest(self, key: str, *, before: datetime | None = None, run_id: str | None = None) -> StoredProfile | None:
        def work(connection: Connection, tables: Tables | None) -> StoredProfile | None:
            if tables is not None:
                runs = tables.runs.c
                wanted = and_(
                    runs.status == COMPLETED,
                    true() if before is None else runs.profiled_at < before,
                    true() if run_id is None else runs.run_id == run_id,
                )
                if own := _own_profile(connection, tables, self._of_table(tables, key).where(wanted)):
                    return own
            # Second, in the same transaction: until that ends, `--adopt` cannot give the names to other tables.
            earlier = self._earlier(connection, key)
            return earlier.latest(before, run_id) if earlier else None

        return self._read(work, None)

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
    fields = [name for name in StoredRun.__dataclass_fields__ if name != "reasons"]
    return [
        StoredRun(reasons=reasons_from_json(row["reasons"]), **{name: row[name] for name in fields})
        for row in connection.execute(wanted).mappings()
    ]


def _own_profile(connection: Connection, tables: Tables, wanted: Select[Any]) -> StoredProfile | None:
    run = connection.execute(wanted.limit(1)).mappings().first()
    if run is None:
        return None
    results = tables.results
    rows = connection.execute(
        select(results)
        .where(results.c.run_id == run["run_id"], results.c.table_key == run["table_key"])
        .order_by(results.c.column_position)
    )
    return StoredProfile(
        run["table_key"],
        run["run_id"],
        run["profiled_at"],
        run["row_count"],
        columns_of(rows.mappings()),
        origin_of(run["worker"]),
    )
