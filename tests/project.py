"""A small project of a user's: a SQLite database, a configuration of it, and a results store, in one folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path


class Project:
    """The files, and what a user does with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "shop.db"
        self.store = folder / "store.db"
        self.config = folder / "config.yml"
        self.sections: dict[str, Any] = {
            "environment": "test",
            "source": {"name": "shop", "type": "sqlite", "filepath": str(self.source)},
            "storage": {"connection": {"type": "sqlite", "filepath": str(self.store)}},
            "profiling": {},
        }

    def sql(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.source)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def configure(self, *tables: Any, **sections: Any) -> None:
        """List these tables, each a name or an entry, beside sections that stand for whole ones."""
        entries = [table if isinstance(table, dict) else {"table": table} for table in tables]
        self.sections = {**self.sections, **sections}
        self.sections["profiling"] = {**self.sections["profiling"], "tables": entries}
        self.config.write_text(yaml.safe_dump(self.sections), encoding="utf-8")

    def fill(self) -> None:
        """Three small tables, listed and not profiled yet."""
        self.sql(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, note TEXT)",
            "INSERT INTO orders VALUES (1, 10.5, 'a'), (2, NULL, 'bb'), (3, 7.0, NULL)",
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)",
            "INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace')",
            "CREATE TABLE items (id INTEGER PRIMARY KEY, price REAL)",
            "INSERT INTO items VALUES (1, 1.5)",
        )
        self.configure("orders", "users", "items")
