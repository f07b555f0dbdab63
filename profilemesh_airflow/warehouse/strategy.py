"""Which way a table is profiled, and why."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from profilemesh_airflow.core.connection import STREAMED
from profilemesh_airflow.exceptions import DriverMissingError, NotBuiltError
from profilemesh_airflow.warehouse.subject import ONE_SCAN

if TYPE_CHECKING:
    from profilemesh_airflow.core.plan import TableSettings

#: ``sql``: the database computes. ``stream``: its rows come over, and this process does. ``auto``: what is thought to
#: be faster.
Engine = Literal["auto", "sql", "stream"]

#: What streaming needs of each kind of database beside its usual driver.
_MODULES = ("numpy", "polars", "pyarrow")
MODULES = {"postgres": (*_MODULES, "adbc_driver_postgresql"), "sqlite": (*_MODULES, "adbc_driver_sqlite")}

_MEGABYTE = 10**6

#: Bytes of a table below which SQL is done before the packages are imported.
WORTHWHILE = 16 * _MEGABYTE

#: Columns from which it is not, however few the rows: each takes statements of its own.
WIDE = 200

#: How many times the memory a table may be large, and so how often it is read: a server is spared that.
_PASSES = {"postgres": 1, "sqlite": 4}


@dataclass(frozen=True)
class Means:
    """What a profile may use.

    :param max_memory_mb: how many megabytes the rows of one table, and what is computed of them, may take here.
    """

    engine: Engine = "auto"
    max_memory_mb: int = 256

    @property
    def memory(self) -> int:
        """The same in bytes."""
        return self.max_memory_mb * _MEGABYTE


@dataclass(frozen=True)
class Choice:
    """Whether to stream, and why (not).

    :param memory: bytes that values may take in this process.
    """

    stream: bool
    reason: str
    memory: int = 0


def choose(
    kind: str, size: int | None, columns: int, settings: TableSettings, means: Means, *, approximated: bool
) -> Choice:
    """Choose for a table.

    :param kind: the kind of database, ``source.type``.
    :param size: about how many bytes the table has, or at most has; none where that is unknown.
    :param columns: how many columns are profiled.
    :param approximated: whether the database is going to approximate metrics.
    :raises DriverMissingError: streaming is asked for, and what it needs is not installed.
    :raises NotBuiltError: it is asked for, and this kind of database cannot.
    """
    if means.engine == "sql":
        return Choice(False, "profiling.engine", means.memory)
    why_not = _why_not(kind)
    if means.engine == "stream":
        if why_not is not None:
            raise why_not
        return Choice(True, "profiling.engine", means.memory)
    if why_not is not None:
        reason = "the extra `fast` is not installed" if kind in MODULES else "not built for this database"
        return Choice(False, reason, means.memory)
    wide = columns >= WIDE
    why_sql = "approximations are the database's" if approximated else _why_sql(kind, size, settings, means, wide=wide)
    return Choice(why_sql is None, why_sql or ("of many columns" if wide else "faster"), means.memory)


def _why_sql(kind: str, size: int | None, settings: TableSettings, means: Means, *, wide: bool) -> str | None:
    if ONE_SCAN.issuperset(settings.metrics):
        return "one scan answers everything"
    if size is None:
        return "of unknown size"
    if size < WORTHWHILE and not wide:
        return "small"
    return "larger than profiling.max_memory_mb" if size > means.memory * _PASSES[kind] else None


def _why_not(kind: str) -> Exception | None:
    if kind not in MODULES:
        return NotBuiltError(
            f"profiling.engine: stream is not supported for {kind}; this release streams {', '.join(STREAMED)}"
        )
    missing = [module for module in MODULES[kind] if not find_spec(module)]
    if not missing:
        return None
    return DriverMissingError(
        f"profiling.engine: stream needs packages that are not installed ({', '.join(missing)}): "
        "pip install 'profilemesh-airflow[fast]', or let `engine` be auto"
    )
