"""Lengths of time as people write them: ``90s``, ``15m``, ``24h``, ``7d``, ``1h30m``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

from profilemesh_airflow.config.base import show

_UNITS = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?|([0-9]+)")


def parse_duration(value: object) -> timedelta:
    """The length of time that ``value`` says.

    :param value: days, hours, minutes and seconds in that order, each at most once and any of them left out, such as
        ``1d12h`` or ``90s``; a bare number is seconds.
    :raises ValueError: it says no length of time, or none above zero.
    """
    if isinstance(value, timedelta):
        return value
    written = isinstance(value, (str, int)) and not isinstance(value, bool)
    found = _UNITS.fullmatch(str(value).strip()) if written else None
    if found is None or not found[0]:
        raise ValueError(f"{show(value)} is not a duration; write it as 90s, 15m, 24h, 7d or 1h30m")
    try:
        days, hours, minutes, seconds, number = (int(part or 0) for part in found.groups())
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds + number)
    except (OverflowError, ValueError):  # the latter: more digits than Python converts
        raise ValueError(f"{show(value)} is too long a duration") from None
    if not length:
        raise ValueError(f"{show(value)} is not allowed; a duration must be longer than zero")
    return length


#: A length of time, longer than zero.
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
