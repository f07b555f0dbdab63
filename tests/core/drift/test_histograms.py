"""PSI and KS on stored histograms, against NumPy and SciPy on the values that these were made of."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import optimize, stats

from profilemesh_airflow.core.drift import ColumnRules
from profilemesh_airflow.core.drift.distribution import shifted
from profilemesh_airflow.core.drift.histogram import Bounds, histogram_of
from profilemesh_airflow.core.drift.ks import ks_test
from profilemesh_airflow.core.drift.psi import chance_index, stability_index, straightest
from tests.core.drift.samples import SAMPLES, edges_of, shares, stored
from tests.examples import examples

# Of these it is not known how many distinct values they have, so that nothing is interpolated.


def psi(one, other, bins=10):
    return stability_index(histogram_of(stored(one, bins)), histogram_of(stored(other, bins)))


def distance(one, other, bins=10):
    return ks_test(histogram_of(stored(one, bins)), histogram_of(stored(other, bins))).distance


def textbook_psi(p, q, values):
    """The sum over bins, each with half a value added of so many."""
    p, q = ((np.asarray(each) + 0.5 / values) / (1 + len(each) * 0.5 / values) for each in (p, q))
    return float(np.sum((p - q) * np.log(p / q)))


def histogram(edges, counts):
    return histogram_of(
        [{"bin_start": edges[i], "bin_end": edges[i + 1], "count": count} for i, count in enumerate(counts)]
    )


def test_where_the_bins_are_the_same_the_index_is_that_of_the_textbook():
    before, after = [1000, 3000, 4000, 2000], [2000, 2500, 3500, 2000]
    edges = [0.0, 1.0, 2.0, 3.0, 4.0]

    found = stability_index(histogram(edges, before), histogram(edges, after))

    expected = 0.1 * log(2) + 0.05 * log(1.2) + 0.05 * log(8 / 7)
    assert found == pytest.approx(expected, abs=1e-4)


def test_an_empty_bin_counts_as_half_a_value():
    found = stability_index(histogram([0, 1, 2], [10, 0]), histogram([0, 1, 2], [90, 10]))

    # Four bins, two of them outside: shares of 10.5 and 0.5, and of 9.5 and 1.5, in 12 each.
    assert found == pytest.approx(log(10.5 / 9.5) / 12 + log(3) / 12)


def test_where_the_bins_are_the_same_the_distance_is_that_of_the_values_at_the_edges():
    values = [np.repeat([0.5, 1.5, 2.5, 3.5], counts) for counts in ([10, 30, 40, 20], [20, 50, 20, 10])]
    edges = [0.0, 1.0, 2.0, 3.0, 4.0]

    found = ks_test(histogram(edges, [10, 30, 40, 20]), histogram(edges, [20, 50, 20, 10]))

    expected = stats.ks_2samp(*values, method="asymp")
    assert found.distance == pytest.approx(0.3)
    assert found.distance == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)


@given(SAMPLES)
def test_equal_values_have_no_drift_at_all(values):
    assert (psi(values, values), distance(values, values)) == (pytest.approx(0.0, abs=1e-12), 0.0)


@given(SAMPLES, SAMPLES, st.integers(1, 20))
def test_it_is_the_same_whichever_is_first(one, other, bins):
    assert psi(one, other, bins) == psi(other, one, bins) >= -1e-12
    assert 0.0 <= distance(one, other, bins) == distance(other, one, bins) <= 1.0


@given(SAMPLES, SAMPLES, st.sampled_from([0.5, 4.0]), st.sampled_from([0.0, 64.0]))
def test_unit_and_origin_of_the_values_do_not_matter(one, other, unit, origin):
    def moved(values):
        # Sixteenths keep the numbers, and so the bins, exact.
        return [round(value * 16) / 16 * unit + origin * unit for value in values]

    def plain(values):
        return [round(value * 16) / 16 for value in values]

    assert psi(moved(one), moved(other), 8) == pytest.approx(psi(plain(one), plain(other), 8), abs=1e-9)
    assert distance(moved(one), moved(other), 8) == pytest.approx(distance(plain(one), plain(other), 8))


@given(SAMPLES, SAMPLES, st.integers(1, 20))
def test_the_distance_is_never_more_than_that_of_the_values(one, other, bins):
    everywhere = np.union1d(one, other)
    true = max(abs(np.mean(np.asarray(one) <= x) - np.mean(np.asarray(other) <= x)) for x in everywhere)

    assert distance(one, other, bins) <= true + 1e-12


@given(SAMPLES, SAMPLES, st.integers(1, 20))
def test_the_index_is_never_more_than_that_of_the_values_in_the_same_bins(one, other, bins):
    fewer = min(len(one), len(other))
    edges = [edges_of(stored(values, bins)) for values in (one, other)]
    true = max(textbook_psi(shares(one, each), shares(other, each), fewer) for each in edges)

    assert psi(one, other, bins) <= true + 1e-9


@pytest.mark.parametrize("shift", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("bins", [10, 50])
def test_of_values_that_are_evenly_spread_in_each_bin_nearly_everything_is_found(shift, bins):
    one, other = np.random.default_rng(11).normal([[0.0], [shift]], size=(2, 20_000))
    before, after = (histogram_of(stored(values, bins), len(set(values))) for values in (one, other))

    assert ks_test(before, after).distance == pytest.approx(stats.ks_2samp(one, other).statistic, rel=0.1)
    # Of two normal distributions that are so far apart: the square of the distance.
    assert stability_index(before, after) == pytest.approx(shift**2, rel=0.3)


NUMBERS = np.random.default_rng(12)
NORMAL = NUMBERS.normal(size=9000)
LOGNORMAL = NUMBERS.lognormal(size=9000)
ZEROS = np.where(NUMBERS.uniform(size=9000) < 0.8, 0.0, NUMBERS.uniform(1, 100, size=9000))
DIGITS = NUMBERS.integers(0, 10, size=9000)


@pytest.mark.parametrize("bins", [10, 50])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(*NUMBERS.normal(size=(2, 9000)), id="normal"),
        pytest.param(*NUMBERS.exponential(size=(2, 9000)), id="exponential"),
        pytest.param(*NUMBERS.standard_t(2, size=(2, 9000)), id="heavy tails"),
        pytest.param(*NUMBERS.poisson(40, size=(2, 9000)), id="whole numbers"),
        pytest.param(LOGNORMAL, [*LOGNORMAL, LOGNORMAL.max() * 100], id="an outlier, which stretches every bin"),
        pytest.param(NORMAL, [*NORMAL, NORMAL.max() * 10], id="an outlier, which makes bins of several that were even"),
        pytest.param(ZEROS, [*ZEROS, -5.0], id="a heap of zeros, and other edges around it"),
        pytest.param(DIGITS, [*DIGITS, 10], id="digits, and another range"),
    ],
)
def test_what_is_as_before_but_for_its_bins_is_no_drift(one, other, bins):
    before, after = (histogram_of(stored(values, bins), len(set(values))) for values in (one, other))

    assert stability_index(before, after) < 0.05
    assert ks_test(before, after).distance < 0.05


@pytest.mark.parametrize("shift", [1.0, 2.0, 5.0])
def test_values_that_moved_are_found(shift):
    values = np.random.default_rng(9).normal(size=20_000)

    assert psi(values, values + shift) > 0.25
    assert 0.2 < distance(values, values + shift) <= stats.ks_2samp(values, values + shift, method="asymp").statistic


def test_finer_bins_leave_less_open():
    one, other = np.random.default_rng(10).normal([[0.0], [0.5]], size=(2, 20_000))
    true = stats.ks_2samp(one, other).statistic
    found = [distance(one, other, bins) for bins in (10, 40, 160)]

    assert found == sorted(found)
    assert found[-1] > 0.9 * true


def test_values_that_have_nothing_in_common_are_as_far_as_can_be():
    assert distance([1.0, 2.0], [8.0, 9.0]) == 1.0
    assert distance([5.0, 5.0], [6.0, 6.0]) == 1.0
    assert distance([5.0, 5.0], [5.0]) == 0.0


@pytest.mark.parametrize("bins", [2, 10, 100, 1000])
def test_what_an_index_may_be_by_chance_is_a_quantile_of_chi_squared(bins):
    few, many = (histogram(range(bins + 1), [count] * bins) for count in (3, 50))

    expected = (1 / (3 * bins) + 1 / (50 * bins)) * stats.chi2.ppf(0.95, bins - 1)
    assert chance_index(few, many) == pytest.approx(expected, rel=0.03)


def test_few_values_of_the_same_distribution_are_rarely_a_drift_and_many_of_another_always():
    rules = ColumnRules(strategy="psi")
    numbers = np.random.default_rng(13)

    def drifts(values, shift):
        one, other = numbers.normal([[0.0], [shift]], size=(2, values))
        before, after = (histogram_of(stored(each), values) for each in (one, other))
        return shifted("x", before, after, rules) is not None

    assert sum(drifts(300, 0.0) for _ in range(200)) <= 20
    assert all(drifts(3000, 0.5) for _ in range(20))


def test_a_distance_between_few_values_may_be_chance():
    few = ks_test(histogram([0, 1, 2], [3, 2]), histogram([0, 1, 2], [2, 3]))
    many = ks_test(histogram([0, 1, 2], [3000, 2000]), histogram([0, 1, 2], [2000, 3000]))

    assert few.distance == many.distance == pytest.approx(0.2)
    assert few.p_value > 0.5
    assert many.p_value < 1e-6


@settings(max_examples=examples(30))
@given(st.lists(st.tuples(st.floats(0.05, 1), st.floats(0.05, 1), st.floats(0, 0.3)), min_size=2, max_size=5))
def test_the_tautest_string_has_the_least_index_that_an_optimiser_finds(steps):
    p, q, slack = (np.array(each) for each in zip(*steps, strict=True))
    p, q = p / p.sum(), q / q.sum()
    true = np.cumsum(q)
    low, high = np.clip(true - slack, 0, 1), np.clip(true + slack, 0, 1)
    low, high = np.maximum.accumulate(low), np.minimum.accumulate(high[::-1])[::-1]
    low[-1] = high[-1] = 1.0

    heights = straightest(list(p), [Bounds(*each) for each in zip(low, high, strict=True)])

    def index(inner):
        rises = np.maximum(np.diff([0.0, *inner, 1.0]), 1e-9)
        return float(np.sum((p - rises) * np.log(p / rises)))

    assert np.all(low - 1e-9 <= heights)
    assert np.all(heights <= high + 1e-9)
    best = optimize.minimize(index, true[:-1], bounds=list(zip(low[:-1], high[:-1], strict=True)), method="L-BFGS-B")
    assert index(heights[:-1]) <= best.fun + 1e-6


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [],
        [1],
        [{"bin_start": 0, "bin_end": 1}],
        [{"bin_start": 0, "bin_end": 1, "count": 0}],
        [{"bin_start": 1, "bin_end": 0, "count": 3}],
        [{"bin_start": 0, "bin_end": 1, "count": -3}],
        [{"bin_start": 0, "bin_end": 1, "count": 1}, {"bin_start": 2, "bin_end": 3, "count": 1}],
    ],
)
def test_what_is_no_histogram_of_values_is_not_taken_for_one(value):
    assert histogram_of(value) is None
