from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from profilemesh_airflow.config import load_config
from profilemesh_airflow.config.cron import fault_of
from profilemesh_airflow.config.document import Document
from profilemesh_airflow.exceptions import ConfigError
from profilemesh_airflow.warehouse.strategy import MODULES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from profilemesh_airflow.config import LoadedConfig

SECTIONS = (
    "environment, source, storage, profiling, drift_detection, hooks, "
    "monitoring, retry, execution, incremental, airflow"
)


def test_a_file_is_read_and_its_path_and_digest_are_kept(
    tmp_path: Path, smallest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yaml").write_text(smallest)
    (tmp_path / "bom").write_text("\ufeff" + smallest, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    loaded, with_mark = load_config("c.yaml", {}), load_config("bom", {})
    assert loaded.path == tmp_path / "c.yaml"
    assert loaded.digest == "045a0fc80ed91db311c3792bbf8a9baa"
    assert loaded.model == with_mark.model
    assert loaded.digest != with_mark.digest


def test_without_a_given_environment_the_one_of_the_process_counts(
    tmp_path: Path, smallest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yml").write_text(smallest)
    monkeypatch.setenv("PROFILEMESH_SOURCE__HOST", "db9")
    assert load_config(tmp_path / "c.yml").model.source.host == "db9"
    assert load_config(tmp_path / "c.yml", {}).model.source.host is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.yml", None, ": there is no such file; check the path of the configuration"),
        ("c.yml/x", b"", ": cannot be read: Not a directory"),
        ("a\0b", None, ": cannot be read: embedded null byte"),
        ("c.yml", b"", f": is empty; a configuration has the sections {SECTIONS}"),
        ("c.yml", b"# nothing\n", f": is empty; a configuration has the sections {SECTIONS}"),
        ("c.json", b"null", f": is empty; a configuration has the sections {SECTIONS}"),
        ("c.json", b"", ":1:1: not valid JSON: Expecting value"),
        ("c.yml", b"- a\n", f":1: is a list at the top; write a mapping of the sections {SECTIONS}"),
        ("c.json", b"[1]", f":1: is a list at the top; write a mapping of the sections {SECTIONS}"),
        ("c.yml", b"hush\n", f":1: is a single value at the top; write a mapping of the sections {SECTIONS}"),
        ("c.yml", b"a: 1\nb: \xff\n", ":2: not UTF-8 text; save the file in UTF-8"),
        ("c.json", b'{"a": 1,\n "b" 2}', ":2:6: not valid JSON: Expecting ':' delimiter"),
        ("c.JSON", b'{"a": }', ":1:7: not valid JSON: Expecting value"),
        (
            "c.json",
            b'{"a": ' + b"9" * 5000 + b"}",
            ": not valid JSON: a number is too long or a list nested too deeply",
        ),
        ("c.json", b"[" * 100000, ": not valid JSON: a number is too long or a list nested too deeply"),
        ("c.json", b"[" * 70 + b"]" * 70, ": nested too deeply; a configuration has a handful of levels"),
        ("c.yml", b"a: " + b"[" * 70 + b"]" * 70, ": nested too deeply; a configuration has a handful of levels"),
        ("c.yml", b"a: 1\n---\nb: 2\n", ":2:1: not valid YAML: expected a single document"),
        ("c.yml", b"a: [1, 2\nb: 3\n", ":2:2: not valid YAML: while parsing a flow sequence"),
        ("c.yml", b"a: 1\nb: c: d\n", ":2:5: not valid YAML: a ':' is out of place"),
        ("c.yml", b"a:\n\tb: 1\n", ":2:1: not valid YAML: no value begins with this character"),
        ("c.yml", b"a: 1\n\xc3\xa9: \x01\n", ":2:4: not valid YAML: a control character; remove it"),
        ("c.yml", b"a: &a [*a]\n", ":1:4: not valid YAML: a value contains itself"),
        ("c.yml", b"password: *hush\n", ":1:11: not valid YAML: '*' begins an alias, and no anchor has its name"),
        ("c.yml", b"password: !hush x\n", ":1:11: not valid YAML: '!' begins a type that is not supported"),
        ("c.yml", b"password: !hush!x y\n", ":1:11: not valid YAML: "),
        (
            "c.yml",
            b"a: &hush 1\nb: &hush 2\n",
            ":2:4: not valid YAML: '&' begins an anchor, and this one is there twice",
        ),
        ("c.yml", b"password: @hush\n", ":1:11: not valid YAML: no value begins with this character; put it in quotes"),
        (
            "c.yml",
            b'password: "hush\\q"\n',
            ":1:1",
        ),
        ("c.yml", b"a: !!python/name:os.system x\n", ":1:4: not valid YAML: '!' begins a type that is not supported"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error_that_does_not_show_the_text(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        target = tmp_path / name.partition("/")[0]
        target.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory; name the configuration file in it"):
        load_config(tmp_path, {})


def test_aliases_that_stand_for_too_many_values_are_refused(errors: Callable[..., list[str]]) -> None:
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 8)]
    text = "\n".join(["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]", *levels])
    assert errors(text) == ["c.yml:1:1: not valid YAML: its aliases stand for too many values"]


def test_a_key_that_is_written_twice_is_a_warning_and_the_last_one_counts(
    load: Callable[..., LoadedConfig], warnings: Callable[..., list[str]]
) -> None:
    text = """\
source: {type: mysql, database: shop}
profiling:
  tables:
    - table: orders
      table: customers
source: {type: postgres}
"""
    as_json = """{"source": {"type": "mysql"},
"profiling": {"tables": [
\t{"table": "orders",
\t "table": "customers"}]},

"source": {"type": "postgres"}}"""
    for content, name, nested in ((text, "c.yml", (4, 5)), (as_json, "c.json", (3, 4))):
        assert warnings(content, name=name) == [
            f"{name}:{nested[1]}: profiling.tables[0].table: written twice, on lines {nested[0]} and {nested[1]}; "
            "only the last one counts",
            f"{name}:6: source: written twice, on lines 1 and 6; only the last one counts",
        ]
        model = load(content, name=name).model
        assert model.source.type == "postgres"
        assert model.profiling.tables[0].table == "customers"


def test_merged_keys_are_not_duplicates_and_their_errors_have_their_line(
    load: Callable[..., LoadedConfig], errors: Callable[..., list[str]]
) -> None:
    text = """\
source: &db {type: postgres, host: a,
             port: 5432}
storage:
  connection:
    <<: *db
    host: b
profiling: {tables: [{table: t}]}
"""
    loaded = load(text)
    assert loaded.warnings == ()
    assert (loaded.model.storage.connection.host, loaded.model.storage.connection.port) == ("b", 5432)
    wrong = errors(text.replace("port: 5432}", "port: 0}"))
    assert [line.split(": ")[:2] for line in wrong] == [
        ["c.yml:2", "source.port"],
        ["c.yml:2", "storage.connection.port"],
    ]


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("enviroment: x", "enviroment: unknown key, ignored; did you mean 'environment'?"),
        ("xyz: 1", f"xyz: unknown key, ignored; known here: {SECTIONS}"),
        ("1: 1", f"1: unknown key, ignored; known here: {SECTIONS}"),
        ("storage: {resultstable: r}", "storage.resultstable: unknown key, ignored; did you mean 'results_table'?"),
        ("airflow: {Lease: 1h}", "airflow.Lease: unknown key, ignored; did you mean 'lease'?"),
        ("airflow: {budget: {table: 1}}", "airflow.budget.table: unknown key, ignored; did you mean 'tables'?"),
        (
            "hooks: {hooks: [{type: logging, level: INFO}]}",
            "hooks.hooks[0].level: unknown key, ignored; did you mean 'log_level'?",
        ),
        (
            "incremental: {cost_controls: {max_byte_scanned: 1}}",
            "incremental.cost_controls.max_byte_scanned: unknown key, ignored; did you mean 'max_bytes_scanned'?",
        ),
        (
            "drift_detection: {absolute_threshold: {low: 1}}",
            "drift_detection.absolute_threshold.low: unknown key, ignored; "
            "known here: low_threshold, medium_threshold, high_threshold",
        ),
        (
            "drift_detection: {baselines: {strategy: last_run}}",
            "drift_detection.baselines: this key is not supported here and is ignored",
        ),
        (
            "drift_detection: {standard_deviation: {windw: 9}}",
            "drift_detection.standard_deviation.windw: unknown key, ignored; did you mean 'window'?",
        ),
        ("schema_change: {}", "schema_change: section 'schema_change' is not supported here and is ignored"),
    ],
)
def test_an_unknown_key_at_any_level_is_a_warning_with_its_line_and_the_nearest_known_one(
    warnings: Callable[..., list[str]], smallest: str, line: str, warning: str
) -> None:
    assert warnings(f"{smallest}{line}\n") == [f"c.yml:5: {warning}"]


def test_keys_of_the_users_own_mappings_are_not_unknown(warnings: Callable[..., list[str]], smallest: str) -> None:
    text = f"""{smallest}execution: {{warehouse_limits: {{teradata: 3}}}}
drift_detection: {{ml_based: {{depth: {{a: 1}}}}}}
hooks: {{hooks: [{{type: custom, module: m, class_name: c, params: {{a: 1}}}}]}}
incremental: {{change_detection: {{connector_overrides: {{postgres: {{a: 1}}}}}}}}
"""
    assert warnings(text) == []


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "drift_detection: {absolute_threshold: {low_threshold: 20}}",
            "drift_detection.absolute_threshold: low_threshold, medium_threshold and high_threshold must ascend, "
            "not 20, 15, 30",
        ),
        (
            "drift_detection: {standard_deviation: {low_threshold: -1}}",
            "drift_detection.standard_deviation.low_threshold: -1 is not allowed; it must be at least 0",
        ),
        (
            "drift_detection: {strategy: absolute}",
            "drift_detection.strategy: 'absolute' is not allowed; "
            "use one of absolute_threshold, standard_deviation, psi, ks, ml_based (did you mean 'absolute_threshold'?)",
        ),
        (
            "drift_detection: {standard_deviation: {window: 3, min_runs: 4}}",
            "drift_detection.standard_deviation: min_runs 4 is more than window 3, so nothing is ever judged",
        ),
        (
            "drift_detection: {ks: {alpha: 0}}",
            "drift_detection.ks.alpha: 0 is not allowed; it must be greater than 0",
        ),
        (
            "drift_detection: {schema: {added: severe}}",
            "drift_detection.schema.added: 'severe' is not allowed; use one of none, low, medium, high",
        ),
        ("retry: {min_backoff: 9}", "retry: max_backoff 8 is less than min_backoff 9"),
        ("retry: {retries: 11}", "retry.retries: 11 is not allowed; it must be at most 10"),
        (
            "hooks: {hooks: [{type: email}]}",
            "hooks.hooks[0].type: 'email' is not allowed; use one of logging, sql, snowflake, custom",
        ),
        (
            "hooks: {hooks: [{type: custom, module: m}]}",
            "hooks.hooks[0]: a custom hook needs module and class_name",
        ),
        (
            "hooks: {hooks: [{type: logging, log_level: loud}]}",
            "hooks.hooks[0].log_level: 'LOUD' is not allowed; use one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
        ),
        (
            "execution: {warehouse_limits: {postgres: 0}}",
            "execution.warehouse_limits.postgres: 0 is not allowed; it must be at least 1",
        ),
        (
            "airflow: {topology: per_tabel}",
            "airflow.topology: 'per_tabel' is not allowed; "
            "use one of per_table, per_schema, mapped, partitioned (did you mean 'per_table'?)",
        ),
        ("airflow: {lease: 0m}", "airflow.lease: '0m' is not allowed; a duration must be longer than zero"),
        ("airflow: {lease: 1:30}", "airflow.lease: '1:30' is not a duration; write it as 90s, 15m, 24h, 7d or 1h30m"),
        ("airflow: {max_attempts: 0}", "airflow.max_attempts: 0 is not allowed; it must be at least 1"),
        (
            "airflow: {budget: 7}",
            "airflow.budget: 7 is not allowed; write a mapping, with one 'key: value' line an entry",
        ),
        (
            "airflow: {refresh_schedule: 15m}",
            "airflow.refresh_schedule: '15m' is not a schedule; write a cron expression such as '*/15 * * * *', one of "
            "@once, @continuous, @hourly, @daily, @weekly, @monthly, @quarterly, @yearly, or null",
        ),
    ],
)
def test_what_is_wrong_with_a_section_is_said(
    errors: Callable[..., list[str]], smallest: str, line: str, error: str
) -> None:
    assert errors(f"{smallest}{line}\n") == [f"c.yml:5: {error}"]


@pytest.mark.parametrize(
    "kind", ["mysql", "mariadb", "duckdb", "snowflake", "bigquery", "redshift", "postgres", "sqlite"]
)
def test_a_database_that_cannot_be_streamed_from_is_told_before_a_table_is_profiled(
    load: Callable[..., LoadedConfig], errors: Callable[..., list[str]], kind: str
) -> None:
    text = f"source: {{type: {kind}, filepath: d.db}}\nprofiling:\n  engine: stream\n  tables: [{{table: t}}]\n"
    assert load(text.replace("stream", "auto")).model.profiling.engine == "auto"
    if kind in MODULES:
        assert load(text).model.profiling.engine == "stream"
        return
    assert errors(text) == [
        f"c.yml:3: profiling.engine: stream is not supported for {kind.replace('mariadb', 'mysql')}; "
        "rows are streamed from postgres and sqlite, so use auto or sql"
    ]


def test_a_database_that_only_airflow_knows_may_be_one_to_stream_from(load: Callable[..., LoadedConfig]) -> None:
    text = "source: {conn_id: wh}\nprofiling: {engine: stream, tables: [{table: t}]}\n"
    assert load(text).model.profiling.engine == "stream"


@pytest.mark.parametrize(
    ("written", "schedule"),
    [
        ("null", None),
        ("''", None),
        ("'@hourly'", "@hourly"),
        ("'*/5 * * * *'", "*/5 * * * *"),
        ("' 0 6 * * MON-FRI '", "0 6 * * MON-FRI"),
        ("'0 6 1,15 * ? 30'", "0 6 1,15 * ? 30"),
    ],
)
def test_a_schedule_is_a_cron_expression_or_a_preset(
    load: Callable[..., LoadedConfig], smallest: str, written: str, schedule: str | None
) -> None:
    assert load(f"{smallest}airflow: {{refresh_schedule: {written}}}\n").model.airflow.refresh_schedule == schedule


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "0-59/7 * * * *",
            "*/90 * * * *",
            "5/15 * * * *",
            "05 22-2 * * *",
            "0 0 L * *",
            "0 0 1W * *",
            "0 0 1,31 12 *",
        ),
        *("0 0 * JAN,dec *", "0 0 * jan-mar/2 *", "0 0 * * 0-7", "0 0 * * FRI-MON", "0 0 * * 5#3", "0 0 * * MON#2"),
        *("0 0 * * L5", "0 0 ? * ?", "0 0 * * * 59"),
    ],
)
def test_a_cron_expression_that_airflow_takes_is_taken(expression: str) -> None:
    assert fault_of(expression) is None
    assert pytest.importorskip("croniter").croniter.is_valid(expression)


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("99 * * * *", "'99' is no minute (0 to 59)"),
        ("0 24 * * *", "'24' is no hour (0 to 23)"),
        ("0 0 0 * *", "'0' is no day of the month (1 to 31)"),
        ("0 0 1,32 * *", "'32' is no day of the month (1 to 31)"),
        ("0 0 1 1-13 *", "'1-13' is no month (1 to 12)"),
        ("0 0 * * 8", "'8' is no day of the week (0 to 7)"),
        ("0 0 * * * 61", "'61' is no second (0 to 59)"),
        ("0 0 * MON *", "'MON' is no month (1 to 12)"),
        ("foo * * * *", "'foo' is no minute (0 to 59)"),
        ("*/0 * * * *", "'*/0' is no minute (0 to 59)"),
        ("1-5/x * * * *", "'1-5/x' is no minute (0 to 59)"),
        ("-5 * * * *", "'-5' is no minute (0 to 59)"),
        ("1,, * * * *", "'' is no minute (0 to 59)"),
        ("0 0 6 1,15 * ?", "'15' is no month (1 to 12)"),
    ],
)
def test_a_cron_expression_that_names_no_moment_is_an_error(
    errors: Callable[..., list[str]], smallest: str, expression: str, fault: str
) -> None:
    (error,) = errors(f"{smallest}airflow:\n  refresh_schedule: '{expression}'\n")
    assert error.startswith(
        f"c.yml:6: airflow.refresh_schedule: {expression!r} is not a schedule: {fault}; write a cron"
    )
    assert not pytest.importorskip("croniter").croniter.is_valid(expression)


def test_what_the_format_has_and_this_release_does_not_is_a_warning(warnings: Callable[..., list[str]]) -> None:
    text = """\
source: {type: postgres}
profiling:
  tables:
    - table: a
      drift:
        strategy: ml_based
        columns:
          b: {strategy: ml_based}
          c: {enabled: false, strategy: ml_based}
drift_detection: {strategy: ml_based}
airflow: {topology: mapped}
"""
    instead = "ml_based is not supported in this release, and `drift` fails; use absolute_threshold, standard_deviation"
    assert warnings(text) == [
        f"c.yml:6: profiling.tables[0].drift.strategy: {instead}, psi or ks",
        f"c.yml:8: profiling.tables[0].drift.columns.b.strategy: {instead}, psi or ks",
        f"c.yml:10: drift_detection.strategy: {instead}, psi or ks",
        "c.yml:11: airflow.topology: mapped is not supported in this release, and DAG files that are built of this "
        "fail; use per_table",
    ]


def test_json_that_yaml_cannot_place_is_still_checked_without_lines(errors: Callable[..., list[str]]) -> None:
    key = "k" * 2000  # longer than a key of YAML may be
    text = f'{{"{key}": 1, "source": {{"type": "oracle"}}, "profiling": {{"tables": [{{"table": "t"}}]}}}}'
    assert Document(text, "c.json", is_json=True).line(("source",)) is None
    (error,) = errors(text, name="c.json")
    assert error.startswith("c.json: source.type: 'oracle' is not allowed")
