"""An Airflow that has all DAGs of the project."""

from __future__ import annotations

import pytest

from tests.stub_airflow import StubAirflow

REFRESH = "profilemesh_plan_refresh"
TABLES = ("orders", "users", "items")


def consumer(table):
    return f"profilemesh_profile.test.shop.{table}"


@pytest.fixture
def airflow():
    """The refresh and one profiling DAG a table, as the factories build them for the project ``shop``."""
    with StubAirflow() as stub:
        stub.add_dag(REFRESH)
        for table in TABLES:
            stub.add_dag(consumer(table))
            stub.add_asset(
                f"profilemesh://test/shop/change/{table}", scheduled=(consumer(table),), producers=(REFRESH,)
            )
        yield stub
