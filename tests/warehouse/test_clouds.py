"""The cloud warehouses: what they would be sent is compiled by their own packages, parsed in their own dialects, and
gives the right answer where it can be run: on DuckDB."""

from __future__ import annotations

import importlib
import math
import re
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
import sqlglot

from profilemesh_airflow.core.connection import ConnectionSettings
from profilemesh_airflow.core.plan import ALL_METRICS, METRICS, Partition, Sampling, TableSettings
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.core.version import VersionRule
from profilemesh_airflow.exceptions import ConfigError, WarehouseError
from profilemesh_airflow.warehouse import Warehouse, connect
from profilemesh_airflow.warehouse.dialects import DIALECTS
from profilemesh_airflow.warehouse.kinds import Kind
from profilemesh_airflow.warehouse.partition_states import list_partitions
from profilemesh_airflow.warehouse.profiler import Profiler
from profilemesh_airflow.warehouse.reading import Reading
from profilemesh_airflow.warehouse.relation import Relation
from profilemesh_airflow.warehouse.strategy import Choice, Means
from profilemesh_airflow.warehouse.watermarks import RuledVersions
from tests.warehouse.databases import Database
from tests.warehouse.oracle import check_numbers, close
from tests.warehouse.transpiled import TranspiledLane, TranspiledLanes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from profilemesh_airflow.core.plan import TableInfo
    from profilemesh_airflow.core.profile import TableProfile

PACKAGES = {
    "bigquery": ("sqlalchemy_bigquery", "BigQueryDialect"),
    "redshift": ("sqlalchemy_redshift.dialect", "RedshiftDialect_psycopg2"),
    "snowflake": ("snowflake.sqlalchemy.snowdialect", "SnowflakeDialect"),
}
COLUMNS = {
    "an integer": "integer",
    "select": "double",
    "price": "DECIMAL(12,2)",
    "huge": "DECIMAL(38,0)",
    "text": "text",
    "yes": "boolean",
    "day": "date",
    "at": "timestamp",
    "clock": "TIME",
}
ROWS = [
    (
        number % 7 - 3,
        number / 3,
        f"{number}.25",
        10**37 + number,
        f"text {number % 5}" * (number % 3),
        number % 2 == 0,
        f"2024-01-{number % 28 + 1:02d}",
        f"2024-02-29 12:00:{number % 60:02d}",
        f"12:{number % 60:02d}:00",
    )
    for number in range(100)
]
ROWS += [(None,) * len(COLUMNS), *((None, special, *ROWS[0][2:]) for special in (math.nan, math.inf, -math.inf))]


#: The warehouses' hash functions, made of those of DuckDB.
HASH_FUNCTIONS = [
    "CREATE MACRO farm_fingerprint(value) AS CAST(hash(value) >> 1 AS BIGINT)",
    "CREATE MACRO to_json_string(value) AS CAST(value AS VARCHAR)",
    "CREATE MACRO fnv_hash(value, seed) AS CAST(hash(value, seed) >> 1 AS BIGINT)",
]


@pytest.fixture(params=sorted(PACKAGES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def package(kind: str) -> Any:
    """The dialect of the warehouse's own package."""
    module, name = PACKAGES[kind]
    pytest.importorskip(module.partition(".")[0])
    return getattr(importlib.import_module(module), name)()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    settings = ConnectionSettings("duckdb", filepath=str(tmp_path_factory.mktemp("clouds") / "warehouse.duckdb"))
    with Warehouse(settings) as warehouse:
        database = Database(settings, warehouse)
        database.create("the table", COLUMNS, ROWS)
        database.run(*HASH_FUNCTIONS)
        yield database


@pytest.fixture(scope="module")
def info(filled: Database) -> TableInfo:
    return filled.info("the table")


@pytest.fixture(scope="module")
def expected(filled: Database) -> TableProfile:
    """What DuckDB itself is asked for."""
    return filled.profile("the table", metrics=ALL_METRICS)


@pytest.fixture
def lane(
    kind: str, package: Any, filled: Database, info: TableInfo, expected: TableProfile
) -> Iterator[TranspiledLane]:
    """All lanes read one file, which nobody else can while one of them is open."""
    with filled.connect() as connection:
        yield TranspiledLane(connection, info, package, kind)


def profile(lane: TranspiledLane, kind: str, rate: int | None = None, **settings: Any) -> TableProfile:
    lanes, choice = TranspiledLanes(lane), Choice(stream=False, reason="it is not there")
    return Profiler(lanes, DIALECTS[kind], lane.info, TableSettings(**settings), choice, rate=rate).profile()  # type: ignore[arg-type]


def of_the_format(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if name in METRICS}


def test_every_statement_is_compiled_parsed_and_gives_the_right_answer(
    lane: TranspiledLane, kind: str, expected: TableProfile
) -> None:
    found = profile(lane, kind, metrics=ALL_METRICS)
    assert found.row_count == len(ROWS)
    for column, same in zip(found.columns, expected.columns, strict=True):
        assert column.errors == {}
        assert column.metrics == close(same.metrics), column.name
    check_numbers(of_the_format(found.columns[1].metrics), [row[1] for row in ROWS])


@pytest.mark.parametrize("metric", ALL_METRICS)
def test_each_metric_alone_is_compiled_and_parsed_too(
    lane: TranspiledLane, kind: str, metric: str, expected: TableProfile
) -> None:
    for alone, all_metrics in zip(profile(lane, kind, metrics=(metric,)).columns, expected.columns, strict=True):
        assert alone.errors == {}
        assert alone.metrics == close({name: value for name, value in all_metrics.metrics.items() if name == metric})


@pytest.mark.parametrize(
    ("key", "partition", "rows"),
    [
        ("day", Partition("day", "latest"), 3),
        ("day", Partition("day", "recent_n", recent_n=2), 6),
        ("text", Partition("text", "specific_values", values=("text 1", None)), 8),
        ("price", Partition("price", "specific_values", values=("7.25",)), 1),
        ("yes", Partition("yes", "specific_values", values=(True,)), 53),
        ("at", Partition("at", "specific_values", values=("2024-02-29 12:00:07",)), 2),
        ("day", Partition("day", "sample", fraction=0.1), None),
    ],
)
def test_partitions_reach_the_statements(
    lane: TranspiledLane, kind: str, key: str, partition: Any, rows: int | None
) -> None:
    found = profile(lane, kind, partition=partition, metrics=ALL_METRICS)
    assert found.row_count == rows or rows is None
    assert 0 < found.row_count < len(ROWS)
    assert all(column.errors == {} for column in found.columns)
    # The values of all partitions are looked up once, to draw some of them.
    assert sum("WHERE" not in sql for sql in lane.sent) == (partition.strategy == "sample")


def test_names_are_quoted(lane: TranspiledLane, kind: str) -> None:
    profile(lane, kind)
    quote = "`" if kind == "bigquery" else '"'
    assert all(f"{quote}the table{quote}" in sql for sql in lane.sent)


@pytest.mark.parametrize(
    ("sampling", "least", "most"),
    [
        (Sampling("random", 0.5), 25, 79),
        (Sampling("random", 0.5, max_rows=20), 1, 20),
        (Sampling("stratified", 0.5, by="yes"), 52, 52),
        (Sampling("stratified", 0.1, by="day", seed=3), 8, 12),
        (Sampling("topk", 0.2, by="price"), 21, 21),
        (Sampling("topk", 0.2, by="at", max_rows=7), 7, 7),
    ],
)
def test_samples_reach_the_statements(lane: TranspiledLane, kind: str, sampling: Any, least: int, most: int) -> None:
    found = profile(lane, kind, sampling=sampling, metrics=ALL_METRICS)
    assert least <= found.row_count <= most
    assert found.rows_of == "sample"
    assert all(column.errors == {} for column in found.columns)
    assert profile(lane, kind, sampling=sampling).row_count == found.row_count


def test_a_sample_is_drawn_of_the_selected_partitions(lane: TranspiledLane, kind: str) -> None:
    partition, sampling = Partition("yes", "specific_values", values=(True,)), Sampling("random", 0.5)
    assert 10 <= profile(lane, kind, partition=partition, sampling=sampling).row_count <= 43


def test_approximations_reach_the_statements(lane: TranspiledLane, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profilemesh_airflow.warehouse.estimates.SAMPLE", 30)
    found = profile(
        lane, kind, rate=2, approximate=True, metrics=[name for name in ALL_METRICS if name != "top_values"]
    )
    assert all(column.errors == {} for column in found.columns)
    by_name = {column.name: column for column in found.columns}
    assert by_name["an integer"].approximate == {
        *("distinct_count", "distinct_percent", "histogram", "stddev", "p05", "p25", "p50", "p75", "p95")
    }
    assert by_name["an integer"].metrics["distinct_count"] == pytest.approx(7, abs=1)
    assert by_name["text"].approximate == {"distinct_count", "distinct_percent"}
    # DuckDB refuses the sum of the huge numbers, so that the first scan is repeated in parts.
    sketched = re.findall(SKETCHES[kind], " ".join(lane.sent), re.IGNORECASE)
    assert set(sketched) == set(COLUMNS)


SKETCHES = {
    "bigquery": r"approx_count_distinct\(`t`\.`(.+?)`",
    "redshift": r'APPROXIMATE COUNT\(DISTINCT t\."(.+?)"',
    "snowflake": r'approx_count_distinct\(t\."(.+?)"',
}


def test_where_no_partition_has_a_version_none_is_asked_for(lane: TranspiledLane, kind: str) -> None:
    info, dialect = lane.info, DIALECTS[kind]
    key = next(column for column in info.columns if column.name == "day")
    assert list_partitions(lane, Relation.of(info), info, key, dialect) is None  # type: ignore[arg-type]
    assert lane.sent == []


def test_rows_are_counted_where_the_catalog_of_redshift_does_not_tell(
    lane: TranspiledLane, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profilemesh_airflow.warehouse.estimates.SAMPLE", 30)
    info = replace(lane.info, estimated_rows=None)
    lanes: Any = TranspiledLanes(lane)
    found = Reading(lanes, DIALECTS[kind], info, Means("sql"), None).profile(TableSettings(approximate=True))
    assert found.strategy.get("approximated_from_one_row_in") == (4 if kind == "redshift" else None)


class Recorded:
    """A connection that notes what it is asked, and answers with ``rows``."""

    def __init__(self, dialect: Any, rows: Any = ()) -> None:
        self.dialect = dialect
        self.engine = SimpleNamespace(connect=lambda: self)
        self.rows = rows
        self.sent: list[str] = []

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execution_options(self, **_: Any) -> Recorded:
        return self

    def execute(self, statement: Any) -> Any:
        compiled = statement.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True})
        return self.exec_driver_sql(str(compiled))

    def exec_driver_sql(self, sql: str) -> Any:
        self.sent.append(sql)
        return self.rows


CATALOG = {
    "bigquery": [("shop", "orders", "BASE TABLE", 10, 80, "id", "INT64", None, None, None, 1.7e9, 1)],
    "redshift": [("shop", "orders", "BASE TABLE", None, None, "id", "numeric", 38, 0, None, None)],
    "snowflake": [("SHOP", "ORDERS", "BASE TABLE", 10, 80, "ID", "NUMBER", 38, 0, None, 1_700_000_000)],
}


def test_the_catalog_is_one_query(kind: str, package: Any) -> None:
    connection = Recorded(package, CATALOG[kind])
    refs = [TableRef("orders", "shop"), TableRef("it's", "the other"), TableRef("a\0b", "shop")]
    found = DIALECTS[kind].catalog(connection, refs, None)  # type: ignore[arg-type]
    (info,) = found.values()
    assert (info.ref, info.kind, len(info.columns)) == (refs[0], "table", 1)
    assert info.details["kinds"] == ((Kind.INTEGER if kind == "bigquery" else Kind.DECIMAL),)
    assert info.columns[0].type in ("INT64", "numeric(38,0)", "NUMBER(38,0)")
    assert info.details["modified"] == (None if kind == "redshift" else 1.7e9)
    (sql,) = connection.sent
    assert sqlglot.parse(sql, dialect=kind, error_level=sqlglot.ErrorLevel.RAISE)


def test_the_versions_are_one_query_or_unknown(kind: str, package: Any) -> None:
    dialect = DIALECTS[kind]
    (info,) = dialect.catalog(Recorded(package, CATALOG[kind]), [TableRef("orders", "shop")], None).values()  # type: ignore[arg-type]
    connection = Recorded(package, [(info.details["schema"], info.details["name"], "last=1")])
    versions = dialect.versions(connection, [info])  # type: ignore[arg-type]
    assert versions == {info.ref: None if kind == "redshift" else "last=1"}
    assert len(connection.sent) == (kind != "redshift")
    for sql in connection.sent:
        assert sqlglot.parse(sql, dialect=kind, error_level=sqlglot.ErrorLevel.RAISE)


def parses(sql: str, kind: str) -> bool:
    return bool(sqlglot.parse(sql, dialect=kind, error_level=sqlglot.ErrorLevel.RAISE))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (VersionRule(watermark="id"), "watermark id=5"),
        (VersionRule(query="SELECT 5"), "query=5"),
        (VersionRule(watermark="gone"), None),
    ],
)
def test_versions_by_rule_are_compiled_and_parsed(kind: str, package: Any, rule: VersionRule, expected: Any) -> None:
    dialect = DIALECTS[kind]
    (info,) = dialect.catalog(Recorded(package, CATALOG[kind]), [TableRef("orders", "shop")], None).values()  # type: ignore[arg-type]
    name = info.columns[0].name
    if rule.watermark == "id":
        rule, expected = VersionRule(watermark=name), f"watermark {name}=5"
    connection = Recorded(package, Answer([(5,)]))
    reader = RuledVersions(lambda: nullcontext(connection), str)  # type: ignore[arg-type, return-value]
    assert reader.read([info], {info.ref: rule}) == {info.ref: expected}
    assert len(connection.sent) == (expected is not None)
    assert all(parses(sql, kind) for sql in connection.sent)


class Answer(list[Any]):
    """Rows that are fetched."""

    def fetchmany(self, number: int) -> list[Any]:
        return self[:number]


LISTED = {
    "bigquery": [("shop", "orders", "BASE TABLE"), ("shop", "v", "VIEW"), ("shop", "e", "EXTERNAL")],
    "redshift": [("shop", "orders", "BASE TABLE"), ("shop", "v", "VIEW"), ("shop", "e", "EXTERNAL TABLE")],
    "snowflake": [("shop", "orders", "BASE TABLE"), ("shop", "v", "VIEW"), ("shop", "e", "EXTERNAL TABLE")],
}


def test_all_tables_are_listed_in_one_query(kind: str, package: Any) -> None:
    package.location = "EU"
    connection = Recorded(package, LISTED[kind])
    expected = [("shop", "orders", "table"), ("shop", "v", "view"), ("shop", "e", "external table")]
    assert DIALECTS[kind].tables(connection) == expected  # type: ignore[arg-type]
    (sql,) = connection.sent
    assert parses(sql, kind)
    assert ("`region-eu`.INFORMATION_SCHEMA.TABLES" in sql) == (kind == "bigquery")


def test_bigquery_has_to_be_told_in_which_location_to_look() -> None:
    module = pytest.importorskip("sqlalchemy_bigquery")
    connection: Any = Recorded(module.BigQueryDialect())
    for ask in (DIALECTS["bigquery"].tables, DIALECTS["bigquery"].tags):
        with pytest.raises(ConfigError, match=r"source\.extra_params: .* add `location`"):
            ask(connection)


TAGS = {
    "bigquery": [("shop", "orders", '[STRUCT("team", "sales"), STRUCT("daily", "")]')],
    "snowflake": [("shop", "orders", "team", "sales"), ("shop", "orders", "daily", "")],
}


def test_tags_are_asked_for_in_one_query(kind: str, package: Any) -> None:
    package.location = "us-east1"
    connection = Recorded(package, TAGS.get(kind, []))
    tags = DIALECTS[kind].tags(connection)  # type: ignore[arg-type]
    assert tags == ({("shop", "orders"): {"team", "team:sales", "daily"}} if kind in TAGS else None)
    assert len(connection.sent) == (kind in TAGS)
    assert all(parses(sql, kind) for sql in connection.sent)


def test_what_is_said_to_a_session_is_parsed(kind: str, package: Any) -> None:
    connection, dialect = Recorded(package), DIALECTS[kind]
    driver = SimpleNamespace(session_id=5, cancel=lambda: None)
    assert dialect.share_moment([connection]) == [connection]  # type: ignore[list-item]
    dialect.limit(connection, 1.5)  # type: ignore[arg-type]
    dialect.recover(connection)  # type: ignore[arg-type]
    dialect.cancel(driver, connection.engine)
    for sql in connection.sent:
        sqlglot.parse(sql, dialect=kind, error_level=sqlglot.ErrorLevel.RAISE)


def test_nothing_is_asked_where_no_dataset_is_named(package: Any, kind: str) -> None:
    connection = Recorded(package, CATALOG[kind])
    found = DIALECTS[kind].catalog(connection, [TableRef("orders")], None)  # type: ignore[arg-type]
    assert found == {}
    assert len(connection.sent) == (kind != "bigquery")


SETTINGS = {
    "bigquery": ConnectionSettings("bigquery", database="a-project", schema="shop", extra_params={"location": "EU"}),
    "redshift": ConnectionSettings("redshift", host="cluster.example", database="dev", username="u", password="s3cret"),
    "snowflake": ConnectionSettings(
        "snowflake",
        account="acme",
        username="u",
        password="s3cret",
        database="SHOP",
        schema="S",
        warehouse="w",
        role="r",
    ),
}
ADDRESSES = {
    "bigquery": "bigquery://a-project/shop",
    "redshift": "redshift+psycopg2://u:***@cluster.example:5439/dev",
    "snowflake": "snowflake://u:***@acme/SHOP/S?role=r&warehouse=w",
}


@pytest.mark.usefixtures("package")
def test_an_engine_is_made_of_the_settings_without_connecting(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "bigquery":
        auth = pytest.importorskip("google.auth")
        anonymous = importlib.import_module("google.auth.credentials").AnonymousCredentials()
        monkeypatch.setattr(auth, "default", lambda **_: (anonymous, None))
    engine = connect(SETTINGS[kind])
    assert engine.url.render_as_string(hide_password=True) == ADDRESSES[kind]
    assert engine.dialect.name == kind
    assert isinstance(engine, sa.engine.Engine)


@pytest.mark.parametrize("name", ["snowflake", "redshift"])
def test_a_schema_with_a_dot_is_one_name(name: str, info: TableInfo) -> None:
    pytest.importorskip(PACKAGES[name][0].partition(".")[0])
    dotted = replace(info, details={**info.details, "schema": "S.x"})
    statement = Relation.of(dotted).select(sa.func.count())
    assert '"S.x"."the table"' in str(statement.compile(dialect=connect(SETTINGS[name]).dialect))


def test_bigquery_without_a_login_says_what_to_give(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy_bigquery")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(WarehouseError, match=r"cannot use bigquery .*: .*; set `credentials_path` in extra_params"):
        connect(SETTINGS["bigquery"])
