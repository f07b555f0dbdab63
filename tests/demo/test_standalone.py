from __future__ import annotations

import json
import socket
import subprocess
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from demo.rest import AirflowError
from demo.standalone import SEPARATE, Standalone, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TELLS_ITS_ARGUMENTS = '#!/bin/sh\necho "called with: $*"\nexec sleep 60\n'
STAYS = '#!/bin/sh\ntest "$1" = db || exec sleep 60\n'
ENDS = '#!/bin/sh\necho "cannot go on"\nexit 3\n'
PART_ENDS = """#!/bin/sh
if test "$1" = scheduler; then
    until test -e "$AIRFLOW_HOME/enough"; do sleep 0.1; done
    exit
fi
"$0" scheduler &
sleep 60
"""
HELPER_ENDS = "#!/bin/sh\nsleep 1 &\nexec sleep 60\n"


def make(folder: Path, program: str, **options: object) -> Standalone:
    bin_folder = folder / "an environment's bin"
    bin_folder.mkdir()
    airflow = bin_folder / "airflow"
    airflow.write_text(program)
    airflow.chmod(0o755)
    return Standalone(folder / "home", folder / "dags", bin_folder=bin_folder, **options)  # type: ignore[arg-type]


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = monotonic() + seconds
    while not (found := condition()):
        assert monotonic() < end
        sleep(0.01)
    return found


def test_no_part_starts_a_log_server(tmp_path: Path) -> None:
    make(tmp_path, TELLS_ITS_ARGUMENTS)._write_files()
    wrapper = tmp_path / "home" / "bin" / "airflow"
    tell = tmp_path / "an environment's bin" / "airflow"
    tell.write_text("#!/bin/sh\necho $*\n")
    told = {
        component: subprocess.run([wrapper, component], capture_output=True, text=True, check=True).stdout.split()
        for component in (*SEPARATE, "standalone")
    }
    assert told == {
        "api-server": ["api-server"],
        "scheduler": ["scheduler", "--skip-serve-logs"],
        "dag-processor": ["dag-processor"],
        "triggerer": ["triggerer", "--skip-serve-logs"],
        "standalone": ["standalone"],
    }


def test_a_process_that_ends_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        make(tmp_path, ENDS) as airflow,
        pytest.raises(AirflowError, match=r"standalone ended with 3\n(.*\n)*cannot go"),
    ):
        airflow.wait_healthy(timeout=120)


def test_a_part_that_dies_under_a_parent_that_goes_on_is_an_error(tmp_path: Path) -> None:
    with make(tmp_path, PART_ENDS) as airflow:
        wait_for(lambda: airflow.check() or airflow._seen_parts)
        (airflow.home / "enough").touch()
        with pytest.raises(AirflowError, match="a part of airflow standalone has ended"):
            airflow.wait_healthy(timeout=120)


def test_other_programs_that_it_starts_may_end(tmp_path: Path) -> None:
    with make(tmp_path, HELPER_ENDS) as airflow:
        ((_, session),) = airflow._running.values()
        seen = wait_for(session.children)
        while seen[0].is_running() and seen[0].status() != psutil.STATUS_ZOMBIE:
            airflow.check()
        airflow.check()


def test_an_airflow_that_never_gets_healthy_is_an_error_that_names_the_parts(tmp_path: Path) -> None:
    with (
        make(tmp_path, TELLS_ITS_ARGUMENTS) as airflow,
        pytest.raises(AirflowError, match="not healthy after 0 s: meta"),
    ):
        airflow.wait_healthy(timeout=0)


def test_what_nobody_needs_any_more_ends_at_once(tmp_path: Path) -> None:
    with make(tmp_path, STAYS, components=SEPARATE) as airflow:
        sessions = airflow.sessions()
        airflow.kill()
        assert (len(sessions), airflow.sessions()) == (4, [])
        assert not any(session.members() for session in sessions)


def test_a_failed_migration_is_an_error_and_starts_nothing(tmp_path: Path) -> None:
    airflow = make(tmp_path, ENDS, components=SEPARATE)
    with pytest.raises(AirflowError, match=r"`airflow db migrate` ended with 3; see .*commands\.log"):
        airflow.start()
    assert airflow.sessions() == []


def test_a_command_gets_its_arguments_and_what_it_prints_is_kept(tmp_path: Path) -> None:
    airflow = make(tmp_path, '#!/bin/sh\nfor argument; do echo "<$argument>"; done\n', components=())
    airflow.start()
    airflow.run_command("db", "clean", "--tables", "two words")
    log = (airflow.home / "commands.log").read_text()
    assert log == "<db>\n<migrate>\n<db>\n<clean>\n<--tables>\n<two words>\n"


def test_whatever_the_block_raises_nothing_is_left_running(tmp_path: Path) -> None:
    sessions = []

    def use(airflow: Standalone) -> None:
        with airflow:
            sessions.extend(airflow.sessions())
            assert sessions[0].members() != []
            raise KeyError("whatever")

    with pytest.raises(KeyError, match="whatever"):
        use(make(tmp_path, TELLS_ITS_ARGUMENTS))
    assert [session.members() for session in sessions] == [[]]


@pytest.mark.parametrize("end", [Standalone.kill_component, Standalone.stop_component])
def test_one_part_is_ended_and_started_again_while_the_others_go_on(
    tmp_path: Path, end: Callable[[Standalone, str], None]
) -> None:
    with make(tmp_path, STAYS, components=("scheduler", "triggerer")) as airflow:
        before = airflow.sessions()
        end(airflow, "scheduler")
        assert [session.leads() for session in before] == [False, True]
        airflow.check()
        airflow.start_component("scheduler")
        assert [session.leads() for session in airflow.sessions()] == [True, True]
        assert set(airflow.sessions()) - set(before)


def test_surrounding_airflow_and_python_settings_do_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_SOMEWHERE", "postgres://")
    monkeypatch.setenv("PROFILEMESH_SOURCE__HOST", "elsewhere")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("KEPT", "yes")
    env = make(tmp_path, ENDS, env={"PROFILEMESH_CONFIG": "config.yml"}).env
    assert env["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert {name for name in env if name.startswith(("AIRFLOW_CONN", "PROFILEMESH"))} == {"PROFILEMESH_CONFIG"}
    assert "PYTHONDONTWRITEBYTECODE" not in env
    assert env["KEPT"] == "yes"


def test_only_the_owner_reads_the_password_and_each_airflow_has_its_own(tmp_path: Path) -> None:
    with make(tmp_path, TELLS_ITS_ARGUMENTS) as airflow:
        passwords = airflow.home / "passwords.json"
        assert json.loads(passwords.read_text()) == {"admin": airflow.password}
        assert passwords.stat().st_mode & 0o077 == 0
    assert Standalone(tmp_path, tmp_path).password != airflow.password
    assert airflow.password not in json.dumps(airflow.env)


def test_it_listens_on_this_machine_alone(tmp_path: Path) -> None:
    airflow = Standalone(tmp_path, tmp_path)
    assert airflow.env["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert airflow.url == f"http://127.0.0.1:{airflow.env['AIRFLOW__API__PORT']}"


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
