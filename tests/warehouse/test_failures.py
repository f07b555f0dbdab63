"""What fails, fails alone, and says why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from profilemesh_airflow.core.plan import TableSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ProfileError, TableMissingError, WarehouseError
from profilemesh_airflow.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.warehouse.databases import Database


NUMBERS = ["min", "max", "mean", "stddev", "histogram"]


def test_a_column_that_cannot_be_computed_leaves_the_others_alone(postgres: Database) -> None:
    columns = {"a": "integer", "s": "text", "b": "double"}
    postgres.create("t", columns, [(number, "{bad", number / 2) for number in range(20)])
    postgres.run("CREATE VIEW v AS SELECT a, CAST(s AS integer) AS broken, b FROM t")
    first, broken, last = postgres.profile("v").columns
    names = ["null_count", "null_percent", "distinct_count", "distinct_percent", *NUMBERS]
    assert broken.metrics == {"count": 20}
    assert broken.errors == dict.fromkeys(names, 'invalid input syntax for type integer: "{bad"')
    expected = postgres.profile("t").columns
    assert (first.metrics, last.metrics) == (expected[0].metrics, expected[2].metrics)


def test_a_sqlite_view_that_cannot_be_computed_is_an_error(sqlite: Database) -> None:
    """SQLite computes every column of a view, whichever are asked for."""
    sqlite.create("t", {"a": "integer", "s": "text"}, [(1, "{bad")])
    sqlite.run("CREATE VIEW v AS SELECT a, json_extract(s, '$.a') AS broken FROM t")
    with pytest.raises(ProfileError, match="v cannot be profiled: malformed JSON"):
        sqlite.profile("v")


@pytest.fixture
def reader(postgres: Database) -> Iterator[str]:
    """A login that may see the schema, and nothing in it."""
    schema, role = postgres.settings.schema, f"role_{postgres.settings.schema}"
    postgres.run(f"CREATE ROLE {role} LOGIN", f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    yield role
    postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def profile_as(database: Database, role: str) -> Any:
    ref = TableRef("t")
    with Warehouse(replace(database.settings, username=role)) as warehouse:
        return warehouse.profile(warehouse.catalog([ref])[ref], TableSettings())


def test_a_table_that_may_not_be_read_is_an_error(postgres: Database, reader: str) -> None:
    postgres.create("t", {"a": "integer", "b": "text"}, [(1, "x")])
    with pytest.raises(ProfileError, match=r"^t cannot be profiled: permission denied for table t"):
        profile_as(postgres, reader)


def test_a_column_that_may_not_be_read_fails_alone(postgres: Database, reader: str) -> None:
    postgres.create("t", {"a": "integer", "b": "text", "c": "integer"}, [(1, "x", 2), (5, "y", 2)])
    postgres.run(f"GRANT SELECT (a, c) ON t TO {reader}")
    a, b, c = profile_as(postgres, reader).columns
    assert (a.errors, a.metrics["mean"], c.errors, c.metrics["stddev"]) == ({}, 3.0, {}, 0.0)
    assert b.metrics == {"count": 2}
    assert set(b.errors.values()) == {"permission denied for table t"}


def test_a_schema_that_may_not_be_used_is_an_error(postgres: Database, reader: str) -> None:
    postgres.create("t", {"a": "integer"}, [(1,)])
    postgres.run(f"REVOKE USAGE ON SCHEMA {postgres.settings.schema} FROM {reader}")
    ref = TableRef("t", postgres.settings.schema)
    with Warehouse(replace(postgres.settings, username=reader)) as warehouse:
        info = warehouse.catalog([ref])[ref]
        with pytest.raises(ProfileError, match="permission denied for schema"):
            warehouse.profile(info, TableSettings())


def test_a_table_dropped_meanwhile_is_missing(database: Database) -> None:
    database.create("t", {"a": "integer", "b": "text"})
    info = database.info("t")
    database.run("DROP TABLE t")
    with pytest.raises(TableMissingError, match=r"t is gone: .*has it been dropped or renamed"):
        database.warehouse.profile(info, TableSettings())


def test_a_column_dropped_meanwhile_fails_alone(database: Database) -> None:
    database.create("t", {"a": "integer", "gone": "integer", "c": "text"}, [(1, 2, "x"), (3, 4, "y")])
    info = database.info("t")
    database.run("ALTER TABLE t DROP COLUMN gone")
    a, gone, c = database.warehouse.profile(info, TableSettings()).columns
    assert (a.errors, a.metrics["mean"], c.errors, c.metrics["avg_length"]) == ({}, 2.0, {}, 1.0)
    assert gone.metrics == {"count": 2}
    assert all("gone" in error for error in gone.errors.values())


def test_one_bad_column_among_many_costs_few_statements(database: Database, statements: Callable[[], Any]) -> None:
    names = [f"c{number}" for number in range(100)]
    database.create("t", dict.fromkeys(names, "integer"), [(1,) * 100, (2,) * 100])
    info = database.info("t")
    database.run("ALTER TABLE t DROP COLUMN c70")
    with statements() as sent:
        profile = database.warehouse.profile(info, TableSettings(metrics=("min", "max")))
    assert [column.name for column in profile.columns if column.errors] == ["c70"]
    assert len(sent) < 50


def test_a_statement_that_takes_too_long_is_not_tried_again_in_parts(
    postgres: Database, statements: Callable[[], Any]
) -> None:
    postgres.run(
        "CREATE VIEW v AS SELECT i AS a, i AS b, length(pg_sleep(0.02)::text) AS c FROM generate_series(1, 500) g(i)"
    )
    settings = replace(postgres.settings, extra_params={"options": "-c statement_timeout=300ms"})
    timeout = pytest.raises(ProfileError, match="v cannot be profiled: canceling statement due to statement timeout")
    with Warehouse(settings) as warehouse, statements() as sent, timeout:
        warehouse.profile(postgres.info("v"), TableSettings())
    assert len(sent) < 15


def test_a_lost_connection_is_not_taken_for_a_bad_metric(postgres: Database) -> None:
    postgres.run("CREATE VIEW t AS SELECT 1 AS a, pg_terminate_backend(pg_backend_pid()) AS b")
    with pytest.raises(WarehouseError, match=r"cannot use postgres database .*; the server ended the connection"):
        postgres.profile("t")
    postgres.run("CREATE OR REPLACE VIEW t AS SELECT 1 AS a, true AS b")
    assert postgres.profile("t").row_count == 1


def test_messages_hold_no_statement(postgres: Database) -> None:
    postgres.run("CREATE VIEW v AS SELECT 1 / (a - 1) AS x FROM generate_series(1, 3) AS g(a)")
    errors = postgres.profile("v").columns[0].errors
    assert set(errors.values()) == {"division by zero"}
