"""How long the profile of a table may take."""

from __future__ import annotations

import time
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import ProfileTimeoutError

if TYPE_CHECKING:
    from datetime import timedelta


class Deadline:
    """The moment by which something has to be done, counted from its making; without ``timeout`` there is none.

    :param what: what has to be done by then: the table's name.
    """

    def __init__(self, what: str = "", timeout: timedelta | None = None) -> None:
        self._what = what
        self._timeout = timeout
        self._started = time.monotonic()

    @property
    def left(self) -> float | None:
        """The seconds that are left, 0 when it is over; none where there is no deadline."""
        if self._timeout is None:
            return None
        left = self._started + self._timeout.total_seconds() - time.monotonic()
        return min(max(left, 0.0), TIMEOUT_MAX)

    @property
    def over(self) -> bool:
        """Whether no time is left."""
        return self.left == 0

    def error(self) -> ProfileTimeoutError:
        """What to raise when it is over."""
        seconds = self._timeout.total_seconds() if self._timeout else 0
        return ProfileTimeoutError(
            f"{self._what} was not profiled within {seconds:g} s and was stopped; give it longer in profiling.timeout, "
            "or in `timeout` of its own entry under profiling.tables"
        )
