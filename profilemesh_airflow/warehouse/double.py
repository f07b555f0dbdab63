"""64-bit floating-point numbers, which every database spells in its own way."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

#: The type of what is calculated, and of the edges of histogram bins.
DOUBLE = sa.Float(53)

#: By the name of SQLAlchemy's dialect. MySQL before 8.0.17 cannot cast to a double, but adding one makes one.
_SPELLINGS = {
    "bigquery": "CAST({} AS FLOAT64)",
    "duckdb": "CAST({} AS DOUBLE)",
    "mysql": "({} + 0e0)",
    "redshift": "CAST({} AS DOUBLE PRECISION)",
    "snowflake": "CAST({} AS DOUBLE)",
}


class as_double(FunctionElement):  # type: ignore[type-arg]  # SQLAlchemy 1.4 has no argument for it
    """SQL for a number as a double."""

    type = DOUBLE
    inherit_cache = True


def ratio(part: sa.ColumnElement[Any], whole: sa.ColumnElement[Any]) -> sa.ColumnElement[float]:
    """SQL for ``part / whole`` as a double; SQLAlchemy's own division adds casts that not every database has."""
    quotient: sa.ColumnElement[float] = as_double(part).op("/", return_type=DOUBLE)(as_double(whole))
    return quotient


@compiles(as_double)
def _compile(element: Any, compiler: Any, **arguments: Any) -> str:
    (value,) = element.clauses
    spelling = _SPELLINGS.get(compiler.dialect.name, "CAST({} AS FLOAT(53))")
    return spelling.format(compiler.process(value, **arguments))
