"""The two-sample Kolmogorov-Smirnov test of two histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import ExtraMissingError

if TYPE_CHECKING:
    from profilemesh_airflow.core.drift.histogram import Histogram


@dataclass(frozen=True)
class KsResult:
    """What the test gives.

    :param distance: from 0 to 1.
    :param p_value: how probable such a distance is, or a greater one, if both were drawn from the same distribution.
    """

    distance: float
    p_value: float


def ks_test(one: Histogram, other: Histogram) -> KsResult:
    """The distance between two histograms, and its significance.

    The distance is ``D = max |F(x) - G(x)|`` of the two distribution functions. It is looked for at the edges of both
    histograms, where one function is known exactly and the other between bounds; what counts is how far the first is
    outside of these. So but for interpolation, it is the least distance that values which give these histograms can
    have, and never more than that of the values themselves.

    The p-value is that of the finite two-sided statistic for ``n * m / (n + m)`` values, as `scipy.stats.ks_2samp`
    has it with ``method="asymp"`` (J. L. Hodges, "The significance probability of the Smirnov two-sample test",
    Arkiv för Matematik 3, 1958). It holds for values drawn at random and without many repeats.

    :raises ExtraMissingError: SciPy is not installed.
    """
    try:
        from scipy.stats import kstwo
    except ImportError:
        raise ExtraMissingError(
            "drift strategy ks needs SciPy, which is not installed: pip install 'profilemesh-airflow[stats]'; "
            "psi compares distributions without it"
        ) from None
    distance = max(_gap(one, other), _gap(other, one))
    values = one.total * other.total / (one.total + other.total)
    return KsResult(distance, float(kstwo.sf(distance, max(round(values), 1))))


def _gap(known: Histogram, bounded: Histogram) -> float:
    """How far the bounds of one function keep away from the other, which is known at its own edges."""
    bounds = bounded.bounds_at(known)
    return max(abs(share - each.nearest(share)) for share, each in zip(known.cumulated, bounds, strict=True))
