"""``python -m profilemesh_airflow`` is the command ``profilemesh-airflow``."""

from __future__ import annotations

from profilemesh_airflow.cli import main

if __name__ == "__main__":
    main()
