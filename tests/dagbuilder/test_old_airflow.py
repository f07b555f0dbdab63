"""What the factories say on an Airflow that cannot do what they are for."""

from __future__ import annotations

import pytest

from profilemesh_airflow import build_plan_refresh_dag, build_profiling_dags
from profilemesh_airflow.compat.capabilities import DATASETS
from profilemesh_airflow.exceptions import UnsupportedAirflowError
from tests.capable import lacks


@lacks(DATASETS)
@pytest.mark.parametrize("factory", [build_plan_refresh_dag, build_profiling_dags])
def test_without_datasets_the_error_names_the_sensor_that_does_the_job(factory):
    with pytest.raises(UnsupportedAirflowError, match=r"2\.4 or later.*build_polling_dag.*ProfileMeshPlanSensor"):
        factory("nowhere.yml")
