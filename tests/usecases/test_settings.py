from __future__ import annotations

from datetime import timedelta

import pytest

from profilemesh_airflow.config import parse_config
from profilemesh_airflow.core.budget import Budget
from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.plan import METRICS, Identity, Partition, Sampling
from profilemesh_airflow.core.policy import Policy
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.usecases.settings import (
    connection_of,
    identity_of,
    intervals_of,
    policy_of,
    selection_of,
    settings_by_entry,
    table_names_of,
)

TOP = "environment: prod\nsource: {name: shop, type: sqlite, filepath: shop.db}\n"


def model(text, top=TOP):
    return parse_config(top + text, "/etc/pm/config.yml", {}).model


def settings(entry, profiling="", rest=""):
    (found,) = settings_by_entry(model(f"profiling:\n  tables: [{{table: orders{entry}}}]\n{profiling}{rest}"))
    return found


@pytest.mark.parametrize(
    ("entry", "profiling", "field", "value"),
    [
        ("", "", "metrics", METRICS),
        ("", "  metrics: [mean, count]\n", "metrics", ("count", "mean")),
        (", metrics: [max]", "  metrics: [mean, count]\n", "metrics", ("max",)),
        ("", "  compute_histograms: false\n", "metrics", tuple(name for name in METRICS if name != "histogram")),
        (", compute_histograms: true", "  compute_histograms: false\n", "metrics", METRICS),
        ("", "  histogram_bins: 7\n", "histogram_bins", 7),
        (", histogram_bins: 3", "  histogram_bins: 7\n", "histogram_bins", 3),
        ("", "  max_distinct_values: 7\n", "max_distinct_values", 7),
        (", max_distinct_values: 3", "  max_distinct_values: 7\n", "max_distinct_values", 3),
        ("", "", "partition", None),
        (", partition: {strategy: all}", "", "partition", None),
        (", partition: {key: day, strategy: latest}", "", "partition", Partition("day", "latest")),
        (
            ", partition: {key: day, strategy: recent_n, recent_n: 3}",
            "",
            "partition",
            Partition("day", "recent_n", recent_n=3),
        ),
        (
            ", partition: {key: day, strategy: specific_values, values: [2024-01-31, 7, x], metadata_fallback: false}",
            "",
            "partition",
            Partition("day", "specific_values", values=("2024-01-31", 7, "x"), metadata_fallback=False),
        ),
        (
            ", partition: {key: day, strategy: sample, fraction: 0.25, seed: 7}",
            "",
            "partition",
            Partition("day", "sample", fraction=0.25, seed=7),
        ),
        (", partition: {key: day, strategy: latest, fraction: 0.25}", "", "partition", Partition("day", "latest")),
        (
            ", sampling: {enabled: true, method: topk, fraction: 0.5, by: id, seed: 7}",
            "",
            "sampling",
            Sampling("topk", 0.5, by="id", seed=7),
        ),
        ("", "", "sampling", None),
        (", sampling: {enabled: false, fraction: 0.5}", "", "sampling", None),
        (
            ", sampling: {enabled: true, fraction: 0.5, max_rows: 9}",
            "",
            "sampling",
            Sampling("random", 0.5, max_rows=9),
        ),
        (", sample_ratio: 0.25", "", "sampling", Sampling("random", 0.25)),
        (", sample_ratio: 1.0", "", "sampling", None),
        ("", "  default_sample_ratio: 0.25\n", "sampling", Sampling("random", 0.25)),
        (", sampling: {enabled: false}", "  default_sample_ratio: 0.25\n", "sampling", None),
    ],
)
def test_what_a_table_says_counts_before_what_all_tables_say(entry, profiling, field, value):
    assert getattr(settings(entry, profiling), field) == value


@pytest.mark.parametrize(
    "rest",
    [
        "drift_detection: {strategy: standard_deviation}\n",
        "drift_detection: {absolute_threshold: {low_threshold: 1.0}}\n",
    ],
)
def test_the_drift_strategy_and_its_thresholds_are_settings_too(rest):
    assert settings("", "", rest).digest != settings("").digest


def test_the_parameters_of_a_strategy_that_is_not_in_force_are_no_settings():
    rest = "drift_detection: {standard_deviation: {low_threshold: 0.5}}\n"

    assert settings("", "", rest).digest == settings("").digest


def test_tables_are_listed_in_the_order_of_the_configuration():
    found = model("profiling: {tables: [{table: b}, {schema: s, table: a}, {database: d, schema: s, table: a}]}")

    assert tuple(selection_of(found).listed) == (TableRef("b"), TableRef("a", "s"), TableRef("a", "s", "d"))


def test_the_identity_is_environment_and_source():
    assert identity_of(model("profiling: {tables: [{table: b}]}")) == Identity("prod", "shop")


def test_the_policy_is_the_section_airflow():
    rest = (
        "airflow: {redeliver_after: 90s, lease: 2h, max_attempts: 3, budget: {tables: 5, bytes: 10GB}, deadline: 3d, "
        "profile_after: 7d, on_empty: warn}\n"
    )

    assert policy_of(model("profiling: {tables: [{table: b}]}\n" + rest)) == Policy(
        redeliver_after=timedelta(seconds=90),
        lease=timedelta(hours=2),
        max_attempts=3,
        budget=Budget(tables=5, bytes=10**10),
        deadline=timedelta(days=3),
        profile_after=timedelta(days=7),
        on_empty="warn",
    )


def test_the_rules_of_a_configuration_that_has_no_section_airflow_are_the_usual_ones():
    assert policy_of(model("profiling: {tables: [{table: b}]}")) == Policy()


def test_the_store_has_the_table_names_of_the_configuration():
    names = table_names_of(
        model(
            "profiling: {tables: [{table: b}]}\n"
            "storage: {results_table: my_results, runs_table: my_runs}\n"
            "incremental: {change_detection: {metadata_table: my_state}}\n"
        )
    )

    assert (names.results, names.runs, names.state) == ("my_results", "my_runs", "my_state")


def refuse(conn_id):
    raise AssertionError(f"connection {conn_id} was looked up")


def test_a_connection_that_is_written_out_is_never_looked_up():
    found = model("profiling: {tables: [{table: b}]}").source

    assert connection_of(found, refuse).filepath.endswith("shop.db")


AIRFLOW = ConnectionSettings(
    "postgres",
    host="db",
    port=5432,
    database="shop",
    username="reader",
    password="s3cret",
    extra_params={"sslmode": "x"},
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", {}),
        (", database: other", {"database": "other"}),
        (", schema: sales", {"schema": "sales"}),
        (", password: mine", {"password": "mine"}),
        (", type: redshift", {"type": "redshift"}),
        (", extra_params: {application_name: me}", {"extra_params": {"sslmode": "x", "application_name": "me"}}),
    ],
)
def test_what_is_written_beside_a_conn_id_has_the_last_word(written, expected):
    top = f"environment: prod\nsource: {{name: shop, conn_id: warehouse{written}}}\n"
    found = connection_of(model("profiling: {tables: [{table: b}]}", top).source, {"warehouse": AIRFLOW}.__getitem__)

    assert vars(found) == {**vars(AIRFLOW), **expected}


def test_a_connection_that_airflow_does_not_have_is_an_error_of_the_configuration():
    top = "environment: prod\nsource: {name: shop, conn_id: warehouse}\n"

    def unknown(conn_id):
        raise ConfigError(f"Airflow has no connection {conn_id!r}")

    with pytest.raises(ConfigError, match="no connection 'warehouse'"):
        connection_of(model("profiling: {tables: [{table: b}]}", top).source, unknown)


@pytest.mark.parametrize(
    ("incremental", "airflow", "orders", "others"),
    [
        ("", "", None, None),
        ("enabled: true", "", None, None),
        ("enabled: true, adaptive_scheduling: {default_interval_minutes: 720}", "", 720, 720),
        ("enabled: false, adaptive_scheduling: {default_interval_minutes: 720}", "", None, None),
        ("enabled: true, adaptive_scheduling: {enabled: false, default_interval_minutes: 720}", "", None, None),
        ("enabled: true, adaptive_scheduling: {default_interval_minutes: 720}", "profile_after: 6h", None, None),
        ("enabled: true, adaptive_scheduling: {priority_overrides: {Sales.orders: 90}}", "", 90, None),
        ("enabled: true, adaptive_scheduling: {priority_overrides: {Sales.orders: 90}}", "profile_after: 6h", 90, None),
        ("enabled: true, adaptive_scheduling: {priority_overrides: {sales.orders: 1}}", "", 60, None),
        (
            "enabled: true, adaptive_scheduling: {default_interval_minutes: 720, min_interval_minutes: 800, "
            "max_interval_minutes: 900, priority_overrides: {sales.orders: 10000}}",
            "",
            900,
            800,
        ),
    ],
)
def test_intervals_are_by_table_and_within_their_bounds(incremental, airflow, orders, others):
    text = f"profiling: {{tables: [a]}}\nincremental: {{{incremental}}}\nairflow: {{{airflow}}}\n"
    found = intervals_of(model(text.replace("[a]", "[{table: a}]")))

    minutes = [interval and interval.total_seconds() / 60 for interval in map(found.of, ("sales.Orders", "hr.orders"))]
    assert minutes == [orders, others]
