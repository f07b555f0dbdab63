"""Where a database is: ``source``, ``storage.connection`` and the connection of a hook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, model_validator

from profilemesh_airflow.config.base import OptionalText, Section, Slug, WholeNumber, is_slug, show
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.table import short_hash
from profilemesh_airflow.exceptions import ConfigError

DatabaseType = Literal["postgres", "snowflake", "sqlite", "mysql", "bigquery", "redshift", "duckdb"]

#: The databases that are one file.
FILE_DATABASES = ("sqlite", "duckdb")
#: The file name that stands for a database in memory.
IN_MEMORY = ":memory:"

_OTHER_SPELLINGS = {"postgresql": "postgres", "mariadb": "mysql"}
_BIGQUERY_WORDS = {"project": "database", "dataset": "schema"}
_NOT_IN_A_SLUG = re.compile(r"[^A-Za-z0-9_.-]+")


def _normal_type(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name = value.strip().lower()
    return _OTHER_SPELLINGS.get(name, name)


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def resolve_path(path: str, directory: Path | None) -> str:
    """The absolute path of a database file.

    A relative path is looked for in the working directory and, where nothing has that name there, belongs to the
    directory of the configuration file.

    :raises ValueError: it begins with ``~``, and there is no such home directory.
    """
    if path == IN_MEMORY:
        return path
    try:
        given = Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{show(path)} needs a home directory, and there is none; write an absolute path") from None
    if given.is_absolute() or directory is None or _exists(given):
        return str(given.absolute())
    return str(directory / given)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a directory that may not be entered: not a file of ours
        return False


class ConnectionConfig(Section):
    """One database and the login to it, or the id of an Airflow connection that has them.

    Needs ``type`` or ``conn_id``; SQLite and DuckDB need ``filepath`` too (``database`` serves in its place). BigQuery
    calls its database ``project`` and its schema ``dataset``; either word does.
    ``extra_params`` are arguments of the driver, and count as secret.
    """

    type: Annotated[DatabaseType | None, BeforeValidator(_normal_type)] = None
    conn_id: OptionalText = None
    host: OptionalText = None
    port: Annotated[WholeNumber, Field(ge=1, le=65535)] | None = None
    database: OptionalText = None
    username: OptionalText = None
    password: Annotated[SecretStr | None, BeforeValidator(_number_as_text)] = None
    schema_: OptionalText = Field(default=None, alias="schema")
    account: OptionalText = None
    warehouse: OptionalText = None
    role: OptionalText = None
    filepath: OptionalText = None
    project: OptionalText = None
    dataset: OptionalText = None
    extra_params: dict[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _translate(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or _normal_type(data.get("type")) != "bigquery":
            return data
        translated = dict(data)
        for word, key in _BIGQUERY_WORDS.items():
            given = translated.pop(word, None)
            if given and translated.get(key) not in (None, "", given):
                raise ValueError(f"{word} and {key} are two words for the same, with two values; remove one")
            if given:
                translated[key] = given
        return translated

    @model_validator(mode="before")
    @classmethod
    def _find_file(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, Mapping):
            return data
        kind, known = _normal_type(data.get("type")), bool(data.get("conn_id"))
        if kind is None and not known:
            raise ValueError("type is missing; name the kind of database, or an Airflow connection with conn_id")
        if kind not in FILE_DATABASES:
            return data
        key = "filepath" if data.get("filepath") else "database"
        path = data.get(key)
        if not path:
            if known:
                return data
            raise ValueError(f"filepath is missing; {kind} needs the path of its file")
        if not isinstance(path, str):
            return data
        directory = (info.context or {}).get("directory")
        others = {name: value for name, value in data.items() if name not in (key, "filepath")}
        return {**others, "filepath": resolve_path(path, directory)}

    def to_settings(self) -> ConnectionSettings:
        """The connection as the rest of the package takes it.

        :raises ConfigError: only ``conn_id`` is given, so that Airflow has to be asked.
        """
        if self.type is None:
            raise ConfigError(
                f"Airflow connection {self.conn_id!r} can only be looked up where Airflow runs; "
                "give type, host and the rest to use this configuration without Airflow"
            )
        return ConnectionSettings(
            type=self.type,
            host=self.host,
            port=self.port,
            database=self.database,
            username=self.username,
            password=(self.password.get_secret_value() or None) if self.password else None,
            schema=self.schema_,
            account=self.account,
            warehouse=self.warehouse,
            role=self.role,
            filepath=self.filepath,
            extra_params=MappingProxyType(dict(self.extra_params)),
        )


class SourceConfig(ConnectionConfig):
    """The database whose tables are profiled; ``name`` is what its assets are called by."""

    name: Slug | None = None

    @property
    def slug(self) -> str:
        """The source's name in URIs: ``name``, or the database, file, connection id or type, made fit for a URI.

        A name that had to be altered carries a hash, so that two of them stay two.
        """
        if self.name:
            return self.name
        if self.filepath and self.filepath != IN_MEMORY:
            return slugify(Path(self.filepath).stem)
        return slugify(self.database or self.conn_id or self.type or "source")


def slugify(text: str) -> str:
    """``text`` if it is a slug already, else its usable characters and a hash of the whole; at most 63 characters."""
    if is_slug(text):
        return text
    usable = _NOT_IN_A_SLUG.sub("-", text).strip("-_.")[:54].rstrip("-_.")
    return "-".join(part for part in (usable, short_hash(text, 8)) if part)
