"""A store on each database, under a clock that a test can set."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.store import Store
from tests.clock import change_clock


@pytest.fixture
def clock(monkeypatch):
    """The clock of every store's database: that of the world which it is given."""
    clock = SimpleNamespace(world=None)
    change_clock(monkeypatch, lambda _: clock.world.now)
    return clock


@pytest.fixture
def store_settings(request, tmp_path):
    if request.param == "sqlite":
        return ConnectionSettings("sqlite", filepath=str(tmp_path / "store.db"))
    return request.getfixturevalue(f"{request.param}_database")


@pytest.fixture
def store(store_settings):
    with Store(store_settings) as store:
        store.upgrade()
        yield store
