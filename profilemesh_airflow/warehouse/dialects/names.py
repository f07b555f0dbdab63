"""Names and types as databases compare and spell them."""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql import quoted_name
from sqlalchemy.types import UserDefinedType

if TYPE_CHECKING:
    from profilemesh_airflow.core.plan import TableInfo
    from profilemesh_airflow.core.table import TableRef
    from profilemesh_airflow.warehouse.kinds import Kind


class NamedType(UserDefinedType[Any]):
    """A type by the name that the catalog gave."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """The name itself."""
        return self.name


def columns_of(info: TableInfo) -> list[tuple[sa.ColumnElement[Any], Kind]]:
    """All columns with their kinds, for a statement that reads this table alone."""
    kinds = zip(info.columns, info.details["kinds"], strict=True)
    return [(sa.column(quoted_name(column.name, quote=True)), kind) for column, kind in kinds]


def can_exist(ref: TableRef) -> bool:
    """Whether a server could even be asked: no name holds NUL, or half of a UTF-16 pair."""
    text = f"{ref.database}{ref.schema}{ref.table}"
    return "\0" not in text and (text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text))


_LOWER = {ord(letter): letter.lower() for letter in ascii_uppercase}


def ascii_lower(name: str) -> str:
    """Lower case of ASCII letters only, as SQLite and DuckDB compare names."""
    return name.lower() if name.isascii() else name.translate(_LOWER)
