"""What Airflow asks a provider about itself."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Metadata of the provider, in the one form that every Airflow version reads."""
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
        "hooks": [
            {
                "integration-name": "ProfileMesh",
                "python-modules": ["profilemesh_airflow.hooks.profilemesh"],
            }
        ],
        "operators": [
            {
                "integration-name": "ProfileMesh",
                "python-modules": [
                    "profilemesh_airflow.operators.profile",
                    "profilemesh_airflow.operators.refresh",
                    "profilemesh_airflow.operators.drift",
                ],
            }
        ],
        "asset-uris": uris,
        "dataset-uris": uris,
    }
