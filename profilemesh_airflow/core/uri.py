"""Names that outlive versions: asset URIs, alias names and DAG ids. One table, one URI, on every Airflow."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from profilemesh_airflow.core.table import TableRef, encode_part, short_hash, shorten

if TYPE_CHECKING:
    from profilemesh_airflow.core.plan import Identity

SCHEME = "profilemesh"

#: An asset name or URI has at most 1,500 characters in Airflow; three segments, environment and source stay below.
MAX_SEGMENT_LENGTH = 250

#: Airflow's limit for a DAG id.
MAX_DAG_ID_LENGTH = 250

#: What the assets of one table tell: it should be profiled, it was profiled, it drifted.
KINDS = ("change", "profile", "drift")

_UNFIT_FOR_ID = re.compile(r"[^A-Za-z0-9_.-]")


def table_uri(identity: Identity, kind: str, ref: TableRef) -> str:
    """``profilemesh://<environment>/<source>/<kind>[/<database>][/<schema>]/<table>``.

    The kind comes before the table, so that no table's name can be taken for it.

    :raises ValueError: ``kind`` is none of :data:`KINDS`.
    """
    return uri_prefix(identity, kind) + "/".join(shorten(part, MAX_SEGMENT_LENGTH) for part in ref.encoded_parts)


def uri_prefix(identity: Identity, kind: str) -> str:
    """What the URIs of all tables' assets of one kind begin with, and no other's.

    :raises ValueError: ``kind`` is none of :data:`KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"asset kind {kind!r} is not one of {', '.join(KINDS)}")
    return f"{_base(identity)}/{kind}/"


def alias_name(identity: Identity) -> str:
    """Name of the asset alias through which a refresh publishes changes."""
    return f"{_base(identity)}/changes"


def profiling_dag_id(prefix: str, identity: Identity, ref: TableRef) -> str:
    """A readable DAG id, unique per table.

    A hash follows where two tables could meet: a character had to be replaced, the end had to be cut, or a dot in the
    name of environment or source could be taken for one between the names.
    """
    namespace = identity.environment + identity.source
    exact = f"{prefix}.{identity.environment}.{identity.source}.{ref.key}"
    readable = _UNFIT_FOR_ID.sub("_", exact)
    if readable == exact and len(exact) <= MAX_DAG_ID_LENGTH and "." not in namespace:
        return exact
    suffix = f"__{short_hash(table_uri(identity, 'profile', ref), 8)}"
    return readable[: MAX_DAG_ID_LENGTH - len(suffix)] + suffix


@lru_cache(maxsize=8)
def _base(identity: Identity) -> str:
    return f"{SCHEME}://{encode_part(identity.environment)}/{encode_part(identity.source)}"
