"""The store's schema, step by step (Alembic). A released step is never edited; a new one follows it."""

from __future__ import annotations
