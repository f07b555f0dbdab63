"""A project of each test's own."""

from __future__ import annotations

import hashlib
import json

import pytest
from click.testing import CliRunner

from profilemesh_airflow.cli import main
from tests.project import Project as BareProject


class Project(BareProject):
    """The project, and the command that is run on it."""

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
    project.fill()
    return project
