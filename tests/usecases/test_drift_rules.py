from __future__ import annotations

import pytest

from profilemesh_airflow.config.drift import DriftConfig, TableDriftConfig
from profilemesh_airflow.core.drift import Deviations, DriftRules, KolmogorovSmirnov, SchemaRules, Thresholds
from profilemesh_airflow.usecases.drift_rules import drift_document, drift_rules

TEN = {"low_threshold": 10, "medium_threshold": 20, "high_threshold": 30}


def rules(general=None, own=None):
    return drift_rules(DriftConfig(**(general or {})), TableDriftConfig(**own) if own else None)


def document(general=None, own=None):
    return dict(drift_document(DriftConfig(**(general or {})), TableDriftConfig(**own) if own else None))


def test_nothing_that_is_written_gives_the_defaults_of_the_rules():
    assert rules() == rules({}, {"columns": {}}) == DriftRules()


def test_everything_that_is_written_is_in_the_rules():
    found = rules(
        {
            "strategy": "ks",
            "absolute_threshold": TEN,
            "standard_deviation": {"window": 9, "min_runs": 4},
            "psi": {"high_threshold": 0.5},
            "ks": {"alpha": 0.01},
            "schema": {"added": "none"},
            "freshness": {"min_intervals": 9},
        }
    )

    assert found.metrics.strategy == "ks"
    assert found.metrics.absolute_threshold == Thresholds(10, 20, 30)
    assert found.metrics.standard_deviation == Deviations(window=9, min_runs=4)
    assert found.metrics.psi == Thresholds(0.1, 0.2, 0.5)
    assert found.metrics.ks == KolmogorovSmirnov(alpha=0.01)
    assert found.schema == SchemaRules(added="none")
    assert found.freshness.min_intervals == 9


def test_a_table_inherits_what_it_does_not_say_and_a_column_from_the_table():
    found = rules(
        {"strategy": "psi", "absolute_threshold": TEN, "psi": {"low_threshold": 0.0}},
        {"absolute_threshold": {"low_threshold": 1}, "columns": {"a": {"strategy": "ks"}, "b": {"enabled": False}}},
    )

    assert found.metrics.strategy == "psi"
    assert found.metrics.psi == Thresholds(0.0, 0.2, 0.25)
    assert found.metrics.absolute_threshold == Thresholds(1, 15, 30)
    a, b = found.of_column("a"), found.of_column("b")
    assert (a.strategy, a.psi, a.absolute_threshold) == ("ks", found.metrics.psi, found.metrics.absolute_threshold)
    assert (b.enabled, b.strategy, found.of_column("c")) == (False, "psi", found.metrics)


def test_the_window_is_the_longest_that_a_rule_needs():
    assert rules({"standard_deviation": {"window": 9}}).window == 1
    assert (
        rules({"standard_deviation": {"window": 9}}, {"columns": {"a": {"strategy": "standard_deviation"}}}).window == 9
    )


@pytest.mark.parametrize(
    ("general", "own", "keys"),
    [
        ({}, None, set()),
        ({"strategy": "standard_deviation"}, None, set()),
        ({"strategy": "psi", "absolute_threshold": {}}, None, set()),
        ({"strategy": "psi", "absolute_threshold": TEN}, None, {"absolute_threshold"}),
        ({"psi": {"low_threshold": 0.05}}, None, set()),
        ({"freshness": {"enabled": False}}, None, {"freshness"}),
        ({"freshness": {"enabled": False}}, {"freshness": {}}, set()),
        ({}, {"schema": {"added": "high"}}, {"schema"}),
        ({}, {"enabled": False}, {"enabled"}),
        ({}, {"columns": {"a": {"strategy": "psi"}}}, {"columns"}),
        ({"strategy": "psi"}, {"columns": {"a": {"strategy": "psi"}}}, set()),
    ],
)
def test_the_settings_tell_only_what_is_in_force_and_not_the_default(general, own, keys):
    assert document(general, own).keys() == {"strategy", "parameters", *keys}


def test_a_parameter_that_is_newer_than_the_format_is_told_only_where_it_is_not_the_default():
    settings = {"strategy": "standard_deviation"}
    thresholds = '"high_threshold":3.0,"low_threshold":1.0,"medium_threshold":2.0'

    assert document(settings)["parameters"] == f"{{{thresholds}}}"
    assert document({**settings, "standard_deviation": {"window": 7}}) == document(settings)
    assert document({**settings, "standard_deviation": {"window": 9}})["parameters"] == f'{{{thresholds},"window":9}}'
