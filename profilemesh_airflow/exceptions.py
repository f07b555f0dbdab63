"""The one tree of errors. Each class is also the builtin that a caller would expect to catch."""

from __future__ import annotations


class ProfileMeshError(Exception):
    """Any error this package raises on purpose; the message says what, where, and how to mend it."""


class ConfigError(ProfileMeshError, ValueError):
    """The configuration is wrong: names the file, the line, the path of keys, the value and what is allowed."""


class UnknownTableError(ProfileMeshError, LookupError):
    """A table was named that the plan does not list, or a bare name that fits more than one table."""


class NotBuiltError(ProfileMeshError, NotImplementedError):
    """The configuration asks for something this release does not do yet."""


class UnsupportedAirflowError(ProfileMeshError, RuntimeError):
    """The installed Airflow is too old for what was asked for; the message names what to use instead."""


class DriverMissingError(ProfileMeshError, ImportError):
    """No driver is installed for a database that the configuration names."""


class ExtraMissingError(ProfileMeshError, ImportError):
    """The configuration asks for something that needs a library of an optional extra, which is not installed."""


class TransientError(ProfileMeshError):
    """It may go well if it is tried again: a lost connection, a deadlock, a server that is starting or is full."""


class WarehouseError(ProfileMeshError, RuntimeError):
    """The profiled database could not be reached, or refused what was asked of it."""


class WarehouseUnavailableError(WarehouseError, TransientError):
    """The profiled database could not be reached just now, or ended the connection."""


class TableMissingError(WarehouseError):
    """A listed table does not exist, or cannot be seen with the rights of the connection."""


class ProfileError(ProfileMeshError, RuntimeError):
    """A table could not be profiled."""


class ProfileTimeoutError(ProfileError, TimeoutError):
    """A table's profile took longer than ``profiling.timeout``, and was stopped."""


class StoreError(ProfileMeshError, RuntimeError):
    """The results store could not be reached, is not migrated, or is newer than this release."""


class StoreUnavailableError(StoreError, TransientError):
    """The results store could not be reached just now, or ended the connection."""


class ClaimLostError(StoreError):
    """A worker's claim was taken over (its lease ran out) or its change was retired; nothing was written."""


class AirflowApiError(ProfileMeshError, RuntimeError):
    """A running Airflow could not be reached over its REST API, or did not do what was asked of it."""


class AirflowUnavailableError(AirflowApiError, TransientError):
    """A running Airflow did not answer just now, or had a trouble of its own."""


class NotInAirflowError(AirflowApiError, LookupError):
    """A running Airflow has no such thing, or does not show it to this user."""
