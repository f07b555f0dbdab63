"""Which table an entry of ``profiling.tables`` is about, or which tables its pattern finds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from profilemesh_airflow.config.base import Counterparts, OptionalText, Positive, Section, show
from profilemesh_airflow.config.connection import resolve_path
from profilemesh_airflow.config.dbt import IN_PROJECT, relations
from profilemesh_airflow.core.conditions import Conditions
from profilemesh_airflow.core.dbt import is_ref, parse_selector
from profilemesh_airflow.core.selection import TABLE_TYPES, USUAL_TYPES, Names, Selector, TableType, compile_pattern
from profilemesh_airflow.core.table import TableRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Selecting tables by what dbt makes of its models.
_DBT = ("dbt_ref", "dbt_selector")
#: What an entry is about is said by one of these, or by ``table``; by tags alone, too.
_SELECTORS = ("pattern", "select_schema", "select_all_schemas", *_DBT)
_CONDITIONS = tuple(each.name for each in fields(Conditions))
#: In which schemas it is, by one of these at most.
_SCHEMAS = ("schema_", "schema_pattern", "select_all_schemas")

#: What means nothing where an entry lists one table.
PATTERN_KEYS = frozenset({"pattern_type", "exclude_patterns", "exclude_schemas", "table_types", *_CONDITIONS})

_WILDCARD = re.compile(r"[*?]")

TableTypes = tuple[TableType, ...]


#: In the successor's format it names the database, too.
TagProvider = Annotated[
    Literal["auto", "dbt"],
    Counterparts(
        {
            **dict.fromkeys(("snowflake", "bigquery", "postgres", "mysql", "redshift"), "auto"),
            **dict.fromkeys(("sqlite", "external"), "auto"),
        }
    ),
]


class DiscoveryConfig(Section):
    """``profiling.discovery_options``: what holds for every pattern. Schemas may be written with ``*`` and ``?``.

    ``tag_provider`` says whose tags count: the database's own (``auto``), or those of models in ``dbt_manifest_path``.
    """

    unsupported_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "cache_discovery",
            "cache_ttl_seconds",
            "discovery_limit_action",
            "max_schemas_per_database",
            "max_tables_per_pattern",
            "validate_regex",
        }
    )

    include_schemas: tuple[str, ...] = ()
    exclude_schemas: tuple[str, ...] = ()
    include_table_types: TableTypes = USUAL_TYPES
    exclude_table_types: TableTypes = ()
    dbt_manifest_path: OptionalText = None
    tag_provider: TagProvider = "auto"


class TableSelection(Section):
    """The table, or the pattern. A ``table`` or ``schema`` with ``*`` or ``?`` in it is a pattern, too.

    ``pattern_type`` is that of ``pattern``, ``schema_pattern`` and ``exclude_patterns``.
    """

    unsupported_keys: ClassVar[frozenset[str]] = frozenset({"override_priority"})

    table: Annotated[str, Field(min_length=1)] | None = None
    schema_: OptionalText = Field(default=None, alias="schema")
    database: OptionalText = None
    pattern: OptionalText = None
    pattern_type: Literal["wildcard", "regex"] = "wildcard"
    schema_pattern: OptionalText = None
    select_schema: bool = False
    select_all_schemas: bool = False
    exclude_patterns: tuple[str, ...] = ()
    exclude_schemas: tuple[str, ...] = ()
    table_types: TableTypes | None = None
    dbt_ref: OptionalText = None
    dbt_selector: OptionalText = None
    dbt_manifest_path: OptionalText = None
    dbt_project_path: OptionalText = None
    min_rows: Positive | None = None
    max_rows: Positive | None = None
    required_columns: tuple[str, ...] = ()
    modified_since_days: Positive | None = None
    tags: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()

    @classmethod
    def unsupported_entry(cls, entry: Mapping[Any, Any], whole: Mapping[str, Any]) -> str | None:
        """An entry about models of dbt, where nothing tells which they are."""
        asked = [name for name in _DBT if entry.get(name)]
        if not asked or lists_one(entry.get("table"), entry.get("schema")):
            return None
        if not _has_manifest(entry, whole):
            return f"{asked[0]}: needs dbt_manifest_path (or dbt_project_path), and there is none; the entry is ignored"
        try:
            parse_selector(str(entry.get("dbt_selector") or "*"))
        except ValueError as error:
            return f"dbt_selector: {error}; the entry is ignored"
        return None

    @model_validator(mode="before")
    @classmethod
    def _not_text(cls, data: Any) -> Any:
        if not isinstance(data, str):
            return data
        schema, _, table = data.rpartition(".")
        entry = f"{{schema: {schema}, table: {table}}}" if schema else f"{{table: {table}}}"
        raise ValueError(f"{show(data)} is text where an entry is expected; write {entry}")

    @field_validator("table")
    @classmethod
    def _named(cls, table: str | None) -> str | None:
        if table is not None and not table.strip():
            raise ValueError(f"{show(table)} is not the name of a table")
        return table

    @model_validator(mode="after")
    def _one_subject(self) -> TableSelection:
        given = [name for name in ("table", *_SELECTORS) if getattr(self, name)]
        if not given and not (self.tags or self.tags_any):
            raise ValueError(
                "table is missing; name a table, or select several with pattern, select_schema or select_all_schemas"
            )
        schemas = [name.rstrip("_") for name in _SCHEMAS if getattr(self, name)]
        for names in (given, schemas):
            if len(names) > 1:
                raise ValueError(f"{' and '.join(names)} do not go together; make an entry for each")
        if self.is_pattern:
            self.selector(DiscoveryConfig())
        return self

    @property
    def is_pattern(self) -> bool:
        """Whether the database has to be asked which tables are meant."""
        return self.schema_pattern is not None or not lists_one(self.table, self.schema_)

    @property
    def ref(self) -> TableRef:
        """The table that is meant, where it is one."""
        return TableRef(self.table or "", self.schema_, self.database)

    def selector(self, options: DiscoveryConfig, directory: Path | None = None) -> Selector:
        """The pattern, where it is one.

        :param directory: where relative paths are looked for that are not found from the working directory.
        :raises ValueError: a part of it is no regular expression.
        """
        schema = self.schema_pattern or self.schema_ or ("*" if self.select_all_schemas else None)
        table = self.pattern or self.table
        schemas = [_any_of(options.include_schemas)] if options.include_schemas else []
        if schema is not None:
            schemas.append(compile_pattern(schema, self.pattern_type if self.schema_pattern else "wildcard"))
        by_dbt = bool(self.dbt_ref or self.dbt_selector)
        return Selector(
            shown=", ".join(f"{name.rstrip('_')}: {value}" for name, value in self._as_written()),
            tables=Names(
                (compile_pattern(table, self.pattern_type if self.pattern else "wildcard"),) if table else (),
                tuple(compile_pattern(pattern, self.pattern_type) for pattern in self.exclude_patterns),
            ),
            schemas=Names(
                tuple(schemas), tuple(map(compile_pattern, (*self.exclude_schemas, *options.exclude_schemas)))
            ),
            in_any_schema=schema is not None or by_dbt,
            database=self.database,
            types=frozenset(self._types(options)),
            breadth=0 if self.dbt_ref else _breadth(table, schema),
            conditions=Conditions(**{name: getattr(self, name) for name in _CONDITIONS}),
            members=self._models(options, directory) if by_dbt else None,
        )

    def _types(self, options: DiscoveryConfig) -> Iterable[TableType]:
        """A model that is named is meant whether it is a table or a view."""
        if self.table_types:
            return self.table_types
        return TABLE_TYPES if self.dbt_ref else set(options.include_table_types) - set(options.exclude_table_types)

    def _models(self, options: DiscoveryConfig, directory: Path | None) -> Callable[[], frozenset[tuple[str, str]]]:
        rule = is_ref(self.dbt_ref) if self.dbt_ref else parse_selector(self.dbt_selector or "")
        return cache(partial(relations, self._manifest(options, directory), rule))

    def manifest(self, options: DiscoveryConfig, directory: Path | None) -> Path | None:
        """The manifest that says which tables the entry means, where it does."""
        return self._manifest(options, directory) if self.dbt_ref or self.dbt_selector else None

    def _manifest(self, options: DiscoveryConfig, directory: Path | None) -> Path:
        path = self.dbt_manifest_path or options.dbt_manifest_path
        if not self.dbt_manifest_path and self.dbt_project_path:
            path = str(Path(self.dbt_project_path) / IN_PROJECT)
        return Path(resolve_path(path or "", directory))

    def _as_written(self) -> Iterable[tuple[str, str]]:
        names = ("database", *_SCHEMAS[:2], "table", *_SELECTORS, *_CONDITIONS)
        given = ((name, getattr(self, name)) for name in names)
        return (
            (name, f"[{', '.join(value)}]" if isinstance(value, tuple) else show(value))
            for name, value in given
            if value
        )


def lists_one(table: object, schema: object) -> bool:
    """Whether it is one table that is meant, whatever the database holds."""
    return bool(table) and not _WILDCARD.search(f"{schema or ''}.{table}")


def manifest_of(options: DiscoveryConfig, directory: Path | None) -> Path | None:
    """The manifest whose tags count, where it is dbt's tags that do."""
    if options.tag_provider != "dbt" or options.dbt_manifest_path is None:
        return None
    return Path(resolve_path(options.dbt_manifest_path, directory))


def _has_manifest(entry: Mapping[Any, Any], whole: Mapping[str, Any]) -> bool:
    profiling = whole.get("profiling")
    options = profiling.get("discovery_options") if isinstance(profiling, Mapping) else None
    general = options.get("dbt_manifest_path") if isinstance(options, Mapping) else None
    return bool(entry.get("dbt_manifest_path") or entry.get("dbt_project_path") or general)


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(compile_pattern(name).pattern for name in names))


def _breadth(table: str | None, schema: str | None) -> int:
    """0 for some tables, 1 for whole schemas, 2 for all of them."""
    if table not in (None, "*"):
        return 0
    return 2 if schema == "*" else 1
