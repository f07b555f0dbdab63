"""The asset of a table itself, as Airflow's providers have its URI."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.core.upstream import data_uri

POSTGRES = ConnectionSettings("postgres", host="db.example.com", database="shop", username="u", password="s3cret-word")
MYSQL = ConnectionSettings("mysql", host="db", port=3307, database="shop")
BIGQUERY = ConnectionSettings("bigquery", database="my-project", schema="sales")


@pytest.mark.parametrize(
    ("source", "ref", "uri"),
    [
        (POSTGRES, TableRef("orders", "sales"), "postgres://db.example.com:5432/shop/sales/orders"),
        (POSTGRES, TableRef("orders", "sales", "other"), "postgres://db.example.com:5432/other/sales/orders"),
        (POSTGRES, TableRef("a b/ä", "sales"), "postgres://db.example.com:5432/shop/sales/a%20b%2F%C3%A4"),
        (MYSQL, TableRef("orders"), "mysql://db:3307/shop/orders"),
        (MYSQL, TableRef("orders", "sales"), "mysql://db:3307/sales/orders"),
        (BIGQUERY, TableRef("orders"), "bigquery://my-project/sales/orders"),
        (
            ConnectionSettings("postgres", host="::1", database="d", schema="s"),
            TableRef("t"),
            "postgres://[::1]:5432/d/s/t",
        ),
    ],
)
def test_it_is_what_the_provider_of_the_database_makes_of_it(source, ref, uri):
    found = data_uri(source, ref)
    assert found == uri
    # What the providers hold a URI to: a port, and as many parts as its kind has.
    parts = urlsplit(found)
    assert len(parts.path.split("/")) == {"postgres": 4, "mysql": 3, "bigquery": 3}[parts.scheme]
    assert parts.scheme == "bigquery" or parts.port
    assert "@" not in parts.netloc


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (ConnectionSettings("sqlite", filepath="/shop.db"), "no asset URI for a table of type sqlite"),
        (ConnectionSettings("snowflake", account="a", database="d"), "no asset URI for a table of type snowflake"),
        (ConnectionSettings("postgres", host="db"), "does not give its database and schema"),
        (ConnectionSettings("postgres", database="shop", schema="sales"), "does not give its host"),
        (ConnectionSettings("mysql", host="db"), "does not give its database"),
    ],
)
def test_what_is_not_known_is_not_guessed(source, why):
    with pytest.raises(ValueError, match=why):
        data_uri(source, TableRef("orders"))
