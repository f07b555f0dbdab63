"""Telling of events: to the log, to the hooks of the configuration, and to whoever else listens."""

from __future__ import annotations

from profilemesh_airflow.usecases.events.announcer import Announcer, HookFailure, Receiver
from profilemesh_airflow.usecases.events.callback import Callback, load_callback
from profilemesh_airflow.usecases.events.log import log_event

__all__ = ["Announcer", "Callback", "HookFailure", "Receiver", "load_callback", "log_event"]
