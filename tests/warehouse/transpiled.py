"""A cloud warehouse that is not there.

Its statements are compiled by its own package, parsed by sqlglot in its dialect, translated, and run on DuckDB.
"""

from __future__ import annotations

from collections import namedtuple
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from sqlglot import errors

from profilemesh_airflow.warehouse.errors import StatementError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from profilemesh_airflow.core.plan import TableInfo


class TranspiledLane:
    """A lane that notes what the warehouse would have been sent, and answers as DuckDB does."""

    def __init__(self, connection: Any, info: TableInfo, dialect: Any, language: str) -> None:
        self.sent: list[str] = []
        self.info = info
        self._connection = connection
        self._dialect = dialect
        self._language = language

    def run(self, statement: Any) -> list[Any]:
        sql = str(statement.compile(dialect=self._dialect, compile_kwargs={"literal_binds": True}))
        (parsed,) = sqlglot.parse(sql, dialect=self._language, error_level=errors.ErrorLevel.RAISE)
        self.sent.append(sql)
        try:
            rows = self._connection.execute(parsed.sql(dialect="duckdb")).fetchall()
        except duckdb.Error as error:
            raise StatementError(str(error)) from error
        row_of = namedtuple("Row", statement.selected_columns.keys(), rename=True)
        return [row_of(*row) for row in rows]

    scan = run


class TranspiledLanes:
    """One such lane in the place of the real ones."""

    def __init__(self, lane: TranspiledLane) -> None:
        self._lane = lane

    def __len__(self) -> int:
        return 1

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(self._lane, *arguments))
        return done

    def wait(self, work: Iterable[Future[Any]]) -> list[Any]:
        return [future.result() for future in work]

    @property
    def queries(self) -> int:
        return len(self._lane.sent)

    scans = queries
