"""The clock of every store's database, as a test sets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.store.changes import ChangeRows
from profilemesh_airflow.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pytest


def change_clock(monkeypatch: pytest.MonkeyPatch, changed: Callable[[datetime], datetime]) -> None:
    """Have the databases tell another time, made of the one that they would have told."""
    now, found = Database.now, ChangeRows.found

    def found_then(self, row):
        change = found(self, row)
        return change and change._replace(now=changed(change.now))

    monkeypatch.setattr(Database, "now", lambda self, connection: changed(now(self, connection)))
    monkeypatch.setattr(ChangeRows, "found", found_then)
