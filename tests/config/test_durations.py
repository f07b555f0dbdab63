from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.config import parse_duration

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("24h", 86400),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1d12h", 129600),
        ("2d3h4m5s", 183845),
        ("0h5m", 300),
        (" 15m ", 900),
        ("900", 900),
        (900, 900),
    ],
)
def test_a_duration_is_units_in_falling_order_or_seconds(written: object, seconds: int) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "m",
        "30m1h",
        "1h30",
        "1h1h",
        "1.5h",
        "15 m",
        "15M",
        "-5m",
        "1:30",
        "15min",
        "PT15M",
        "1w",
        1.5,
        True,
        None,
        [],
    ],
)
def test_what_is_no_duration_is_refused_and_the_right_spelling_is_shown(written: object) -> None:
    with pytest.raises(ValueError, match="is not a duration; write it as 90s, 15m, 24h, 7d or 1h30m"):
        parse_duration(written)


@pytest.mark.parametrize("written", ["0s", "0", 0, "0d0h"])
def test_a_duration_of_nothing_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="must be longer than zero"):
        parse_duration(written)


def test_a_duration_of_ages_is_refused() -> None:
    for written in ("99999999999999d", "9" * 30 + "s", "9" * 5000):
        with pytest.raises(ValueError, match="is too long a duration"):
            parse_duration(written)


@given(st.fixed_dictionaries({unit: st.none() | st.integers(0, 9999) for unit in UNITS}))
def test_every_combination_of_units_adds_up(parts: dict[str, int | None]) -> None:
    seconds = sum(UNITS[unit] * (number or 0) for unit, number in parts.items())
    written = "".join(f"{parts[unit]}{unit}" for unit in UNITS if parts[unit] is not None)
    if seconds:
        assert parse_duration(written) == timedelta(seconds=seconds)
    else:
        with pytest.raises(ValueError, match="duration"):
            parse_duration(written)


@given(st.text(alphabet="0123456789dhms ", max_size=12))
def test_no_text_gives_a_duration_that_is_not_positive(text: str) -> None:
    try:
        length = parse_duration(text)
    except ValueError:
        return
    assert length > timedelta(0)
