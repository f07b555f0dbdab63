"""Cron expressions: what can be told of them without Airflow, which alone reads them."""

from __future__ import annotations

import re
from typing import NamedTuple

_SHAPE = re.compile(r"[A-Za-z0-9*/,#?-]+( +[A-Za-z0-9*/,#?-]+){4,5}")

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()


#: In their order; the sixth need not be there.
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
    _Field("second", 0, 59),
)


def fault_of(expression: str) -> str | None:
    """Why nothing can be run by an expression; an empty text where it is none, and None where no fault is seen.

    What has one or two letters in place of a number (``L``, ``15W``) is left to Airflow.
    """
    if not _SHAPE.fullmatch(expression):
        return ""
    for field, text in zip(_FIELDS, expression.split(), strict=False):
        for item in text.split(","):
            if not _is_possible(item, field):
                return f"{item!r} is no {field.name} ({field.least} to {field.most})"
    return None


def _is_possible(item: str, field: _Field) -> bool:
    values, slash, step = item.partition("/")
    if slash and (not step.isdecimal() or int(step) == 0):
        return False
    return all(_is_value(value, field) for value in values.partition("#")[0].split("-"))


def _is_value(text: str, field: _Field) -> bool:
    if text.isdecimal():
        return field.least <= int(text) <= field.most
    return text.lower() in field.words or 0 < len(text) < 3
