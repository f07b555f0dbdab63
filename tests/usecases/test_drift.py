from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta, timezone

import pytest

from profilemesh_airflow.exceptions import ExtraMissingError, NotBuiltError, ProfileError
from profilemesh_airflow.usecases.drift import drift_of
from tests.earlier import AMOUNT, earlier_in

NO_ID = {"id": {"enabled": False}}

HALF = {"enabled": True, "fraction": 0.5}

#: No change of a metric reaches them.
OFF = {"low_threshold": 1e300, "medium_threshold": 1e300, "high_threshold": 1e300}


def drift(project, key, **kwargs):
    with project.open() as workspace:
        return drift_of(workspace, next(ref for ref in workspace.refs if ref.key == key), **kwargs)


def severities(report):
    return {each.column: each.severity for each in report.findings}


@pytest.fixture(params=["sqlite", "postgres"])
def history(request, shop):
    """A table whose amounts each run of :func:`run` chooses, with the store on either database."""
    if request.param == "postgres":
        settings = request.getfixturevalue("postgres_database")
        names = ("type", "host", "port", "database", "username", "password")
        connection = {name: value for name in names if (value := getattr(settings, name)) is not None}
        shop.sections["storage"] = {"connection": connection}
    return shop


def run(project, amounts):
    """Profile the table with these amounts, and no others."""
    rows = ", ".join(f"({number}, {amount})" for number, amount in enumerate(amounts))
    project.sql("DELETE FROM orders", f"INSERT INTO orders (id, amount) VALUES {rows}")
    return project.profile("orders")["orders"].run_id


def configure(project, *, columns=None, sampling=None, **drift_detection):
    """Compare by mean and histogram of the amounts, so that a test has to think of nothing else."""
    table = {"table": "orders", "metrics": ["count", "mean", "histogram"], "sampling": sampling or {"enabled": False}}
    if columns:
        table["drift"] = {"columns": columns}
    project.configure(table, drift_detection=drift_detection)


def found(report):
    return [(each.column, each.metric, each.check, each.severity) for each in report.findings]


def test_a_first_run_has_no_drift(shop):
    run_id = shop.profile()["orders"].run_id

    assert drift(shop, "orders").as_dict() == {
        "table_key": "orders",
        "run_id": run_id,
        "previous_run_id": None,
        "previous_origin": None,
        "runs_compared": 0,
        "severity": "none",
        "drifted": 0,
        "findings": [],
        "notes": [],
    }


def test_a_table_is_compared_with_its_own_previous_run_and_no_others(shop):
    shop.configure({"table": "orders", "metrics": ["count"]}, {"table": "items", "metrics": ["count"]})
    first = shop.profile("orders")["orders"].run_id
    shop.profile("items")
    shop.sql("INSERT INTO orders VALUES (4, 1, 'd'), (5, 1, 'e'), (6, 1, 'f')")
    second = shop.profile("orders")["orders"].run_id

    report = drift(shop, "orders")

    assert (report.run_id, report.previous_run_id, report.severity) == (second, first, "high")
    assert report.previous_origin == "profilemesh-airflow"
    assert report.as_dict()["findings"] == [
        {
            "column": None,
            "metric": "count",
            "before": 3,
            "after": 6,
            "change_percent": 100.0,
            "severity": "high",
            "check": "absolute_threshold",
            "score": 100.0,
            "details": {},
        }
    ]


def test_the_report_lists_the_worst_findings_and_counts_all(shop):
    shop.profile()
    shop.sql("INSERT INTO orders VALUES (4, 1000, 'd'), (50, 2000, 'long note'), (60, 3000, 'f')")
    shop.profile()

    report = drift(shop, "orders")

    assert len(report.findings) > 2
    assert report.as_dict(limit=2)["findings"] == [finding.as_dict() for finding in report.findings[:2]]
    assert report.as_dict(limit=2)["drifted"] == len(report.findings)


def test_an_unchanged_table_does_not_drift(shop):
    shop.profile()
    shop.profile()

    assert drift(shop, "orders").findings == ()
    assert drift(shop, "orders").severity == "none"


def test_a_table_that_was_never_profiled_has_no_drift(shop):
    with pytest.raises(ProfileError, match="table orders was not profiled yet"):
        drift(shop, "orders")


@pytest.mark.parametrize(
    "sections",
    [
        {"drift_detection": {"strategy": "ml_based"}},
        {"drift": {"strategy": "ml_based"}},
        {"drift": {"columns": {"amount": {"strategy": "ml_based"}}}},
    ],
)
def test_drift_by_a_strategy_that_is_not_built_is_refused(shop, sections):
    shop.profile()
    general = sections.pop("drift_detection", {})
    shop.configure({"table": "orders", **sections}, drift_detection=general)

    with pytest.raises(NotBuiltError, match="drift strategy ml_based of table orders is not supported"):
        drift(shop, "orders")


def test_the_first_profile_is_compared_with_the_last_of_the_earlier_integration(shop):
    earlier = earlier_in(shop.store)
    earlier.profile("old", "orders", {("amount", "REAL"): {**AMOUNT, "mean": "17.5"}}, schema=None, row_count=1)
    ours = shop.profile("orders")["orders"].run_id

    report = drift(shop, "orders")

    assert (report.run_id, report.previous_run_id, report.previous_origin) == (ours, "old", "earlier integration")
    assert [(each.column, each.metric, each.before, each.after, each.severity) for each in report.findings] == [
        (None, "count", 1, 3, "high"),
        ("amount", "mean", 17.5, 8.75, "high"),
    ]

    shop.profile("orders")
    assert drift(shop, "orders").previous_run_id == ours


def test_a_row_count_that_the_earlier_integration_did_not_keep_is_not_compared(shop):
    earlier_in(shop.store).profile("old", "orders", {("id", "INTEGER"): {"max": "3"}}, schema=None, row_count=None)
    shop.profile("orders")

    report = drift(shop, "orders")
    assert (report.findings, report.previous_run_id) == ((), "old")
    assert report.notes == ("columns and types are not compared with those of the earlier integration",)


def test_a_mean_is_measured_in_the_standard_deviations_of_a_window_of_runs(history):
    configure(history, strategy="standard_deviation", standard_deviation={"window": 3}, columns=NO_ID)
    for level in (1000.0, 8.0, 10.0, 12.0):
        run(history, [level] * 4)
    last = run(history, [14.0] * 4)

    report = drift(history, "orders")

    assert (report.run_id, report.runs_compared, report.notes) == (last, 3, ())
    (finding,) = report.findings
    assert (finding.column, finding.metric, finding.severity) == ("amount", "mean", "medium")
    assert (finding.before, finding.after, finding.score) == (10.0, 14.0, 2.0)
    assert finding.details == {"runs": 3, "stddev": 2.0}


def test_a_window_that_is_too_short_says_nothing_yet_and_that_it_does(history):
    configure(history, strategy="standard_deviation", columns=NO_ID)
    run(history, [10.0])
    run(history, [11.0])
    run(history, [1000.0])

    report = drift(history, "orders")

    assert report.findings == ()
    assert report.notes == ("standard_deviation needs 3 earlier runs, and there are 2: it says nothing yet",)


def test_failed_runs_are_not_part_of_the_history(history):
    configure(history, strategy="standard_deviation", columns=NO_ID)
    for level in (8.0, 10.0, 12.0):
        run(history, [level] * 4)
    history.sql("ALTER TABLE orders RENAME TO away")
    assert history.profile("orders")["orders"].error
    history.sql("ALTER TABLE away RENAME TO orders")
    history.profile("orders", force=True)
    run(history, [16.0] * 4)

    report = drift(history, "orders")

    assert report.runs_compared == 4
    assert [(each.column, each.before, each.after) for each in report.findings] == [("amount", 10.5, 16.0)]


@pytest.mark.parametrize("strategy", ["psi", "ks"])
def test_values_that_moved_are_found_though_their_bins_are_others(history, strategy):
    numbers = random.Random(4)
    configure(history, strategy=strategy, columns=NO_ID)
    run(history, [numbers.gauss(100, 10) for _ in range(400)])
    run(history, [numbers.gauss(100, 10) for _ in range(400)])
    assert drift(history, "orders").findings == ()

    run(history, [numbers.gauss(120, 10) for _ in range(400)])

    report = drift(history, "orders")
    assert found(report) == [("amount", "histogram", strategy, "high")]
    assert report.findings[0].score > 0.3


def test_what_a_histogram_does_not_tell_is_compared_by_the_absolute_thresholds(shop):
    shop.configure("orders", drift_detection={"strategy": "psi"})
    shop.profile("orders")
    shop.sql("UPDATE orders SET note = NULL")
    shop.profile("orders")

    assert found(drift(shop, "orders")) == [
        ("note", "null_percent", "absolute_threshold", "high"),
        ("note", "distinct_percent", "absolute_threshold", "high"),
    ]


def test_a_distance_needs_scipy_and_says_so(shop, monkeypatch):
    shop.configure("orders", drift_detection={"strategy": "ks"})
    shop.profile("orders")
    shop.profile("orders")
    monkeypatch.setitem(sys.modules, "scipy.stats", None)

    with pytest.raises(ExtraMissingError, match=r"pip install 'profilemesh-airflow\[stats\]'"):
        drift(shop, "orders")


def test_columns_that_came_went_or_changed_their_type_are_drift(history):
    history.profile("orders")
    history.sql(
        "DROP TABLE orders",
        "CREATE TABLE orders (id TEXT PRIMARY KEY, amount REAL, remark TEXT)",
        "INSERT INTO orders VALUES (1, 10.5, 'a'), (2, NULL, 'bb'), (3, 7.0, NULL)",
    )
    history.profile("orders")

    report = drift(history, "orders")

    assert [(each.column, each.metric, each.before, each.after, each.severity) for each in report.findings] == [
        ("note", "column", "TEXT", None, "high"),
        ("id", "type", "INTEGER", "TEXT", "medium"),
        ("remark", "column", None, "TEXT", "low"),
    ]


def test_data_that_are_overdue_are_drift(history):
    history.configure({"table": "orders", "metrics": ["null_count"]}, drift_detection={"absolute_threshold": OFF})
    for rows in range(1, 9):
        run(history, [1.0] * rows)
    history.profile("orders")  # of the same data, so this is no change
    last = datetime.now(timezone.utc)

    report = drift(history, "orders", now=last + timedelta(days=3))

    assert found(report) == [(None, "freshness", "freshness", "high")]
    (finding,) = report.findings
    assert finding.after == pytest.approx(3 * 24 * 3600, rel=0.01)
    assert 0 < finding.before < 60
    assert finding.details["intervals"] == 5


def test_a_column_may_have_rules_of_its_own_and_one_that_does_not_exist_is_told(shop):
    table = {"table": "orders", "drift": {"columns": {"amount": {"absolute_threshold": {"high_threshold": 1000}}}}}
    shop.configure({**table, "metrics": ["mean"]})
    shop.profile("orders")
    shop.sql("UPDATE orders SET amount = amount * 3, id = id * 30")
    shop.profile("orders")
    assert {(each.column, each.severity) for each in drift(shop, "orders").findings} == {
        ("id", "high"),
        ("amount", "medium"),
    }

    table["drift"]["columns"] = {"amuont": {"enabled": False}, "i*": {"enabled": False}}
    shop.configure({**table, "metrics": ["mean"]})

    report = drift(shop, "orders")
    assert severities(report) == {"amount": "high"}
    assert report.notes == ("drift.columns: 'amuont' fits no column of the table",)


def test_drift_of_a_table_can_be_switched_off(shop):
    shop.configure({"table": "orders", "drift": {"enabled": False}})
    shop.profile("orders")
    shop.sql("DELETE FROM orders")
    shop.profile("orders")

    report = drift(shop, "orders")

    assert (report.findings, report.notes) == ((), ("drift is switched off for this table",))


def test_a_run_of_other_rows_is_not_compared_as_if_it_were_alike(history):
    configure(history, columns=NO_ID)
    whole = run(history, [10.0] * 40)
    configure(history, columns=NO_ID, sampling=HALF)
    run(history, [1000.0] * 40)
    configure(history, columns=NO_ID)
    run(history, [10.1] * 40)

    report = drift(history, "orders")

    assert (report.previous_run_id, report.findings) == (whole, ())
    assert len(report.notes) == 1
    assert report.notes[0].endswith("is of a sample, this one of the whole table: its metrics are not compared")


def test_the_rows_of_two_samples_are_not_counted_against_each_other(history):
    configure(history, columns=NO_ID, sampling=HALF)
    run(history, [10.0] * 40)
    run(history, [20.0] * 400)

    report = drift(history, "orders")

    assert found(report) == [("amount", "mean", "absolute_threshold", "high")]
    assert "the rows of a sample are not counted against those of another" in report.notes
