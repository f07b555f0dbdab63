from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from profilemesh_airflow.core.plan import Identity
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.store import Store
from profilemesh_airflow.usecases.doctor import CHECKS, examine
from profilemesh_airflow.usecases.doctor.checks import ALL

AIRFLOW = (
    "airflow",
    "provider",
    "airflow-settings",
    "refresh-dag",
    "consumers",
    "stale-dags",
    "assets",
    "import-errors",
)
ALWAYS = ("warehouse", "plan-lock")
CHANGES = ("overdue-changes", "parked-changes", "expired-leases", "event-hooks")


def look(project):
    with project.open() as workspace:
        return examine(workspace)


def at_schema(project, revision):
    with closing(sqlite3.connect(project.store)) as connection, connection:
        connection.execute("UPDATE profilemesh_schema_version SET version_num = ?", [revision])


def test_without_an_address_nothing_about_airflow_counts_as_checked(shop):
    shop.profile()

    diagnosis = look(shop)

    assert (diagnosis.findings, diagnosis.checked) == ([], ["store", *ALWAYS, *CHANGES, "clocks"])
    assert diagnosis.not_checked == dict.fromkeys(AIRFLOW, "not asked: give --airflow")


def test_a_store_without_tables_is_a_warning_and_none_is_made(shop):
    (finding,) = look(shop).findings

    assert (finding.check, finding.severity, finding.where) == ("store", "warning", f"sqlite file {shop.store}")
    assert finding.what == "it has no tables: nothing was refreshed or profiled with it yet"
    assert not shop.store.exists()


def test_a_store_without_tables_is_an_error_where_a_refresh_must_not_make_them(shop):
    shop.configure("orders", storage={**shop.sections["storage"], "create_tables": False})

    (finding,) = look(shop).findings

    assert (finding.severity, finding.remedy) == ("error", "run `profilemesh-airflow store upgrade`, which makes them")


@pytest.mark.parametrize(
    ("revision", "what", "remedy"),
    [
        ("0001", "is at the older schema 0001", "run `profilemesh-airflow store upgrade`"),
        ("9999", "is at schema 9999, which is newer than this release", "upgrade profilemesh-airflow, or"),
    ],
)
def test_a_store_at_another_schema_is_an_error_and_its_changes_are_not_checked(shop, revision, what, remedy):
    shop.profile()
    at_schema(shop, revision)
    before = shop.digest()

    diagnosis = look(shop)

    (finding,) = diagnosis.findings
    assert (finding.check, finding.severity) == ("store", "error")
    assert what in finding.what
    assert finding.remedy.startswith(remedy)
    assert diagnosis.checked == ["store", *ALWAYS, "clocks"]
    assert {check: diagnosis.not_checked[check] for check in CHANGES} == dict.fromkeys(
        CHANGES, "the store cannot be read"
    )
    assert shop.digest() == before


def test_a_store_that_cannot_be_reached_is_an_error_without_a_secret(shop):
    connection = {"type": "postgres", "host": "127.0.0.1", "port": 1, "database": "x", "password": "hunter2"}
    shop.configure("orders", storage={"connection": connection})

    (finding,) = look(shop).findings

    assert (finding.check, finding.where) == ("store", "postgres database x at 127.0.0.1:1")
    assert "refused" in finding.what
    assert finding.remedy == "check storage.connection"
    assert "hunter2" not in str(look(shop).as_dict())


@pytest.mark.parametrize("database", ["sqlite", "postgres", "mysql"])
def test_changes_are_found_in_every_kind_of_store_and_nothing_is_written(shop, database, request):
    if database != "sqlite":
        settings = request.getfixturevalue(f"{database}_database")
        connection = {
            name: value
            for name in ("type", "host", "port", "database", "username", "password")
            if (value := getattr(settings, name))
        }
        shop.configure(storage={"connection": connection})
    shop.configure("orders", "users", "ghost", airflow={"max_attempts": 1, "deadline": "1s", "lease": "1s"})
    shop.profile("ghost", changed_only=True)
    with shop.open() as workspace, Store(workspace.storage_settings) as store:
        shop.refresh()
        store.ledger(Identity("test", "shop"), Policy(lease=workspace.policy.lease)).claim("users", "worker")
        before = wait_for(store, lambda found: found.entries["users"].expired(found.now))

        found = [finding for finding in examine(workspace).findings if finding.check != "warehouse"]
        findings = [(finding.check, finding.where) for finding in found]

        assert store.peek(Identity("test", "shop")).entries == before.entries
    assert findings == [
        ("overdue-changes", "orders"),
        ("overdue-changes", "users"),
        ("parked-changes", "ghost"),
        ("expired-leases", "users"),
    ]


def wait_for(store, ready):
    """The ledger once ``ready`` is true of it; the store's clock cannot be set."""
    while not ready(found := store.peek(Identity("test", "shop"))):
        pass
    return found


def test_the_document_names_every_check_in_order_and_why_it_was_not_made(shop):
    document = look(shop).as_dict()

    assert list(document) == ["findings", "checks"]
    assert tuple(check["check"] for check in document["checks"]) == CHECKS
    left_out = {check["check"] for check in document["checks"] if check["why_not"] == "not asked: give --airflow"}
    assert left_out == set(AIRFLOW)
    assert [check.name for check in ALL] == list(CHECKS)
    assert [list(finding) for finding in document["findings"]] == [["check", "severity", "where", "what", "remedy"]]
