"""Conditions on the tables that a pattern finds, beyond their names: what a catalog can tell of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple


class Facts(NamedTuple):
    """What is known of a table; none is what the database does not tell.

    :param rows: by the catalog's own estimate.
    :param age_days: days since rows were last written.
    :param tags: of the table as a whole.
    """

    kind: str
    columns: frozenset[str] = frozenset()
    rows: int | None = None
    age_days: float | None = None
    tags: frozenset[str] | None = None


@dataclass(frozen=True)
class Conditions:
    """All of them have to hold.

    :param min_rows: the table has so many rows or more; ``max_rows``: so many or fewer.
    :param required_columns: it has columns of these names, in exact case.
    :param modified_since_days: rows were written within so many days.
    :param tags: it has all of these; ``tags_any``: one of those at least.
    """

    min_rows: int | None = None
    max_rows: int | None = None
    required_columns: tuple[str, ...] = ()
    modified_since_days: int | None = None
    tags: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    @property
    def about_tags(self) -> bool:
        """Whether tags have to be looked up."""
        return bool(self.tags or self.tags_any)

    def hold(self, facts: Facts) -> bool | None:
        """Whether all of them hold; none where that depends on what is not known."""
        answers = (self._rows(facts), self._columns(facts), self._age(facts), self._tags(facts))
        if False in answers:
            return False
        return None if None in answers else True

    def unknown(self, facts: Facts) -> tuple[str, ...]:
        """What is not known, of what they are about."""
        needed = (
            ("number of rows", self._rows(facts)),
            ("time of the last change", self._age(facts)),
            ("tags", self._tags(facts)),
        )
        return tuple(name for name, answer in needed if answer is None)

    def _rows(self, facts: Facts) -> bool | None:
        if self.min_rows is None and self.max_rows is None:
            return True
        if facts.rows is None:
            return None
        return (self.min_rows or 0) <= facts.rows and (self.max_rows is None or facts.rows <= self.max_rows)

    def _columns(self, facts: Facts) -> bool:
        return facts.columns.issuperset(self.required_columns)

    def _age(self, facts: Facts) -> bool | None:
        if self.modified_since_days is None:
            return True
        return None if facts.age_days is None else facts.age_days <= self.modified_since_days

    def _tags(self, facts: Facts) -> bool | None:
        if not self.about_tags:
            return True
        if facts.tags is None:
            return None
        return facts.tags.issuperset(self.tags) and (not self.tags_any or not facts.tags.isdisjoint(self.tags_any))
