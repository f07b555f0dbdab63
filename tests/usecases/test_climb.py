"""No more of a table is read than has to be, and the run says how much and why."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.merge import MERGEABLE
from profilemesh_airflow.core.plan import METRICS
from profilemesh_airflow.usecases.outcome import Profiled, Skipped
from profilemesh_airflow.usecases.settings import rules_of
from profilemesh_airflow.usecases.status import table_states
from tests.sent import statements_sent

ON = {"enabled": True}


@pytest.fixture
def statements():
    """What is sent while a test runs."""
    with statements_sent() as sent:
        yield sent


def reading(statements, table="orders"):
    """The statements that read rows of the profiled table."""
    return [each for each in statements if f'FROM "{table}" AS t' in each]


def only(outcomes):
    (outcome,) = outcomes.values()
    return outcome


def run_of(project, key="orders"):
    """The run as it is stored."""
    with project.open() as workspace:
        return workspace.results.runs(key)[0]


def metrics_of(project, key="orders"):
    with project.open() as workspace:
        return {column.name: column.metrics for column in workspace.results.latest(key).columns}


def settle(project, table="orders", **incremental):
    """Configure one table, and profile it."""
    entry = table if isinstance(table, dict) else {"table": table}
    project.configure(entry, incremental={**ON, **incremental})
    outcome = only(project.profile(changed_only=True))
    assert isinstance(outcome, Profiled)
    return outcome


def test_a_table_that_was_never_profiled_is_read_as_a_whole(shop):
    profile = settle(shop).profile
    assert (profile.rung, profile.rung_reason) == ("full", "there is no profile to build on")
    run = run_of(shop)
    assert (run.rung, run.rung_reason, run.rows_of) == ("full", "there is no profile to build on", "table")
    assert (run.queries, run.rows_scanned) == (profile.queries, profile.rows_scanned)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_new_column_alone_is_profiled_if_that_is_enabled(shop, statements, enabled):
    before = settle(shop, enabled=enabled).profile
    shop.sql("ALTER TABLE orders ADD COLUMN new TEXT", "ALTER TABLE orders DROP COLUMN note")
    statements.clear()

    outcome = only(shop.profile(changed_only=True))

    after = outcome.profile
    assert [column.name for column in after.columns] == ["id", "amount", "new"]
    assert after.columns[:2] == before.columns[:2]
    assert after.columns[2].metrics["null_count"] == after.row_count == 3
    if enabled:
        sent = reading(statements)
        assert not any('t."amount"' in each or 't."id"' in each for each in sent)
        assert after.rung == "metadata"
        assert after.rung_reason == "its columns changed, its rows did not: only new profiled, 2 columns as before"
    else:
        assert (after.rung, after.rung_reason) == ("full", "incremental profiling is off")
    assert shop.refresh() == []


def test_a_dropped_column_costs_nothing(shop, statements):
    settle(shop)
    shop.sql("ALTER TABLE orders DROP COLUMN note")
    statements.clear()
    profile = only(shop.profile(changed_only=True)).profile
    assert ([column.name for column in profile.columns], profile.row_count) == (["id", "amount"], 3)
    assert (profile.rung, profile.queries, reading(statements)) == ("metadata", 0, [])


def test_another_drift_threshold_changes_no_metric_and_reads_nothing(shop, statements):
    before = settle(shop).profile
    shop.configure("orders", drift_detection={"absolute_threshold": {"low_threshold": 1}})
    statements.clear()
    outcome = only(shop.profile(changed_only=True))
    assert {reason.field for reason in outcome.reasons} == {"drift"}
    assert (outcome.profile.rung, outcome.profile.columns) == ("nothing", before.columns)
    assert reading(statements) == []
    assert shop.refresh() == []


def test_whoever_asks_gets_everything_read_anew(shop):
    settle(shop)
    profile = only(shop.profile()).profile
    assert (profile.rung, profile.rung_reason) == ("full", "somebody asked for it")


def test_other_settings_are_other_metrics(shop):
    settle(shop)
    shop.configure({"table": "orders", "metrics": ["count", "mean"]})
    profile = only(shop.profile(changed_only=True)).profile
    assert (profile.rung, profile.rung_reason) == ("full", "its settings changed: metrics, histogram_bins")


DAYS = {"table": "days", "partition": {"key": "day"}, "metrics": list(MERGEABLE)}


@pytest.fixture
def days(project):
    """A table of four days, with three rows each."""
    project.sql("CREATE TABLE days (id INTEGER PRIMARY KEY, day DATE, amount REAL, note TEXT)")
    rows = [f"({n}, '2024-01-0{n % 4 + 1}', {n}.5, 'note {n}')" for n in range(12)]
    project.sql(f"INSERT INTO days VALUES {', '.join(rows)}")
    return project


def test_only_changed_partitions_are_read_and_merged_with_the_others(days, statements):
    assert settle(days, DAYS).profile.rung == "full"
    days.sql("INSERT INTO days VALUES (100, '2024-01-02', 1000, NULL), (101, '2024-01-05', -5, 'x')")
    statements.clear()

    profile = only(days.profile(changed_only=True)).profile

    assert (profile.rung, profile.rows_of, profile.row_count) == ("partitions", "table", 14)
    assert profile.rung_reason == "2 of 5 partitions by day changed"
    listing, *states = reading(statements, "days")
    assert "WHERE" not in listing
    assert states
    assert all('WHERE t."day" IN (?, ?)' in each for each in states)
    assert profile.rows_scanned == 14 + 5 * len(states)
    merged = metrics_of(days, "days")
    assert run_of(days, "days").rung == "partitions"
    days.profile()
    whole = metrics_of(days, "days")
    assert run_of(days, "days").rung == "full"
    for column, metrics in whole.items():
        assert merged[column] == {
            name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            for name, value in metrics.items()
        }


def metrics_by_name(profile):
    return {column.name: column.metrics for column in profile.columns}


def test_what_was_merged_is_built_on_again(days):
    settle(days, DAYS)
    for number in range(3):
        days.sql(f"INSERT INTO days VALUES (10{number}, '2024-01-0{number + 1}', {number}, NULL)")
        profile = only(days.profile(changed_only=True)).profile
        assert (profile.rung, profile.row_count) == ("partitions", 13 + number)
        assert profile.rung_reason == "1 of 4 partitions by day changed"
    assert metrics_by_name(profile)["amount"]["max"] == 11.5


def test_a_partition_that_is_gone_is_gone_from_the_metrics(days, statements):
    settle(days, DAYS)
    days.sql("DELETE FROM days WHERE day = '2024-01-04'")
    statements.clear()
    profile = only(days.profile(changed_only=True)).profile
    assert (profile.rung, profile.row_count) == ("partitions", 9)
    assert metrics_by_name(profile)["day"]["max"] == "2024-01-03"
    assert len(reading(statements, "days")) == 1


def test_a_full_profile_that_kept_no_states_is_not_built_on(days):
    settle(days, DAYS)
    days.sql("INSERT INTO days VALUES (100, '2024-01-02', 1, NULL)")
    assert settle(days, DAYS, partial_profiling={"enabled": False}).profile.rung == "full"
    days.sql("INSERT INTO days VALUES (101, '2024-01-03', 1, NULL)")
    assert settle(days, DAYS).profile.rung == "full"
    days.sql("INSERT INTO days VALUES (102, '2024-01-03', 1, NULL)")
    assert settle(days, DAYS).profile.rung == "partitions"


def test_metrics_that_cannot_be_merged_are_refreshed_unless_they_may_be_absent(days):
    table = {**DAYS, "metrics": list(METRICS)}
    settle(days, table)
    days.sql("INSERT INTO days VALUES (100, '2024-01-02', 1, NULL)")
    profile = settle(days, table).profile
    assert (profile.rung, metrics_by_name(profile)["amount"]["distinct_count"]) == ("full", 13)

    days.sql("INSERT INTO days VALUES (101, '2024-01-02', 2, NULL)")
    settle(days, table, partial_profiling={"other_metrics": "absent"})
    days.sql("INSERT INTO days VALUES (102, '2024-01-02', 3, NULL)")
    profile = settle(days, table, partial_profiling={"other_metrics": "absent"}).profile
    assert profile.rung == "partitions"
    assert "left out, as they cannot be merged: distinct_count, distinct_percent, histogram" in profile.rung_reason
    assert list(metrics_by_name(profile)["amount"]) == list(MERGEABLE)


def test_a_table_that_nothing_divides_is_read_as_a_whole(shop):
    shop.sql("CREATE VIEW v AS SELECT * FROM orders")
    profile = settle(shop, {"table": "v", "partition": {"key": "id"}, "metrics": ["count"]}).profile
    assert (profile.rung, profile.rung_reason) == (
        "full",
        "there is no profile to build on; which partitions by id cannot be told",
    )


class TestCosts:
    """SQLite's catalog estimates nothing, so here PostgreSQL is asked."""

    @pytest.fixture
    def large(self, project, postgres_url):
        url = make_url(postgres_url)
        place = {"host": url.host or url.query.get("host"), "port": url.port, "database": url.database}
        login = {"username": url.username, "password": url.password}
        schema = f"climb_{uuid4().hex[:12]}"
        project.connections["warehouse"] = ConnectionSettings("postgres", **place, **login, schema=schema)
        project.sections["source"] = {"name": "shop", "conn_id": "warehouse"}
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            connection.exec_driver_sql(
                f"CREATE TABLE {schema}.large AS SELECT i AS id FROM generate_series(1, 20000) AS g(i)"
            )
            connection.exec_driver_sql(f"ANALYZE {schema}.large")
            yield project
            connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
        engine.dispose()

    def configure(self, project, **costs):
        project.configure("large", incremental={**ON, "cost_controls": costs})

    def test_what_is_too_large_is_sampled(self, large, statements):
        self.configure(large, max_rows_scanned=10_000, sample_fraction=0.2)
        profile = only(large.profile(changed_only=True)).profile
        assert (profile.rung, profile.rows_of) == ("sample", "sample")
        assert profile.rung_reason == (
            "about 20,000 rows are more than cost_controls.max_rows_scanned (10,000), and fallback_strategy is sample"
        )
        assert 3500 < profile.row_count < 4500
        assert all("TABLESAMPLE" in each for each in statements if '"large" AS t' in each)
        with large.open() as workspace:
            assert workspace.results.latest("large").rows_of == "sample"

    def test_what_is_too_large_is_read_all_the_same_if_so_configured(self, large):
        self.configure(large, max_bytes_scanned=10, fallback_strategy="full")
        profile = only(large.profile(changed_only=True)).profile
        assert (profile.rung, profile.row_count) == ("full", 20_000)
        assert "max_bytes_scanned (10), and fallback_strategy is full" in profile.rung_reason

    def test_what_is_too_large_is_put_off_and_never_lost(self, large, statements):
        self.configure(large, max_rows_scanned=10_000, fallback_strategy="defer")
        outcome = only(large.profile(changed_only=True))
        assert isinstance(outcome, Skipped)
        why = "about 20,000 rows are more than cost_controls.max_rows_scanned (10,000), and fallback_strategy is defer"
        assert outcome.why == f"deferred, and the change stays open: {why}"
        assert not any('"large" AS t' in each for each in statements)

        with large.open() as workspace:
            (status,) = table_states(workspace)
            (entry,) = workspace.ledger.open_entries().values()
        assert (status.state, status.postponed, status.attempts) == ("deferred", why, 0)
        assert (entry.state, entry.attempts, entry.last_error) == ("open", 0, None)
        assert entry.next_ring_at > entry.updated_at

        self.configure(large, max_rows_scanned=30_000, fallback_strategy="defer")
        assert isinstance(only(large.profile(changed_only=True)), Profiled)
        assert large.refresh() == []

    def test_costs_do_not_count_where_they_or_the_section_are_off(self, large):
        limits = {"max_rows_scanned": 1, "fallback_strategy": "defer"}
        large.configure("large", incremental={"enabled": False, "cost_controls": limits})
        assert isinstance(only(large.profile(changed_only=True)), Profiled)
        self.configure(large, enabled=False, **limits)
        assert isinstance(only(large.profile()), Profiled)


def test_the_section_becomes_rules(shop):
    shop.configure("orders")
    with shop.open() as workspace:
        assert workspace.rules is None
    partial = {"max_partitions_per_run": 3, "mergeable_metrics": ["count"], "other_metrics": "absent"}
    costs = {"max_bytes_scanned": 5, "max_rows_scanned": 6, "fallback_strategy": "defer", "sample_fraction": 0.5}
    shop.configure("orders", incremental={**ON, "partial_profiling": partial, "cost_controls": costs})
    with shop.open() as workspace:
        rules = rules_of(workspace.config.model)
    assert (rules.max_partitions, rules.mergeable, rules.leave_out) == (3, frozenset({"count"}), True)
    assert vars(rules.costs) == {"max_bytes": 5, "max_rows": 6, "fallback": "defer", "sample_fraction": 0.5}
    for off in ({"enabled": False}, {"allow_partition_pruning": False}):
        shop.configure("orders", incremental={**ON, "partial_profiling": off})
        with shop.open() as workspace:
            assert workspace.rules.merge_partitions is False
