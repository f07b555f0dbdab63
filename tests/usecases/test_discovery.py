"""Tables that patterns find: they come and go with the database, and nothing else about them is different."""

from __future__ import annotations

import json
from time import sleep

import pytest

from profilemesh_airflow.core.plan import METRICS
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ConfigError, UnknownTableError, WarehouseError
from profilemesh_airflow.usecases.lock import lock_of, lock_path, renew_lock, unlocked_tables
from profilemesh_airflow.usecases.planning import build_plan, detect, offline_plan
from profilemesh_airflow.usecases.profile import Worker, profile_change
from profilemesh_airflow.usecases.replay import replay
from profilemesh_airflow.usecases.status import table_states
from tests.manifest import node


@pytest.fixture
def lake(shop):
    """The shop, whose tables nobody lists."""
    shop.configure({"table": "*"})
    return shop


def planned(project):
    with project.open() as workspace:
        return [entry.key for entry in build_plan(workspace).entries]


def test_a_star_plans_every_table_of_the_default_schema_by_name(lake):
    assert planned(lake) == ["items", "orders", "users"]


def test_a_new_table_is_added_and_a_dropped_one_removed(lake):
    lake.refresh()
    lake.profile(changed_only=True)
    assert lake.detect() == {}

    lake.sql("CREATE TABLE parcels (id INTEGER PRIMARY KEY)", "DROP TABLE users")

    with lake.open() as workspace:
        found = detect(workspace).diff
    assert [(change.key, change.reasons[0].kind) for change in found.changes] == [("parcels", "added")]
    assert [ref.key for ref in found.removed] == ["users"]
    assert lake.refresh() == ["parcels"]


def test_a_listing_that_fails_removes_nothing(lake):
    lake.profile()
    before = lake.digest()
    content = lake.source.read_bytes()
    lake.source.unlink()

    with pytest.raises(WarehouseError):
        lake.refresh()
    assert lake.digest() == before

    lake.source.write_bytes(content)
    assert lake.detect() == {}


def test_an_entry_of_its_own_beats_a_pattern_whatever_its_spelling(lake):
    lake.configure({"schema": "main", "table": "*", "metrics": ["count"]}, {"table": "ORDERS", "metrics": ["max"]})

    with lake.open() as workspace:
        plan = build_plan(workspace)
    assert {entry.key: entry.settings.metrics for entry in plan.entries} == {
        "main.items": ("count",),
        "main.users": ("count",),
        "ORDERS": ("max",),
    }


def test_the_options_of_a_pattern_hold_for_what_it_finds(lake):
    lake.configure(
        {"table": "*", "metrics": ["count"], "priority": 2, "timeout": "1h"},
        {"pattern": "^u", "pattern_type": "regex", "metrics": ["min"]},
    )
    with lake.open() as workspace:
        assert {ref.key: workspace.settings[ref].metrics for ref in map(TableRef, ("orders", "users"))} == {
            "orders": ("count",),
            "users": ("min",),
        }
        assert workspace.care[TableRef("items")].priority == 2
        assert [entry.priority for entry in build_plan(workspace).entries] == [2, 2, 0]


def test_views_are_found_on_request_and_have_the_options_of_their_own_pattern(lake):
    lake.sql("CREATE VIEW rich AS SELECT * FROM orders WHERE amount > 8")
    lake.configure({"table": "*", "metrics": ["count"]}, {"pattern": "*", "table_types": ["view"]})

    outcomes = lake.profile()

    assert {key: outcome.profile.row_count for key, outcome in outcomes.items()} == {
        "items": 1,
        "orders": 3,
        "users": 2,
        "rich": 1,
    }
    with lake.open() as workspace:
        assert workspace.tables.entry_of(TableRef("rich")) == 0  # by its name alone
        plan = build_plan(workspace)
        assert workspace.tables.entry_of(TableRef("rich")) == 1
    assert plan.by_key["rich"].settings.metrics == METRICS


def test_excluded_tables_schemas_and_types_are_not_found(lake):
    lake.configure({"select_all_schemas": True, "exclude_patterns": ["o*", "users"]})
    assert planned(lake) == ["main.items"]
    lake.configure("items", {"select_all_schemas": True, "exclude_schemas": ["ma*"]})
    assert planned(lake) == ["items"]
    lake.configure(
        "items",
        {"select_schema": True, "schema": "main"},
        profiling={"discovery_options": {"exclude_schemas": ["main"]}},
    )
    assert planned(lake) == ["items"]


def test_a_pattern_that_finds_nothing_is_a_warning_of_the_plan(lake):
    lake.configure("orders", {"schema": "main", "pattern": "z*"})

    with lake.open() as workspace:
        (warning,) = build_plan(workspace).warnings
    assert warning == (
        f"profiling.tables: no table in sqlite file {lake.source} is found by the entry with "
        "schema: 'main', pattern: 'z*'"
    )


def test_the_packages_own_tables_are_not_found(lake):
    lake.sections["storage"]["connection"]["filepath"] = str(lake.source)
    lake.sections["storage"]["runs_table"] = "pm_runs"
    lake.configure({"table": "*"})
    lake.profile()
    lake.sql("CREATE TABLE pm_visits (id INTEGER PRIMARY KEY)")

    assert planned(lake) == ["items", "orders", "pm_visits", "users"]


def test_a_worker_asks_about_its_own_table_alone(lake, monkeypatch):
    lake.refresh()

    with lake.open() as workspace:
        monkeypatch.setattr(workspace.warehouse, "tables", None)
        outcome = profile_change(workspace, TableRef("users"), Worker("test"))
    assert outcome.profile.row_count == 2


def test_a_table_that_is_dropped_before_its_worker_comes_fails_by_that_name(lake):
    lake.refresh()
    lake.sql("DROP TABLE users")

    with lake.open() as workspace:
        outcome = profile_change(workspace, TableRef("users"), Worker("test"))
    assert outcome.error_type == "TableMissingError"
    assert "users" not in lake.refresh()
    assert "users" not in planned(lake)


def test_a_table_that_was_never_seen_can_be_named(lake):
    assert list(lake.profile("users")) == ["users"]
    with pytest.raises(UnknownTableError, match="did you mean users"):
        lake.profile("user")


def test_status_and_replay_know_what_was_found_so_far_and_ask_no_database(lake):
    lake.profile("users", "items")
    lake.configure("ghost", {"table": "*"})
    lake.source.unlink()

    with lake.open() as workspace:
        assert [(state.ref.key, state.state) for state in table_states(workspace)] == [
            ("ghost", "open"),
            ("items", "current"),
            ("users", "current"),
        ]
        reopened, _ = replay(workspace, ["users"])
    assert [outcome.ref.key for outcome in reopened] == ["users"]


def test_offline_only_listed_tables_are_known_and_the_plan_says_so(lake):
    lake.configure("orders", {"table": "*"})

    with lake.open() as workspace:
        plan = offline_plan(workspace)
    assert [entry.key for entry in plan.entries] == ["orders"]
    assert "plan --lock" in plan.warnings[0]


def test_force_without_names_is_about_every_table_that_is_found(lake):
    lake.profile()

    assert lake.detect(force=True) == {key: ["forced"] for key in ("items", "orders", "users")}


def test_a_refresh_warns_of_tables_that_the_lock_does_not_have(lake):
    with lake.open() as workspace:
        plan = build_plan(workspace)
        assert unlocked_tables(workspace.config, plan.refs) is None

        renew_lock(lock_of(workspace.config.model, plan), lock_path(lake.config))
        assert unlocked_tables(workspace.config, plan.refs) is None

        lake.sql("CREATE TABLE parcels (id INTEGER)")
        warning = unlocked_tables(workspace.config, build_plan(workspace).refs)
    assert warning.startswith(f"1 table(s) are not in {lake.folder}/config.lock.json, ")
    assert ": parcels; run `profilemesh-airflow plan --lock" in warning


def test_a_table_of_unknown_version_has_its_own_patience(shop):
    shop.sql("CREATE VIEW rich AS SELECT * FROM orders", "CREATE VIEW poor AS SELECT * FROM orders")
    shop.configure({"table": "rich", "profile_after": "1s"}, {"table": "poor", "profile_after": "9d"})
    shop.profile()
    sleep(1.1)

    assert shop.detect() == {"rich": ["stale"]}


def test_a_watermark_says_when_a_table_changed(shop):
    shop.configure({"table": "orders", "watermark": "id"}, {"table": "users", "version_query": "SELECT 'v1'"})
    shop.profile()
    shop.sql("UPDATE orders SET amount = 0 WHERE id = 1", "INSERT INTO users VALUES (9, 'Eve')")
    assert shop.detect() == {}

    shop.sql("INSERT INTO orders VALUES (10, 1, 'c')")
    with shop.open() as workspace:
        (change,) = detect(workspace).diff.changes
    assert [str(reason) for reason in change.reasons] == ["data: version watermark id=3 -> watermark id=10"]


@pytest.fixture
def pond(project):
    """A DuckDB file: its catalog knows numbers of rows, and comments."""
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("duckdb_engine")
    file = project.folder / "pond.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE big AS SELECT i AS id FROM range(1000) AS g(i)")
        connection.execute("CREATE TABLE small AS SELECT 1 AS id, 'a' AS note")
        connection.execute("CREATE VIEW seen AS SELECT * FROM big")
        connection.execute("COMMENT ON TABLE small IS 'The few. Tags: critical, daily'")
    project.sections["source"] = {"name": "pond", "type": "duckdb", "filepath": str(file)}
    return project


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"min_rows": 2}, ["big"]),
        ({"max_rows": 999}, ["small"]),
        ({"required_columns": ["id", "note"]}, ["small"]),
        ({"required_columns": ["ID"]}, []),
        ({"tags": ["critical", "daily"]}, ["small"]),
        ({"tags": ["critical", "hourly"]}, []),
        ({"tags_any": ["hourly", "daily"]}, ["small"]),
    ],
)
def test_a_pattern_finds_the_tables_that_fulfil_its_conditions(pond, conditions, found):
    pond.configure({"table": "*", **conditions})

    assert planned(pond) == found


def test_a_table_that_a_condition_excludes_is_treated_as_the_next_pattern_says(pond):
    pond.configure({"pattern": "*", "min_rows": 100, "metrics": ["max"]}, {"pattern": "*", "metrics": ["min"]})
    pond.profile()

    assert pond.detect() == {}
    with pond.open() as workspace:
        plan = build_plan(workspace)
    assert {key: entry.settings.metrics for key, entry in plan.by_key.items()} == {"big": ("max",), "small": ("min",)}
    with pond.open() as worker:  # it does not list the tables, and judges alike
        (entry,) = build_plan(worker, [TableRef("small")]).entries
    assert entry.settings.metrics == ("min",)


def test_a_table_that_no_longer_fulfils_a_condition_is_removed(pond):
    pond.configure({"table": "*", "min_rows": 100})
    pond.profile()
    pond.configure({"table": "*", "min_rows": 5000})

    with pond.open() as workspace:
        assert [ref.key for ref in detect(workspace).diff.removed] == ["big"]


def test_what_a_database_does_not_tell_leaves_tables_out_with_a_warning(lake):
    lake.configure({"pattern": "*", "min_rows": 2, "tags": ["a"]}, {"pattern": "o*", "modified_since_days": 7})

    with lake.open() as workspace:
        plan = build_plan(workspace)
    assert plan.entries == ()
    rows, age = sorted(plan.warnings, key=len, reverse=True)
    assert rows.endswith(
        "does not tell the number of rows and tags of items, orders, users, so that the entry with pattern: '*', "
        "min_rows: 2, tags: [a] leaves them out; list them by name, or remove the condition"
    )
    assert "does not tell the time of the last change of orders, so that the entry with pattern: 'o*'" in age


@pytest.fixture
def manifest(pond):
    file = pond.folder / "manifest.json"
    nodes = [node("big"), node("seen", config={"materialized": "view"}), node("few", alias="small", tags=["daily"])]
    file.write_text(json.dumps({"nodes": {each["name"]: each for each in nodes}}))
    return file


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"dbt_ref": "few"}, ["main.small"]),
        ({"dbt_ref": "seen"}, ["main.seen"]),
        ({"dbt_selector": "tag:daily big"}, ["main.big", "main.small"]),
        ({"dbt_selector": "path:models"}, ["main.big", "main.small"]),
        ({"dbt_selector": "path:models", "table_types": ["view"]}, ["main.seen"]),
        ({"dbt_selector": "*", "min_rows": 2}, ["main.big"]),
        ({"dbt_ref": "gone"}, []),
    ],
)
def test_models_of_dbt_are_found_by_the_names_that_their_tables_have(pond, manifest, entry, found):
    pond.configure({**entry, "dbt_manifest_path": "manifest.json"})

    assert planned(pond) == found


def test_a_worker_knows_the_entry_of_a_model(pond, manifest):
    pond.configure({"dbt_selector": "*", "dbt_manifest_path": "manifest.json", "metrics": ["max"]})

    assert set(pond.profile()) == {"main.big", "main.small"}
    assert pond.detect() == {}


def test_tags_of_dbt_are_those_of_the_model(pond, manifest):
    pond.sections["profiling"] = {"discovery_options": {"tag_provider": "dbt", "dbt_manifest_path": str(manifest)}}
    pond.configure({"table": "*", "tags": ["daily"]})

    assert planned(pond) == ["small"]


def test_a_manifest_that_is_gone_fails_the_refresh_and_removes_nothing(pond, manifest):
    pond.configure({"dbt_selector": "*", "dbt_manifest_path": "manifest.json"})
    pond.profile()
    before = pond.digest()
    content = manifest.read_text()
    manifest.unlink()

    with pytest.raises(ConfigError, match="run `dbt parse`"):
        pond.refresh()
    assert pond.digest() == before

    manifest.write_text(content)
    assert pond.detect() == {}
