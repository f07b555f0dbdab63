"""Times as whole numbers, and as the text that a profile has for them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import polars as pl

from profilemesh_airflow.warehouse.stream.source import UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY = date(1970, 1, 1)
_MOMENT = datetime(1970, 1, 1, tzinfo=timezone.utc)


def iso_8601(dtype: pl.DataType) -> Callable[[Any], Any]:
    """What turns the whole number of days or microseconds of a time into ISO 8601; of another type nothing is changed.

    :raises UnfitError: (the function that is returned) before the year 1 or after 9999.
    """
    if dtype == pl.Date:
        return lambda days: None if days is None else _text(lambda: _DAY + timedelta(days=days))
    if isinstance(dtype, pl.Datetime):
        zone = timezone.utc if dtype.time_zone else None
        return lambda moment: (
            None if moment is None else _text(lambda: (_MOMENT + timedelta(microseconds=moment)).replace(tzinfo=zone))
        )
    return lambda value: value


def _text(time: Callable[[], date]) -> str:
    try:
        text = time().isoformat()
    except OverflowError:
        raise UnfitError("holds times before the year 1 or after 9999") from None
    whole, point, rest = text.partition(".")
    return f"{whole}{point}{rest[:6].rstrip('0')}{rest[6:]}"
