"""The store's schema, step by step (Alembic). A released step is never edited; a new one follows it.

A table may be called otherwise than when it was made: `store upgrade --adopt` renames it, and its indexes and
constraints keep their names, in which the former name of the table is. So a step that drops or changes one must find it
by its columns, and must not make its name up with ``constraint_name``.
"""

from __future__ import annotations
