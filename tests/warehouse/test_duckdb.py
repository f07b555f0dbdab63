"""What DuckDB has of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.plan import Partition
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import WarehouseError, WarehouseUnavailableError
from profilemesh_airflow.warehouse import Warehouse
from profilemesh_airflow.warehouse.kinds import Kind
from tests.warehouse.oracle import counts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.warehouse.databases import Database

KINDS = {
    "UTINYINT": Kind.INTEGER,
    "INTEGER": Kind.INTEGER,
    "BIGINT": Kind.INTEGER,
    "UBIGINT": Kind.DECIMAL,
    "HUGEINT": Kind.DECIMAL,
    "UHUGEINT": Kind.OPAQUE,
    "DECIMAL(10,2)": Kind.DECIMAL,
    "FLOAT": Kind.FLOAT,
    "DOUBLE": Kind.FLOAT,
    "VARCHAR": Kind.TEXT,
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.TEMPORAL,
    "TIME": Kind.TEMPORAL,
    "TIMESTAMP": Kind.TEMPORAL,
    "TIMESTAMP_NS": Kind.TEMPORAL,
    "TIMESTAMP WITH TIME ZONE": Kind.TEMPORAL,
    "INTERVAL": Kind.OPAQUE,
    "UUID": Kind.OPAQUE,
    "BIT": Kind.OPAQUE,
    "ENUM('a', 'b')": Kind.OPAQUE,
    "BLOB": Kind.NONE,
    "JSON": Kind.NONE,
    "INTEGER[]": Kind.NONE,
    "INTEGER[3]": Kind.NONE,
    "STRUCT(a INTEGER)": Kind.NONE,
    "MAP(VARCHAR, INTEGER)": Kind.NONE,
    "UNION(a INTEGER, b VARCHAR)": Kind.NONE,
}


def test_types_have_their_kinds_and_every_one_can_be_profiled(duckdb: Database) -> None:
    duckdb.run(
        f"CREATE TABLE t ({', '.join(f'c{i} {name}' for i, name in enumerate(KINDS))})", "INSERT INTO t (c0) VALUES (1)"
    )
    assert dict(zip(KINDS, duckdb.info("t").details["kinds"], strict=True)) == KINDS
    for column, kind in zip(duckdb.profile("t").columns, KINDS.values(), strict=True):
        assert list(column.errors) == (["*"] if kind is Kind.NONE else [])


@pytest.mark.parametrize(
    ("kind", "values", "extremes"),
    [
        (
            "TIMESTAMP WITH TIME ZONE",
            ["2024-01-01 00:00:00+05", "2024-01-01 12:00:00.5-03"],
            ("2023-12-31T19:00:00+00:00", "2024-01-01T15:00:00.5+00:00"),
        ),
        (
            "TIMESTAMP",
            ["infinity", "-infinity", "2024-01-01", "2024-01-02 03:04:05.678"],
            ("2024-01-01T00:00:00", "2024-01-02T03:04:05.678"),
        ),
        ("DATE", ["infinity", "0044-03-15 (BC)", "12024-01-01"], ("0044-03-15 (BC)", "12024-01-01")),
        ("TIMESTAMP_NS", ["2024-01-02 03:04:05.678123456"], ("2024-01-02T03:04:05.678123456",) * 2),
    ],
)
def test_unusual_times(duckdb: Database, kind: str, values: list[str], extremes: tuple[str, str]) -> None:
    metrics = duckdb.column_of(kind, values).metrics
    assert (metrics["min"], metrics["max"]) == extremes
    assert metrics["distinct_count"] == len(values)


def test_values_that_can_only_be_told_apart_are_counted(duckdb: Database) -> None:
    duckdb.run(
        "CREATE TYPE mood AS ENUM ('sad', 'gl%ad')",
        "CREATE TABLE t (m mood)",
        "INSERT INTO t VALUES ('sad'), ('gl%ad'), ('sad')",
    )
    assert duckdb.column("t", "m").metrics == counts(["sad", "glad", "sad"], 2)


def test_names_are_matched_in_any_case_and_schemas_are_told_apart(duckdb: Database) -> None:
    duckdb.run('CREATE TABLE "Orders" (a int)', "CREATE SCHEMA sales", "CREATE TABLE sales.orders (b int)")
    refs = [
        TableRef("orders"),
        TableRef("ORDERS", "Sales"),
        TableRef("orders", "nowhere"),
        TableRef("orders", database="d"),
    ]
    found = duckdb.warehouse.catalog(refs)
    assert {ref: info.columns[0].name for ref, info in found.items()} == {refs[0]: "a", refs[1]: "b"}
    assert "remove `database`" in duckdb.warehouse.why_missing(refs[3])
    with Warehouse(replace(duckdb.settings, schema="sales")) as warehouse:
        assert warehouse.catalog(refs[:1])[refs[0]].columns[0].name == "b"


@pytest.mark.parametrize("kind", ["UUID", "TIMESTAMP WITH TIME ZONE", "HUGEINT", "DOUBLE"])
def test_keys_of_any_type_are_found_again(duckdb: Database, kind: str) -> None:
    greatest = {"UUID": "ffffffff-0000-0000-0000-000000000001", "HUGEINT": str(2**100), "DOUBLE": "0.1"}.get(
        kind, "2024-07-01 12:00:00.123456+05"
    )
    duckdb.create("t", {"k": kind, "n": "integer"}, [(greatest, 1), (None, 2)])
    assert duckdb.profile("t", partition=Partition("k", "latest")).row_count == 1


def test_a_missing_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    path = tmp_path / "missing.duckdb"
    settings = ConnectionSettings("duckdb", filepath=str(path))
    with Warehouse(settings) as warehouse, pytest.raises(WarehouseError, match="that the file exists") as raised:
        warehouse.catalog([TableRef("t")])
    assert not isinstance(raised.value, WarehouseUnavailableError)
    assert not path.exists()


def test_a_file_of_another_kind_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("This is not a database, whatever it is called.\n" * 100)
    settings = ConnectionSettings("duckdb", filepath=str(path))
    with Warehouse(settings) as warehouse, pytest.raises(WarehouseError, match="the file is not a DuckDB database"):
        warehouse.catalog([TableRef("t")])


WRITER = "import duckdb, sys; connection = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def test_a_file_that_another_program_writes_may_be_free_later(duckdb: Database) -> None:
    duckdb.create("t", {"a": "integer"}, [(1,)])
    command = [sys.executable, "-c", WRITER, str(duckdb.settings.filepath)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(WarehouseUnavailableError, match="another program has the file open for writing"):
            duckdb.info("t")
        writer.communicate("")
    assert duckdb.profile("t").row_count == 1


def test_a_file_that_this_process_writes_says_so(duckdb: Database) -> None:
    duckdb.create("t", {"a": "integer"})
    with duckdb.connect(), pytest.raises(WarehouseError, match="this process has the file open for writing"):
        duckdb.info("t")
