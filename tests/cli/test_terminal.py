"""What only a real process shows: a terminal, a closed pipe, an interrupt."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "profilemesh_airflow"]


def on_a_terminal(*args, columns=100):
    """Run with stdout and stderr on a terminal: exit code, and everything that was shown."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen([*COMMAND, *args], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    return process.wait(), shown.decode()


def without_colour(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_terminal_gets_colours_a_bar_and_every_letter_of_a_long_name(shop):
    name = "orders_" * 25
    shop.sql(f"CREATE TABLE {name} (id INTEGER)")
    shop.configure(name, "orders", "ghost", airflow={"max_attempts": 1})

    code, shown = on_a_terminal("profile", columns=70)
    assert code == 1
    assert "planning" in shown
    assert re.search(r"[━╸]+\S* *\S*3/3", shown)
    assert "2 profiled, 1 failed" in shown

    code, shown = on_a_terminal("status", columns=70)
    assert code == 0
    assert re.search(r"\x1b\[32m *current", shown)
    assert re.search(r"\x1b\[1;31m *parked", shown)
    lines = without_colour(shown).splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip().startswith("orders_"))
    row = [line.split()[0] for line in lines[first:] if line.strip().startswith(("o", "r", "d", "e", "s", "_"))]
    assert "".join(row).startswith(name)


def test_elsewhere_everything_is_plain(shop):
    done = subprocess.run([*COMMAND, "profile"], capture_output=True, text=True, check=True)

    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stderr


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_pipe_that_is_closed_early_is_no_error(project, output):
    project.configure(*(f"table_{number}" for number in range(5000)))
    process = subprocess.Popen(
        [*COMMAND, "plan", "--offline", "--format", output], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.wait()

    assert error == b""


def test_an_interrupt_ends_quietly_and_gives_the_claim_back(shop):
    shop.sql(
        "CREATE TABLE big AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000000) "
        "SELECT x, x * 7 % 1000003 AS y, CAST(x AS TEXT) AS z FROM n"
    )
    shop.configure("big")
    process = subprocess.Popen([*COMMAND, "profile"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while shop.answer("status")["tables"][0]["state"] != "claimed":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate()

    assert process.returncode == 130
    assert (out, error.strip()) == ("", "")
    status = shop.answer("status")["tables"][0]
    assert (status["state"], status["attempts"]) == ("open", 1)


def test_a_name_that_the_terminal_cannot_show_is_escaped(shop):
    shop.sql('CREATE TABLE t ("größe_表" INTEGER)')
    shop.configure("t")
    shop.run("profile")

    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = subprocess.run([*COMMAND, "results", "t"], capture_output=True, check=True, env=environment)

    assert b"gr\xf6\xdfe_\\u8868" in done.stdout
