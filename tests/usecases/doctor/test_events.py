"""Hooks that could not be told, in the doctor's eyes."""

from __future__ import annotations

from profilemesh_airflow.core.events import HOOK_FAILED
from profilemesh_airflow.usecases.doctor import examine


def findings(shop):
    with shop.open() as workspace:
        return [finding for finding in examine(workspace).findings if finding.check == "event-hooks"]


def test_a_hook_that_failed_of_late_is_named_with_how_often_and_its_latest_error(shop):
    broken = {"type": "custom", "module": "no_such_module", "class_name": "Pager"}
    shop.configure("orders", "users", "items", hooks={"hooks": [broken], "post_profiling": "json:dumps"})
    shop.profile()
    called, made = findings(shop)
    assert (made.severity, made.where) == ("warning", "hooks.hooks[0]")
    assert made.what.startswith("it could not be told once in the last 24 hours, last at ")
    assert "there is no module 'no_such_module'" in made.what
    # json.dumps cannot write an event.
    assert called.where == "hooks.post_profiling (json:dumps)"
    assert "could not be told 3 times" in called.what
    assert "of profiling_completed: TypeError" in called.what


def test_where_every_hook_works_there_is_nothing_to_say(shop):
    shop.configure("orders", "users", "items", hooks={"hooks": [{"type": "sql"}]})
    shop.profile()
    assert findings(shop) == []


def test_a_failure_of_another_configuration_in_the_same_store_is_none_of_this_one(shop):
    shop.profile()
    with shop.open() as workspace:
        workspace.store.events(workspace.identity).add(HOOK_FAILED, None, {"hook": "x", "error": "y"})
    assert len(findings(shop)) == 1
    shop.sections["environment"] = "other"
    shop.configure("orders")
    assert findings(shop) == []
