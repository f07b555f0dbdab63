"""Taking over the earlier integration's results, so that they are this store's own.

Its rows are copied, its tables renamed, and ours get the names that its tables had, by which dashboards know them. On
SQLite and PostgreSQL this is one transaction. MySQL and MariaDB commit what was copied right before all four tables are
renamed, at once; where it is cut short in between, nothing is read twice, and the next attempt copies anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, inspect, select

from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store.legacy import find_legacy
from profilemesh_airflow.store.legacy_copy import Copied, Copier
from profilemesh_airflow.store.migrate import change_schema, check_complete, find_shape
from profilemesh_airflow.store.schema import MAX_NAME_LENGTH, TableNames, make_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.store.database import Database
    from profilemesh_airflow.store.legacy import Owners

#: Follows the name of a table of the earlier integration whose rows are in ours.
LEGACY_SUFFIX = "_legacy"


@dataclass(frozen=True)
class EarlierResults:
    """What there is to adopt.

    :param renames: what the tables would be called after an adoption, by their present name.
    """

    runs: int
    metric_rows: int
    renames: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-safe data."""
        return {"runs": self.runs, "metric_rows": self.metric_rows, "renames": dict(self.renames)}


@dataclass(frozen=True)
class Adoption:
    """What was adopted.

    :param renamed: what the tables are called now, by their former name.
    """

    copied: Copied
    renamed: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-safe data."""
        return {
            "runs": self.copied.runs,
            "metric_rows": self.copied.metric_rows,
            "repeated": self.copied.repeated,
            "left_out": [left.as_dict() for left in self.copied.left_out],
            "renamed": dict(self.renamed),
        }


def count_results(connection: Connection, names: TableNames, schema: str | None) -> EarlierResults | None:
    """What the earlier integration's tables hold, or none where there are none."""
    legacy = find_legacy(connection, names, schema)
    if legacy is None:
        return None
    runs, rows = (
        connection.execute(select(func.count()).select_from(each)).scalar_one()
        for each in (legacy.runs, legacy.results)
    )
    return EarlierResults(runs, rows, _renames(names, find_shape(connection, names, schema).names))


def adopt(
    database: Database, names: TableNames, schema: str | None, source_name: str, owners: Owners
) -> Adoption | None:
    """Copy, and rename; processes that do so at once, or upgrade, wait for each other.

    :returns: none where there is nothing to adopt, because somebody else just did.
    :raises StoreError: a table is in the way, or the database cannot be reached or may not be changed.
    """

    def work(connection: Connection) -> Adoption | None:
        legacy = find_legacy(connection, names, schema)
        if legacy is None:
            return None
        shape = find_shape(connection, names, schema)
        check_complete(shape)
        renames = _renames(names, shape.names)
        _check_free(connection, renames, schema)
        theirs, ours = (names.runs, names.results), (shape.names.runs, shape.names.results)
        # What the earlier integration would write from now on would be left behind.
        _lock(connection, theirs, schema, "SHARE ROW EXCLUSIVE")
        copied = Copier(connection, legacy, make_tables(shape.names, schema), source_name, owners).copy()
        # In the order in which our own readers come to them: else they and this would wait for each other.
        _lock(connection, ours + theirs, schema, "ACCESS EXCLUSIVE")
        _rename(connection, renames, schema)
        return Adoption(copied, renames)

    return change_schema(database, work)


def _renames(names: TableNames, ours: TableNames) -> dict[str, str]:
    """New names by the present ones, in an order in which each is free when its turn comes."""
    room = MAX_NAME_LENGTH - len(LEGACY_SUFFIX)
    away = {name: name[:room] + LEGACY_SUFFIX for name in (names.runs, names.results)}
    return {**away, ours.runs: names.runs, ours.results: names.results}


def _check_free(connection: Connection, renames: Mapping[str, str], schema: str | None) -> None:
    inspector = inspect(connection)
    for name in renames.values():
        if name not in renames and inspector.has_table(name, schema=schema):
            raise StoreError(
                f"nothing was adopted: the results store has a table {name} already; give that another name, or drop "
                "it, and run `profilemesh-airflow store upgrade --adopt` again"
            )


def _lock(connection: Connection, names: Iterable[str], schema: str | None, mode: str) -> None:
    # SQLite has one lock, held since the transaction began; MySQL would commit, to take any.
    if connection.dialect.name == "postgresql":
        tables = ", ".join(_quoted(connection, name, schema) for name in names)
        connection.exec_driver_sql(f"LOCK TABLE {tables} IN {mode} MODE")


def _rename(connection: Connection, renames: Mapping[str, str], schema: str | None) -> None:
    pairs = [(_quoted(connection, old, schema), new) for old, new in renames.items()]
    if connection.dialect.name == "mysql":
        moves = ", ".join(f"{old} TO {_quoted(connection, new, schema)}" for old, new in pairs)
        connection.exec_driver_sql(f"RENAME TABLE {moves}")
        return
    for old, new in pairs:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {_quoted(connection, new, None)}")


def _quoted(connection: Connection, name: str, schema: str | None) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in (schema, name) if part)
