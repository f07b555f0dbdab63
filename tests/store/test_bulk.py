"""Many rows in one statement arrive as they were sent."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import event, select

from profilemesh_airflow.store import TableNames
from profilemesh_airflow.store.bulk import MOST_ROWS, BulkInsert
from profilemesh_airflow.store.database import Database
from profilemesh_airflow.store.schema import make_tables

TABLES = make_tables(TableNames())
MOMENT = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5, minutes=30)))
RUN = {
    "run_id": "run",
    "environment": "test",
    "source_name": "warehouse",
    "table_key": "sales.orders",
    "dataset_name": "orders",
    "profiled_at": MOMENT,
    "status": "completed",
    "reasons": "[]",
}


@pytest.fixture
def database(settings):
    database = Database(settings)
    yield database
    database.close()


def metric(position, name="count", **values):
    row = {column.name: None for column in TABLES.results.columns}
    shared = {name: RUN[name] for name in ("run_id", "table_key", "dataset_name", "profiled_at")}
    return {
        **row,
        **shared,
        "column_position": position,
        "metric_name": name,
        "column_name": "a",
        "column_type": "b",
        **values,
    }


def stored(database, rows):
    """Insert the rows and read them back, in the order of their columns; and how many statements it took."""
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: statements.append(call[2].split()[0]))

    def write(connection):
        connection.execute(TABLES.runs.insert(), RUN)
        statements.clear()
        BulkInsert(TABLES.results, connection.dialect).run(connection, rows)

    def read(connection):
        results = TABLES.results
        found = connection.execute(select(results).order_by(results.c.column_position, results.c.metric_name))
        return [dict(row) for row in found.mappings()]

    database.write(write)
    sent = [statement for statement in statements if statement == "INSERT"]
    return database.read(read), sent


def test_values_of_every_kind_arrive_as_they_were_sent(database):
    rows = [
        metric(1, metric_value='it\'s 100% \\ "%s" %(v0)s ? :x', numeric_value=0.0, value_type="int"),
        metric(2, metric_value="größe 😀", numeric_value=-1.5, error="", schema_name="sales"),
        metric(3, metric_value=None, numeric_value=None, error="no\nline"),
        metric(4, metric_value="", numeric_value=1.7976931348623157e308),
        metric(4, "max", metric_value="x" * 100_000, numeric_value=5e-324),
    ]
    found, _ = stored(database, rows)
    assert found == [{**row, "profiled_at": MOMENT.astimezone(timezone.utc)} for row in rows]


def test_what_no_database_can_hold_is_replaced(database):
    (row,), _ = stored(database, [metric(1, error="a\x00b\ud800")])
    assert row["error"] == "a?b?"


@pytest.mark.parametrize("number", [0, 1, MOST_ROWS, MOST_ROWS + 1])
def test_as_many_rows_arrive_as_were_sent(database, number):
    found, statements = stored(
        database, [metric(position, numeric_value=float(position)) for position in range(number)]
    )
    assert [row["column_position"] for row in found] == list(range(number))
    assert statements == ["INSERT"] * -(-number // MOST_ROWS)
