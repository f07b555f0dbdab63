"""Runs the migrations on the connection, and under the table names, that :mod:`..migrate` gives.

The caller owns the transaction: either all steps are made, or none.
"""

from __future__ import annotations

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table=attributes["version_table"],
    version_table_schema=attributes["schema"],
)
context.run_migrations()
