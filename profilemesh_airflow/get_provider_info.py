"""What Airflow asks a provider about itself."""

from __future__ import annotations

from typing import Any

from profilemesh_airflow.hooks.form import CONN_FIELDS, CONN_TYPE, HOOK_NAME, UI_FIELD_BEHAVIOUR

_HOOK = "profilemesh_airflow.hooks.profilemesh"
_OPERATORS = ("doorbell", "drift", "plan_summary", "profile", "refresh", "select")
_TRIGGERS = ("config_file", "plan", "quiet")


def get_provider_info() -> dict[str, Any]:
    """Metadata of the provider, in the one form that every Airflow version reads.

    A version ignores the keys that came after it: 3.2 is the first that reads a connection's fields here, 2.6 the first
    that has notifications.
    """
    # 2.x reads `dataset-uris`, 3.x `asset-uris`.
    uris = [{"schemes": ["profilemesh"], "handler": "profilemesh_airflow.assets.sanitize_uri"}]
    return {
        "package-name": "profilemesh-airflow",
        "name": "ProfileMesh",
        "description": "Profiles exactly the warehouse tables that changed, driven by Airflow's data-aware scheduling.",
        "integrations": [
            {
                "integration-name": "ProfileMesh",
                "external-doc-url": "https://pypi.org/project/profilemesh-airflow/",
                "tags": ["service"],
            }
        ],
        "hooks": _modules(_HOOK),
        "operators": _modules(*(f"profilemesh_airflow.operators.{name}" for name in _OPERATORS)),
        "sensors": _modules("profilemesh_airflow.sensors.plan"),
        "triggers": _modules(*(f"profilemesh_airflow.triggers.{name}" for name in _TRIGGERS)),
        "extra-links": ["profilemesh_airflow.operators.links.ProfileMeshResultsLink"],
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": f"{_HOOK}.ProfileMeshHook",
                "hook-name": HOOK_NAME,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": CONN_FIELDS,
            }
        ],
        "notifications": ["profilemesh_airflow.notifications.profilemesh.ProfileMeshNotifier"],
        "asset-uris": uris,
        "dataset-uris": uris,
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": "ProfileMesh", "python-modules": list(names)}]
