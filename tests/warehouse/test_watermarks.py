"""Data versions by the user's own rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.core.version import VersionRule
from profilemesh_airflow.exceptions import WarehouseError
from profilemesh_airflow.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.warehouse.databases import Database


def versions(database: Database, **rules: VersionRule) -> dict[str, str | None]:
    refs = [TableRef(name) for name in rules]
    infos = list(database.warehouse.catalog(refs).values())
    found = database.warehouse.versions(infos, {TableRef(name): rule for name, rule in rules.items()})
    return {ref.table: version for ref, version in found.items()}


def mark(column: str) -> VersionRule:
    return VersionRule(watermark=column)


def query(text: str) -> VersionRule:
    return VersionRule(query=text)


def table(database: Database, name: str) -> str:
    """A table as a query has to name it."""
    return f"{database.settings.schema}.{name}" if database.settings.schema else name


def test_the_greatest_value_is_the_version(database: Database) -> None:
    database.create("t", {"n": "integer", "s": "text"}, [(1, "b"), (7, None), (None, "a")])
    database.create("empty", {"n": "integer"})

    assert versions(database, t=mark("n"), empty=mark("n")) == {"t": "watermark n=7", "empty": "watermark n=none"}
    assert versions(database, t=mark("s")) == {"t": "watermark s=b"}


def test_the_watermarks_of_all_tables_are_one_query(database: Database, statements: Callable[..., object]) -> None:
    rules = {f"t{number}": mark("n") for number in range(20)}
    for number, name in enumerate(rules):
        database.create(name, {"n": "integer"}, [(number,)])
    refs = [TableRef(name) for name in rules]
    infos = list(database.warehouse.catalog(refs).values())

    with statements() as sent:
        found = database.warehouse.versions(infos, {TableRef(name): rule for name, rule in rules.items()})

    assert [statement for statement in sent if not statement.startswith(("BEGIN", "START"))] == sent[-1:]
    assert found == {TableRef(f"t{number}"): f"watermark n={number}" for number in range(20)}


def test_only_the_tables_with_a_rule_are_read_by_it(database: Database) -> None:
    database.create("ruled", {"n": "integer"}, [(3,)])
    database.create("usual", {"n": "integer"}, [(3,)])
    infos = [database.info("ruled"), database.info("usual")]

    found = database.warehouse.versions(infos, {TableRef("ruled"): mark("n")})

    assert found[TableRef("ruled")] == "watermark n=3"
    own = {"sqlite": "rows=", "duckdb": "file=", "postgres": "inserted=1", "mysql": "updated="}[database.kind]
    assert own in str(found[TableRef("usual")])


def test_a_rule_that_fails_leaves_its_own_table_without_a_version(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b", "c", "d"):
        database.create(name, {"n": "integer", 'odd "name%': "integer"}, [(1, 2)])
    broken = (
        "CREATE VIEW broken AS SELECT 1 / 0 AS n"
        if database.kind == "postgres"
        else ("CREATE VIEW broken AS SELECT abs(-9223372036854775808) AS n")
    )
    database.run(broken)
    rules = {
        "a": mark("n"),
        "b": mark("N"),
        "broken": mark("n"),
        "c": query(f"SELECT no_such_column FROM {table(database, 'c')}"),
        "d": mark('odd "name%'),
    }

    assert versions(database, **rules) == {
        "a": "watermark n=1",
        "b": None,
        "broken": None,
        "c": None,
        "d": 'watermark odd "name%=2',
    }
    said = [record.getMessage() for record in caplog.records]
    assert [text.split(" is unknown: ")[0].split()[-1] for text in said] == ["b", "broken", "c"]
    assert "it has no column 'N'" in said[0]
    assert "no_such_column" in said[2]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("SELECT count(*) FROM {t}", "query=2"),
        ("SELECT 'done at 5% :now' -- and 100%", "query=done at 5% :now"),
        ("SELECT n FROM {t} WHERE n > 9", None),
        ("SELECT n FROM {t}", None),
        ("SELECT 1, 2", None),
        ("SELECT NULL", "query=none"),
    ],
)
def test_a_query_gives_one_value_or_no_version(database: Database, text: str, version: str | None) -> None:
    database.create("t", {"n": "integer"}, [(1,), (2,)])

    text = text.replace("{t}", table(database, "t"))
    assert versions(database, t=query(text)) == {"t": version}


def test_a_query_cannot_write(database: Database) -> None:
    database.create("t", {"n": "integer"}, [(1,)])

    assert versions(database, t=query(f"DELETE FROM {table(database, 't')}")) == {"t": None}
    assert database.ask("SELECT n FROM t") == [(1,)]


def test_a_view_has_a_version_by_watermark(database: Database) -> None:
    database.create("t", {"n": "integer"}, [(1,)])
    database.run("CREATE VIEW v AS SELECT n * 2 AS n FROM t")

    assert versions(database, v=mark("n")) == {"v": "watermark n=2"}


def test_the_version_is_the_same_in_every_time_zone(postgres: Database) -> None:
    postgres.create("t", {"at": "timestamptz"}, [("2024-03-31 12:00:00+02",)])
    found = []
    for zone in ("UTC", "Asia/Kolkata"):
        settings = replace(postgres.settings, extra_params={"options": f"-c timezone={zone}"})
        with Warehouse(settings) as warehouse:
            (info,) = warehouse.catalog([TableRef("t")]).values()
            found.append(warehouse.versions([info], {TableRef("t"): mark("at")})[TableRef("t")])

    assert found == ["watermark at=2024-03-31T10:00:00+00:00"] * 2


def test_a_database_that_cannot_be_reached_is_an_error_and_no_unknown_version(sqlite: Database) -> None:
    sqlite.create("t", {"n": "integer"})
    info = sqlite.info("t")
    with Warehouse(replace(sqlite.settings, filepath=f"{sqlite.settings.filepath}.gone")) as warehouse:
        for rule in (mark("n"), query("SELECT 1")):
            with pytest.raises(WarehouseError, match="cannot use sqlite file"):
                warehouse.versions([info], {info.ref: rule})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2024-01-01T10:00:00+00:00"),
        (datetime.fromisoformat("2024-01-01T12:00"), "2024-01-01T12:00:00"),
        (b"\x00\xff", "00ff"),
        (memoryview(b"\x01"), "01"),
        ("x" * 200, "x" * 200),
    ],
)
def test_a_value_is_spelled_the_same_wherever_it_was_read(value: object, text: str) -> None:
    assert query("").version(value) == f"query={text}"


def test_long_values_that_differ_late_stay_different() -> None:
    one, other = (query("").version("x" * 300 + end) for end in "ab")

    assert one != other
    assert len(one) == len(other) == len("query=") + 200
