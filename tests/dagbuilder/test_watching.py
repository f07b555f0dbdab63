"""When the refresh runs, and that a broken configuration takes no DAG away."""

from __future__ import annotations

import pytest
import yaml

from profilemesh_airflow import build_plan_refresh_dag, build_profilemesh_dags
from profilemesh_airflow.compat.capabilities import DATASETS, WATCHERS
from tests.capable import lacks, needs
from tests.dagbuilder.parsed import assets_of, awaited, cron_of

pytestmark = needs(DATASETS)

CONFIG = "profilemesh://prod/shop/config"


def refresh_dag(tmp_path, **airflow):
    return build_plan_refresh_dag(write(tmp_path, airflow))


def write(tmp_path, airflow):
    path = tmp_path / "config.yml"
    source = {"name": "shop", "type": "sqlite", "filepath": "shop.db"}
    tables = [{"table": "orders"}, {"table": "users"}]
    sections = {"environment": "prod", "source": source, "profiling": {"tables": tables}, "airflow": airflow}
    path.write_text(yaml.safe_dump(sections))
    return path


@needs(WATCHERS)
def test_the_refresh_runs_when_the_configuration_is_edited(tmp_path):
    dag = refresh_dag(tmp_path, watch={"debounce": "3s", "observer": "polling"})

    assert (awaited(dag), cron_of(dag)) == ([CONFIG], None)
    (asset,) = assets_of(dag)
    (watcher,) = asset.watchers
    path, arguments = watcher.trigger.serialize() if hasattr(watcher.trigger, "serialize") else watcher.trigger
    assert path == "profilemesh_airflow.triggers.config_file.ConfigFileTrigger"
    assert arguments == {
        "config_path": str(tmp_path / "config.yml"),
        "debounce": 3.0,
        "observer": "polling",
        "interval": 5.0,
    }
    assert asset.name == asset.uri


@needs(WATCHERS)
@pytest.mark.parametrize("cron", ["*/10 * * * *", "@hourly"])
def test_or_when_its_schedule_says_so(tmp_path, cron):
    dag = refresh_dag(tmp_path, refresh_schedule=cron)

    assert awaited(dag) == [CONFIG]
    assert cron_of(dag) == {"@hourly": "0 * * * *"}.get(cron, cron)


@needs(WATCHERS)
@pytest.mark.parametrize("schedule", ["@continuous", "@once"])
def test_what_is_no_time_stands_alone(tmp_path, schedule):
    assert cron_of(refresh_dag(tmp_path, refresh_schedule=schedule, max_attempts=3)) == schedule


def test_where_nobody_watches_it_is_the_schedule_alone(tmp_path):
    dag = refresh_dag(tmp_path, refresh_schedule="*/10 * * * *", watch={"enabled": False})
    assert cron_of(dag) == "*/10 * * * *"


@lacks(WATCHERS)
def test_an_older_airflow_keeps_to_the_schedule(tmp_path):
    assert cron_of(refresh_dag(tmp_path, refresh_schedule="*/10 * * * *")) == "*/10 * * * *"


def test_exactly_one_dag_produces_the_plan_asset(tmp_path):
    dags = build_profilemesh_dags(write(tmp_path, {}))

    outlets = {
        (dag.dag_id, getattr(outlet, "uri", None))
        for dag in dags.values()
        for task in dag.tasks
        for outlet in task.outlets
    }
    assert [dag_id for dag_id, uri in outlets if uri == "profilemesh://prod/shop/plan"] == ["profilemesh_plan_refresh"]
    assert not any(uri == CONFIG for _, uri in outlets)


def test_a_broken_configuration_takes_no_dag_away_and_is_seen_by_a_tag(tmp_path):
    path = write(tmp_path, {})
    before = build_profilemesh_dags(path)
    good = path.read_text()
    path.write_text("environment: [")

    during = build_profilemesh_dags(path)
    assert list(during) == list(before)
    assert all("broken configuration" in dag.tags for dag in during.values())

    path.write_text(good)
    assert not any("broken configuration" in dag.tags for dag in build_profilemesh_dags(path).values())
