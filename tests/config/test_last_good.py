"""What is in force while the file cannot be used."""

from __future__ import annotations

import stat

import pytest

from profilemesh_airflow.config import last_good, load_last_good
from profilemesh_airflow.exceptions import ConfigError

GOOD = (
    "environment: prod\nsource: {type: sqlite, filepath: shop.db, name: shop}\nprofiling: {tables: [{table: orders}]}\n"
)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(last_good, "_kept", {})
    path = tmp_path / "config.yml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def environ(tmp_path):
    return {"AIRFLOW_HOME": str(tmp_path / "home")}


def test_a_good_file_is_as_it_is(file, environ):
    loaded = load_last_good(file, environ)
    assert (loaded.model.environment, loaded.broken, loaded.warnings) == ("prod", None, ())


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (GOOD + "profiling: [", "not valid YAML"),
        ("", "is empty"),
        (None, "there is no such file"),
        (GOOD.replace("orders", "orders, metrics: [meen]"), "did you mean 'mean'"),
    ],
)
def test_a_broken_one_leaves_the_last_good_one_in_force_and_it_says_so(file, environ, broken, why):
    good = load_last_good(file, environ)
    file.unlink() if broken is None else file.write_text(broken)

    loaded = load_last_good(file, environ)
    assert loaded.model == good.model
    assert (loaded.path, loaded.digest) == (good.path, good.digest)
    assert why in str(loaded.broken)
    assert why in loaded.warnings[0]
    assert "the last good one" in loaded.warnings[0]

    file.write_text(GOOD.replace("prod", "test"))
    assert (load_last_good(file, environ).model.environment, load_last_good(file, environ).broken) == ("test", None)
    file.write_text("[")
    assert load_last_good(file, environ).model.environment == "test"


def test_without_an_earlier_good_one_it_is_the_error_that_it_is(file, environ):
    file.write_text("environment: [")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_last_good(file, environ)


def test_what_is_wrong_around_the_file_is_the_error_that_it_is(file, environ):
    file.write_text(GOOD.replace("shop.db", '"${PLACE}"'))
    load_last_good(file, {**environ, "PLACE": "shop.db"})
    with pytest.raises(ConfigError, match="PLACE"):
        load_last_good(file, environ)


def test_only_its_user_can_read_what_is_kept_and_another_process_finds_it(file, environ, monkeypatch):
    load_last_good(file, environ)
    (copy,) = (file.parent / "home" / "profilemesh").iterdir()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    monkeypatch.setattr(last_good, "_kept", {})
    file.write_text("[")
    assert load_last_good(file, environ).broken


def test_where_nothing_can_be_kept_a_good_file_is_used_all_the_same(file, tmp_path):
    (tmp_path / "home").write_text("a file")
    assert load_last_good(file, {"AIRFLOW_HOME": str(tmp_path / "home")}).broken is None
