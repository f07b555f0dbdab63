"""What the package offers, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import profilemesh_airflow
from profilemesh_airflow.compat.capabilities import TASK_SDK
from profilemesh_airflow.get_provider_info import get_provider_info
from tests.capable import needs


@pytest.mark.parametrize("name", profilemesh_airflow.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(profilemesh_airflow, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        profilemesh_airflow.nothing  # noqa: B018 - the access is the test


def test_the_command_line_and_the_use_cases_import_no_airflow():
    code = (
        "import sys, profilemesh_airflow.cli, profilemesh_airflow.usecases.profile;"
        "sys.exit(any(name.split('.')[0] == 'airflow' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_airflow_accepts_the_provider_metadata():
    from airflow.providers_manager import ProvidersManager

    provider = ProvidersManager().providers["profilemesh-airflow"]
    assert provider.version == profilemesh_airflow.__version__
    assert provider.data.items() >= get_provider_info().items()


@pytest.mark.parametrize(
    "uri",
    ["profilemesh://prod/shop/change/sales/orders", "profilemesh://prod/shop/drift/d//t", "profilemesh://a/b/plan"],
)
def test_a_uri_of_ours_is_kept_as_it_is(uri):
    from profilemesh_airflow.compat.assets import make_asset

    assert make_asset(uri).uri == uri


@needs(TASK_SDK)  # 2.9 to 2.11 only warn, and earlier ones do not look
@pytest.mark.parametrize("uri", ["profilemesh://prod/shop/sales/orders", "profilemesh://prod", "profilemesh:///a/plan"])
def test_a_uri_that_cannot_be_ours_is_refused(uri):
    from profilemesh_airflow.compat.assets import make_asset

    with pytest.raises(ValueError, match="is no profilemesh URI"):
        make_asset(uri)
