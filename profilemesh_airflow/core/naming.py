"""Finding the table somebody means by a name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from profilemesh_airflow.exceptions import UnknownTableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from profilemesh_airflow.core.table import TableRef


def find_table(refs: Sequence[TableRef], name: str) -> TableRef:
    """The one table that ``name`` means: its key, or the end of its name (``orders``, ``sales.orders``).

    :raises UnknownTableError: no table is called so (the nearest names are offered), or more than one is.
    """
    for ref in refs:
        if ref.key == name:
            return ref
    found = [ref for ref in refs if name in _spellings(ref)]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(sorted(ref.key for ref in found))
        raise UnknownTableError(f"table {name!r} is ambiguous: it may be {keys}; give the whole key")
    spellings = {spelling: ref.key for ref in refs for spelling in _spellings(ref)}
    nearest = list(dict.fromkeys(spellings[match] for match in get_close_matches(name, spellings, n=3)))
    hint = f"did you mean {', '.join(nearest)}?" if nearest else "`profilemesh-airflow plan --offline` lists them"
    raise UnknownTableError(f"table {name!r} is not in the plan; {hint}")


def find_tables(refs: Sequence[TableRef], names: Iterable[str]) -> list[TableRef]:
    """:func:`find_table` for each name, in order, without repeats."""
    return list(dict.fromkeys(find_table(refs, name) for name in names))


def _spellings(ref: TableRef) -> tuple[str, ...]:
    return tuple(".".join(ref.parts[start:]) for start in range(len(ref.parts)))
