"""Names of tables, columns and schemas that need care."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from profilemesh_airflow.core.plan import Partition, TableSettings
from profilemesh_airflow.core.table import TableRef
from tests.examples import examples
from tests.warehouse.databases import quoted

if TYPE_CHECKING:
    from tests.warehouse.databases import Database

pytestmark = pytest.mark.usefixtures("either_way")

AWKWARD = [
    "select",
    'say "hi"',
    "a.b",
    "a b",
    "100%",
    "%s %(x)s %%",
    ":param ::text",
    "größe",
    "表",
    "it's",
    "a;b--c",
    "a/*b*/",
    "back\\slash",
    "UPPER",
    "?",
    "$1",
    "{0}",
    "value",
    "t",
    "count",
    " ",
    "\t\n",
]
ROWS = [(1, "x"), (2, "x"), (2, None)]


def possible(database: Database, name: str) -> bool:
    """MySQL takes no blank at the end and nothing beyond the Basic Multilingual Plane; the others take any name."""
    return database.kind != "mysql" or not (name[-1].isspace() or any(character > "\uffff" for character in name))


def check(database: Database, table: str, column: str) -> None:
    if not (possible(database, table) and possible(database, column)):
        return
    other = "other" if column.lower() != "other" else "another"
    database.create(table, {column: "integer", other: "text"}, ROWS)
    partition = Partition(column, "specific_values", values=(2,))
    info = database.info(table)
    assert database.warehouse.versions([info])[info.ref] is not None
    profile = database.warehouse.profile(info, TableSettings())
    number, text = profile.columns
    assert (number.name, number.errors, number.metrics["mean"]) == (column, {}, pytest.approx(5 / 3))
    assert [entry["count"] for entry in number.metrics["histogram"]] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (text.errors, text.metrics["avg_length"]) == ({}, 1.0)
    narrowed = database.warehouse.profile(info, TableSettings(partition=partition))
    assert narrowed.row_count == 2
    database.run(f"DROP TABLE {quoted(table)}")


@pytest.mark.parametrize("name", AWKWARD)
def test_a_table_and_a_column_may_have_any_name(database: Database, name: str) -> None:
    check(database, name, name)


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=15),
    column=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=15),
)
def test_names_may_hold_any_character(database: Database, table: str, column: str) -> None:
    assume(not table.lower().startswith("sqlite_"))
    assume(column.lower() not in {"ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"})
    check(database, table, column)


@pytest.mark.parametrize("kind", ["postgres", "duckdb"])
@pytest.mark.parametrize("name", AWKWARD)
def test_a_schema_may_have_any_name(request: pytest.FixtureRequest, kind: str, name: str) -> None:
    database: Database = request.getfixturevalue(kind)
    schema = f"{database.settings.schema} {name}"
    database.run(
        f"CREATE SCHEMA {quoted(schema)}",
        f"CREATE TABLE {quoted(schema)}.t (a int)",
        f"INSERT INTO {quoted(schema)}.t VALUES (1)",
    )
    ref = TableRef("t", schema)
    info = database.warehouse.catalog([ref])[ref]
    profile = database.warehouse.profile(info, TableSettings(), None, database.means)
    database.run(f"DROP SCHEMA {quoted(schema)} CASCADE")
    assert profile.columns[0].errors == {}
    assert profile.row_count == 1
