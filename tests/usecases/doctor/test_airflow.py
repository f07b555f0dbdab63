from __future__ import annotations

import pytest

from profilemesh_airflow.airflow_api import AirflowApi
from profilemesh_airflow.usecases.doctor import examine
from tests.stub_airflow import StubAirflow
from tests.usecases.doctor.conftest import REFRESH, consumer

CHANGE = "profilemesh://test/shop/change/"


@pytest.fixture
def look(shop, airflow):
    """Examine: the findings about Airflow, each as check, severity, where and what."""

    def examined(airflow=airflow):
        with shop.open() as workspace, AirflowApi(airflow.url, "admin", "right") as api:
            return examine(workspace, api)

    def found(airflow=airflow):
        mine = [finding for finding in examined(airflow).findings if finding.check not in ("store", "warehouse")]
        return [(finding.check, finding.severity, finding.where, finding.what) for finding in mine]

    found.examined = examined
    return found


def dag(airflow, dag_id):
    return next(each for each in airflow.dags if each["dag_id"] == dag_id)


def remedies(diagnosis, check):
    return [finding.remedy for finding in diagnosis.findings if finding.check == check]


def test_where_every_table_has_its_dag_nothing_is_found_and_few_questions_are_asked(shop, airflow, look):
    shop.refresh()

    diagnosis = look.examined()

    assert (diagnosis.findings, diagnosis.not_checked) == ([], {})
    assert airflow.asked == [
        "GET /api/v2/version",
        "GET /api/v2/monitor/health",
        "POST /auth/token",
        "GET /api/v2/assets",
        "GET /api/v2/version",
        "GET /api/v2/providers",
        *["GET /api/v2/config"] * 3,
        "GET /api/v2/dags",
        "GET /api/v2/dags",
        *["GET /api/v2/assets"] * 2,
        "GET /api/v2/importErrors",
    ]


def test_a_paused_consumer_is_an_error_while_a_change_waits_and_is_nobodys_business_else(shop, airflow, look):
    dag(airflow, consumer("users"))["is_paused"] = True
    shop.refresh(["orders"])
    assert look() == []

    shop.refresh()
    assert look() == [("consumers", "error", "users", f"a change waits, and {consumer('users')} is paused")]
    assert remedies(look.examined(), "consumers") == [
        f"run `airflow dags unpause {consumer('users')}`; the next refresh rings again"
    ]


def test_a_paused_consumer_is_no_finding_while_another_hears_the_same_doorbell(shop, airflow, look):
    shop.refresh()
    dag(airflow, consumer("users"))["is_paused"] = True
    airflow.add_dag("ours")
    airflow.assets[1]["scheduled_dags"].append({"dag_id": "ours"})

    assert look() == []


def test_a_change_that_a_worker_is_at_waits_for_nobody(shop, airflow, look):
    shop.refresh()
    dag(airflow, consumer("users"))["is_paused"] = True
    with shop.open() as workspace:
        workspace.ledger.claim("users", "somebody")

    assert look() == []


def test_a_table_whose_asset_nobody_listens_to_is_a_warning_and_an_error_once_a_change_waits(shop, airflow, look):
    airflow.assets[2]["scheduled_dags"] = []

    assert look() == [("consumers", "warning", "items", f"no DAG is scheduled on {CHANGE}items")]
    shop.refresh()
    assert look() == [("consumers", "error", "items", f"a change waits, and no DAG is scheduled on {CHANGE}items")]


def test_a_table_whose_asset_airflow_does_not_know_has_no_consumer_either(airflow, look):
    del airflow.assets[2]

    assert look() == [("consumers", "warning", "items", f"no DAG is scheduled on {CHANGE}items")]


def test_a_consumer_that_is_gone_is_told_by_its_name(shop, airflow, look):
    dag(airflow, consumer("items"))["is_stale"] = True
    shop.refresh(["items"])

    assert look() == [("consumers", "error", "items", f"a change waits, and its DAG {consumer('items')} is gone")]


def test_an_airflow_with_no_dag_of_this_configuration_is_one_finding_and_not_one_a_table(shop, airflow, look):
    shop.refresh(["orders", "users"])
    for asset in airflow.assets:
        asset["uri"] = asset["uri"].replace("//test/", "//production/")

    (refresh, consumers) = look()

    assert refresh == ("refresh-dag", "error", CHANGE, "no DAG publishes these assets: no change is found or rung for")
    assert consumers == (
        "consumers",
        "error",
        CHANGE,
        "no DAG is scheduled on the asset of any of 3 tables; a change waits for 2 of them",
    )


def test_an_airflow_whose_every_consumer_is_gone_is_one_finding_and_not_one_a_table(airflow, look):
    for table in ("orders", "users", "items"):
        dag(airflow, consumer(table))["is_stale"] = True
    assert look() == [("consumers", "error", CHANGE, "the DAGs of all 3 tables are gone")]

    airflow.assets[0]["scheduled_dags"] = []
    assert look() == [("consumers", "error", CHANGE, "no DAG is scheduled on the asset of any of 3 tables")]


def test_a_paused_refresh_is_an_error(airflow, look):
    dag(airflow, REFRESH)["is_paused"] = True

    assert look() == [("refresh-dag", "error", REFRESH, "it is paused: no change is found or rung for")]
    assert remedies(look.examined(), "refresh-dag") == [f"run `airflow dags unpause {REFRESH}`"]


def test_one_refresh_of_several_that_runs_is_enough(airflow, look):
    airflow.assets[0]["producing_tasks"].append({"dag_id": "by_hand", "task_id": "ring"})
    airflow.add_dag("by_hand", is_paused=True)
    assert look() == []

    dag(airflow, REFRESH)["is_paused"] = True
    assert [where for _, _, where, _ in look()] == [f"by_hand, {REFRESH}"]


def test_a_refresh_whose_file_is_gone_is_an_error(airflow, look):
    dag(airflow, REFRESH)["is_stale"] = True

    assert look() == [("refresh-dag", "error", REFRESH, "it is gone: no change is found or rung for")]


def test_a_refresh_that_declares_no_outlets_is_known_by_the_last_doorbell(airflow, look):
    for asset in airflow.assets:
        asset["producing_tasks"] = []
    assert [check for check, *_ in look()] == ["refresh-dag"]

    airflow.add_event(f"{CHANGE}orders", REFRESH)
    assert look() == []

    dag(airflow, REFRESH)["is_paused"] = True
    assert [what for *_, what in look()] == ["it is paused: no change is found or rung for"]


@pytest.mark.parametrize(
    ("uri", "source"),
    [("profilemesh://TEST/shop/change/orders", "another"), (f"{CHANGE}orders", None), (None, "another")],
)
def test_an_event_of_somebody_elses_tells_of_no_refresh(airflow, look, uri, source):
    for asset in airflow.assets:
        asset["producing_tasks"] = []
    airflow.add_event(uri, source)

    assert [what for *_, what in look()] == ["no DAG publishes these assets: no change is found or rung for"]


ANOTHER = {"filename": "finance.py", "stack_trace": "Traceback:\nOSError: no postgresql://ann:hunter2@db/x\n"}
OURS = {
    "filename": "tables.py",
    "stack_trace": 'Traceback:\n  File "/site/profilemesh_airflow/config/loader.py"\nConfigError: no file config.yml\n',
}


@pytest.mark.parametrize(
    ("error", "file", "reason"),
    [
        ({}, "profilemesh_tables.py", "ModuleNotFoundError: No module named 'nonexistent_module'"),
        (OURS, "tables.py", "ConfigError: no file config.yml"),
    ],
)
def test_a_file_that_names_this_package_and_cannot_be_imported_is_an_error(airflow, look, error, file, reason):
    airflow.add_import_error(**error)
    airflow.add_import_error(**ANOTHER)

    assert look() == [("import-errors", "error", file, f"it cannot be imported: {reason}")]


def test_where_a_dag_is_missed_every_file_that_cannot_be_imported_may_be_the_reason(airflow, look):
    airflow.add_import_error(**ANOTHER)
    dag(airflow, consumer("items"))["is_stale"] = True

    assert look()[1:] == [
        ("import-errors", "warning", "finance.py", "it cannot be imported: OSError: no postgresql://***@db/x")
    ]


@pytest.mark.parametrize(
    ("part", "status", "what"),
    [
        ("scheduler", {"status": "unhealthy"}, "the scheduler is unhealthy"),
        ("dag_processor", None, "the dag_processor is not running"),
        ("metadatabase", {"status": "unhealthy"}, "the metadatabase is unhealthy"),
    ],
)
def test_a_part_of_airflow_that_does_not_work_is_an_error(airflow, look, part, status, what):
    airflow.parts[part] = status

    assert look() == [("airflow", "error", airflow.url, what)]


def test_without_a_triggerer_what_waits_for_an_event_waits(airflow, look):
    airflow.parts["triggerer"] = None

    what = "an edit of the configuration starts no refresh, and tasks that wait go on waiting"
    assert look() == [("airflow", "warning", airflow.url, f"the triggerer is not running: {what}")]


def test_what_needs_no_login_is_told_though_the_login_is_wrong(shop, airflow):
    airflow.parts["scheduler"] = {"status": "unhealthy"}
    with shop.open() as workspace, AirflowApi(airflow.url, "admin", "mistaken") as api:
        found = [finding.what for finding in examine(workspace, api).findings if finding.check == "airflow"]

    assert found == ["the scheduler is unhealthy", f"logging in at {airflow.url} as admin: 401"]


def test_an_airflow_that_cannot_be_asked_is_one_finding_and_passes_no_other_check(shop, airflow):
    with shop.open() as workspace, AirflowApi(airflow.url, "admin", "mistaken") as api:
        diagnosis = examine(workspace, api)

    (finding,) = [finding for finding in diagnosis.findings if finding.check == "airflow"]
    assert finding.what == f"logging in at {airflow.url} as admin: 401"
    assert finding.remedy == "check user name and password"
    assert diagnosis.checked[-2:] == ["airflow", "clocks"]
    assert diagnosis.not_checked == dict.fromkeys(
        ("provider", "airflow-settings", "refresh-dag", "consumers", "stale-dags", "assets", "import-errors"),
        "Airflow cannot be asked",
    )


def test_what_the_user_may_not_see_is_a_finding_and_not_passed(airflow, look):
    airflow.canned["/api/v2/importErrors"] = (403, {}, b'{"detail": "Forbidden"}')

    ((check, severity, _, what),) = look()

    assert (check, severity) == ("import-errors", "error")
    assert what.endswith("/api/v2/importErrors: 403 Forbidden")
    assert look.examined().not_checked == {"import-errors": "it cannot be asked for"}


def test_without_the_store_nobody_can_say_what_waits(shop, airflow, look):
    shop.refresh()
    shop.store.write_bytes(b"not a database")

    diagnosis = look.examined()

    assert [finding.check for finding in diagnosis.findings] == ["store"]
    assert diagnosis.not_checked == dict.fromkeys(
        ("overdue-changes", "parked-changes", "expired-leases", "event-hooks", "consumers"), "the store cannot be read"
    )
    assert diagnosis.checked[-4:] == ["refresh-dag", "stale-dags", "assets", "import-errors"]


def test_many_tables_are_a_page_of_assets_and_one_of_dags_for_every_hundred(shop, airflow, look):
    names = [f"t{number:05}" for number in range(300)]
    shop.configure(*names, airflow={"budget": {"tables": 100}})
    airflow.assets.clear()
    for name in names:
        airflow.add_dag(consumer(name))
        airflow.add_asset(f"{CHANGE}{name}", scheduled=(consumer(name),), producers=(REFRESH,))

    assert look() == []
    assert [airflow.asked.count(f"GET /api/v2/{each}") for each in ("assets", "dags", "importErrors")] == [5, 4, 1]


def test_an_airflow_2_is_told(shop):
    with StubAirflow() as airflow, shop.open() as workspace, AirflowApi(airflow.url, "admin", "right") as api:
        airflow.canned["/api/v2/version"] = (404, {}, b"")
        airflow.canned["/api/v1/version"] = (200, {}, b'{"version": "2.11.2"}')
        (finding,) = [finding for finding in examine(workspace, api).findings if finding.check == "airflow"]

    assert finding.what == f"{airflow.url} is an Airflow 2.11.2, and only the REST API of Airflow 3 is supported"
    assert finding.remedy == "look at this one in its web UI"
