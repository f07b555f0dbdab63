from __future__ import annotations

from profilemesh_airflow.compat.configuration import get_setting


def test_a_setting_is_told_as_text_with_airflows_own_default(monkeypatch):
    assert int(get_setting("core", "parallelism")) > 0
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "7")
    assert get_setting("core", "parallelism") == "7"


def test_one_that_this_release_does_not_have_is_none():
    assert get_setting("core", "no_such_setting") is None
    assert get_setting("no_such_section", "no_such_setting") is None
