"""Which installed driver reaches a server, for the profiled database and for the store alike."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy.engine import URL

from profilemesh_airflow.exceptions import DriverMissingError

if TYPE_CHECKING:
    from profilemesh_airflow.core.connection import ConnectionSettings

#: Seconds to wait for a server to answer; ``connect_timeout`` in ``extra_params`` overrides it.
CONNECT_TIMEOUT = 10

#: What the server's own lists of sessions call ours.
APPLICATION_NAME = "profilemesh-airflow"


def postgres_url(settings: ConnectionSettings) -> URL:
    """The address of a PostgreSQL database, for the driver that is installed: psycopg2, or else psycopg 3.

    :raises DriverMissingError: neither is.
    """
    return URL.create(
        f"postgresql+{_postgres_driver()}",
        username=settings.username,
        password=settings.password,
        host=settings.host,
        port=settings.port,
        database=settings.database,
    )


def mysql_url(settings: ConnectionSettings) -> URL:
    """The address of a MySQL or MariaDB database, for PyMySQL; ``schema`` is another word for it where it stands alone.

    :raises DriverMissingError: PyMySQL is not installed.
    """
    if not find_spec("pymysql"):
        raise DriverMissingError(
            "MySQL and MariaDB need a driver that is not installed: pip install 'profilemesh-airflow[mysql]' (PyMySQL)"
        )
    return URL.create(
        "mysql+pymysql",
        username=settings.username,
        password=settings.password,
        host=settings.host,
        port=settings.port,
        database=settings.database or settings.schema,
    )


def _postgres_driver() -> str:
    if find_spec("psycopg2"):
        return "psycopg2"
    # SQLAlchemy 1.4 cannot use psycopg 3.
    if find_spec("psycopg") and not sqlalchemy.__version__.startswith("1."):
        return "psycopg"
    raise DriverMissingError(
        "PostgreSQL needs a driver that is not installed: pip install 'profilemesh-airflow[postgres]' (psycopg2)"
    )
