"""Which tables are meant: those that are listed by name, and those that patterns find in the database."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from profilemesh_airflow.core.conditions import Conditions
from profilemesh_airflow.core.table import TableRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from profilemesh_airflow.core.conditions import Facts

TableType = Literal["table", "view", "materialized_view", "foreign_table", "virtual_table"]

#: What may be asked for with ``table_types``.
TABLE_TYPES: tuple[TableType, ...] = get_args(TableType)

#: What a pattern finds when it does not say which types.
USUAL_TYPES: tuple[TableType, ...] = ("table",)

#: The types, by what the dialects call a table's kind; any other kind is of the type of the same name.
_TYPE_OF_KIND = {"partitioned table": "table", "system versioned": "table", "external table": "foreign_table"}


class ListedTable(NamedTuple):
    """A table as a database lists it.

    :param database: the database that was asked, as the configuration names it; none is the source's own.
    :param is_default: whether it is in the schema in which a bare name is looked up.
    """

    database: str | None
    schema: str
    table: str
    kind: str
    is_default: bool


def compile_pattern(pattern: str, pattern_type: str = "wildcard") -> re.Pattern[str]:
    """A pattern, to be matched from the beginning of a name; upper and lower case count.

    :param pattern_type: ``wildcard`` (``*``, ``?``, ``[abc]``; for the whole name) or ``regex`` (for its beginning, so
        end it with ``$``).
    :raises ValueError: it is no regular expression.
    """
    if pattern_type == "wildcard":
        return re.compile(fnmatch.translate(pattern))
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None


def tags_in_comment(comment: str) -> frozenset[str]:
    """The tags that a table's comment holds: separated by commas, behind ``tags:`` where it says so."""
    found = re.search(r"tags:(.*)", comment, re.IGNORECASE)
    words = (found[1] if found else comment).split(",")
    return frozenset(stripped for word in words if (stripped := word.strip()))


def with_values(pairs: Iterable[tuple[str, str | None]]) -> frozenset[str]:
    """Tags that have values, as ``name:value`` and as ``name``."""
    return frozenset(text for name, value in pairs for text in (name, f"{name}:{value}" if value else name))


def type_of(kind: str) -> str:
    """The type, as in ``table_types``, of a table of this kind."""
    return _TYPE_OF_KIND.get(kind, kind.replace(" ", "_"))


@dataclass(frozen=True)
class Names:
    """A condition on a name: every one of the first patterns matches, and none of the others."""

    required: tuple[re.Pattern[str], ...] = ()
    excluded: tuple[re.Pattern[str], ...] = ()

    def __contains__(self, name: str) -> bool:
        return all(pattern.match(name) for pattern in self.required) and not any(
            pattern.match(name) for pattern in self.excluded
        )


@dataclass(frozen=True)
class Selector:
    """Finds tables by pattern.

    :param shown: how messages name it.
    :param schemas: the schemas to look in, of those that ``in_any_schema`` allows.
    :param in_any_schema: tables have their schema in their name; otherwise only those are meant that a bare name finds,
        and they have bare names.
    :param breadth: where several find the same table, the least broad one decides how it is treated.
    :param conditions: what a table has to fulfil besides.
    :param members: gives schema and table of those that may be meant, in lower case; none means any.
    """

    shown: str
    tables: Names
    schemas: Names = Names()
    in_any_schema: bool = False
    database: str | None = None
    types: frozenset[str] = frozenset(USUAL_TYPES)
    breadth: int = 0
    conditions: Conditions = field(default_factory=Conditions)
    members: Callable[[], frozenset[tuple[str, str]]] | None = None

    def find(self, listed: ListedTable) -> TableRef | None:
        """The table under the name that it has in the plan, or none where its name or kind is not meant."""
        if not (self.in_any_schema or listed.is_default) or listed.database != self.database:
            return None
        if listed.schema not in self.schemas:
            return None
        ref = TableRef(listed.table, listed.schema if self.in_any_schema else None, self.database)
        return ref if self.selects(ref, listed.kind) else None

    def selects(self, ref: TableRef, kind: str | None = None) -> bool:
        """Whether a table of this name may be meant; where its kind is not known, it may be of any."""
        return (
            ref.database == self.database
            and (ref.schema is not None) == self.in_any_schema
            and (ref.schema is None or ref.schema in self.schemas)
            and ref.table in self.tables
            and (kind is None or type_of(kind) in self.types)
            and (self.members is None or (str(ref.schema).casefold(), ref.table.casefold()) in self.members())
        )

    def means(self, ref: TableRef, facts: Facts | None) -> bool:
        """Whether a table is meant; of one that nothing is known of, the name decides."""
        if facts is None:
            return self.selects(ref)
        return self.selects(ref, facts.kind) and (not self.conditions or self.conditions.hold(facts) is True)


class Undecided(NamedTuple):
    """Tables that a pattern may mean or not: the database does not tell."""

    pattern: Selector
    unknown: tuple[str, ...]
    refs: tuple[TableRef, ...]


class Found(NamedTuple):
    """What was found of a selection.

    :param refs: every table once, in the order of the configuration; those of one pattern by name.
    :param barren: the patterns that find nothing, and have nothing undecided.
    """

    refs: tuple[TableRef, ...]
    barren: tuple[Selector, ...] = ()
    undecided: tuple[Undecided, ...] = ()


class Selection:
    """The entries of a configuration, each a table or a pattern.

    An entry that lists a table beats every pattern; of several patterns that find it, the least broad one counts, and
    of equally broad ones the first.
    """

    def __init__(self, entries: Sequence[TableRef | Selector]) -> None:
        self._entries = entries
        self._listed = {entry: at for at, entry in enumerate(entries) if isinstance(entry, TableRef)}
        patterns = [(at, entry) for at, entry in enumerate(entries) if isinstance(entry, Selector)]
        self._patterns = sorted(patterns, key=lambda pattern: pattern[1].breadth)

    @property
    def listed(self) -> Mapping[TableRef, int]:
        """The tables that are listed by name, and where."""
        return self._listed

    @property
    def databases(self) -> tuple[str | None, ...]:
        """The databases in which patterns look, each once."""
        return tuple(dict.fromkeys(pattern.database for _, pattern in self._patterns))

    @property
    def has_patterns(self) -> bool:
        """Whether the database has to be asked which tables are meant."""
        return bool(self._patterns)

    @property
    def has_conditions(self) -> bool:
        """Whether more has to be known of tables than their names and kinds."""
        return any(pattern.conditions for _, pattern in self._patterns)

    def position(self, ref: TableRef, facts: Facts | None = None) -> int | None:
        """Which entry a table is from, or none where it is not meant.

        :param facts: what is known of it; a pattern may be about tables or views alone, or have conditions.
        """
        at = self._listed.get(ref)
        if at is not None:
            return at
        return next((at for at, pattern in self._patterns if pattern.means(ref, facts)), None)

    def asks_tags_of(self, ref: TableRef) -> bool:
        """Whether it depends on a table's tags which entry it is from."""
        return any(pattern.conditions.about_tags and pattern.selects(ref) for _, pattern in self._patterns)

    def candidates(self, tables: Iterable[ListedTable]) -> dict[ListedTable, TableRef]:
        """The tables of which more has to be known, by the name under which a pattern with conditions finds them."""
        patterns = [pattern for _, pattern in self._patterns if pattern.conditions]
        found = ((table, next(filter(None, (pattern.find(table) for pattern in patterns)), None)) for table in tables)
        return {table: ref for table, ref in found if ref is not None}

    def find(self, tables: Iterable[ListedTable], facts: Mapping[ListedTable, Facts] = MappingProxyType({})) -> Found:
        """The tables that are listed by name, and those of ``tables`` that patterns find.

        :param facts: what is known of the :meth:`candidates`.
        """
        chosen: dict[int, list[TableRef]] = {at: [ref] for ref, at in self._listed.items()}
        fruitful: set[int] = set()
        undecided: dict[tuple[int, tuple[str, ...]], list[TableRef]] = {}
        for table in tables:
            known = facts.get(table)
            named = [(at, pattern, ref) for at, pattern in self._patterns if (ref := pattern.find(table))]
            hits = [(at, ref) for at, pattern, ref in named if not pattern.conditions or pattern.means(ref, known)]
            for at, unknown, ref in _undecided(named, known):
                undecided.setdefault((at, unknown), []).append(ref)
            fruitful.update(at for at, _ in hits)
            if hits and not any(ref in self._listed for _, ref in hits):
                at, ref = hits[0]
                chosen.setdefault(at, []).append(ref)
        refs = (ref for at in sorted(chosen) for ref in _by_name(chosen[at]))
        quiet, by_position = fruitful | {at for at, _ in undecided}, dict(self._patterns)
        return Found(
            tuple(refs),
            tuple(pattern for at, pattern in self._patterns if at not in quiet),
            tuple(Undecided(by_position[at], unknown, _by_name(some)) for (at, unknown), some in undecided.items()),
        )

    def order(self, refs: Iterable[TableRef]) -> tuple[TableRef, ...]:
        """The listed tables, and those of ``refs`` that patterns mean, in the order of the configuration."""
        places = {ref: (self.position(ref), ref.parts) for ref in {*self._listed, *refs}}
        return tuple(ref for ref, place in sorted(places.items(), key=_place) if place[0] is not None)


def _place(item: tuple[TableRef, tuple[int | None, tuple[str, ...]]]) -> tuple[int, tuple[str, ...]]:
    at, parts = item[1]
    return -1 if at is None else at, parts


def _by_name(refs: Iterable[TableRef]) -> tuple[TableRef, ...]:
    return tuple(sorted(refs, key=lambda ref: ref.parts))


def _undecided(
    named: Iterable[tuple[int, Selector, TableRef]], known: Facts | None
) -> Iterable[tuple[int, tuple[str, ...], TableRef]]:
    """Of the patterns that a table has the name for, those whose conditions nobody can answer."""
    if known is None:
        return
    for at, pattern, ref in named:
        if pattern.conditions.hold(known) is None:
            yield at, pattern.conditions.unknown(known), ref
