"""Airflow's names, wherever the installed release keeps them."""

from __future__ import annotations

import pytest

from profilemesh_airflow.compat import airflow
from profilemesh_airflow.compat.capabilities import WATCHERS
from tests.capable import lacks

#: What has no stand-in: nothing that runs on an Airflow without it may ask for it.
NOT_EVERYWHERE = {"AssetOrTimeSchedule", "AssetWatcher", "CronTriggerTimetable"}


@pytest.mark.parametrize("name", sorted({*airflow.__all__} - NOT_EVERYWHERE))
def test_every_name_is_found(name):
    assert getattr(airflow, name) is not None


def test_a_name_that_was_never_promised_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        airflow.Nothing  # noqa: B018 - the access is the test


@lacks(WATCHERS)
def test_a_name_that_this_release_does_not_have_is_an_import_error_that_says_where_to_look():
    with pytest.raises(ImportError, match=r"no AssetWatcher.*docs/support\.md"):
        airflow.AssetWatcher  # noqa: B018 - the access is the test


def test_the_names_that_can_be_imported_are_those_that_are_found():
    assert set(airflow.__all__) == set(airflow._PLACES)
