"""The drift operator as a circuit breaker."""

from __future__ import annotations

from pathlib import Path

import pytest

from profilemesh_airflow import ProfileMeshDriftOperator
from profilemesh_airflow.assets import table_asset
from profilemesh_airflow.compat.airflow import AirflowFailException
from profilemesh_airflow.compat.capabilities import DATASETS
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ConfigError, NotBuiltError, ProfileError, StoreError
from tests.capable import needs
from tests.operators.tasks import IDENTITY, Context, profile


def judge(shop, severity="high", *, fail_open=False, context=None):
    operator = ProfileMeshDriftOperator(
        task_id="breaker", config_path=shop.config, table="orders", fail_on_severity=severity, fail_open=fail_open
    )
    return operator.execute(context or Context())


def drift(shop, rows):
    """A profile, and one more after so many rows came: 2 before."""
    profile(shop, "orders")
    shop.run(insert(rows))
    profile(shop, "orders")


def insert(rows):
    return "".join("INSERT INTO orders VALUES (2, 15.0);" for _ in range(rows))


def test_a_table_that_drifted_so_much_stops_what_comes_after_it_and_says_what_did(shop):
    drift(shop, 2)
    context = Context()
    with pytest.raises(AirflowFailException, match=r"orders drifted from run .* severity high: .*count 2 -> 4"):
        judge(shop, context=context)
    assert context.xcom["drift_report"]["severity"] == "high"


def test_a_table_that_drifted_less_or_not_at_all_lets_pass_by_success_and_not_by_a_skip(shop):
    profile(shop, "orders")
    profile(shop, "orders")
    report = judge(shop, "low")
    assert (report["severity"], report["judged"]) == ("none", True)


def test_a_severity_below_the_limit_passes_and_is_reported(shop):
    shop.run(insert(18))
    drift(shop, 4)
    assert judge(shop, "high")["severity"] == "medium"
    with pytest.raises(AirflowFailException):
        judge(shop, "medium")


def test_what_cannot_be_judged_passes_only_where_that_was_asked_for(shop):
    with pytest.raises(ProfileError, match="not profiled yet"):
        judge(shop)
    assert judge(shop, fail_open=True)["judged"] is False

    profile(shop, "orders")
    with pytest.raises(AirflowFailException, match="no earlier profile to compare with, and fail_open is false"):
        judge(shop)
    assert "no earlier profile" in judge(shop, fail_open=True)["why"]


@pytest.mark.parametrize(
    ("addition", "error"),
    [
        ("drift_detection: {strategy: ml_based}\n", NotBuiltError),
        ("drift_detection: {enabled: false}\n", AirflowFailException),
        ("storage: {connection: {type: postgres, host: 127.0.0.1, port: 1, database: x}}\n", StoreError),
    ],
)
def test_a_strategy_a_switch_or_a_store_that_says_nothing_is_no_judgement(shop, addition, error):
    drift(shop, 2)
    Path(shop.config).write_text(Path(shop.config).read_text() + addition + "retry: {enabled: false}\n")
    with pytest.raises(error):
        judge(shop)
    assert judge(shop, fail_open=True)["judged"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"fail_on_severity": "none", "fail_open": True},
            "severity 'none' is not allowed; use low, medium, high",
        ),
        ({"fail_on_severity": "severe", "fail_open": True}, "is not allowed"),
        ({"fail_on_severity": "high"}, "fail_on_severity needs fail_open"),
        ({"fail_on_severity": "high", "fail_open": "yes"}, "fail_on_severity needs fail_open"),
    ],
)
def test_a_breaker_that_does_not_say_what_it_does_is_refused_when_the_file_is_parsed(arguments, message):
    with pytest.raises(ConfigError, match=message):
        ProfileMeshDriftOperator(task_id="breaker", config_path="c.yml", table="orders", **arguments)


@needs(DATASETS)
def test_a_breaker_may_not_tell_of_drift_by_its_success(shop):
    outlet = table_asset(IDENTITY, "drift", TableRef("orders"))
    with pytest.raises(ConfigError, match="take the outlet away"):
        ProfileMeshDriftOperator(
            task_id="b", config_path="c.yml", table="orders", fail_on_severity="high", fail_open=True, outlets=[outlet]
        )
    other = table_asset(IDENTITY, "profile", TableRef("drift"))
    ProfileMeshDriftOperator(
        task_id="b", config_path="c.yml", table="orders", fail_on_severity="high", fail_open=True, outlets=[other]
    )
