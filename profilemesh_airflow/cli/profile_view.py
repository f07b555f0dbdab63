"""The latest profile of one table, as a document and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from profilemesh_airflow.cli.grid import Grid, printable, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from profilemesh_airflow.core.profile import ColumnProfile
    from profilemesh_airflow.store import StoredProfile

#: A longer value ends in an ellipsis; the whole is in the JSON document.
_LONGEST_VALUE = 40

_BARS = "▁▂▃▄▅▆▇█"

_HEADERS = ("column", "type", "nulls", "distinct", "min", "max", "mean", "stddev", "lengths", "histogram")
