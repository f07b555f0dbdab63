"""What the doctor sees beside the changes: databases, lock, clocks, settings, package, assets."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from importlib.metadata import version
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from profilemesh_airflow.airflow_api import AirflowApi
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.store import Store
from profilemesh_airflow.usecases.doctor import assets, examine
from profilemesh_airflow.usecases.doctor.clocks import ahead_by
from profilemesh_airflow.usecases.doctor.settings import create_loops, success_call, task_slots
from profilemesh_airflow.usecases.lock import lock_of, lock_path, renew_lock
from profilemesh_airflow.usecases.planning import build_plan
from tests.clock import change_clock
from tests.usecases.doctor.conftest import consumer

CHANGE = "profilemesh://test/shop/change/"


@pytest.fixture
def look(shop, airflow):
    """The findings of one check, each as severity, where, what and remedy; or why it was not made."""

    def found(check, **more):
        with shop.open() as workspace, AirflowApi(airflow.url, "admin", "right") as api:
            diagnosis = examine(workspace, api, **more)
        mine = [each for each in diagnosis.findings if each.check == check]
        findings = [(each.severity, each.where, each.what, each.remedy) for each in mine]
        return findings if check in diagnosis.checked else diagnosis.not_checked[check]

    return found


class TestWarehouse:
    def test_a_table_that_is_not_there_is_a_warning(self, shop, look):
        shop.configure("orders", "ghost")

        ((severity, where, what, remedy),) = look("warehouse")

        assert (severity, where) == ("warning", "ghost")
        assert what.startswith("table ghost was not found in sqlite file ")
        assert remedy == "check the spelling"

    def test_one_that_cannot_be_reached_is_an_error_and_the_rest_is_looked_at(self, shop, look):
        shop.source.unlink()

        ((severity, where, what, remedy),) = look("warehouse")

        assert (severity, where) == ("error", f"sqlite file {shop.source}")
        assert "unable to open database file" in what
        assert remedy == "check that the file exists and that this user may open it"
        assert look("consumers") == []

    def test_a_table_that_the_user_may_not_read_is_an_error(self, shop, postgres_url, look):
        url = make_url(postgres_url)
        role = schema = f"pm_doctor_{uuid4().hex[:12]}"
        place = {"host": url.host or url.query.get("host"), "port": url.port, "database": url.database}
        shop.connections["warehouse"] = ConnectionSettings(
            "postgres", **place, username=role, password=role, schema=schema
        )
        shop.sections["source"] = {"name": "shop", "conn_id": "warehouse"}
        shop.configure("orders", "users", "items")
        engine = create_engine(url.set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'; CREATE SCHEMA {schema}")
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
            for table in ("orders", "users", "items"):
                connection.exec_driver_sql(f"CREATE TABLE {schema}.{table} (id int, note text)")
            connection.exec_driver_sql(f"GRANT SELECT ON {schema}.orders TO {role}")
            connection.exec_driver_sql(f"GRANT SELECT (id, note) ON {schema}.users TO {role}")
            connection.exec_driver_sql(f"GRANT SELECT (id) ON {schema}.items TO {role}")
            try:
                findings = look("warehouse")
            finally:
                connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE; DROP ROLE {role}")
        engine.dispose()

        assert findings == [("error", "items", "the user of source may not read it", f"grant SELECT on it to {role}")]


def test_a_store_that_can_be_read_and_not_written_is_an_error(shop, postgres_database, look):
    role = f"pm_doctor_{uuid4().hex[:12]}"
    with Store(postgres_database) as store:
        store.upgrade()
    names = ("type", "host", "port", "database")
    login = {name: getattr(postgres_database, name) for name in names}
    connection = {**{name: value for name, value in login.items() if value}, "username": role, "password": role}
    shop.configure("orders", storage={"connection": connection})
    url = make_url("postgresql+psycopg2://").set(
        host=login["host"], port=login["port"], database=login["database"], username=postgres_database.username
    )
    engine = create_engine(url.set(password=postgres_database.password), isolation_level="AUTOCOMMIT")
    with engine.connect() as admin:
        admin.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
        admin.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        try:
            ((severity, _, what, remedy),) = look("store")
            admin.exec_driver_sql(f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
            ((_, _, without_sequences, _),) = look("store")
            admin.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
            granted = look("store")
        finally:
            admin.exec_driver_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
    engine.dispose()

    assert severity == "error"
    assert "permission denied for table" in what
    assert remedy.startswith("grant its user SELECT, INSERT, UPDATE and DELETE")
    assert "permission denied for sequence public.profilemesh_changes_sequence_seq" in without_sequences
    assert granted == []


class TestLock:
    @pytest.fixture
    def locked(self, shop):
        shop.configure({"schema": "main", "table": "*"})
        with shop.open() as workspace:
            renew_lock(lock_of(workspace.config.model, build_plan(workspace)), lock_path(shop.config))
        return shop

    def test_one_that_is_up_to_date_is_no_finding_and_nor_is_none(self, locked, look):
        assert look("plan-lock") == []
        lock_path(locked.config).unlink()
        assert look("plan-lock") == []

    def test_one_that_lacks_a_table_is_a_warning(self, locked, look):
        locked.sql("CREATE TABLE parcels (id INTEGER)")

        ((severity, where, what, remedy),) = look("plan-lock")

        assert (severity, where) == ("warning", str(lock_path(locked.config)))
        assert what.endswith("so that DAG files make no DAG of theirs: main.parcels")
        assert remedy.startswith("run `profilemesh-airflow plan --lock ")

    def test_one_of_other_patterns_is_an_error(self, locked, look):
        locked.configure({"schema": "main", "table": "o*"})

        ((severity, _, what, remedy),) = look("plan-lock")

        assert severity == "error"
        assert "is stale, since the tables" in what
        assert remedy.startswith("run `profilemesh-airflow plan --lock ")


class TestClocks:
    def test_what_asking_took_is_no_difference(self):
        assert ahead_by(lambda: datetime.now(timezone.utc)) == timedelta(0)
        assert round(ahead_by(lambda: datetime.now(timezone.utc) + timedelta(hours=1)).total_seconds()) == 3600
        assert round(ahead_by(lambda: datetime.now(timezone.utc) - timedelta(hours=1)).total_seconds()) == -3600

    @pytest.mark.parametrize(("hours", "way"), [(2, "ahead of"), (-2, "behind")])
    def test_a_store_whose_clock_differs_is_a_warning(self, shop, look, monkeypatch, hours, way):
        shop.profile()
        change_clock(monkeypatch, lambda now: now + timedelta(hours=hours))

        ((severity, where, what, remedy),) = look("clocks")

        assert (severity, where) == ("warning", f"sqlite file {shop.store}")
        assert f"s {way} this machine's: leases and waits go by it" in what
        assert "time servers" in remedy

    def test_an_api_server_whose_clock_differs_is_a_warning(self, airflow, look):
        then = format_datetime(datetime.now(timezone.utc) - timedelta(hours=1), usegmt=True)
        airflow.dates["/api/v2/version"] = then

        ((severity, where, what, _),) = look("clocks")

        assert (severity, where) == ("warning", airflow.url)
        assert "s behind this machine's: it may refuse the logins of tasks" in what


def test_an_airflow_that_nobody_tried_is_a_warning(airflow, look):
    airflow.version = {"version": "4.0.1", "git_version": None}

    ((severity, where, what, _),) = look("airflow")

    assert (severity, where) == ("warning", airflow.url)
    assert what == "it is an Airflow 4.0.1, with which this release was never tried"


@pytest.mark.parametrize(
    ("providers", "what"),
    [
        ({}, "the api-server does not have profilemesh-airflow"),
        (
            {"profilemesh-airflow": "0.0.1"},
            f"profilemesh-airflow 0.0.1, and this machine {version('profilemesh-airflow')}",
        ),
    ],
)
def test_a_component_without_this_release_is_a_warning(airflow, look, providers, what):
    airflow.providers = providers

    ((severity, _, found, remedy),) = look("provider")

    assert severity == "warning"
    assert what in found
    assert remedy.startswith("install ")


class TestSettings:
    @pytest.mark.parametrize(
        ("rule", "burst", "present", "value"),
        [
            (create_loops, 200, 10, None),
            (create_loops, 201, 10, 11),
            (create_loops, 1000, 10, 50),
            (create_loops, 1000, 50, None),
            (create_loops, 100_000, 10, 500),
            (create_loops, 100_000, 500, None),
            (success_call, 100, 5, None),
            (success_call, 10_000, 5, None),
            (success_call, 10_000, 4.9, 5),
            (success_call, 20, 1, None),
            (success_call, 21, 1, 5),
            (task_slots, 1600, 32, None),
            (task_slots, 1601, 32, 33),
            (task_slots, 10_000, 32, 200),
            (task_slots, 10_000, 0, None),
        ],
    )
    def test_a_value_that_is_too_small_for_the_tables_is_told_with_the_one_to_set(self, rule, burst, present, value):
        advice = rule(burst, present)

        assert (advice and advice.value) == value
        # What is advised is enough.
        assert value is None or rule(burst, value) is None

    @pytest.fixture
    def many(self, shop):
        shop.configure(*(f"t{number}" for number in range(1000)))
        return shop

    def test_it_is_asked_of_the_api_server_where_that_tells(self, many, airflow, look):
        ((severity, where, what, remedy),) = look("airflow-settings")

        assert (severity, where) == ("warning", airflow.url)
        assert what.startswith("[scheduler] max_dagruns_to_create_per_loop is 10: the DAG runs of 1000 tables")
        assert "= 50 (AIRFLOW__SCHEDULER__MAX_DAGRUNS_TO_CREATE_PER_LOOP), or let airflow.budget ring fewer" in remedy

    def test_a_budget_is_what_counts_where_there_is_one(self, many, look):
        many.configure(*(f"t{number}" for number in range(1000)), airflow={"budget": {"tables": 100}})

        assert look("airflow-settings") == []

    def test_else_of_the_airflow_on_this_machine(self, many, airflow, look):
        airflow.config = None
        here = {("core", "parallelism"): "2", ("scheduler", "max_dagruns_to_create_per_loop"): None}

        ((_, where, what, _),) = look("airflow-settings", local_settings=lambda: lambda *name: here.get(name))

        assert where == "the settings of the Airflow on this machine"
        assert what.startswith("[core] parallelism is 2: 1000 tables")

    def test_and_where_there_is_none_it_is_not_checked_and_no_finding(self, many, airflow, look):
        airflow.config = None

        assert look("airflow-settings") == "the api-server does not tell its settings: turn [api] expose_config on"


def test_a_dag_of_a_table_that_left_the_plan_is_a_warning(shop, look):
    shop.configure("orders", "users")

    ((severity, where, what, remedy),) = look("stale-dags")

    assert (severity, where) == ("warning", consumer("items"))
    assert what == f"it waits for {CHANGE}items, and the plan has no such table"
    assert "`profilemesh-airflow plan --lock --check`" in remedy


@pytest.mark.parametrize("closed", [("source",), ("source", "store")])
def test_while_it_is_unknown_what_patterns_find_no_dag_is_stale(shop, airflow, look, closed):
    shop.configure({"schema": "main", "table": "*"})
    for name in closed:
        getattr(shop, name).write_bytes(b"not a database")

    assert look("stale-dags") == "which tables the patterns find is unknown"
    shop.configure("orders", "users", "items")
    assert look("stale-dags") == []


def test_the_asset_of_a_dag_that_is_gone_is_no_stale_dag(shop, airflow, look):
    shop.configure("orders", "users")
    next(dag for dag in airflow.dags if dag["dag_id"] == consumer("items"))["is_stale"] = True

    assert look("stale-dags") == []


class TestAssets:
    @pytest.fixture
    def inactive(self, airflow):
        """The asset of ``items`` has lost."""
        airflow.inactive.add(3)
        return airflow

    def test_an_inactive_one_is_an_error(self, inactive, look):
        ((severity, where, what, remedy),) = look("assets")

        assert (severity, where) == ("error", "items")
        assert what == f"{CHANGE}items is inactive, so that its DAG never runs"
        assert remedy.startswith("see whether the DAG file that has it was parsed since")

    def test_who_has_its_uri_is_told(self, inactive, look):
        inactive.add_asset(f"{CHANGE}items", name="theirs", scheduled=("theirs",))

        ((_, _, what, remedy),) = look("assets")

        assert what.endswith("never runs: asset 'theirs' has the same URI")
        assert remedy.startswith("give the other asset another name and URI")

    def test_who_has_its_name_is_told(self, inactive, look):
        inactive.add_asset("postgres://db:5432/a/b/c", name=f"{CHANGE}items", scheduled=("theirs",))

        ((_, _, what, _),) = look("assets")

        assert what.endswith("never runs: the asset of URI 'postgres://db:5432/a/b/c' has the same name")

    def test_a_few_of_former_tables_are_none_and_many_are_a_warning(self, airflow, look, monkeypatch):
        monkeypatch.setattr(assets, "FEW", 10)
        for number in range(10):
            airflow.add_asset(f"{CHANGE}former{number}", active=False)
        assert look("assets") == []

        airflow.add_asset(f"{CHANGE}former", active=False)
        ((severity, where, what, _),) = look("assets")

        assert (severity, where) == ("warning", CHANGE)
        assert what.startswith("11 assets are of tables that the plan no longer has")
