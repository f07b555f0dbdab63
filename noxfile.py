"""The matrix: what touches Airflow, tested on every release that is supported, each in an environment of its own.

`nox` runs all cells, `nox -s airflow-2.9.3` one of them; what follows `--` goes to pytest. `nox -s airflow-2.9.3 --
--probe` only writes down what that release can do, for the table in docs/support.md.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"


@dataclass(frozen=True)
class Cell:
    """One release of Airflow.

    :param python: the Python it runs on.
    :param before: nothing newer than of that day is installed with it, as if it were installed then; none is no limit.
    """

    python: str
    before: str | None = None


CELLS = {
    "2.3.4": Cell("3.10", "2022-09-15"),
    "2.4.3": Cell("3.10", "2022-11-20"),
    "2.9.3": Cell("3.11", "2024-07-20"),
    "2.10.5": Cell("3.12", "2025-02-15"),
    "2.11.2": Cell("3.12", "2026-03-16"),
    "3.0.6": Cell("3.12", "2025-09-05"),
    "3.1.8": Cell("3.12", "2026-03-16"),
    "3.2.2": Cell("3.12", "2026-06-03"),
    "3.3.2": Cell("3.12"),
}

#: What touches Airflow. The rest knows none, and is tested once.
TESTS = (
    "tests/e2e/test_any_airflow.py",
    "tests/e2e/test_examples.py",
    "tests/compat",
    "tests/dagbuilder",
    "tests/hooks",
    "tests/notifications",
    "tests/operators",
    "tests/sensors",
    "tests/triggers",
    "tests/test_earlier_surface.py",
    "tests/test_events.py",
    "tests/test_examples.py",
    "tests/test_package.py",
    "tests/test_provider_info.py",
)


def interpreter(version: str) -> str:
    """A Python of that version: from the path, or pyenv's; otherwise uv finds or fetches one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    for candidate in (f"python{version}", *map(str, found)):
        try:
            subprocess.run([candidate, "-c", "import ssl, sqlite3"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return version


def test(version: str, cell: Cell, session: nox.Session) -> None:
    """Install a release of Airflow, then this package beside it as a user would, and run the tests."""
    airflow = f"apache-airflow=={version}"
    constraint = () if cell.before else ("--constraint", "requirements/reference.txt")
    session.install(*(("--exclude-newer", cell.before) if cell.before else ()), *constraint, airflow)
    session.install(airflow, *constraint, "--editable", ".[postgres]", "--group", "cell")
    if "--probe" in session.posargs:
        session.run("python", "-m", "tests.compat.support", "--probe")
        return
    workers = () if "-n" in session.posargs else ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
    # Whoever interrupts the tests gives them the time to end their Airflows.
    session.run("python", "-m", "pytest", *workers, *(session.posargs or TESTS), interrupt_timeout=60)


for _version, _cell in CELLS.items():
    _test = partial(test, _version, _cell)
    _test.__doc__ = f"What touches Airflow, on Airflow {_version} and Python {_cell.python}."
    nox.session(name=f"airflow-{_version}", python=interpreter(_cell.python))(_test)
