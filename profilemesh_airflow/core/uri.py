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

#: Airflow's limit for the id of a DAG or a task.
MAX_ID_LENGTH = 250

#: What the assets of one table tell: it should be profiled, it was profiled, it drifted.
KINDS = ("change", "profile", "drift")

_UNFIT_FOR_ID = re.compile(r"[^A-Za-z0-9_.-]")


def table_uri(identity: Identity, kind: str, ref: TableRef) -> str:
    """``profilemesh://<environment>/<source>/<kind>[/<database>][/<schema>]/<table>``.

    The kind comes before the table, so that no table's name can be taken for it.

    :raises ValueError: ``kind`` is none of :data:`KINDS`.
    """
    return uri_prefix(identity, kind) + "/".join(shorten(part, MAX_SEGMENT_LENGTH) for part in ref.encoded_parts)


def plan_uri(identity: Identity) -> str:
    """``profilemesh://<environment>/<source>/plan``: something of the plan changed."""
    return f"{_base(identity)}/plan"


def config_uri(identity: Identity) -> str:
    """``profilemesh://<environment>/<source>/config``: the configuration was edited."""
    return f"{_base(identity)}/config"


def uri_prefix(identity: Identity, kind: str) -> str:
    """What the URIs of all tables' assets of one kind begin with, and no other's.

    :raises ValueError: ``kind`` is none of :data:`KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"asset kind {kind!r} is not one of {', '.join(KINDS)}")
    return f"{_base(identity)}/{kind}/"


def kind_of(uri: str) -> str | None:
    """Which of :data:`KINDS` the asset of a URI tells; none where it is none of this package's."""
    scheme, _, rest = uri.partition("://")
    kind = "".join(rest.split("/")[2:3])
    return kind if scheme == SCHEME and kind in KINDS else None


def alias_name(identity: Identity) -> str:
    """Name of the asset alias through which a refresh publishes changes."""
    return f"{_base(identity)}/changes"


#: What the ids of the tables' DAGs begin with, unless a DAG file says otherwise.
PROFILING_DAGS = "profilemesh_profile"


def profiling_dag_id(prefix: str, identity: Identity, ref: TableRef) -> str:
    """A readable DAG id, unique per table.

    A hash follows where two tables could meet: a character had to be replaced, the end had to be cut, or a dot in the
    name of environment or source could be taken for one between the names.
    """
    exact = f"{prefix}.{identity.environment}.{identity.source}.{ref.key}"
    ambiguous = "." in identity.environment + identity.source
    return _readable_id(exact, table_uri(identity, "profile", ref), ambiguous=ambiguous)


def table_task_id(prefix: str, ref: TableRef) -> str:
    """A readable task id, unique per table within a DAG; a hash follows where two tables could meet."""
    return _readable_id(f"{prefix}.{ref.key}", ref.key)


def _readable_id(exact: str, unique: str, *, ambiguous: bool = False) -> str:
    readable = _UNFIT_FOR_ID.sub("_", exact)
    if readable == exact and len(exact) <= MAX_ID_LENGTH and not ambiguous:
        return exact
    suffix = f"__{short_hash(unique, 8)}"
    return readable[: MAX_ID_LENGTH - len(suffix)] + suffix


@lru_cache(maxsize=8)
def _base(identity: Identity) -> str:
    return f"{SCHEME}://{encode_part(identity.environment)}/{encode_part(identity.source)}"
