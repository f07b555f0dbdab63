from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from profilemesh_airflow.core.plan import Identity, Plan, PlanEntry, Sampling, TableInfo, TableSettings
from profilemesh_airflow.core.proposal import Proposal, Proposed, changes_between, to_be_read
from profilemesh_airflow.core.table import TableRef
from profilemesh_airflow.core.version import VersionRule

IDENTITY = Identity("test", "shop")
SETTINGS = [TableSettings(), TableSettings(metrics=("count",)), TableSettings(histogram_bins=20)]
RULES = [None, VersionRule("moved_at"), VersionRule("id")]

tables = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.sampled_from(SETTINGS), st.sampled_from(RULES)), max_size=6
)


def version(chosen, identity=IDENTITY):
    entries = tuple(PlanEntry(TableRef(name), settings) for name, (settings, _) in chosen.items())
    return Plan(identity, entries), {TableRef(name): rule for name, (_, rule) in chosen.items()}


@given(tables, tables)
def test_every_table_is_changed_removed_or_unchanged_and_changed_exactly_where_something_differs(before, after):
    (old, old_rules), (new, new_rules) = version(before), version(after)

    found = changes_between(old, new, old_rules, new_rules)

    assert [change.key for change in found.changes] == [name for name in after if before.get(name) != after[name]]
    assert {ref.key for ref in found.removed} == before.keys() - after.keys()
    assert set(found.unchanged) == {name for name in after if before.get(name) == after[name]}
    assert all(change.reasons for change in found.changes)


@given(tables)
def test_under_another_name_every_table_is_new_and_every_former_one_is_removed(chosen):
    (old, old_rules), (new, new_rules) = version(chosen), version(chosen, Identity("prod", "shop"))

    found = changes_between(old, new, old_rules, new_rules)

    assert [[reason.kind for reason in change.reasons] for change in found.changes] == [["added"]] * len(chosen)
    assert [ref.key for ref in found.removed] == list(chosen)


INFO = TableInfo(TableRef("a"), (), estimated_rows=1000, estimated_bytes=64_000)


@pytest.mark.parametrize(
    ("info", "settings", "read"),
    [
        (INFO, TableSettings(), (1000, 64_000)),
        (INFO, TableSettings(sampling=Sampling("random", 0.1)), (100, 6400)),
        (replace(INFO, estimated_bytes=None), TableSettings(), (1000, None)),
        (None, TableSettings(), (None, None)),
    ],
)
def test_a_sample_reads_its_share_of_what_the_catalog_estimates(info, settings, read):
    assert to_be_read(info, settings) == read


def test_the_sum_is_unknown_where_one_table_is():
    known, unknown = Proposed(TableRef("a"), (), "d", 5, 10), Proposed(TableRef("b"), (), "e", 7)

    assert (Proposal("x", (known, known), (), 0).rows, Proposal("x", (known, known), (), 0).size) == (10, 20)
    assert (Proposal("x", (known, unknown), (), 0).rows, Proposal("x", (known, unknown), (), 0).size) == (12, None)
