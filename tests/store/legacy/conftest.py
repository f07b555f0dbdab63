"""A database in which the store is not made yet: the earlier integration may have been there first."""

from __future__ import annotations

import pytest

from profilemesh_airflow.store import Store


@pytest.fixture
def settings(empty_database):
    """Where no store is yet."""
    return empty_database


@pytest.fixture
def store(settings):
    with Store(settings) as store:
        yield store
