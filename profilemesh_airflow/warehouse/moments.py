"""Mean and standard deviation, stable for any numbers.

Values are shifted by a centre and scaled before they are summed. The formula is the textbook's, variance =
(S2 - S1^2 / n) / (n - 1), with S1 and S2 the sums of ``z = (x - centre) * factor`` and of its squares (Chan, Golub,
LeVeque 1983, "Algorithms for Computing the Sample Variance"). With the centre near the mean nothing cancels; with
``factor`` a power of two the scaling is exact, and squares neither overflow nor vanish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, TypeGuard

import sqlalchemy as sa

from profilemesh_airflow.warehouse.double import DOUBLE, as_double
from profilemesh_airflow.warehouse.kinds import Kind

Number = int | float | Decimal

#: The greatest finite double.
MAX_DOUBLE = 1.7976931348623157e308

_LARGEST_EXPONENT = 1022
_MAX_INTEGER_SPAN = 2**63 - 1
#: More than an exact number has in any database that limits them.
_ENOUGH_DIGITS = 400
#: Squares of numbers this much smaller than the largest one do not change a double sum of fewer than 2^900 terms.
_NEGLIGIBLE = 2.0**-500
#: Brings any span of doubles below the overflow threshold, and is a power of two.
_SHRINK = 2.0**-4


def is_finite(value: Any) -> TypeGuard[Number]:
    """Whether ``value`` is a number that a double can hold: no NaN, no infinity, nothing beyond 1.8e308."""
    return isinstance(value, (int, float, Decimal)) and math.isfinite(value) and -MAX_DOUBLE <= value <= MAX_DOUBLE


@dataclass(frozen=True)
class Frame:
    """How the values between ``low`` and ``high`` are shifted and scaled.

    :param exact: whether the shift is done in the column's own exact arithmetic, or in doubles.
    :param shrink: what values are multiplied by first, where even their differences overflow.
    """

    kind: Kind
    low: Any
    high: Any
    centre: Any
    exact: bool
    shrink: float
    factor: float
    negligible: float

    @classmethod
    def of(cls, kind: Kind, low: Any, high: Any, average: Any, digits: int | None = None) -> Frame:
        """The frame for values of ``kind``; ``average`` need not be exact, and may be unknown.

        :param digits: how many digits an exact number of the database has at most.
        """
        exact = _exact(kind, low, high, digits)
        shrink = 1.0
        if exact:
            centre = _exact_centre(low, high, average, rounded=digits is not None)
            reach = float(max(high - centre, centre - low))
        else:
            centre = float(average) if is_finite(average) else float(low) / 2 + float(high) / 2
            centre = min(max(centre, float(low)), float(high))
            if math.isinf(float(high) - float(low)):
                shrink = _SHRINK
                centre *= shrink
            reach = max(float(high) * shrink - centre, centre - float(low) * shrink)
        exponent = min(max(math.frexp(reach)[1], -_LARGEST_EXPONENT), _LARGEST_EXPONENT)
        return cls(kind, low, high, centre, exact, shrink, 2.0**-exponent, reach * _NEGLIGIBLE)

    def difference(self, value: sa.ColumnElement[Any]) -> sa.ColumnElement[float]:
        """SQL for ``value - centre``, as a double."""
        if self.exact:
            if self.kind is Kind.INTEGER:
                value = sa.cast(value, sa.BigInteger)
            return as_double(value - sa.literal(self.centre, _bind_type(self.centre)))
        value = as_double(value)
        if self.shrink != 1.0:
            value = sa.case((sa.func.abs(value) > _double(1e-300), value * _double(self.shrink)), else_=_double(0.0))
        return value - _double(float(self.centre))

    def scaled(self, difference: sa.ColumnElement[float]) -> sa.ColumnElement[float]:
        """SQL for ``z``, a number of the order of 1.

        A negligible difference counts as 0, as some databases refuse to let its square underflow.
        """
        return sa.case(
            (sa.func.abs(difference) > _double(self.negligible), difference * _double(self.factor)),
            else_=_double(0.0),
        )

    def scale(self, value: float) -> float:
        """``z`` of a value that is here."""
        return (value * self.shrink - float(self.centre)) * self.factor

    def mean(self, count: int, total: float) -> float:
        """The mean of ``count`` values whose scaled sum is ``total``."""
        mean = (float(self.centre) + total / count / self.factor) / self.shrink
        return min(max(mean, float(self.low)), float(self.high))

    def deviation(self, count: int, total: float, squares: float) -> float | None:
        """The sample standard deviation, none for fewer than two values.

        :raises OverflowError: when it is beyond the greatest double, as that of -1.7e308 and 1.7e308 is.
        """
        if count < 2:
            return None
        variance = max(squares - total * total / count, 0.0) / (count - 1)
        deviation = math.sqrt(variance) / self.factor / self.shrink
        if math.isinf(deviation):
            raise OverflowError("the standard deviation is beyond the greatest 64-bit floating-point number")
        return deviation


def between(value: sa.ColumnElement[Any], low: Number, high: Number) -> sa.ColumnElement[bool]:
    """SQL for ``low <= value <= high``, in the type of the bounds."""
    return value.between(sa.literal(low, _bind_type(low)), sa.literal(high, _bind_type(high)))


def _exact(kind: Kind, low: Any, high: Any, digits: int | None) -> bool:
    if kind is Kind.FLOAT:
        return False
    if kind is Kind.DECIMAL:
        return math.isfinite(float(high) - float(low)) and (digits is None or _digits(low, high) <= digits)
    return isinstance(low, int) and isinstance(high, int) and high - low <= _MAX_INTEGER_SPAN


def _digits(low: Any, high: Any) -> int:
    """How many digits the difference of two exact numbers can have, with their decimals."""
    return (Decimal(high) - Decimal(low)).adjusted() + 1 + _decimals(low, high)


def _decimals(*numbers: Any) -> int:
    return max(0, *(-int(Decimal(number).as_tuple().exponent) for number in numbers))


def _exact_centre(low: Any, high: Any, average: Any, rounded: bool) -> Any:
    """A centre of the same exact type as the bounds.

    :param rounded: with as many decimals as they have, so that a difference needs no more digits than theirs.
    """
    if not is_finite(average):
        return low
    centre = round(average) if isinstance(low, int) else Decimal(average)
    if rounded and isinstance(centre, Decimal):
        with localcontext() as context:
            context.prec = _ENOUGH_DIGITS
            centre = round(centre, _decimals(low, high))
    return min(max(centre, low), high)


def _bind_type(value: Number) -> Any:
    if isinstance(value, Decimal):
        return sa.Numeric()
    return sa.BigInteger() if isinstance(value, int) else DOUBLE


def _double(value: float) -> sa.ColumnElement[float]:
    return sa.literal(value, DOUBLE)
