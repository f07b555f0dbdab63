from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing

import pytest
import yaml

from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_tables, select_changes
from profilemesh_airflow.usecases.refresh import record
from profilemesh_airflow.usecases.workspace import Workspace


class Project:
    """A SQLite database, a configuration of it and a results store, in one folder."""

    def __init__(self, folder):
        self.source = folder / "shop.db"
        self.store = folder / "store.db"
        self.config = folder / "config.yml"
        self.sections = {
            "environment": "test",
            "source": {"name": "shop", "type": "sqlite", "filepath": str(self.source)},
            "storage": {"connection": {"type": "sqlite", "filepath": str(self.store)}},
            "profiling": {},
        }
        self.connections = {}

    def sql(self, *statements):
        with closing(sqlite3.connect(self.source)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def configure(self, *tables, **sections):
        """List these tables, each a name or an entry, beside sections that stand for whole ones."""
        entries = [table if isinstance(table, dict) else {"table": table} for table in tables]
        self.sections = {**self.sections, **sections}
        self.sections["profiling"] = {**self.sections["profiling"], "tables": entries}
        self.config.write_text(yaml.safe_dump(self.sections))

    def open(self):
        return Workspace(load_config(self.config), self.connections.__getitem__)

    def detect(self, names=(), **kwargs):
        """The changes by table key, each as its reasons' kinds; nothing is recorded."""
        with self.open() as workspace:
            found = detect(workspace, names, **kwargs).diff
        return {change.key: [reason.kind for reason in change.reasons] for change in found.changes}

    def refresh(self, names=(), **kwargs):
        """Detect and record: the keys of the tables whose doorbell is due."""
        with self.open() as workspace:
            return [entry.key for entry in record(workspace, detect(workspace, names, **kwargs))]

    def profile(self, *names, **kwargs):
        """Profile as the command line does: the outcome of every table, by key."""
        with self.open() as workspace:
            refs = select_changes(workspace, names, **kwargs)
            return {outcome.ref.key: outcome for outcome in profile_tables(workspace, refs, Worker("test"))}

    def digest(self):
        """Stands for every byte of the store and its side files; none where there is no store."""
        files = sorted(self.store.parent.glob(f"{self.store.name}*"))
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture
def project(tmp_path):
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
