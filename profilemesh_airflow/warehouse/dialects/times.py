"""Times as databases write them, as ISO 8601."""

from __future__ import annotations

import re
from typing import Any

_FRACTION = re.compile(r"(:\d\d)\.(\d*?)0*(?=$|[+-])")
_HOURS_ONLY = re.compile(r"(T.*[+-]\d\d)$")


def iso_8601(value: Any) -> Any:
    """A date and time with T between them, without trailing zeros, with an offset of hours and minutes."""
    if not isinstance(value, str):
        return value
    text = _FRACTION.sub(lambda found: f"{found[1]}.{found[2]}" if found[2] else found[1], value)
    return _HOURS_ONLY.sub(r"\1:00", re.sub(r" (?=\d\d:)", "T", text, count=1))
