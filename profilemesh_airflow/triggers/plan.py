"""The trigger behind the plan sensor: looks until there is something to profile, and writes nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from profilemesh_airflow.compat.airflow import BaseTrigger, TriggerEvent
from profilemesh_airflow.exceptions import ProfileMeshError, TransientError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)

#: What an event says: something may have to be done, nothing had to until the end, or it could not be found out.
CHANGED, TIMED_OUT, FAILED = "changed", "timed_out", "failed"


class ProfileMeshPlanTrigger(BaseTrigger):
    """Looks at plan and ledger again and again, in a thread of its own, until a task has something to do.

    Its arguments are all that is stored of it. What it needs besides, it reads where it runs: the configuration file
    and Airflow's connections have to be there.

    A trouble that passes is no answer: it looks again after ``interval``, and says what the trouble was only when there
    still was one at the end.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names.
    :param interval: seconds between two looks.
    :param until: when it gives up, in seconds since 1970.
    :param next_look: when it looks first, in the same way; a triggerer that is restarted looks at once when that is
        over.
    :param profilemesh_conn_id: the connection, as of :class:`.ProfileMeshHook`.
    """

    def __init__(
        self,
        config_path: str | None,
        interval: float,
        until: float,
        next_look: float,
        profilemesh_conn_id: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.config_path = config_path
        self.interval = interval
        self.until = until
        self.next_look = next_look
        self.profilemesh_conn_id = profilemesh_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of the class, and its arguments, which hold no secret."""
        return (
            "profilemesh_airflow.triggers.plan.ProfileMeshPlanTrigger",
            {
                "config_path": self.config_path,
                "interval": self.interval,
                "until": self.until,
                "next_look": self.next_look,
                "profilemesh_conn_id": self.profilemesh_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:  # type: ignore[override, unused-ignore]
        """Look until there is an answer."""
        trouble: str | None = None
        at = self.next_look
        while at <= self.until:
            await asyncio.sleep(max(at - time.time(), 0))
            try:
                found, trouble = await self._look(), None
            except TransientError as error:
                found, trouble = False, str(error)
                log.warning("the plan could not be looked at; again in %.0f s: %s", self.interval, error)
            except ProfileMeshError as error:
                yield self._event(FAILED, str(error))
                return
            if found:
                yield self._event(CHANGED)
                return
            at = time.time() + self.interval
        await asyncio.sleep(max(self.until - time.time(), 0))
        yield self._event(TIMED_OUT if trouble is None else FAILED, trouble)

    async def _look(self) -> bool:
        # A look reads two databases, and must not hold up every other trigger. asgiref's way and not asyncio's own:
        # from such a thread Airflow 3 can look up a connection.
        hook = ProfileMeshHook(self.config_path, self.profilemesh_conn_id)
        return await sync_to_async(hook.has_news, thread_sensitive=False)()

    def _event(self, status: str, message: str | None = None) -> TriggerEvent:
        said = {"status": status, "message": message, "until": self.until}
        return TriggerEvent(said)  # type: ignore[no-untyped-call, unused-ignore]
