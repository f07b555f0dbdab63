"""The lock: the tables of a plan in a file, for DAG files, which must not ask the database.

It says which tables patterns found. What is computed of each stands beside it as a digest, for people who review the
file's changes. It holds no name of a server, no login and no moment, so that the same plan is the same text.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from profilemesh_airflow.config.selection import TableSelection
from profilemesh_airflow.core.fingerprint import canonical_json
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.usecases.settings import identity_of, selection_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from profilemesh_airflow.config import LoadedConfig, ProfileMeshConfig
    from profilemesh_airflow.core.plan import Plan

#: A warning names so many tables.
_MOST_NAMED = 10

#: The format of the file; another one cannot be read.
FORMAT = 1


@dataclass(frozen=True)
class Lock:
    """What a lock file says.

    :param selection: digest of the entries that the tables were found by.
    :param settings: by table, the digest of what is computed of it.
    """

    environment: str
    source: str
    selection: str
    settings: dict[TableRef, str]

    @property
    def refs(self) -> tuple[TableRef, ...]:
        """The tables, in the order of the plan."""
        return tuple(self.settings)


def lock_path(config: str | os.PathLike[str]) -> Path:
    """Where the lock is unless it is said: beside the configuration, ``config.lock.json`` for ``config.yml``."""
    return Path(config).with_suffix(".lock.json")


def lock_of(model: ProfileMeshConfig, plan: Plan) -> Lock:
    """The lock of a plan that was made with this configuration."""
    settings = {entry.ref: entry.settings.digest for entry in plan.entries}
    return Lock(plan.identity.environment, plan.identity.source, selection_digest(model), settings)


def selection_digest(model: ProfileMeshConfig) -> str:
    """Digest of everything in a configuration that says which tables are meant.

    Options that only change how they are profiled are not part of it: tasks read those when they run.
    """
    fields = set(TableSelection.model_fields)
    document = [
        model.profiling.discovery_options.model_dump(exclude_defaults=True),
        [entry.model_dump(include=fields, exclude_defaults=True) for entry in model.profiling.tables],
    ]
    return blake2b(canonical_json(document).encode(), digest_size=16).hexdigest()


def lock_text(lock: Lock) -> str:
    """The file: JSON with one table a line, so that a version control shows what came and went."""
    head = {
        "format": FORMAT,
        "environment": lock.environment,
        "source": lock.source,
        "selection": lock.selection,
    }
    lines = ",\n".join(f"    {json.dumps(_entry(ref, digest))}" for ref, digest in lock.settings.items())
    return f'{json.dumps(head, indent=2)[:-2]},\n  "tables": [\n{lines}\n  ]\n}}\n'


@dataclass(frozen=True)
class LockChange:
    """What a new lock changes of the file.

    :param written: whether it was written; else it was only compared.
    :param added: keys of the tables that the file did not have.
    :param removed: keys of those that it has and should not.
    """

    file: Path
    changed: bool
    written: bool
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The change as JSON-safe data."""
        return {**asdict(self), "file": str(self.file)}


def renew_lock(lock: Lock, path: Path, *, write: bool = True) -> LockChange:
    """Compare the file with what it should say and, if it is to be written, mend it.

    :raises ConfigError: it cannot be written.
    """
    text = lock_text(lock)
    try:
        before = {ref.key for ref in read_lock(path).refs}
        changed = path.read_text(encoding="utf-8") != text
    except ConfigError:
        before, changed = set(), True
    if write and changed:
        _replace(path, text)
    after = {ref.key for ref in lock.refs}
    return LockChange(path, changed, write and changed, tuple(sorted(after - before)), tuple(sorted(before - after)))


def _replace(path: Path, text: str) -> None:
    """Write a file at once: who reads it meanwhile reads the old one or the new one."""
    draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    :raises ConfigError: it is not there, cannot be read, or is of another format.
    """
    try:
        return parse_lock(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is no lock file, or was damaged") from None


def parse_lock(text: str, path: Path) -> Lock:
    """The lock that a text says.

    :param path: where it is from, for the message.
    :raises ConfigError: it is none, or of another format.
    """
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise ConfigError(f"{path}: is of format {data['format']!r}, and this release reads {FORMAT}")
        settings = {
            TableRef(entry["table"], entry.get("schema"), entry.get("database")): entry["settings"]
            for entry in data["tables"]
        }
        return Lock(data["environment"], data["source"], data["selection"], settings)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: is no lock file, or was damaged") from None


def locked_tables(
    model: ProfileMeshConfig,
    config: str | os.PathLike[str],
    path: Path,
    read: Callable[[Path], Lock] = read_lock,
) -> tuple[TableRef, ...]:
    """The tables of a configuration, without a look at its database.

    Without patterns they are all listed, and no lock is read.

    :param config: the configuration's file, for the message.
    :param read: reads the lock, from the disk unless something else is given.
    :raises ConfigError: there are patterns, and the lock is missing, or was made for another configuration.
    """
    selection = selection_of(model)
    if not selection.has_patterns:
        return selection.find(()).refs
    command = _command(path, config)
    try:
        lock = read(path)
    except ConfigError as error:
        raise ConfigError(
            f"{error}. {config} selects tables by pattern, and a DAG file must not ask the database which they are: "
            f"run `{command}`, and deploy the file beside the configuration"
        ) from None
    identity = identity_of(model)
    if (lock.environment, lock.source) != (identity.environment, identity.source):
        raise ConfigError(
            f"{path}: was made for environment {lock.environment}, source {lock.source}; the configuration is for "
            f"{identity.environment}, {identity.source}: run `{command}` with it"
        )
    if lock.selection != selection_digest(model):
        raise ConfigError(
            f"{path}: is stale, since the tables that {config} selects were changed after it was made: run `{command}`"
        )
    return lock.refs


def unlocked_tables(config: LoadedConfig, planned: Iterable[TableRef]) -> str | None:
    """A warning of the planned tables that the lock beside the configuration does not have, if there is one."""
    path = lock_path(config.path)
    try:
        locked = set(read_lock(path).refs)
    except ConfigError:
        return None
    missing = [ref.key for ref in planned if ref not in locked]
    if not missing:
        return None
    shown = ", ".join(missing[:_MOST_NAMED]) + (", ..." if len(missing) > _MOST_NAMED else "")
    return (
        f"{len(missing)} table(s) are not in {path}, so that DAG files make no DAG of theirs: {shown}; "
        f"run `{_command(path, config.path)}`"
    )


def _command(path: Path, config: str | os.PathLike[str]) -> str:
    return f"profilemesh-airflow plan --lock {path} -c {config}"


def _entry(ref: TableRef, settings: str) -> dict[str, Any]:
    names = {"database": ref.database, "schema": ref.schema, "table": ref.table}
    return {**{name: value for name, value in names.items() if value}, "settings": settings}
