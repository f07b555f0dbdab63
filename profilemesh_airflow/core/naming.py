"""Finding the tables somebody means by a name, or by patterns of its parts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from profilemesh_airflow.core.selection import compile_pattern
from profilemesh_airflow.core.table import TableRef, short_hash, shorten
from profilemesh_airflow.exceptions import UnknownTableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Airflow's limit is 250, for a task's id together with those of the groups that it is in.
MAX_TASK_ID_LENGTH = 100

#: The earlier integration replaced dots and hyphens, too.
_UNFIT_FOR_ID = re.compile(r"[^A-Za-z0-9_]")

#: The parts of a table's name that a pattern may give.
_PARTS = ("database", "schema", "table")


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


def match_tables(refs: Sequence[TableRef], patterns: Iterable[Mapping[str, str] | str]) -> list[TableRef]:
    """The tables that patterns mean, in the order of the plan, each once.

    :param patterns: each a name as :func:`find_table` takes it, or a mapping of ``table`` and, where that is not
        enough, ``schema`` and ``database``. Each part may have the wildcards ``*``, ``?`` and ``[abc]``; beside one, a
        part that is not given may be anything.
    :raises UnknownTableError: a pattern means no table, or, without wildcards, several.
    """
    found: set[TableRef] = set()
    for pattern in patterns:
        found.update(_match(refs, pattern))
    return [ref for ref in refs if ref in found]


def fault_of_pattern(pattern: object) -> str | None:
    """Which keys of a mapping that is given to :func:`match_tables` are none of a pattern's, or nothing."""
    if not isinstance(pattern, Mapping):
        return None
    unknown = ", ".join(repr(key) for key in pattern if key not in _PARTS)
    return f"{dict(pattern)!r} has the unknown key {unknown}; known are {', '.join(_PARTS)}" if unknown else None


def task_ids(refs: Iterable[TableRef]) -> dict[TableRef, str]:
    """A readable id for each table, fit for a task and different from every other's.

    It is the table's bare name, as the earlier integration had it; where tables would meet, each of them has its schema
    and database before it, and where they still would, a hash of its key.
    """
    ids = {ref: _fit(ref.table) for ref in refs}
    for name in (_whole_id, _hashed_id):
        often = Counter(ids.values())
        ids = {ref: name(ref) if often[each] > 1 else each for ref, each in ids.items()}
    return ids


def _whole_id(ref: TableRef) -> str:
    return _fit(ref.display)


def _hashed_id(ref: TableRef) -> str:
    return f"{_fit(ref.display)}__{short_hash(ref.key, 8)}"


def _fit(name: str) -> str:
    return shorten(_UNFIT_FOR_ID.sub("_", name), MAX_TASK_ID_LENGTH)


def _match(refs: Sequence[TableRef], pattern: Mapping[str, str] | str) -> list[TableRef]:
    if isinstance(pattern, str):
        return _matching(refs, pattern) if _is_wild(pattern) else [find_table(refs, pattern)]
    fault = fault_of_pattern(pattern)
    if fault is not None:
        raise UnknownTableError(fault)
    if not pattern.get("table"):
        raise UnknownTableError(
            f"{dict(pattern)!r} names no table; give 'table', and 'schema' and 'database' if needed"
        )
    parts = {part: pattern[part] for part in _PARTS if pattern.get(part)}
    if not any(_is_wild(value) for value in parts.values()):
        return [find_table(refs, TableRef(**parts).key)]
    wanted = {part: compile_pattern(value) for part, value in parts.items()}
    matching = [ref for ref in refs if all(each.match(getattr(ref, part) or "") for part, each in wanted.items())]
    return matching or _refuse(".".join(parts.values()))


def _matching(refs: Sequence[TableRef], pattern: str) -> list[TableRef]:
    wanted = compile_pattern(pattern)
    return [ref for ref in refs if any(wanted.match(name) for name in (ref.key, *_spellings(ref)))] or _refuse(pattern)


def _refuse(pattern: str) -> list[TableRef]:
    raise UnknownTableError(
        f"no table of the plan is called {pattern!r}; `profilemesh-airflow plan --offline` lists them"
    )


def _is_wild(name: str) -> bool:
    return any(character in name for character in "*?[")


def _spellings(ref: TableRef) -> tuple[str, ...]:
    return tuple(".".join(ref.parts[start:]) for start in range(len(ref.parts)))
