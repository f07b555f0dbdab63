from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing

import pytest
import yaml
from click.testing import CliRunner

from profilemesh_airflow.cli import main


class Project:
    """A SQLite database, a configuration of it and a results store, and the command that is run on them."""

    def __init__(self, folder):
        self.folder = folder
        self.source = folder / "shop.db"
        self.store = folder / "store.db"
        self.config = folder / "config.yml"
        self.sections = {
            "environment": "test",
            "source": {"name": "shop", "type": "sqlite", "filepath": str(self.source)},
            "storage": {"connection": {"type": "sqlite", "filepath": str(self.store)}},
            "profiling": {},
        }

    def sql(self, *statements):
        with closing(sqlite3.connect(self.source)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def configure(self, *tables, **sections):
        """List these tables, each a name or an entry, beside sections that stand for whole ones."""
        entries = [table if isinstance(table, dict) else {"table": table} for table in tables]
        self.sections = {**self.sections, **sections}
        self.sections["profiling"] = {**self.sections["profiling"], "tables": entries}
        self.config.write_text(yaml.safe_dump(self.sections), encoding="utf-8")

    def run(self, *args):
        """Run the command in this process."""
        return CliRunner().invoke(main, args, prog_name="profilemesh-airflow")

    def answer(self, *args, exit_code=0):
        """The one JSON document on stdout."""
        result = self.run(*args, "--format", "json")
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def files(self):
        """Every file of the project, with what stands for its bytes."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without tables; the working directory is its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROFILEMESH_CONFIG", raising=False)
    return Project(tmp_path)


@pytest.fixture
def shop(project):
    """Three small tables, listed and not profiled yet."""
    project.sql(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, note TEXT)",
        "INSERT INTO orders VALUES (1, 10.5, 'a'), (2, NULL, 'bb'), (3, 7.0, NULL)",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace')",
        "CREATE TABLE items (id INTEGER PRIMARY KEY, price REAL)",
        "INSERT INTO items VALUES (1, 1.5)",
    )
    project.configure("orders", "users", "items")
    return project
