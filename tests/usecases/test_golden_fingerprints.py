"""Which edit of a configuration moves which part of a fingerprint, and what must not move any.

The digests are literals on purpose: one that moves profiles every user's table anew.
"""

from __future__ import annotations

import pytest

from profilemesh_airflow.config import parse_config
from profilemesh_airflow.usecases.planning import offline_plan
from profilemesh_airflow.usecases.workspace import Workspace

BASE = """
environment: prod
source: {name: shop, type: postgres, host: db, port: 5432, database: shop, username: u, password: one}
storage: {connection: {type: sqlite, filepath: /var/lib/pm/store.db}}
profiling:
  metrics: [count, mean, histogram]
  histogram_bins: 10
  max_distinct_values: 1000
  tables:
    - {schema: sales, table: orders}
    - {schema: sales, table: users, partition: {key: day, strategy: recent_n, recent_n: 7}}
drift_detection:
  strategy: absolute_threshold
  absolute_threshold: {low_threshold: 5.0, medium_threshold: 15.0, high_threshold: 30.0}
"""
ORDERS, USERS = "sales.orders", "sales.users"


def settings_digests(text):
    with Workspace(parse_config(text, "/etc/pm/config.yml", {})) as workspace:
        return {entry.key: entry.fingerprint.settings for entry in offline_plan(workspace).entries}


GOLDEN = {ORDERS: "bf56ddc598f93cf2d19a3e37b7e303a2", USERS: "8a453a1f8d4108b5fa41c3778144997d"}


def test_the_digests_stay_what_they_are_from_release_to_release():
    assert settings_digests(BASE) == GOLDEN


def test_so_do_those_of_the_other_strategy_of_the_format():
    found = settings_digests(BASE.replace("strategy: absolute_threshold", "strategy: standard_deviation"))

    assert found == {ORDERS: "44f5302524b73567122db99cc3d3d67d", USERS: "8b550b3cb4d74a6adebcee2198f4e2f9"}


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ("table: orders}", "table: orders, metrics: [count]}", {ORDERS}),
        ("table: orders}", "table: orders, histogram_bins: 9}", {ORDERS}),
        ("table: orders}", "table: orders, max_distinct_values: 9}", {ORDERS}),
        ("table: orders}", "table: orders, compute_histograms: false}", {ORDERS}),
        ("table: orders}", "table: orders, sample_ratio: 0.5}", {ORDERS}),
        ("table: orders}", "table: orders, partition: {key: day, strategy: latest}}", {ORDERS}),
        ("recent_n: 7", "recent_n: 8", {USERS}),
        ("key: day", "key: week", {USERS}),
        ("metrics: [count, mean, histogram]", "metrics: [count, mean, histogram, max]", {ORDERS, USERS}),
        ("histogram_bins: 10", "histogram_bins: 11", {ORDERS, USERS}),
        ("max_distinct_values: 1000", "max_distinct_values: 999", {ORDERS, USERS}),
        ("strategy: absolute_threshold", "strategy: standard_deviation", {ORDERS, USERS}),
        ("low_threshold: 5.0", "low_threshold: 4.0", {ORDERS, USERS}),
        ("strategy: absolute_threshold", "strategy: psi", {ORDERS, USERS}),
        ("strategy: absolute_threshold", "strategy: ks", {ORDERS, USERS}),
        ("drift_detection:", "drift_detection:\n  schema: {added: high}", {ORDERS, USERS}),
        ("drift_detection:", "drift_detection:\n  freshness: {window: 99}", {ORDERS, USERS}),
        ("drift_detection:", "drift_detection:\n  enabled: false", {ORDERS, USERS}),
        ("table: orders}", "table: orders, drift: {strategy: psi}}", {ORDERS}),
        ("table: orders}", "table: orders, drift: {columns: {id: {enabled: false}}}}", {ORDERS}),
    ],
)
def test_an_option_that_changes_what_is_computed_moves_the_tables_it_is_for(before, after, moved):
    found = settings_digests(BASE.replace(before, after))

    assert {key for key, digest in found.items() if digest != GOLDEN[key]} == moved


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[count, mean, histogram]", "[histogram, mean, count]"),
        ("{key: day, strategy: recent_n, recent_n: 7}", "{recent_n: 7, strategy: recent_n, key: day}"),
        ("low_threshold: 5.0, medium_threshold: 15.0", "medium_threshold: 15.0, low_threshold: 5"),
        ("table: orders}", "table: orders} # the main one"),
        ("table: orders}", "table: orders, metrics: [mean, histogram, count], histogram_bins: 10}"),
        ("table: orders}", "table: orders, partition: {strategy: all}, sampling: {enabled: false}}"),
        ("table: orders}", "table: orders, timeout: 5m, priority: 3}"),
        ("table: orders}", "table: orders, drift: {strategy: absolute_threshold, schema: {added: low}}}"),
        ("table: orders}", "table: orders, drift: {columns: {id: {enabled: true}}}}"),
        ("drift_detection:", "drift_detection:\n  enabled: true\n  freshness: {window: 200}"),
        ("drift_detection:", "drift_detection:\n  psi: {low_threshold: 0.01}"),
        ("  histogram_bins: 10", "  timeout: 1h\n  histogram_bins: 10"),
        ("password: one", "password: two"),
        ("host: db", "host: db.internal.example"),
        ("username: u", "username: somebody_else"),
        ("port: 5432", "port: 5433"),
        ("environment: prod", "environment: staging"),
        ("name: shop", "name: mall"),
        ("filepath: /var/lib/pm/store.db", "filepath: /var/lib/pm/other.db"),
        (
            "    - {schema: sales, table: orders}\n"
            "    - {schema: sales, table: users, partition: {key: day, strategy: recent_n, recent_n: 7}}\n",
            "    - {schema: sales, table: users, partition: {key: day, strategy: recent_n, recent_n: 7}}\n"
            "    - {schema: sales, table: orders}\n",
        ),
        ("drift_detection:", "airflow: {max_attempts: 2, on_empty: warn}\ndrift_detection:"),
        ("drift_detection:", "retry: {retries: 9}\nexecution: {max_workers: 4}\ndrift_detection:"),
    ],
)
def test_what_changes_nothing_that_is_computed_moves_no_digest(before, after):
    edited = BASE.replace(before, after)

    assert edited != BASE
    assert settings_digests(edited) == GOLDEN
