"""Times as databases write them, as ISO 8601."""

from __future__ import annotations

import re
from typing import Any

_FRACTION = re.compile(r"(:\d\d)\.(\d*?)0*(?=$|[+-])")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?")
_HOURS_ONLY = re.compile(r"(T.*[+-]\d\d)$")


def iso_8601(value: Any) -> Any:
    """A date and time with T between them, without trailing zeros, with an offset of hours and minutes."""
    if not isinstance(value, str):
        return value
    text = _FRACTION.sub(lambda found: f"{found[1]}.{found[2]}" if found[2] else found[1], value)
    return _HOURS_ONLY.sub(r"\1:00", re.sub(r" (?=\d\d:)", "T", text, count=1))


def spellings(value: str) -> list[str]:
    """The usual texts for a date and time: T or a blank between them, a fraction of three or six digits or none.

    Of any other text, that alone.
    """
    moment = _MOMENT.fullmatch(value)
    if moment is None:
        return [value]
    day, time, fraction = moment[1], moment[2], (moment[3] or "").rstrip("0")
    fractions = dict.fromkeys((fraction, *(fraction.ljust(digits, "0") for digits in (3, 6))))
    times = [f"{time}.{digits}" if digits else time for digits in fractions]
    return list(dict.fromkeys((value, *(f"{day}{between}{each}" for between in " T" for each in times))))
