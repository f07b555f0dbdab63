"""A password reaches the database, and nothing else."""

from __future__ import annotations

import logging
import re
import socket
from dataclasses import replace

import pytest

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.exceptions import WarehouseError
from profilemesh_airflow.usecases.outcome import Failed
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_change
from profilemesh_airflow.usecases.refresh import record

SECRET = "s3cret-word"


def everything_stored(project):
    return b"".join(file.read_bytes() for file in project.store.parent.glob(f"{project.store.name}*"))


def test_an_error_of_the_database_that_repeats_the_password_is_kept_without_it(shop, monkeypatch, caplog):
    def refused(*_):
        raise RuntimeError(f"no login with {SECRET}\n  on server two")

    with caplog.at_level(logging.DEBUG), shop.open() as workspace:
        workspace.source_settings = replace(workspace.source_settings, password=SECRET)
        record(workspace, detect(workspace, ["orders"]))
        monkeypatch.setattr(workspace.warehouse, "profile", refused)
        outcome = profile_change(workspace, workspace.refs[0], Worker("test"))

    assert outcome == Failed(workspace.refs[0], "RuntimeError: no login with *** on server two", "RuntimeError")
    assert SECRET not in caplog.text
    assert SECRET.encode() not in everything_stored(shop)
    assert b"no login with ***" in everything_stored(shop)


@pytest.fixture
def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_database_that_cannot_be_reached_is_named_by_its_place_alone(shop, closed_port, caplog):
    source = {"name": "shop", "type": "postgres", "host": "127.0.0.1", "port": closed_port, "database": "shop"}
    quick = {"retries": 1, "min_backoff": 0.01, "max_backoff": 0.01}
    shop.configure("orders", source={**source, "username": "reader", "password": SECRET}, retry=quick)

    with caplog.at_level(logging.DEBUG), shop.open() as workspace, pytest.raises(WarehouseError) as caught:
        detect(workspace)

    assert re.search(rf"postgres database shop at 127.0.0.1:{closed_port}", str(caught.value))
    assert "reading the catalog failed, try 1 of 2" in caplog.text
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__} {caplog.text}"


def test_the_login_of_an_airflow_connection_is_secret_too(shop, closed_port):
    shop.connections["warehouse"] = ConnectionSettings(
        "postgres", host="127.0.0.1", port=closed_port, database="shop", username="reader", password=SECRET
    )
    shop.configure("orders", source={"name": "shop", "conn_id": "warehouse"}, retry={"enabled": False})

    with shop.open() as workspace, pytest.raises(WarehouseError) as caught:
        detect(workspace)
    assert SECRET not in str(caught.value)
    assert workspace.redact(f"login {SECRET}") == "login ***"
