"""Runs the migrations on the connection, and under the table names, that :mod:`..migrate` gives.

The caller owns the transaction: either all steps are made, or none.
"""

from __future__ import annotations

from alembic import context

from profilemesh_airflow.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    version_table_schema=context.config.attributes["schema"],
)
context.run_migrations()
