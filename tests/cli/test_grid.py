from __future__ import annotations

import time
from io import StringIO

import pytest
from rich.console import Console

from profilemesh_airflow.cli import grid
from profilemesh_airflow.cli.grid import MOST_DRAWN_ROWS, Grid, printable, show

LONG = "sales." + "orders" * 40


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 60 columns; what is drawn on it."""
    drawn = StringIO()

    def console():
        return Console(file=drawn, force_terminal=True, width=60, color_system="standard", legacy_windows=False)

    monkeypatch.setattr(grid, "Console", console)
    return drawn


def test_away_from_a_terminal_a_row_is_one_line_however_long(capsys):
    show(Grid(("table", "why"), [(LONG, ("data: 1 -> 2", "schema: id none -> int")), ("b", "added")]))

    lines = capsys.readouterr().out.split("\n")
    assert lines[0].split() == ["table", "why"]
    assert lines[1] == f"{LONG}  data: 1 -> 2; schema: id none -> int"
    assert lines[2] == f"{'b':{len(LONG)}}  added"
    assert lines[3:] == [""]


def test_columns_are_aligned_by_the_width_of_the_letters_and_numbers_to_the_right(capsys):
    show(Grid(("table", "rows", "x"), [("表", "7", "a"), ("orders", "12345", "b")], right=frozenset({"rows"})))

    assert capsys.readouterr().out.split("\n")[:3] == [
        "table    rows  x",
        "表          7  a",
        "orders  12345  b",
    ]


def test_on_a_terminal_a_long_name_is_wrapped_and_nothing_of_it_is_lost(terminal):
    show(Grid(("table", "why"), [(LONG, ("first", "second"))]))

    rows = [line.split() for line in terminal.getvalue().splitlines()[3:] if line.strip()]
    assert "".join(row[0] for row in rows) == LONG
    assert [row[1] for row in rows if len(row) > 1] == ["first", "second"]


def test_on_a_terminal_a_state_has_its_colour(terminal):
    show(Grid(("state",), [("parked",), ("other",)], styles={"parked": "red"}))

    assert "\x1b[31mparked" in terminal.getvalue()
    assert "\x1b[31mother" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe 表", "größe 表"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202eevil", "\\u202eevil"),
    ],
)
def test_a_name_cannot_steer_the_terminal(terminal, capsys, text, shown):
    assert printable(text) == shown
    show(Grid(("name",), [(text,)]))
    assert shown in terminal.getvalue()


def test_a_plan_of_ten_thousand_tables_is_printed_at_once(terminal, capsys):
    rows = [(f"schema.table_{number}", "all", "-", "-", "12345678", "12345678", "unknown") for number in range(10_000)]
    began = time.process_time()
    show(Grid(("table", "metrics", "partition", "sampling", "settings", "schema", "data"), rows))

    assert time.process_time() - began < 1
    assert len(capsys.readouterr().out.splitlines()) == 10_001
    assert len(rows) > MOST_DRAWN_ROWS
    assert terminal.getvalue() == ""
