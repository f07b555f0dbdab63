"""Assets of others that start a table's profile, and the asset that stands for the table itself among them. Pure.

A load job declares the latter as its outlet. Its forms are those of Airflow's providers, as their ``sanitize_uri``
leaves them, so that a table has the same URI whether or not its provider is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings
    from profilemesh_airflow.core.table import TableRef

#: The port that a provider adds to a URI without one.
_PORTS = {"postgres": 5432, "mysql": 3306}


@dataclass(frozen=True)
class Upstream:
    """What a table hears of others.

    :param own: whether an event of the table's own asset starts its profile.
    :param others: the URIs of other assets whose events do.
    :param always: whether they do so whatever became of its data.
    :param debounce: how long its data must be quiet before they are profiled.
    """

    own: bool = False
    others: tuple[str, ...] = ()
    always: bool = False
    debounce: timedelta = timedelta(seconds=10)


def data_uri(source: ConnectionSettings, ref: TableRef) -> str:
    """The URI of a table's own asset.

    - ``postgres://<host>:<port>/<database>/<schema>/<table>``
    - ``mysql://<host>:<port>/<database>/<table>``, for MariaDB, too
    - ``bigquery://<project>/<dataset>/<table>``

    :raises ValueError: Airflow's providers have no form for such a table, or a part of it is not known.
    """
    database, schema = ref.database or source.database, ref.schema or source.schema
    if source.type == "bigquery":
        return f"bigquery://{_path(project=database, dataset=schema, table=ref.table)}"
    if source.type == "postgres":
        return f"postgres://{_server(source)}/{_path(database=database, schema=schema, table=ref.table)}"
    if source.type == "mysql":
        # What others call a schema is a database there.
        return f"mysql://{_server(source)}/{_path(database=ref.schema or database, table=ref.table)}"
    raise ValueError(f"Airflow's providers have no asset URI for a table of type {source.type}")


def _server(source: ConnectionSettings) -> str:
    if not source.host:
        raise ValueError("the configuration does not give its host")
    host = f"[{source.host}]" if ":" in source.host else source.host
    return f"{host}:{source.port or _PORTS[source.type]}"


def _path(**parts: str | None) -> str:
    missing = [name for name, part in parts.items() if not part]
    if missing:
        raise ValueError(f"the configuration does not give its {' and '.join(missing)}")
    return "/".join(quote(part or "", safe="") for part in parts.values())
