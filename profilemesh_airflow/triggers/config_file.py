"""The trigger behind the configuration's asset: an edit of the file starts a refresh (Airflow 3.0 and later)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from profilemesh_airflow.compat.airflow import BaseEventTrigger, TriggerEvent
from profilemesh_airflow.exceptions import ProfileMeshError
from profilemesh_airflow.hooks.profilemesh import ProfileMeshHook
from profilemesh_airflow.usecases.edits import edits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)

#: Under what the state of the asset has the digest that was told of last.
STATE_KEY = "configuration"


class ConfigFileTrigger(BaseEventTrigger):
    """Watches the files of a configuration, and has an event when what they hold has changed and they are quiet.

    A triggerer that starts anew compares them with what the last refresh used, as the results store has it. So an edit
    that was made while it was down is not missed, whatever became of its event, and nothing is told of twice. Where the
    triggerer cannot read the store, the state of the asset (Airflow 3.3) has what was told of last; where there is
    none either, it tells of what is there. Its arguments are all that is stored of it, and hold no secret.

    :param config_path: path of the configuration, as the triggerer sees it.
    :param debounce: seconds without a write, after which the files are quiet.
    :param observer: ``auto``, ``native`` or ``polling``.
    :param interval: seconds between two looks of polling.
    """

    def __init__(self, config_path: str, debounce: float = 1.0, observer: str = "auto", interval: float = 5.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.config_path = config_path
        self.debounce = debounce
        self.observer = observer
        self.interval = interval
        self._reads_store = True

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of the class, and its arguments."""
        return (
            "profilemesh_airflow.triggers.config_file.ConfigFileTrigger",
            {
                "config_path": self.config_path,
                "debounce": self.debounce,
                "observer": self.observer,
                "interval": self.interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:  # type: ignore[override, unused-ignore]
        """Tell of every edit, for as long as the triggerer wants to know."""
        known = await self._known()
        async for digest in edits(
            Path(self.config_path), known, debounce=self.debounce, observer=self.observer, interval=self.interval
        ):
            said = {"config_path": self.config_path, "digest": digest}
            yield TriggerEvent(said)  # type: ignore[no-untyped-call, unused-ignore]
            await self._remember(digest)

    async def _known(self) -> str | None:
        try:
            # asgiref's way and not asyncio's own: from such a thread Airflow 3 can look up a connection.
            return await sync_to_async(ProfileMeshHook(self.config_path).last_refreshed, thread_sensitive=False)()
        except ProfileMeshError as error:
            log.warning("what the last refresh used cannot be read: %s", error)
            self._reads_store = False
            return await self._state()

    async def _state(self) -> str | None:
        state = getattr(self, "asset_state_store", None)
        try:
            found = await state.aget(STATE_KEY) if state is not None else None
        except Exception as error:  # noqa: BLE001 - the boundary: a watcher that ends is not started again
            log.warning("the state of the asset cannot be read: %s", error)
            return None
        return None if found is None else str(found)

    async def _remember(self, digest: str) -> None:
        state = getattr(self, "asset_state_store", None)
        try:
            # It costs the triggerer seconds when it is first asked, and is not needed beside the store.
            if state is not None and not self._reads_store:
                await state.aset(STATE_KEY, digest)
        except Exception as error:  # noqa: BLE001 - the same
            log.warning("the state of the asset cannot be written: %s", error)
