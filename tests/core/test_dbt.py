"""Which models a selector is about."""

from __future__ import annotations

import pytest

from profilemesh_airflow.core.dbt import Model, is_ref, parse_selector


def model(name, path="models/x.sql", tags=(), package="shop", materialized="table", kind="model"):
    return Model(name, package, path, frozenset(tags), materialized, kind, "Sales", name.upper())


MODELS = [
    model("orders", "models/marts/orders.sql", ["daily", "pii"]),
    model("stg_orders", "models/staging/stg_orders.sql", ["daily"], materialized="view"),
    model("customers", "models/marts/customers.sql", ["pii"]),
    model("orders", "models/orders.sql", package="other"),
    model("codes", "seeds/codes.csv", kind="seed", materialized="seed"),
]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("customers", [2]),
        ("orders", [0, 3]),
        ("*orders", [0, 1, 3]),
        ("tag:daily", [0, 1]),
        ("tag:d*", [0, 1]),
        ("tag:daily,tag:pii", [0]),
        ("tag:daily customers", [0, 1, 2]),
        ("tag:daily + tag:pii", [0, 1, 2]),
        ("tag:daily+tag:pii", [0, 1, 2]),
        ("path:models/marts", [0, 2]),
        ("models/marts/", [0, 2]),
        ("path:models/staging/stg_orders.sql", [1]),
        ("path:models/mar", []),
        ("path:models/*/c*.sql", [2]),
        ("package:other", [3]),
        ("name:orders,package:shop", [0]),
        ("config.materialized:view", [1]),
        ("resource_type:seed", [4]),
    ],
)
def test_a_selector_chooses_models(selector, chosen):
    rule = parse_selector(selector)

    assert [at for at, each in enumerate(MODELS) if rule(each)] == chosen


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("+orders", "follows dbt's graph"),
        ("orders+", "follows dbt's graph"),
        ("2+orders", "follows dbt's graph"),
        ("@orders", "follows dbt's graph"),
        ("state:modified", "'state:modified', which is not supported here; use a name or one of name:, tag:"),
        ("tag:", "not supported here"),
        ("  ", "selects nothing"),
    ],
)
def test_what_cannot_be_answered_says_so(selector, why):
    with pytest.raises(ValueError, match=why):
        parse_selector(selector)


def test_a_ref_may_name_the_package():
    assert [at for at, each in enumerate(MODELS) if is_ref("orders")(each)] == [0, 3]
    assert [at for at, each in enumerate(MODELS) if is_ref("other.orders")(each)] == [3]


def test_a_relation_is_compared_without_case():
    assert MODELS[0].relation == ("sales", "orders")
