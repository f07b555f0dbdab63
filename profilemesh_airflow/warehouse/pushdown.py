"""Push-down: the database computes every metric of a table.

One scan answers all plain aggregates; then each column is looked at once more, by its distinct values: alone, or
together with others of few values. The second look of a column begins beside the first scan where it needs nothing from
it.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import sqlalchemy as sa

from profilemesh_airflow.warehouse.binned import COMBINATIONS as MAX_BIN_COMBINATIONS, study_bins
from profilemesh_airflow.warehouse.drawn import Drawn
from profilemesh_airflow.warehouse.estimates import conclude, ranked_rows, row_targets, some_rows, value_targets
from profilemesh_airflow.warehouse.groups import conclude_from_scan, questions_of, study_numbers, study_values
from profilemesh_airflow.warehouse.joint import MAX_BINS, at_most, pack, study_together
from profilemesh_airflow.warehouse.ranks import study_ranks
from profilemesh_airflow.warehouse.scan import (
    MAX_SORTS,
    Target,
    chunks,
    is_irregular,
    regular_targets,
    scan,
    sorted_targets,
    targets,
)
from profilemesh_airflow.warehouse.subject import DISTINCT
from profilemesh_airflow.warehouse.tally import count_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from profilemesh_airflow.core.plan import TableSettings
    from profilemesh_airflow.warehouse.dialects.base import Dialect
    from profilemesh_airflow.warehouse.errors import StatementError
    from profilemesh_airflow.warehouse.lanes import Lane, Lanes
    from profilemesh_airflow.warehouse.relation import Relation
    from profilemesh_airflow.warehouse.subject import Subject


class Pushdown:
    """The columns of one table, asked of the database.

    :param rate: one in how many rows is looked at for approximations; none where there are none.
    :param values: about how many distinct values columns have, where the database believes to know.
    :param memory: bytes that values may take in this process.
    :param refuse: what to do when even the number of rows is refused; it raises.
    :ivar rows: how many rows there are, once they were counted.
    :ivar joined: names of the columns that were looked at together, pack by pack.
    """

    def __init__(
        self,
        lanes: Lanes,
        dialect: Dialect,
        settings: TableSettings,
        rate: int | None,
        values: Mapping[str, float],
        memory: int,
        refuse: Callable[[StatementError], None],
    ) -> None:
        self.rows = 0
        self.joined: list[list[str]] = []
        self._lanes = lanes
        self._dialect = dialect
        self._settings = settings
        self._rate = rate
        self._values = values
        self._memory = memory
        self._refuse = refuse

    def measure(self, relation: Relation, subjects: Sequence[Subject]) -> None:
        """Measure everything that is wanted of the columns; what fails is written at the column."""
        numbers = [subject for subject in subjects if subject.kind.numeric]
        roughly = [subject for subject in subjects if subject.approximate]
        drawn = Drawn(self._dialect, self._rate or 1)
        estimated = [] if self._rate is None else value_targets(roughly, self._dialect, self._rate)
        estimated += drawn.targets(roughly, len(self._lanes))
        # Estimates take so long, with nothing else to do meanwhile, that the connections share the first scan.
        asked = chunks(
            [self._row_count(), *targets(subjects, self._dialect), *estimated],
            least=len(self._lanes) if estimated else 1,
        )
        first = [self._lanes.submit(scan, relation, some) for some in asked]
        early = self._count_early(relation, [subject for subject in subjects if subject.counted_early])
        self._lanes.wait(first)
        irregular = [subject for subject in subjects if is_irregular(subject, self._dialect)]
        again = chunks(regular_targets(irregular, self._dialect))
        self._lanes.wait(self._lanes.submit(scan, relation, some) for some in again)
        if roughly:
            self._estimate(relation, roughly, irregular, drawn)
            unanswered = (
                subject
                for subject in roughly
                if not subject.kind.numeric and subject.wanted & DISTINCT and "distinct" not in subject.measured
            )
            early += self._look(relation, unanswered, study_values)
        ranks = [
            self._lanes.submit(study_ranks, rows, subject, self._dialect, subject in irregular)
            for subject in subjects
            if subject.ranked
            for rows in [ranked_rows(relation, subject, self._dialect)]
        ]
        for subject in numbers:
            conclude_from_scan(subject, subject in irregular)
        study = partial(study_numbers, bins=self._settings.histogram_bins, irregular=irregular)
        to_bin = [s for s in numbers if questions_of(s) == {"histogram"} and s not in irregular]
        to_group = (s for s in numbers if questions_of(s) and s not in to_bin)
        late = [*self._bin(relation, to_bin, study), *self._look(relation, to_group, study, irregular)]
        self._lanes.wait(chain(early, late, ranks))

    def _bin(self, relation: Relation, subjects: Sequence[Subject], study: Callable[..., None]) -> list[Future[None]]:
        """Count how many values are in each bin, together where there are few combinations."""
        bins = self._settings.histogram_bins
        packs = pack(subjects, lambda _: bins, MAX_BIN_COMBINATIONS)
        together = partial(study_bins, bins=bins)
        return [self._lanes.submit(self._study, relation, some, together, study) for some in packs]

    def _count_early(self, relation: Relation, subjects: Sequence[Subject]) -> list[Future[None]]:
        """Count distinct values: by sorting several columns in one scan, by grouping, or here."""
        in_order = chunks(sorted_targets(subjects), MAX_SORTS, least=len(self._lanes))
        grouped = (subject for subject in subjects if subject.key is None and not subject.tallied)
        here = [subject for subject in subjects if subject.tallied]
        return [
            *(self._lanes.submit(self._count_here, relation, some) for some in [here] if some),
            *(self._lanes.submit(scan, relation, some) for some in in_order),
            *self._look(relation, grouped, study_values),
        ]

    def _count_here(self, lane: Lane, relation: Relation, subjects: Sequence[Subject]) -> None:
        count_texts(lane, relation, subjects, self._memory)
        for subject in subjects:
            if not subject.tallied:
                study_values(lane, relation, subject, self._dialect)

    def _row_count(self) -> Target:
        """Where even that is refused, the table as a whole is."""

        def keep(rows: int) -> None:
            self.rows = rows

        return Target(sa.func.count(), keep, self._refuse)

    def _estimate(
        self, relation: Relation, subjects: Sequence[Subject], irregular: Sequence[Subject], drawn: Drawn
    ) -> None:
        """What is approximated, of the rows that were drawn or by one more scan of some; the rest comes as usual."""
        assert self._rate is not None
        bins = self._settings.histogram_bins
        asked = row_targets(subjects, self._dialect, bins, irregular, drawn)
        rows = some_rows(relation, self._dialect, self._rate)
        self._lanes.wait(self._lanes.submit(scan, rows, some) for some in chunks(asked))
        for subject in subjects:
            conclude(subject, self._dialect, self._rate, bins)

    def _look(
        self,
        relation: Relation,
        subjects: Iterable[Subject],
        study: Callable[..., None],
        irregular: Collection[Subject] = (),
    ) -> list[Future[None]]:
        """Have columns looked at by their distinct values: together where there are few, else by ``study`` each."""
        packs = pack(subjects, lambda subject: self._values_of(subject) if self._joins(subject, irregular) else None)
        self.joined += [[subject.column.name for subject in some] for some in packs if len(some) > 1]
        together = partial(study_together, bins=self._settings.histogram_bins)
        return [self._lanes.submit(self._study, relation, some, together, study) for some in packs]

    def _joins(self, subject: Subject, irregular: Collection[Subject]) -> bool:
        """Whether a column can be looked at with others."""
        if subject.key is not None or not subject.wanted & DISTINCT:
            return False
        if not subject.kind.numeric:
            return True
        has_extremes = {"low", "high"} <= subject.measured.keys() and subject not in irregular
        return has_extremes and self._settings.histogram_bins <= MAX_BINS

    def _values_of(self, subject: Subject) -> float | None:
        known = (self._values.get(subject.column.name), at_most(subject))
        return min((number for number in known if number is not None), default=None)

    def _study(
        self,
        lane: Lane,
        relation: Relation,
        subjects: list[Subject],
        together: Callable[..., list[Subject]],
        alone: Callable[..., None],
    ) -> None:
        if len(subjects) > 1:
            subjects = together(lane, relation, subjects, self._dialect)
        for subject in subjects:
            alone(lane, relation, subject, self._dialect)
