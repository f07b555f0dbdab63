"""Data versions by the user's own rules: the greatest value of a column, or what a query gives."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from profilemesh_airflow.warehouse.errors import StatementError, is_transient
from profilemesh_airflow.warehouse.halving import ask_in_halves
from profilemesh_airflow.warehouse.relation import Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Connection

    from profilemesh_airflow.core.plan import TableInfo
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.core.version import VersionRule

log = logging.getLogger(__name__)

#: One statement asks for the watermarks of so many tables; databases limit the length of a statement and its columns.
_TABLES_PER_STATEMENT = 250


class RuledVersions:
    """Reads versions by rule. A table whose version cannot be read has none, and the log says why.

    :param connect: opens a connection to the database.
    :param redact: takes secrets out of a driver's message.
    """

    def __init__(
        self, connect: Callable[[], AbstractContextManager[Connection]], redact: Callable[[DBAPIError], str]
    ) -> None:
        self._connect = connect
        self._redact = redact
        self._found: dict[TableRef, str | None] = {}

    def read(self, infos: Sequence[TableInfo], rules: Mapping[TableRef, VersionRule]) -> dict[TableRef, str | None]:
        """The version of each table, in one query for the watermarks of up to 250 tables, and one for every query.

        :raises WarehouseError: the database cannot be reached.
        """
        self._found = dict.fromkeys((info.ref for info in infos), None)
        marked = [info for info in infos if self._has_watermark(info, rules[info.ref])]
        for start in range(0, len(marked), _TABLES_PER_STATEMENT):
            ask_in_halves(
                marked[start : start + _TABLES_PER_STATEMENT],
                lambda some: self._ask_watermarks(some, rules),
                StatementError,
                lambda info, error: _warn(info.ref, str(error)),
            )
        for info in infos:
            rule = rules[info.ref]
            if rule.query is not None:
                self._ask_query(info.ref, rule, rule.query)
        return self._found

    def _has_watermark(self, info: TableInfo, rule: VersionRule) -> bool:
        if rule.watermark is None:
            return False
        # SQLite would take the name of a column that is not there for a text.
        there = any(column.name == rule.watermark for column in info.columns)
        if not there:
            _warn(info.ref, f"it has no column {rule.watermark!r}; mend `watermark`, upper and lower case count")
        return there

    def _ask_watermarks(self, infos: Sequence[TableInfo], rules: Mapping[TableRef, VersionRule]) -> None:
        row = self._run(sa.select(*(_greatest(info, rules[info.ref]) for info in infos)))[0]
        for info, value in zip(infos, row, strict=True):
            self._found[info.ref] = rules[info.ref].version(value)

    def _ask_query(self, ref: TableRef, rule: VersionRule, query: str) -> None:
        try:
            rows = self._run(query)
        except StatementError as error:
            _warn(ref, str(error))
            return
        if len(rows) == 1 and len(rows[0]) == 1:
            self._found[ref] = rule.version(rows[0][0])
        else:
            columns = f" of {len(rows[0])} columns" if rows else ""
            _warn(ref, f"version_query must give one value, and gave {_count(rows)}{columns}")

    def _run(self, statement: sa.Select[Any] | str) -> list[Any]:
        """The first two rows; each statement has its own transaction, which a refused one would spoil for the next."""
        with self._connect() as connection:
            try:
                if isinstance(statement, str):
                    # As it is written: '%' and ':' in it are no parameters.
                    result = connection.execution_options(no_parameters=True).exec_driver_sql(statement)
                else:
                    result = connection.execute(statement)
                return list(result.fetchmany(2))
            except DBAPIError as error:
                if is_transient(error):
                    raise
                raise StatementError(self._redact(error)) from error
            except sa.exc.ResourceClosedError:  # it gives no rows at all
                return []


def _greatest(info: TableInfo, rule: VersionRule) -> Any:
    relation = Relation.of(info)
    return relation.select(sa.func.max(relation.column(rule.watermark or ""))).scalar_subquery()


def _warn(ref: TableRef, why: str) -> None:
    log.warning("data version of %s is unknown: %s", ref, why)


def _count(rows: Sequence[Any]) -> str:
    return "no row" if not rows else "1 row" if len(rows) == 1 else "several rows"
