"""The table of what each release can do is made of what was found, and is up to date."""

from __future__ import annotations

import pytest

from profilemesh_airflow.compat.capabilities import CAPABILITIES
from tests.compat.support import TABLE, probe, recorded, rendered


def test_what_is_written_of_the_installed_release_is_what_it_can_do():
    found = probe()
    written = recorded(found["airflow"])

    if written is None:
        pytest.skip(f"Airflow {found['airflow']} is not one of the matrix")
    assert (written["capabilities"], written["sqlalchemy"]) == (found["capabilities"], found["sqlalchemy"]), (
        f"run `nox -s airflow-{found['airflow']} -- --probe`, then `make support`"
    )


def test_the_table_is_made_of_what_was_found():
    assert TABLE.read_text(encoding="utf-8") == rendered(), "run `make support`"


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: capability.name)
def test_a_capability_is_there_from_the_release_on_that_its_description_names(capability):
    release = [int(part) for part in probe()["airflow"].split(".")]
    assert capability.available == (release >= [int(part) for part in capability.since.split(".")])
