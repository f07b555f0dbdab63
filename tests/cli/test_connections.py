"""A configuration that names a connection of Airflow, on the command line, where no Airflow task runs."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from importlib.util import find_spec

import pytest

from profilemesh_airflow.cli.connections import airflow_connection
from profilemesh_airflow.core.connection import ConnectionSettings

needs_airflow = pytest.mark.skipif(find_spec("airflow") is None, reason="Airflow is not installed")

WITHOUT_AIRFLOW = "import sys; sys.modules['airflow'] = None"

#: Airflow's own database, with the one connection that the test is about.
WITH_A_DATABASE = """
from airflow.models.connection import Connection
from airflow.secrets.metastore import MetastoreBackend

def stored(self, conn_id, *args, **kwargs):
    return Connection(conn_id, "sqlite", host={path!r}) if conn_id == "shop_db" else None

MetastoreBackend.get_connection = stored
"""


@pytest.fixture
def named(shop):
    """The shop, whose source is a connection of Airflow."""
    shop.configure("orders", source={"name": "shop", "conn_id": "shop_db"})
    return shop


def run(preparation, *args):
    code = f"{preparation}\nfrom profilemesh_airflow.cli import main\nmain({list(args)!r})"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@needs_airflow
def test_a_connection_that_airflow_has_in_its_database_is_found(named):
    done = run(WITH_A_DATABASE.format(path=str(named.source)), "plan", "--format", "json")

    (table,) = json.loads(done.stdout)["tables"]
    assert done.returncode == 0, done.stderr
    assert all(table["fingerprint"].values())


@needs_airflow
def test_what_airflow_makes_of_the_logging_does_not_stay(monkeypatch):
    """Airflow 3.0 shows every message on stdout from then on, those of the store's migrations too."""

    def resolve(conn_id):
        logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
        return ConnectionSettings("sqlite", filepath=conn_id)

    monkeypatch.setattr("profilemesh_airflow.hooks.connections.resolve_connection", resolve)
    before = logging.getLogger().handlers[:]
    assert airflow_connection("shop.db").filepath == "shop.db"
    assert logging.getLogger().handlers == before


@needs_airflow
def test_a_connection_in_the_environment_is_found(named, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", json.dumps({"conn_type": "sqlite", "host": str(named.source)}))

    assert named.answer("profile")["profiled"][0]["row_count"] == 3


@needs_airflow
def test_a_connection_that_does_not_exist_is_named(named):
    result = named.run("plan")

    assert result.stderr.startswith("error: conn_id: Airflow has no connection 'shop_db'; ")
    assert (result.exit_code, result.stdout) == (2, "")


def test_without_airflow_the_message_says_what_to_do(named):
    done = run(WITHOUT_AIRFLOW, "plan")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: conn_id: 'shop_db' is a connection of Airflow, which is not installed here; ")
    assert done.stderr.count("\n") == 1


def test_without_a_connection_of_airflow_the_whole_command_line_runs_without_airflow(shop):
    commands = [["plan"], ["diff"], ["profile"], ["status"], ["results", "orders"], ["store", "upgrade"]]
    code = "\n".join(
        [
            WITHOUT_AIRFLOW,
            "from profilemesh_airflow.cli import main",
            *(f"assert main({command!r}, standalone_mode=False) in (None, 0)" for command in commands),
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "3 profiled" in done.stdout
