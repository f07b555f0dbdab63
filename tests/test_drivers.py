"""Which driver is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy

from profilemesh_airflow import drivers
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.exceptions import DriverMissingError
from profilemesh_airflow.store import Store
from profilemesh_airflow.warehouse import connect

SETTINGS = ConnectionSettings("postgres", host="db", port=5433, database="shop", username="ann", password="p@ss/word")


def test_psycopg2_is_taken_where_both_are_installed(monkeypatch):
    monkeypatch.setattr(drivers, "find_spec", lambda _: object())
    url = drivers.postgres_url(SETTINGS)
    assert url.render_as_string(hide_password=False) == "postgresql+psycopg2://ann:p%40ss%2Fword@db:5433/shop"


@pytest.mark.skipif(sqlalchemy.__version__.startswith("1."), reason="SQLAlchemy 1.4 cannot use psycopg 3")
def test_psycopg_3_is_taken_where_psycopg2_is_missing(monkeypatch):
    monkeypatch.setattr(drivers, "find_spec", lambda name: object() if name == "psycopg" else None)
    assert drivers.postgres_url(SETTINGS).drivername == "postgresql+psycopg"


def test_mysql_and_mariadb_are_reached_by_pymysql():
    settings = replace(SETTINGS, type="mysql")
    url = drivers.mysql_url(settings)
    assert url.render_as_string(hide_password=False) == "mysql+pymysql://ann:p%40ss%2Fword@db:5433/shop"
    assert drivers.mysql_url(replace(settings, database=None, schema="shop")) == url


def test_a_missing_driver_of_mysql_names_the_extra_that_has_it(monkeypatch):
    monkeypatch.setattr(drivers, "find_spec", lambda _: None)
    with pytest.raises(DriverMissingError, match=r"pip install 'profilemesh-airflow\[mysql\]'"):
        Store(replace(SETTINGS, type="mysql"))


@pytest.mark.parametrize("open_database", [Store, connect])
def test_a_missing_driver_names_the_extra_that_has_it(monkeypatch, open_database):
    monkeypatch.setattr(drivers, "find_spec", lambda _: None)
    with pytest.raises(DriverMissingError, match=r"profilemesh-airflow\[postgres\]"):
        open_database(SETTINGS)
