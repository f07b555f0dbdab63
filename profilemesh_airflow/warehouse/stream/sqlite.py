"""SQLite: another process reads the file, see :mod:`~profilemesh_airflow.warehouse.stream.worker`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event

from profilemesh_airflow.warehouse.engine import sqlite_uri
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.relation import ALIAS
from profilemesh_airflow.warehouse.stream.messages import Request
from profilemesh_airflow.warehouse.stream.process import Process, RefusedError
from profilemesh_airflow.warehouse.stream.source import Field
from profilemesh_airflow.warehouse.witness import WITNESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import Connection, Engine

    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.plan import Column, TableInfo
    from profilemesh_airflow.warehouse.lanes import Lane, Lanes
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.stream.source import Findings, Run, Wish
    from profilemesh_airflow.warehouse.subject import Subject

#: What a column of each kind may hold; of texts 8 bytes are kept.
_FIELDS = {
    Kind.NUMBER: Field(("Int64", "Float64"), 8),
    Kind.BOOLEAN: Field(("Int64",), 4),
    Kind.TEXT: Field(("String",), 8),
    Kind.TEMPORAL: Field(("String", "Int64"), 8),
    Kind.OPAQUE: Field(("String",), 8),
}

#: Rows below which a second reader does not pay.
_MANY = 20_000

#: Connections of the other process.
_READERS = 2

#: One process for each :class:`Warehouse`, which disposes of its engine when it is closed.
_PROCESSES: WeakKeyDictionary[Engine, Process] = WeakKeyDictionary()


class SQLiteSource:
    """Any table whose columns have no collation of their own."""

    errors: tuple[type[Exception], ...] = (RefusedError, OSError)

    def field(self, info: TableInfo, column: Column, kind: Kind) -> Field | None:
        """By kind; what was found to be stored decides where no type is declared."""
        return None if info.details["collated"] else _FIELDS.get(kind)

    def rows(self, info: TableInfo, relation: Relation, run: Run) -> int | None:
        """The greatest rowid, which is found without a scan."""
        if info.details["rowid"] is None or not info.details["countable"]:
            return None
        greatest: Any = sa.func.max(sa.literal_column(info.details["rowid"]))
        found: int | None = run(sa.select(greatest).select_from(relation.source))[0][0]
        return found

    def reader(self, connection: Connection, settings: ConnectionSettings, seconds: float | None) -> FileReader:
        """The other process, at the same moment of the data; the lane stops it."""
        return FileReader(process_of(connection.engine), connection, sqlite_uri(settings.filepath or ""))

    def look(
        self,
        lanes: Lanes,
        info: TableInfo,
        relation: Relation,
        columns: Sequence[tuple[Subject, Wish]],
        limit: float,
        bins: int,
    ) -> Findings:
        """Have it all done there."""
        select = relation.select(*(subject.value.label(f"c{at}") for at, (subject, _) in enumerate(columns)))
        wishes = tuple(wish for _, wish in columns)

        def work(lane: Lane) -> Findings:
            parts = _parts(info, select, self.rows(info, relation, lane.run) or 0, lane)
            findings: Findings
            (findings,) = lane.stream(self, Request(parts, wishes, limit, bins))
            return findings

        (findings,) = lanes.wait([lanes.submit(work)])
        return findings


class FileReader:
    """Has the other process read a file.

    :raises RefusedError: it cannot, or somebody wrote to the file since the lanes' moment.
    """

    def __init__(self, process: Process, connection: Connection, uri: str) -> None:
        self._process = process
        if not process.lock.acquire(blocking=False):
            raise RefusedError("the process that reads the file is busy")
        try:
            process.start()
            process.ask("begin", uri, _READERS)
            if not connection.info[WITNESS].nobody_wrote():
                process.ask("end")
                raise RefusedError("the file was written to meanwhile")
        except BaseException:
            process.lock.release()
            raise

    def read(self, request: Request) -> Iterator[Findings]:
        """One answer."""
        yield self._process.ask("look", request)

    def cancel(self) -> None:
        """End the process."""
        self._process.kill()

    def close(self) -> None:
        """Have it give up the file; it stays for the next table."""
        try:
            self._process.ask("end")
        finally:
            self._process.lock.release()


def process_of(engine: Engine) -> Process:
    """The process that reads for an engine; it ends with the engine."""
    if engine not in _PROCESSES:
        process = _PROCESSES[engine] = Process()
        event.listen(engine, "engine_disposed", partial(_close, process))
    return _PROCESSES[engine]


def _close(process: Process, _engine: Engine) -> None:
    process.close()


def _parts(info: TableInfo, select: sa.Select[Any], rows: int, lane: Lane) -> tuple[str, ...]:
    """Two statements that have all rows between them, where that is worth while."""
    if rows < _MANY:
        return (lane.text(select),)
    rowid = f"{ALIAS}.{info.details['rowid']}"
    halves: list[Any] = [sa.literal_column(f"{rowid} {side} {rows // 2}") for side in ("<=", ">")]
    return tuple(lane.text(select.where(half)) for half in halves)
