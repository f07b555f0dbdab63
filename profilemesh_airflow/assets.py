"""The assets of a profiled table: its doorbell, its profile, its drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilemesh_airflow.compat.assets import make_alias, make_asset
from profilemesh_airflow.core.uri import KINDS, SCHEME, alias_name, plan_uri, table_uri

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from profilemesh_airflow.compat.airflow import Asset, AssetAlias
    from profilemesh_airflow.core.plan import Identity
    from profilemesh_airflow.core.table import TableRef


def table_asset(identity: Identity, kind: str, ref: TableRef) -> Asset:
    """The asset of one table and kind.

    Its name is its URI, given explicitly: one asset, one name, on every Airflow version.

    :param kind: ``change`` (it should be profiled), ``profile`` (it was), or ``drift`` (it drifted).
    """
    return make_asset(table_uri(identity, kind, ref), {"table_key": ref.key})


def plan_asset(identity: Identity) -> Asset:
    """The asset of the plan as a whole, whose events sum up what a refresh found changed."""
    return make_asset(plan_uri(identity), {"environment": identity.environment, "source": identity.source})


def changes_alias(identity: Identity) -> AssetAlias:
    """The alias through which a refresh publishes events for the changed tables alone."""
    return make_alias(alias_name(identity))


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Airflow's hook for the scheme: hold a URI to ``profilemesh://<environment>/<source>/<kind>/...``.

    :raises ValueError: the URI cannot be one of this package's.
    """
    parts = uri.path.split("/")[1:]
    if not uri.netloc or len(parts) < 2 or not parts[-1] or parts[1] not in (*KINDS, "plan", "config"):
        raise ValueError(
            f"{uri.geturl()!r} is no {SCHEME} URI: expected {SCHEME}://<environment>/<source>/<kind>[/<table>], "
            f"kind {', '.join(KINDS)}, plan or config"
        )
    return uri
