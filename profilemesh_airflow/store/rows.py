"""Rows of the ledger and of the baselines, as values of the core, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_

from profilemesh_airflow.core.diff import Baseline, Reason
from profilemesh_airflow.core.fingerprint import Fingerprint, canonical_json
from profilemesh_airflow.core.ledger import CLOSED, LedgerEntry
from profilemesh_airflow.core.table import TableRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table
    from sqlalchemy.engine import RowMapping
    from sqlalchemy.sql.elements import ColumnElement

    from profilemesh_airflow.core.plan import Identity, PlanEntry

    #: A row by the names of its columns.
    Row = RowMapping | dict[str, Any]

#: Fields of an entry that a column of the same name holds as they are.
_PLAIN = (
    "state",
    "detected_at",
    "updated_at",
    "next_ring_at",
    "target_revision",
    "claimed_revision",
    "forced_revision",
    "token",
    "confirmed_token",
    "rings",
    "attempts",
    "priority",
    "estimated_bytes",
    "deferrals",
    "rung_at",
    "claimed_at",
    "claimed_by",
    "lease_until",
    "last_error",
    "last_error_type",
    "last_error_at",
    "postponed",
    "outcome",
    "closed_at",
    "run_id",
)


def belongs_to(table: Table, identity: Identity) -> ColumnElement[bool]:
    """The rows of one configuration's environment and source."""
    return and_(table.c.environment == identity.environment, table.c.source_name == identity.source)


def identity_columns(identity: Identity) -> dict[str, str]:
    """Whose row it is."""
    return {"environment": identity.environment, "source_name": identity.source}


def table_columns(ref: TableRef) -> dict[str, str | None]:
    """The table's key, and its names as people read them."""
    return {
        "table_key": ref.key,
        "database_name": ref.database,
        "schema_name": ref.schema,
        "dataset_name": ref.table,
    }


def reasons_to_json(reasons: Iterable[Reason]) -> str:
    """The reasons as JSON text."""
    return canonical_json([reason.as_dict() for reason in reasons])


def reasons_from_json(text: str) -> tuple[Reason, ...]:
    """The reasons that :func:`reasons_to_json` wrote."""
    return tuple(Reason(**reason) for reason in json.loads(text))


def change_columns(entry: LedgerEntry) -> dict[str, Any]:
    """What a step may change of a ledger entry."""
    return {
        **{name: getattr(entry, name) for name in _PLAIN},
        **_target_columns(entry),
        "open_slot": _open_slot(entry),
        "reasons": reasons_to_json(entry.reasons),
    }


def changed_columns(before: LedgerEntry, after: LedgerEntry) -> dict[str, Any]:
    """What steps have changed of a ledger entry."""
    columns = {name: getattr(after, name) for name in _PLAIN if getattr(after, name) != getattr(before, name)}
    if after.state != before.state:
        columns["open_slot"] = _open_slot(after)
    if after.reasons != before.reasons:
        columns["reasons"] = reasons_to_json(after.reasons)
    return columns if after.target == before.target else {**columns, **_target_columns(after)}


def new_change_columns(entry: LedgerEntry, identity: Identity) -> dict[str, Any]:
    """The whole row of a ledger entry that is not in the table yet."""
    return {
        "change_id": entry.change_id,
        "revision": 1,
        **identity_columns(identity),
        **table_columns(entry.ref),
        **change_columns(entry),
    }


def entry_of(row: Row) -> LedgerEntry:
    """The ledger entry that a row holds."""
    return LedgerEntry(
        change_id=row["change_id"],
        ref=_ref_of(row),
        reasons=reasons_from_json(row["reasons"]),
        target=Fingerprint(row["target_settings"], row["target_schema"], row["target_data"]),
        **{name: row[name] for name in _PLAIN},
    )


def baseline_of(row: Row) -> Baseline:
    """The baseline that a row holds."""
    return Baseline(
        ref=_ref_of(row),
        fingerprint=Fingerprint(row["settings_digest"], row["schema_digest"], row["data_digest"]),
        settings_json=row["settings_json"],
        columns_json=row["columns_json"],
        data_version=row["data_version"],
        profiled_at=row["profiled_at"],
        run_id=row["run_id"],
    )


def fingerprint_columns(entry: PlanEntry) -> dict[str, str | None]:
    """The fingerprint at which a table was profiled."""
    return {
        "settings_digest": entry.fingerprint.settings,
        "schema_digest": entry.fingerprint.schema,
        "data_digest": entry.fingerprint.data,
        "data_version": entry.data_version,
    }


def document_columns(entry: PlanEntry) -> dict[str, str | None]:
    """What is needed to name a later difference."""
    columns = entry.schema_document
    return {
        "settings_json": canonical_json(entry.settings.document),
        "columns_json": None if columns is None else canonical_json(columns),
    }


def _open_slot(entry: LedgerEntry) -> int | None:
    return None if entry.state == CLOSED else 1


def _target_columns(entry: LedgerEntry) -> dict[str, str | None]:
    target = entry.target
    return {"target_settings": target.settings, "target_schema": target.schema, "target_data": target.data}


def _ref_of(row: Row) -> TableRef:
    return TableRef(row["dataset_name"], row["schema_name"], row["database_name"])
