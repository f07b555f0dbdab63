"""Another try, within the task, of what failed for a reason that passes."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from profilemesh_airflow.exceptions import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

T = TypeVar("T")

log = logging.getLogger(__name__)


class Retry:
    """Tries again what raised a :class:`TransientError`, and nothing else.

    :param retries: how many further tries there are after the first; 0 for none.
    :param shortest: seconds to wait before the first of them.
    :param longest: seconds that are waited at most.
    :param exponential: the waits grow, each drawn at random between ``shortest`` and a bound that doubles, so that
        workers whom the same trouble met do not all come back at once. Without it, every wait is ``shortest``.
    :param sleep: waits so many seconds.
    """

    def __init__(
        self,
        retries: int,
        shortest: float,
        longest: float,
        *,
        exponential: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._retries = retries
        self._shortest = shortest
        self._bound = wait_exponential(multiplier=2 * shortest, max=longest)
        self._exponential = exponential
        self._sleep = sleep

    def call(self, what: str, work: Callable[[], T]) -> T:
        """What ``work`` returns, in the end; its last error is raised as it is.

        :param what: what is tried, for the log.
        """

        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            wait = state.next_action.sleep if state.next_action else 0
            tries = self._retries + 1
            log.warning("%s failed, try %d of %d; again in %.1f s: %s", what, state.attempt_number, tries, wait, error)

        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(self._retries + 1),
            wait=self._wait,
            sleep=self._sleep,
            before_sleep=tell,
            reraise=True,
        )
        return retrying(work)

    def _wait(self, retry_state: RetryCallState) -> float:  # so named, as tenacity 8.0 hands it over by name
        return random.uniform(self._shortest, self._bound(retry_state)) if self._exponential else self._shortest
