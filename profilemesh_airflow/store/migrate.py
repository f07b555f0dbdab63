"""Bringing a database to the shape of :mod:`.schema`, and finding out which shape it has."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import column, false, func, inspect, select, table, union_all
from sqlalchemy.exc import NoSuchTableError, OperationalError, ProgrammingError

from profilemesh_airflow.core.table import short_hash
from profilemesh_airflow.exceptions import StoreError
from profilemesh_airflow.store.engine import sqlite_path
from profilemesh_airflow.store.schema import HEAD, MAX_NAME_LENGTH, VERSION_TABLE, TableNames, Tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config
    from sqlalchemy.engine import Connection, Inspector

    from profilemesh_airflow.store.database import Database

T = TypeVar("T")

#: Follows the name of a table that is taken by somebody else's table.
SUFFIX = "_airflow"
#: Who holds it is the only one to change the schema.
LOCK_NAME = "profilemesh schema upgrade"
_LOCK = int(short_hash(LOCK_NAME, 14), 16)


@dataclass(frozen=True)
class Shape:
    """What is in the database.

    :param revision: the migration it is at; none before the first.
    :param names: the tables as they are called there: a configured name whose table is not this package's (it has
        no ``table_key``; the earlier integration made ``profilemesh_runs`` so) is left alone, and ours has a suffix.
    :param missing: the names out of ``names`` that are not there.
    :param version_table: where the revision is kept; the earlier integration had a table of that name, too.
    """

    revision: str | None
    names: TableNames
    missing: tuple[str, ...]
    version_table: str


def is_current(connection: Connection, tables: Tables) -> bool:
    """Whether the tables are there, under these very names, at the revision of this release; a cheap question."""
    version = table(VERSION_TABLE, column("version_num"), schema=tables.schema)
    probe = union_all(*(select(each.c.table_key).where(false()) for each in tables.all()))
    try:
        if connection.execute(select(version.c.version_num)).scalars().all() != [HEAD]:
            return False
        connection.execute(probe)
    except (OperationalError, ProgrammingError):
        return False
    return True


def find_shape(connection: Connection, names: TableNames, schema: str | None) -> Shape:
    """Read what is in the database.

    :raises StoreError: a table's name and its substitute are both taken.
    """
    inspector = inspect(connection)
    found: dict[str, str] = {}
    missing: list[str] = []
    for kind, name in vars(names).items():
        found[kind], exists = _resolve(inspector, name, schema)
        if not exists:
            missing.append(found[kind])
    revision = None
    version_table, exists = _resolve(inspector, VERSION_TABLE, schema, mark="version_num")
    if exists:
        version = table(version_table, column("version_num"), schema=schema)
        revision = connection.execute(select(version.c.version_num)).scalars().first()
    return Shape(revision, TableNames(**found), tuple(missing), version_table)


def _resolve(inspector: Inspector, name: str, schema: str | None, mark: str = "table_key") -> tuple[str, bool]:
    substitute = name[: MAX_NAME_LENGTH - len(SUFFIX)] + SUFFIX
    for candidate in (name, substitute):
        columns = column_names(inspector, candidate, schema)
        if not columns or mark in columns:
            return candidate, bool(columns)
    raise StoreError(
        f"tables {name} and {substitute} exist in the results store and neither is this package's; "
        "choose another name for it in the configuration, or another database"
    )


def column_names(inspector: Inspector, name: str, schema: str | None) -> set[str]:
    """The names of a table's columns; none where there is no such table."""
    try:
        return {column["name"] for column in inspector.get_columns(name, schema=schema)}
    except NoSuchTableError:
        return set()


def check_not_newer(revision: str | None) -> None:
    """Refuse a database that a later release has migrated.

    :raises StoreError: the revision is not one of this release.
    """
    if revision is None or revision == HEAD:
        return
    if revision not in _known_revisions():
        raise StoreError(
            f"the results store is at schema {revision}, which is newer than this release (schema {HEAD}); "
            "upgrade profilemesh-airflow, or configure another store"
        )


def check_complete(shape: Shape) -> None:
    """Refuse a migrated database whose tables are called otherwise.

    :raises StoreError: a table is not there.
    """
    if shape.missing:
        raise StoreError(
            f"the results store is migrated, yet it has no table {', '.join(shape.missing)}: it was renamed in the "
            "configuration, or dropped; name it as before, or use another database or schema"
        )


def upgrade(database: Database, names: TableNames, schema: str | None) -> Shape:
    """Bring the database to the newest schema; processes that do so at once wait for each other.

    It is one transaction, except on MySQL and MariaDB. There an upgrade that is cut short leaves a part of its last
    step behind, which the next one completes.

    :returns: the shape before.
    :raises StoreError: the database is at a newer schema, or may not be changed.
    """
    _prepare_file(database)

    def work(connection: Connection) -> Shape:
        before = find_shape(connection, names, schema)
        check_not_newer(before.revision)
        if before.revision == HEAD:
            check_complete(before)
        else:
            _run_migrations(connection, before, schema)
        return before

    return change_schema(database, work)


def change_schema(database: Database, work: Callable[[Connection], T]) -> T:
    """Run ``work`` in a transaction, while no other process is at the schema.

    :raises StoreError: the database cannot be reached, or may not be changed.
    """

    def locked(connection: Connection) -> T:
        if database.dialect == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        return work(connection)

    with database.alone(LOCK_NAME) if database.dialect == "mysql" else nullcontext():
        return database.write(locked)


def _prepare_file(database: Database) -> None:
    path = sqlite_path(database.settings)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the folder {path.parent} of the results store: {error.strerror}; "
            "choose another storage.connection.filepath"
        ) from error
    database.use_write_ahead_log()


def _known_revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_alembic_config())
    return {script.revision for script in scripts.walk_revisions()}


def _run_migrations(connection: Connection, shape: Shape, schema: str | None) -> None:
    from alembic import command

    config = _alembic_config()
    config.attributes.update(connection=connection, names=shape.names, schema=schema, version_table=shape.version_table)
    command.upgrade(config, "head")


def _alembic_config() -> Config:
    # Alembic takes longer to import than the rest of the store, and most processes find their tables up to date.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "profilemesh_airflow.store:migrations")
    return config
