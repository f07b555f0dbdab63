"""A worker process that is killed at every step of a refresh and of the profiles that follow it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest

from tests.faults.scene import KILLED, PATIENCE, ROOT, Databases, Scene
from tests.faults.worker import LOOKS, STATEMENT, TRANSACTIONS

#: How many shops are open at once.
SCENES = 12

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills forked processes")

NAMED_STEPS = (
    *(f"{when} {look}" for look in LOOKS for when in ("before", "after")),
    *(f"{name}: {when}" for name in TRANSACTIONS for when in ("begins", "before COMMIT", "after COMMIT")),
)


@pytest.fixture(params=["sqlite", "postgres", "mysql"])
def databases(request):
    """Where tables and store are; the tables stay in SQLite where PostgreSQL is not asked for."""
    if request.param == "sqlite":
        return Databases()
    settings = request.getfixturevalue(f"{request.param}_database")
    return Databases(settings if request.param == "postgres" else None, settings)


@pytest.fixture
def open_scene(workers, databases, tmp_path):
    """Opens a shop whose tables are profiled."""

    def open_scene(name):
        scene = Scene(tmp_path / name, name, databases)
        scene.open_shop()
        assert workers.run(scene.config) == 0
        return scene

    return open_scene


@pytest.fixture
def survive_all(workers, open_scene):
    """By step: what is wrong after a worker was killed there, having found others dead at the ``earlier`` ones.

    In many scenes at once, since each waits for leases to run out.
    """

    def survive_some(scene, faults, earlier):
        return {fault: found for fault in faults if (found := survive(workers, scene, *earlier, fault))}

    def survive_all(faults, *earlier):
        with ThreadPoolExecutor(SCENES) as pool:
            scenes = list(pool.map(open_scene, (f"shop_{number}" for number in range(SCENES))))
            shares = (faults[number::SCENES] for number in range(SCENES))
            found = pool.map(survive_some, scenes, shares, repeat(earlier))
            return {fault: problems for some in found for fault, problems in some.items()}

    return survive_all


def survive(workers, scene, *faults):
    """Kill one worker after the other, each at its step, and let the next one refresh and drain; what is wrong then.

    After the first one's death the tables change once more.
    """
    scene.change_everything()
    for number, fault in enumerate(faults):
        if (code := workers.run(scene.config, PROFILEMESH_FAULT=fault)) != KILLED:
            return [f"not killed at {fault}, but ended with {code}"]
        if number == 0:
            scene.change_meanwhile()
        # Doorbells that nobody answered wait twice as long each time.
        time.sleep(PATIENCE * 2**number + 0.1)
    if code := workers.run(scene.config):
        return [f"the next worker ended with {code}"]
    return scene.problems()


def test_a_worker_may_be_killed_at_every_named_step(survive_all):
    assert survive_all(NAMED_STEPS) == {}


@pytest.fixture
def statements(workers, open_scene, tmp_path):
    """How many statements, BEGINs and COMMITs there are in a round."""
    scene, trace = open_scene("whole"), tmp_path / "trace"
    scene.change_everything()
    assert workers.run(scene.config, PROFILEMESH_FAULT_TRACE=str(trace)) == 0
    counted = trace.read_text().splitlines().count(STATEMENT)
    assert counted > 100
    return [f"{STATEMENT}@{number}" for number in range(1, counted + 1)]


@pytest.mark.parametrize("databases", ["sqlite", "postgres"], indirect=True)
def test_a_worker_may_be_killed_at_any_statement(survive_all, statements):
    assert survive_all(statements) == {}


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_whoever_finds_a_dead_workers_claim_may_be_killed_too(survive_all, statements):
    assert survive_all(statements[::5], "commit: before COMMIT") == {}


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_worker_is_a_program_of_its_own(workers, open_scene):
    scene = open_scene("shop")
    scene.change_everything()
    command = [sys.executable, "-m", "tests.faults.worker", str(scene.config)]
    killed = {**os.environ, "PROFILEMESH_FAULT": "commit: before COMMIT"}
    assert [subprocess.run(command, cwd=ROOT, env=env).returncode for env in (killed, None)] == [KILLED, 0]
