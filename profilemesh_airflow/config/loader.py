"""Reading a configuration file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from profilemesh_airflow.config.checks import check_engine, warn_of_unbuilt
from profilemesh_airflow.config.document import Document
from profilemesh_airflow.config.messages import message_of
from profilemesh_airflow.config.model import ProfileMeshConfig
from profilemesh_airflow.config.overrides import apply_overrides
from profilemesh_airflow.config.preparation import Preparation
from profilemesh_airflow.config.report import Report
from profilemesh_airflow.config.selection import PATTERN_KEYS, lists_one
from profilemesh_airflow.config.shapes import keys_of, shape_of
from profilemesh_airflow.config.storage import default_connection
from profilemesh_airflow.core.collector import many_objects
from profilemesh_airflow.core.watching import digest_of
from profilemesh_airflow.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.config.yaml_text import KeyPath

_TABLES = ("profiling", "tables")


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration that was read and found right.

    :param model: what it says, with defaults filled in.
    :param path: the file, absolute.
    :param warnings: what is ignored, and why; one line each.
    :param digest: of the file's bytes (BLAKE2b); changes with every edit, even of a comment.
    :param broken: why the file itself cannot be used, where this is the last good one in its place.
    :param derived: what follows from it alone, kept by those who work it out.
    """

    model: ProfileMeshConfig
    path: Path
    warnings: tuple[str, ...]
    digest: str
    broken: str | None = None
    derived: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)


def load_config(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read a configuration file: JSON if its name ends in ``.json``, else YAML.

    :param path: the file; relative to the working directory.
    :param environ: variables for ``${VAR}``, ``PROFILEMESH_...`` and ``AIRFLOW_HOME``; none means the process's own.
    :raises ConfigError: it cannot be read or something in it is wrong: every error, one a line, with file, line, keys,
        value (never a secret) and what is allowed.
    """
    file = Path(path).absolute()
    return load_content(read_config(file), file, environ)


def load_content(
    content: bytes, path: str | os.PathLike[str], environ: Mapping[str, str] | None = None
) -> LoadedConfig:
    """:func:`load_config` of content that is at hand; ``path`` need not exist, and gives format and directory."""
    file = Path(path).absolute()
    variables = os.environ if environ is None else environ
    return _parsed(content, file, _working_directory(), frozenset(variables.items()))


@lru_cache(maxsize=8)
def _parsed(content: bytes, file: Path, _directory: str | None, variables: frozenset[tuple[str, str]]) -> LoadedConfig:
    """Read the content of a file; what was read before, with the same in force around it, is not read again.

    :param _directory: the working directory, which relative paths in the content may be meant from.
    """
    return parse_config(_decoded(content, file), file, dict(variables), digest=digest_of(content))


def check_whole(content: bytes, path: str | os.PathLike[str]) -> None:
    """Make sure that a file was saved as a whole: that it is a mapping in YAML or JSON, whatever that says.

    :raises ConfigError: it is not.
    """
    file = Path(path)
    _top(_document(_decoded(content, file), file).data, file)


@many_objects()
def parse_config(
    text: str, path: str | os.PathLike[str], environ: Mapping[str, str] | None = None, *, digest: str | None = None
) -> LoadedConfig:
    """:func:`load_config` of a text that is at hand; ``path`` need not exist, and gives format and directory."""
    file = Path(path).absolute()
    variables = os.environ if environ is None else environ
    document = _document(text, file)
    report = Report(str(file), document)
    for twice in document.duplicates:
        lines = f"on lines {twice.first_line} and {twice.line}"
        report.warn(twice.path, f"written twice, {lines}; only the last one counts")
    data = apply_overrides(_top(document.data, file), ProfileMeshConfig, variables, report)
    preparation = Preparation(document, variables, report)
    prepared = preparation.prepare(data, shape_of(ProfileMeshConfig))
    _add_storage(prepared, variables)
    model = _validate(prepared, file.parent, preparation, report)
    return LoadedConfig(model, file, report.warnings, digest or digest_of(text.encode()))


def _decoded(content: bytes, file: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: not UTF-8 text; save the file in UTF-8") from None


def _document(text: str, file: Path) -> Document:
    return Document(text, str(file), is_json=file.suffix.lower() == ".json")


def _working_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 (no object is needed)
    except OSError:  # it was removed: nothing can be relative to it
        return None


def read_config(file: Path) -> bytes:
    """The bytes of a configuration file.

    :raises ConfigError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file; check the path of the configuration") from None
    except IsADirectoryError:
        raise ConfigError(f"{file}: is a directory; name the configuration file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file}: cannot be read: {reason}") from None


def _top(data: Any, file: Path) -> dict[str, Any]:
    sections = ", ".join(keys_of(ProfileMeshConfig))
    if data is None:
        raise ConfigError(f"{file}: is empty; a configuration has the sections {sections}")
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else "a single value"
        raise ConfigError(f"{file}:1: is {kind} at the top; write a mapping of the sections {sections}")
    return data


def _add_storage(prepared: dict[str, Any], environ: Mapping[str, str]) -> None:
    storage = prepared.setdefault("storage", {})
    if isinstance(storage, dict) and "connection" not in storage:
        storage["connection"] = default_connection(environ)


def _validate(prepared: dict[str, Any], directory: Path, preparation: Preparation, report: Report) -> ProfileMeshConfig:
    model = None
    try:
        model = ProfileMeshConfig.model_validate(prepared, context={"directory": directory})
    except ValidationError as found:
        for error in found.errors(include_url=False):
            path = preparation.path_in_file(error["loc"])
            report.error(path, message_of(error, path))
    profiling = prepared.get("profiling", {})
    if isinstance(profiling, dict):
        _check_tables(profiling.get("tables", []), preparation, report)
    if model is not None:
        check_engine(model, report)
        warn_of_unbuilt(model, preparation, report)
    if model is None or report.has_errors:
        raise report.failure()
    return model


def _check_tables(tables: Any, preparation: Preparation, report: Report) -> None:
    if not isinstance(tables, list):
        return
    if not tables:
        ignored = preparation.left_out(_TABLES)
        why = f", but for {ignored} that cannot be used here" if ignored else ""
        report.error(_TABLES, f"lists no table{why}; list the tables by name or by pattern")
    first: dict[tuple[str, ...], KeyPath] = {}
    for index, entry in enumerate(tables):
        path = preparation.path_in_file((*_TABLES, index))
        if not isinstance(entry, dict):
            continue
        if "sampling" in entry and "sample_ratio" in entry:
            report.warn((*path, "sample_ratio"), "ignored, since the entry has sampling, the newer spelling of it")
        if entry.get("schema_pattern") or not lists_one(entry.get("table"), entry.get("schema")):
            continue
        for key in PATTERN_KEYS.intersection(entry):
            report.warn((*path, key), "ignored, since the entry lists one table")
        names = tuple(str(entry.get(key) or "") for key in ("database", "schema", "table"))
        if first.setdefault(names, path) != path:
            table = ".".join(name for name in names if name)
            where = report.line_of(first[names])
            report.error(path, f"table {table!r} is listed a second time, first{where}; list each table once")
