from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from profilemesh_airflow.config import LoadedConfig

TEXT = """\
source: {{type: sqlite, filepath: /a.db}}
profiling:
  tables:
    - table: t
      drift: {drift}
"""


def test_a_table_and_its_columns_say_what_is_different_for_them(load: Callable[..., LoadedConfig]) -> None:
    drift = "{strategy: psi, columns: {a: {strategy: ks, ks: {alpha: 0.01}}, '*_id': {enabled: no}}}"
    found = load(TEXT.format(drift=drift)).model.profiling.tables[0].drift
    assert found is not None
    assert found.model_fields_set == {"strategy", "columns"}
    assert list(found.columns) == ["a", "*_id"]
    assert (found.columns["a"].strategy, found.columns["a"].ks.alpha) == ("ks", 0.01)
    assert found.columns["*_id"].model_fields_set == {"enabled"}


@pytest.mark.parametrize(
    ("drift", "error"),
    [
        ("{strategy: psy}", ".strategy: 'psy' is not allowed; "),
        ("{columns: {a: {psi: {low_threshold: 9}}}}", ".columns.a.psi: low_threshold, medium_threshold and high_"),
        ("{columns: [a]}", ".columns: a list is not allowed; write a mapping"),
        ("{freshness: {min_intervals: 1}}", ".freshness.min_intervals: 1 is not allowed; it must be at least 2"),
        ("high", ": 'high' is not allowed; write a mapping"),
    ],
)
def test_what_is_wrong_with_a_tables_drift_is_said(errors: Callable[..., list[str]], drift: str, error: str) -> None:
    (found,) = errors(TEXT.format(drift=drift))
    assert found.startswith(f"c.yml:5: profiling.tables[0].drift{error}")


def test_what_only_the_successor_has_is_a_warning(warnings: Callable[..., list[str]]) -> None:
    drift = "{strategy: statistical, thresholds: {low: 1}, columns: {a: {freshness: {enabled: no}}}}"
    assert warnings(TEXT.format(drift=drift)) == [
        "c.yml:5: profiling.tables[0].drift.strategy: 'statistical' is not supported here; "
        "'absolute_threshold' is used in its place",
        "c.yml:5: profiling.tables[0].drift.thresholds: this key is not supported here and is ignored",
        "c.yml:5: profiling.tables[0].drift.columns.a.freshness: unknown key, ignored; known here: "
        "enabled, strategy, absolute_threshold, standard_deviation, psi, ks, ml_based",
    ]
