"""What was read once is not read again, unless something around it is different."""

from __future__ import annotations

import pytest

from profilemesh_airflow.config import load_config
from profilemesh_airflow.exceptions import ConfigError

TEXT = "environment: ${ENV:one}\nsource: {type: sqlite, filepath: shop.db}\nprofiling: {tables: [{table: t}]}\n"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def parsed(monkeypatch):
    """How often a text was parsed."""
    from profilemesh_airflow.config import document

    read, times = document.read_yaml, []

    def counted(text):
        times.append(text)
        return read(text)

    monkeypatch.setattr(document, "read_yaml", counted)
    return times


def test_unchanged_content_is_not_parsed_again(config, parsed):
    assert load_config(config, {}) is load_config(str(config), {})
    assert len(parsed) == 1


def test_an_edit_counts_even_within_the_resolution_of_the_files_time(config, parsed):
    first = load_config(config, {})
    config.write_text(TEXT.replace("table: t", "table: u"))

    assert [load_config(config, {}).model.profiling.tables[0].table, first.model.profiling.tables[0].table] == [
        "u",
        "t",
    ]
    assert len(parsed) == 2


def test_another_environment_or_working_directory_is_read_anew(config, tmp_path, monkeypatch):
    environments = [load_config(config, variables).model.environment for variables in ({}, {"ENV": "two"}, {})]
    assert environments == ["one", "two", "one"]
    assert load_config(config, {"PROFILEMESH_ENVIRONMENT": "three"}).model.environment == "three"

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "shop.db").touch()
    monkeypatch.chdir(elsewhere)
    assert load_config(config, {}).model.source.filepath == str(elsewhere / "shop.db")


def test_an_error_is_told_each_time(config):
    config.write_text(TEXT.replace("sqlite", "sqlight"))
    for _ in range(2):
        with pytest.raises(ConfigError, match="did you mean 'sqlite'"):
            load_config(config, {})
