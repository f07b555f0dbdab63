"""The trigger behind a profile that others start: waits until the table's data are quiet, and writes nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from profilemesh_airflow.compat.airflow import BaseTrigger, TriggerEvent
from profilemesh_airflow.exceptions import ProfileMeshError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)


class ProfileMeshQuietTrigger(BaseTrigger):
    """Looks at the version of one table's rows, in a thread of its own, until it did not move for a while.

    Where the version is unknown, it waits for that while once. What cannot be looked at is left to the task, which
    meets the same trouble and tells of it.

    :param config_path: path of the ProfileMesh configuration; none is the one that the connection names.
    :param profilemesh_conn_id: the connection, as of :class:`.ProfileMeshHook`.
    :param table_key: the table.
    :param debounce: for how many seconds it must not move.
    :param until: when it is waited for no longer, in seconds since 1970.
    """

    def __init__(
        self, config_path: str | None, profilemesh_conn_id: str | None, table_key: str, debounce: float, until: float
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.config_path = config_path
        self.profilemesh_conn_id = profilemesh_conn_id
        self.table_key = table_key
        self.debounce = debounce
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of the class, and its arguments, which hold no secret."""
        return (
            "profilemesh_airflow.triggers.quiet.ProfileMeshQuietTrigger",
            {
                "config_path": self.config_path,
                "profilemesh_conn_id": self.profilemesh_conn_id,
                "table_key": self.table_key,
                "debounce": self.debounce,
                "until": self.until,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:  # type: ignore[override, unused-ignore]
        """Wait, and say whether the version is known."""
        try:
            version = await self._wait()
        except ProfileMeshError as error:
            log.warning("%s could not be looked at, and is waited for no longer: %s", self.table_key, error)
            version = None
        yield TriggerEvent({"known": version is not None})  # type: ignore[no-untyped-call, unused-ignore]

    async def _wait(self) -> str | None:
        before, quiet = await self._version(), False
        while not quiet and time.time() < self.until:
            await asyncio.sleep(self.debounce)
            now = await self._version()
            quiet, before = now == before, now
        return before

    async def _version(self) -> str | None:
        hook = ProfileMeshHook(self.config_path, self.profilemesh_conn_id)
        return await sync_to_async(hook.data_version, thread_sensitive=False)(self.table_key)
