"""Who is told of events, and what becomes of a receiver that fails. Nothing here fails a profile."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from profilemesh_airflow.core.connection import without_secrets
from profilemesh_airflow.core.events import HOOK_FAILED, Event, Origin, json_safe
from profilemesh_airflow.exceptions import ProfileMeshError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from profilemesh_airflow.core.events import Happened
    from profilemesh_airflow.usecases.workspace import Workspace

log = logging.getLogger(__name__)

#: After so many failures one after the other, a receiver is left alone for as long as the workspace is open: each may
#: take as long as its own timeout.
MOST_FAILURES = 3

#: A failure's message is kept up to this length.
_SHOWN = 500


class Receiver(Protocol):
    """Takes events.

    :cvar name: what the configuration calls it, for messages.
    :cvar in_bulk: whether it takes all events at once, or one after the other, so that one that fails stands alone.
    :cvar secrets: texts that its errors must not show.
    """

    name: str
    in_bulk: bool
    secrets: tuple[str, ...]

    def receive(self, events: Sequence[Event]) -> None:
        """Take the events; whatever it raises is told, and ends here."""


@dataclass
class Subscription:
    """A receiver, and what it is told of.

    :param types: the types of event that it gets; none is all.
    :param failures: how often it failed, one after the other.
    """

    receiver: Receiver
    types: Collection[str] | None = None
    failures: int = field(default=0, init=False)

    def batches(self, events: Sequence[Event]) -> Iterable[Sequence[Event]]:
        """What to hand over at a time."""
        wanted = [event for event in events if self.types is None or event.event_type in self.types]
        if self.receiver.in_bulk:
            return [wanted] if wanted else []
        return [[event] for event in wanted]


@dataclass(frozen=True)
class HookFailure:
    """A receiver that could not be told.

    :param error: why, without secrets.
    :param event_type: of what; none where it could not even be made.
    """

    hook: str
    error: str
    error_type: str
    event_type: str | None = None
    event_id: str | None = None

    def __str__(self) -> str:
        of = f" of {self.event_type}" if self.event_type else ""
        return f"{self.hook} could not be told{of}: {self.error}"


class Announcer:
    """Tells of events what one workspace's use cases decide.

    A receiver is told at most once of an event: nothing is kept for a later try. What fails is logged, kept in
    ``failures``, and written into the store's event log as ``hook_failed``, where the doctor finds it.

    :ivar origin: the task that is at work.
    :ivar context: what Airflow gave that task, for receivers that are Airflow's own; none on the command line.
    :ivar failures: the receivers that could not be told.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._listeners: list[Subscription] = []
        self.origin = Origin()
        self.context: Mapping[str, Any] | None = None
        self.failures: list[HookFailure] = []

    def listen(self, receiver: Receiver, types: Collection[str] | None = None) -> None:
        """Tell somebody else, too.

        :param types: of what alone; none is everything.
        """
        self._listeners.append(Subscription(receiver, types))

    def tell(self, happened: Iterable[Happened | None]) -> None:
        """Tell every receiver. Whatever fails here is told in its turn, and raises nothing."""
        secrets = self._secrets()
        events = [self._stamped(each, secrets) for each in happened if each is not None]
        if not events:
            return
        for subscription in [*self._configured, *self._listeners]:
            for batch in subscription.batches(events):
                if subscription.failures >= MOST_FAILURES:
                    break
                self._hand_over(subscription, batch)

    def failed(self, hook: str, error: Exception, secrets: Iterable[str] = (), event: Event | None = None) -> None:
        """Take note of a receiver that could not be made, or told.

        :param secrets: texts that the message must not show, beside those of the databases.
        """
        kind = type(error).__name__
        text = str(error) if isinstance(error, ProfileMeshError) else f"{kind}: {error}"
        shown = " ".join(without_secrets(text, {*secrets, *self._secrets()}).split())[:_SHOWN]
        failure = HookFailure(hook, shown, kind, event.event_type if event else None, event.event_id if event else None)
        self.failures.append(failure)
        log.error("%s", failure)
        log.debug("what led to it", exc_info=error if not secrets else None)
        self._keep(failure, event)

    @cached_property
    def _configured(self) -> list[Subscription]:
        from profilemesh_airflow.usecases.events.configured import subscriptions_of

        return subscriptions_of(self._workspace, self)

    def _stamped(self, happened: Happened, secrets: tuple[str, ...]) -> Event:
        identity = self._workspace.identity
        data = json_safe(happened.data, secrets)
        return Event(happened.event_type, identity.environment, identity.source, happened.table_key, data, self.origin)

    def _hand_over(self, subscription: Subscription, batch: Sequence[Event]) -> None:
        receiver = subscription.receiver
        try:
            receiver.receive(batch)
        except Exception as error:  # noqa: BLE001 - the boundary: a receiver's failure is told, and fails nothing else
            subscription.failures += 1
            self.failed(receiver.name, error, receiver.secrets, batch[0])
            if subscription.failures == MOST_FAILURES:
                log.error("%s failed %d times and is not told any more in this task", receiver.name, MOST_FAILURES)
        else:
            subscription.failures = 0

    def _keep(self, failure: HookFailure, event: Event | None) -> None:
        workspace = self._workspace
        payload = {**Event(HOOK_FAILED, origin=self.origin).as_dict(), **asdict(failure), "event_type": HOOK_FAILED}
        payload.update(about=failure.event_type, about_event=failure.event_id)
        try:
            workspace.store.events(workspace.identity).add(HOOK_FAILED, event.table_key if event else None, payload)
        except Exception as error:  # noqa: BLE001 - the boundary: the log has the failure already
            log.warning("the failure could not be kept for the doctor: %s", workspace.redact(str(error)))

    def _secrets(self) -> tuple[str, ...]:
        """Those of the databases that have been used: what was not looked up cannot have leaked."""
        used = vars(self._workspace)
        settings = [used[name] for name in ("source_settings", "storage_settings") if name in used]
        return tuple(secret for each in settings for secret in each.secrets())
