"""Approximations, for columns that are asked for so: two looks at the table, whatever the number of columns.

The first is the usual scan, and exact; each connection does it for some of the columns. Beside it goes the database's
own sketch of the distinct values (HyperLogLog), or else the number of distinct values among those whose hash is
divisible by ``rate``. The second looks at one row in ``rate``: histogram and standard deviation are the sample's. Where
the first can bring these rows (:mod:`~profilemesh_airflow.warehouse.drawn`), there is no second.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from profilemesh_airflow.exceptions import ProfileError
from profilemesh_airflow.warehouse.bins import histogram
from profilemesh_airflow.warehouse.scan import Target, target
from profilemesh_airflow.warehouse.shape import Shape, keep_deviation
from profilemesh_airflow.warehouse.subject import DISTINCT, SHAPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from profilemesh_airflow.core.plan import TableInfo, TableSettings
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.drawn import Drawn
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject

#: About how many rows are looked at for an approximation; a smaller table is not approximated.
SAMPLE = 65_536

#: From so many distinct values in a sample of the values on, it is within 6 % (twice 1 / sqrt(1,024)) nineteen times in
#: twenty; fewer values occur so often that a sample of the rows has nearly all of them.
_MANY = 1024


def check_columns(info: TableInfo, settings: TableSettings) -> None:
    """Refuse to approximate what does not exist.

    :raises ProfileError: a column that is named is not there.
    """
    names = [column.name for column in info.columns]
    wanted = settings.approximate if isinstance(settings.approximate, tuple) else ()
    for name in wanted:
        if name not in names:
            raise ProfileError(
                f"{info.ref}: approximate names {name!r}, which is not a column of it; it has {', '.join(names)}"
            )


def rate_of(rows: int | None, settings: TableSettings, dialect: Dialect) -> int | None:
    """One in how many rows is looked at, a power of two; none where nothing is approximated.

    :param rows: about how many the table has; none where nobody knows.
    """
    if not settings.approximate or dialect.random is None or rows is None or rows < 2 * SAMPLE:
        return None
    return int(2 ** round(math.log2(rows / SAMPLE)))


def value_targets(subjects: Iterable[Subject], dialect: Dialect, rate: int) -> list[Target]:
    """What the first scan is asked besides."""
    found = []
    for subject in subjects:
        if not subject.wanted & DISTINCT:
            continue
        sketch = dialect.approximate_distinct(subject.value)
        if sketch is not None:
            subject.approximated |= DISTINCT
            found.append(target(subject, "distinct", sketch))
        else:
            hashed = dialect.value_hash(subject.value, subject.column, subject.kind)
            if hashed is None:
                continue
            bits: Any = hashed.op("&")(sa.literal_column(str((rate - 1) << dialect.even_bits)))
            chosen = sa.case((bits == sa.literal_column("0"), hashed))
            found.append(target(subject, "hashes", sa.func.count(chosen.distinct())))
    return found


def some_rows(relation: Relation, dialect: Dialect, rate: int) -> Relation:
    """One row in ``rate``."""
    return relation.where(sa.literal_column(f"{dialect.random}") < sa.literal_column(repr(1 / rate)))


def ranked_rows(relation: Relation, subject: Subject, dialect: Dialect) -> Relation:
    """The rows among which the quantiles of a column are looked up: about :data:`SAMPLE` of those with a value.

    How often a value occurs is counted in all rows, and quantiles then come with it.
    """
    rows = subject.measured.get("non_null")
    if not subject.approximate or "top_values" in subject.ranked or rows is None or rows < 2 * SAMPLE:
        return relation
    subject.approximated |= subject.ranked
    return some_rows(relation, dialect, round(rows / SAMPLE))


def row_targets(
    subjects: Iterable[Subject], dialect: Dialect, bins: int, irregular: Sequence[Subject], drawn: Drawn
) -> list[Target]:
    """What is asked of some rows, after the first scan; what those that were drawn can tell is not asked any more.

    :param irregular: columns of numbers that are not all finite; their statistics are computed as usual.
    """
    found = []
    for subject in subjects:
        measured = subject.measured
        if "hashes" in measured:
            if measured["hashes"] >= _MANY:
                # They need no second opinion.
                measured["seen"] = 0
            elif subject in drawn:
                measured["seen"] = drawn.distinct(subject)
            else:
                found.append(target(subject, "seen", sa.func.count(subject.value.distinct())))
        if subject.wanted & SHAPE and subject not in irregular and _is_plain(subject):
            shape = Shape.of(subject, bins, dialect.digits)
            if subject in drawn:
                measured |= drawn.shape(subject, shape)
            else:
                found += [target(subject, name, value) for name, value in shape.aggregates(subject.value).items()]
    return found


def conclude(subject: Subject, dialect: Dialect, rate: int, bins: int) -> None:
    """From what was counted to what is estimated."""
    measured = subject.measured
    if {"hashes", "seen"} <= measured.keys():
        subject.approximated |= DISTINCT
        measured["distinct"] = _distinct(measured.pop("hashes"), measured.pop("seen"), rate)
    if "values" not in measured:
        return
    shape = Shape.of(subject, bins, dialect.digits)
    counts, total, squares = shape.read(measured)
    sampled = sum(counts.values())
    scale = measured["non_null"] / sampled if sampled else 0.0
    subject.approximated |= SHAPE
    scaled = {number: round(count * scale) for number, count in counts.items()}
    measured["histogram"] = histogram(shape.edges, scaled) if sampled else []
    keep_deviation(subject, shape.frame, sampled, total, squares)


def _distinct(hashes: int, seen: int, rate: int) -> int:
    """The number of distinct values, from two samples.

    :param hashes: distinct values among those that were chosen by their hash, one in ``rate``.
    :param seen: distinct values among some rows, of which a rare value may have none: a lower bound.
    """
    trusted = hashes >= _MANY or (hashes - 2 * math.sqrt(hashes)) * rate > seen
    return hashes * rate if trusted else seen


def _is_plain(subject: Subject) -> bool:
    """Whether the first scan found numbers whose shape is worth a look: some, and not all equal."""
    low, high = (subject.measured.get(name) for name in ("low", "high"))
    return low is not None and high is not None and low != high
