"""A project of each test's own."""

from __future__ import annotations

import hashlib

import pytest

from profilemesh_airflow.config import load_config
from profilemesh_airflow.usecases.planning import detect
from profilemesh_airflow.usecases.profile import Worker, profile_tables, select_changes
from profilemesh_airflow.usecases.refresh import record
from profilemesh_airflow.usecases.workspace import Workspace
from tests.project import Project as BareProject


class Project(BareProject):
    """The project, with what the use cases do to it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.connections = {}

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
    project.fill()
    return project
