"""What the catalog says of tables."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from profilemesh_airflow.core.plan import Column, TableSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.exceptions import ProfileError, WarehouseError
from profilemesh_airflow.warehouse import Warehouse
from profilemesh_airflow.warehouse.kinds import Kind
from tests.warehouse.databases import Database

if TYPE_CHECKING:
    from collections.abc import Callable


def asking(sent: list[str]) -> list[str]:
    """The statements that ask about tables."""
    return [statement for statement in sent if not statement.startswith(("BEGIN", "START", "SELECT database()"))]


def test_columns_come_in_order_with_the_databases_own_types(database: Database) -> None:
    database.create("t", {"b": "integer", "A": "text", "c d": "double"})
    types = {
        "sqlite": ("INTEGER", "TEXT", "REAL"),
        "duckdb": ("BIGINT", "VARCHAR", "DOUBLE"),
        "postgres": ("bigint", "text", "double precision"),
        "mysql": (r"bigint(\(20\))?", "longtext", "double"),  # MySQL 8 gives no width
    }
    columns = database.info("t").columns
    assert [column.name for column in columns] == ["b", "A", "c d"]
    for column, spelled in zip(columns, types[database.kind], strict=True):
        assert re.fullmatch(spelled, column.type)
    assert database.info("t").kind == "table"


def test_a_thousand_tables_take_one_query(database: Database, statements: Callable[[], Any]) -> None:
    count = 100 if database.kind == "mysql" else 1000  # which makes each durable
    database.run("BEGIN", *(f"CREATE TABLE t{number} (a int, b text)" for number in range(count)), "COMMIT")
    refs = [TableRef(f"t{number}") for number in range(count)]
    database.warehouse.catalog(refs[:1])
    with statements() as sent:
        found = database.warehouse.catalog([*refs, TableRef("missing")])
    assert list(found) == refs
    assert all(len(info.columns) == 2 for info in found.values())
    assert len(asking(sent)) == 1


def test_a_missing_table_is_absent_and_explained(database: Database) -> None:
    missing = TableRef("nowhere")
    assert database.warehouse.catalog([missing]) == {}
    assert "nowhere was not found in" in database.warehouse.why_missing(missing)
    assert "check the spelling" in database.warehouse.why_missing(missing)


def test_no_tables_are_no_question(database: Database, statements: Callable[[], Any]) -> None:
    with statements() as sent:
        assert database.warehouse.catalog([]) == {}
        assert database.warehouse.versions([]) == {}
    assert sent == []


def test_views_are_tables_of_another_kind(database: Database) -> None:
    database.create("t", {"a": "integer"}, [(1,), (2,)])
    database.run("CREATE VIEW v AS SELECT a FROM t")
    assert database.info("v").kind == "view"
    assert database.profile("v").columns == database.profile("t").columns


@pytest.mark.parametrize(
    "name", ["\0", "a\0b", "x" * 300, "'; DROP TABLE t; --", "%s", ":a", "\\", '"', "ünï", "\ud800", ""]
)
def test_no_name_breaks_the_query(database: Database, name: str) -> None:
    database.create("t", {"a": "integer"})
    assert list(database.warehouse.catalog([TableRef(name), TableRef("t")])) == [TableRef("t")]


# PostgreSQL


def test_a_bare_name_is_the_first_match_on_the_search_path(postgres: Database) -> None:
    schema = postgres.settings.schema
    postgres.run(
        f"CREATE SCHEMA {schema}_b",
        f"CREATE TABLE {schema}.twice (a int)",
        f"CREATE TABLE {schema}_b.twice (b int)",
        f"CREATE TABLE {schema}_b.once (c int)",
    )
    path = f"{schema}_b,{schema}"
    settings = replace(postgres.settings, schema=None, extra_params={"options": f"-c search_path={path}"})
    refs = [TableRef("twice"), TableRef("twice", schema), TableRef("once"), TableRef("once", schema)]
    with Warehouse(settings) as warehouse:
        found = warehouse.catalog(refs)
    postgres.run(f"DROP SCHEMA {schema}_b CASCADE")
    assert {ref: info.columns[0].name for ref, info in found.items()} == {refs[0]: "b", refs[1]: "a", refs[2]: "c"}


def test_postgres_names_are_matched_in_exact_case(postgres: Database) -> None:
    postgres.run('CREATE TABLE "Orders" (a int)')
    assert postgres.warehouse.catalog([TableRef("orders")]) == {}
    assert postgres.info("Orders").columns == (Column("a", "integer"),)


def test_the_same_name_in_two_schemas_is_two_tables(postgres: Database) -> None:
    other = f"{postgres.settings.schema}_b"
    postgres.run("CREATE TABLE t (a int)", f"CREATE SCHEMA {other}", f"CREATE TABLE {other}.t (b text)")
    refs = [TableRef("t", postgres.settings.schema), TableRef("t", other)]
    found = postgres.warehouse.catalog(refs)
    postgres.run(f"DROP SCHEMA {other} CASCADE")
    assert [found[ref].columns[0].name for ref in refs] == ["a", "b"]


def test_a_table_of_another_database_is_read_there(postgres: Database, postgres_database) -> None:
    here, there = postgres.settings.database, postgres_database.database
    other = Database(postgres_database, Warehouse(postgres_database))
    other.run("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (2)")
    postgres.run("CREATE TABLE t (b text)")
    schema = postgres.settings.schema
    refs = [TableRef("t", "public", there), TableRef("t", schema, here), TableRef("t", schema)]
    found = postgres.warehouse.catalog(refs)
    assert [found[ref].columns[0].name for ref in refs] == ["a", "b", "b"]
    assert set(postgres.warehouse.versions(list(found.values()))) == set(refs)
    assert postgres.warehouse.profile(found[refs[0]], TableSettings()).row_count == 2
    postgres.warehouse.close()
    other.warehouse.close()


def test_a_database_that_is_not_there_makes_only_its_own_tables_missing(postgres: Database) -> None:
    postgres.run("CREATE TABLE t (a int)")
    here, gone = TableRef("t"), TableRef("t", "public", "no_such_database")
    assert list(postgres.warehouse.catalog([gone, here])) == [here]
    assert "check the name of the database" in postgres.warehouse.why_missing(gone)
    assert "no_such_database" in postgres.warehouse.why_missing(gone)


def test_an_unreachable_server_does_not_make_tables_missing(postgres: Database) -> None:
    settings = replace(postgres.settings, host="127.0.0.1", port=1)
    with Warehouse(settings) as warehouse, pytest.raises(WarehouseError, match="check host and port"):
        warehouse.catalog([TableRef("t", "public", "another_database")])


def test_estimates_come_from_the_planner(postgres: Database) -> None:
    postgres.create("t", {"a": "integer"}, [(number,) for number in range(5000)])
    before = postgres.info("t")
    postgres.run("ANALYZE t")
    after = postgres.info("t")
    assert (before.estimated_rows, after.estimated_rows) == (None, 5000)
    assert after.estimated_bytes is not None
    assert after.estimated_bytes >= 5000 * 32


POSTGRES_KINDS = {
    "smallint": Kind.INTEGER,
    "numeric(10,2)": Kind.DECIMAL,
    "real": Kind.FLOAT,
    "varchar(5)": Kind.TEXT,
    "char(3)": Kind.TEXT,
    "name": Kind.TEXT,
    "date": Kind.TEMPORAL,
    "time": Kind.TEMPORAL,
    "time with time zone": Kind.TEMPORAL,
    "timestamp with time zone": Kind.TEMPORAL,
    "boolean": Kind.BOOLEAN,
    "uuid": Kind.OPAQUE,
    "inet": Kind.OPAQUE,
    "cidr": Kind.OPAQUE,
    "macaddr": Kind.OPAQUE,
    "interval": Kind.OPAQUE,
    "money": Kind.OPAQUE,
    "bit(3)": Kind.OPAQUE,
    "oid": Kind.OPAQUE,
    "regclass": Kind.OPAQUE,
    "mood": Kind.OPAQUE,
    "pg_lsn": Kind.OPAQUE,
    "positive": Kind.INTEGER,
    "positive_and_small": Kind.INTEGER,
    "email": Kind.TEXT,
    "json": Kind.NONE,
    "jsonb": Kind.NONE,
    "bytea": Kind.NONE,
    "xml": Kind.NONE,
    "integer[]": Kind.NONE,
    "int4range": Kind.NONE,
    "point": Kind.NONE,
    "tsvector": Kind.NONE,
    "pair": Kind.NONE,
}


def test_postgres_types_have_their_kinds(postgres: Database) -> None:
    postgres.run(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TYPE pair AS (a int, b int)",
        "CREATE DOMAIN positive AS bigint CHECK (VALUE > 0)",
        "CREATE DOMAIN positive_and_small AS positive CHECK (VALUE < 10)",
        "CREATE DOMAIN email AS varchar(100)",
        f"CREATE TABLE t ({', '.join(f'c{i} {name}' for i, name in enumerate(POSTGRES_KINDS))})",
    )
    assert dict(zip(POSTGRES_KINDS, postgres.info("t").details["kinds"], strict=True)) == POSTGRES_KINDS


def test_a_table_without_columns_has_a_number_of_rows(postgres: Database) -> None:
    postgres.run("CREATE TABLE t ()", "INSERT INTO t DEFAULT VALUES", "INSERT INTO t DEFAULT VALUES")
    profile = postgres.profile("t")
    assert (profile.row_count, profile.columns) == (2, ())


# SQLite


def test_sqlite_names_are_matched_as_sqlite_does(sqlite: Database) -> None:
    sqlite.run('CREATE TABLE "Órders" (a int)')
    refs = [TableRef("ÓRDERS"), TableRef("órders"), TableRef("Órders", "MAIN")]
    found = sqlite.warehouse.catalog(refs)
    assert [ref for ref in refs if ref in found] == [refs[0], refs[2]]
    assert found[refs[0]].ref == refs[0]


@pytest.mark.parametrize(
    ("ref", "advice"),
    [(TableRef("t", database="shop"), "remove `database`"), (TableRef("t", "public"), "remove `schema`")],
)
def test_a_file_has_neither_databases_nor_schemas(sqlite: Database, ref: TableRef, advice: str) -> None:
    sqlite.run("CREATE TABLE t (a int)")
    assert sqlite.warehouse.catalog([ref]) == {}
    assert advice in sqlite.warehouse.why_missing(ref)


def test_a_view_that_does_not_work_fails_alone(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (a int)", "CREATE VIEW broken AS SELECT * FROM gone", "CREATE TABLE u (b int)")
    refs = [TableRef("t"), TableRef("broken"), TableRef("u")]
    found = sqlite.warehouse.catalog(refs)
    assert list(found) == refs
    assert sqlite.warehouse.versions(list(found.values()))[TableRef("t")] == "rows=0 max_rowid=0"
    with pytest.raises(ProfileError, match=r"broken cannot be profiled: no such table: main\.gone"):
        sqlite.profile("broken")


def test_generated_columns_are_columns(sqlite: Database) -> None:
    sqlite.run("CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1))", "INSERT INTO t VALUES (1)")
    assert [column.name for column in sqlite.info("t").columns] == ["a", "b"]
    assert sqlite.column("t", "b").metrics["max"] == 2


SQLITE_KINDS = {
    "INTEGER": Kind.NUMBER,
    "unsigned big int": Kind.NUMBER,
    "DOUBLE PRECISION": Kind.NUMBER,
    "FLOAT": Kind.NUMBER,
    "DECIMAL(10,2)": Kind.NUMBER,
    "NUMERIC": Kind.NUMBER,
    "VARCHAR(20)": Kind.TEXT,
    "NCHAR(5)": Kind.TEXT,
    "CLOB": Kind.TEXT,
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.TEMPORAL,
    "DATETIME": Kind.TEMPORAL,
    "TIMESTAMP": Kind.TEMPORAL,
    "TIME": Kind.TEMPORAL,
    "UUID": Kind.OPAQUE,
    "ENUM": Kind.OPAQUE,
    "BLOB": Kind.NONE,
    "VARBINARY(9)": Kind.NONE,
    "JSON": Kind.NONE,
    "STRING": Kind.STORED,
    "": Kind.STORED,
}


def test_sqlite_types_have_their_kinds(sqlite: Database) -> None:
    sqlite.run(f"CREATE TABLE t ({', '.join(f'c{i} {name}' for i, name in enumerate(SQLITE_KINDS))})")
    assert dict(zip(SQLITE_KINDS, sqlite.info("t").details["kinds"], strict=True)) == SQLITE_KINDS


def test_a_partitioned_table_is_as_large_as_its_partitions(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE t (k int) PARTITION BY LIST (k)",
        "CREATE TABLE a PARTITION OF t FOR VALUES IN (1)",
        "CREATE TABLE rest PARTITION OF t DEFAULT PARTITION BY LIST (k)",
        "CREATE TABLE b PARTITION OF rest FOR VALUES IN (2)",
        "INSERT INTO t SELECT 1 + i % 2 FROM generate_series(1, 10000) AS g(i)",
    )
    info = postgres.info("t")
    assert (info.estimated_rows, info.estimated_bytes) == (None, None)
    postgres.run("ANALYZE t")
    parts = [postgres.info(name) for name in ("a", "b")]
    info = postgres.info("t")
    assert info.estimated_rows == sum(part.estimated_rows or 0 for part in parts) == 10000
    assert info.estimated_bytes == sum(part.estimated_bytes or 0 for part in parts) > 0


def test_what_is_asked_together_comes_by_one_connection(database: Database) -> None:
    database.create("t", {"a": "integer"})
    opened: list[Any] = []
    warehouse = database.warehouse
    event.listen(warehouse._engine(database.settings.database), "engine_connect", lambda *given: opened.append(given))
    for _ in range(2):
        with warehouse.together():
            infos = warehouse.catalog([TableRef("t")])
            assert list(warehouse.versions(list(infos.values()))) == [TableRef("t")]
            assert warehouse.tables()
    assert len(opened) == 2


def test_a_connection_that_failed_is_not_asked_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.create("t", {"a": "integer"})
    with database.warehouse.together():
        info = database.info("t")
        monkeypatch.setattr(type(database.warehouse._dialect), "tables", lambda _, asked: asked.exec_driver_sql("oops"))
        with pytest.raises(WarehouseError):
            database.warehouse.tables()
        assert database.info("t") == info


def test_nothing_is_held_between_what_is_asked_together(database: Database) -> None:
    """Neither a moment of the data, which costs a server, nor a lock, for which writers of SQLite wait."""
    database.create("t", {"a": "integer"})
    with database.warehouse.together():
        database.info("t")
        (kept,) = database.warehouse._kept.values()
        assert not kept.in_transaction()


def test_a_kept_connection_that_is_lost_is_no_error_when_nothing_more_is_asked(postgres: Database) -> None:
    postgres.create("t", {"a": "integer"})
    with postgres.warehouse.together():
        info = postgres.info("t")
        postgres.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'profilemesh-airflow' AND datname = current_database()"
        )
    assert postgres.info("t") == info
