"""Whether an SQLite file is still as a profile found it."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

log = logging.getLogger(__name__)

#: Under this name a connection keeps the witness of its moment.
WITNESS = "profilemesh_witness"


class Witness:
    """A connection outside of any transaction, which notices when somebody commits.

    So another process can find that it sees the same moment as the connections here.
    """

    def __init__(self, engine: Engine) -> None:
        self._connection: Any = None
        self._seen: int | None = None
        try:
            self._connection = engine.raw_connection()
        except (sqlite3.Error, DBAPIError) as error:
            log.info("nobody can witness the moment of a profile: %s", error)
        self.look()

    def look(self) -> None:
        """Begin anew: a moment is about to be chosen."""
        self._seen = self._version()

    def nobody_wrote(self) -> bool:
        """Whether nothing was committed since; not where another program is about to."""
        if self._seen is None:
            return False
        self._connection.cursor().execute("PRAGMA busy_timeout = 0")
        return self._version() == self._seen

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _version(self) -> int | None:
        if self._connection is None:
            return None
        try:
            ((version,),) = self._connection.cursor().execute("PRAGMA data_version").fetchall()
        except sqlite3.Error:
            return None
        return int(version)
