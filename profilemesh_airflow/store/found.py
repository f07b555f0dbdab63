"""The tables as a process has found them, which another process may rename at any time."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.store.schema import TableNames, Tables


class FoundTables:
    """The store's tables, once they were found; whoever was given them sees when ``--adopt`` has renamed them.

    :param configured: their names in the configuration, which an adoption gives them.
    :param look: finds the tables, or none where they are not there.
    """

    def __init__(self, configured: TableNames, look: Callable[[], Tables | None]) -> None:
        self._configured = configured
        self._look = look
        self._lock = RLock()
        self._looking = False
        self.tables: Tables | None = None

    @property
    def names(self) -> TableNames | None:
        """What the tables are called, as far as is known here."""
        return self.tables.names if self.tables else None

    @property
    def renameable(self) -> bool:
        """Whether tables of the earlier integration may have the configured names, and so an adoption may come."""
        return self.names is None or self.names.runs != self._configured.runs

    def renamed_since(self, names: TableNames | None) -> bool:
        """Whether the tables are not called ``names`` any more; looks, and takes note of the new names.

        :raises StoreError: it cannot look.
        """
        with self._lock:
            if self.names != names:
                return True
            # Looking fails in the same way as what led to it, and must not lead to another look.
            if self.tables is None or self._looking or not self.renameable:
                return False
            self._looking = True
            try:
                found = self._look()
            finally:
                self._looking = False
            if found is None or found.names == names:
                return False
            self.tables.follow(found)
            return True
