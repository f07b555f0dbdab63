"""Arrays of Arrow, and of numpy, as series of polars, which takes them as they are.

By Arrow's own protocol (arrow.apache.org, "PyCapsule Interface"): for a type that polars knows by name, it imports
modules of pyarrow's or numpy's first that take longer than all of a small table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow

if TYPE_CHECKING:
    from profilemesh_airflow.warehouse.stream.columns import Array


class _Exported:
    """An array of Arrow of which nothing is known but how it is handed over."""

    def __init__(self, array: Any) -> None:
        self.__arrow_c_array__ = array.__arrow_c_array__


def series_of_arrow(array: Any) -> pl.Series:
    """A series of an array; an array of a type that is an extension has its values in another."""
    exported: Any = _Exported(getattr(array, "storage", array))
    return pl.Series(exported)


def series_of_numbers(values: Array) -> pl.Series:
    """A series of numbers without NULLs."""
    kind = pyarrow.from_numpy_dtype(values.dtype)
    return series_of_arrow(pyarrow.Array.from_buffers(kind, len(values), [None, pyarrow.py_buffer(values)]))
