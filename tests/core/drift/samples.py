"""Values, and the histograms that the profiler makes of them, computed apart from it."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st


def stored(values, bins=10):
    """The histogram of the format: equal bins from least to greatest, one where all values are the same."""
    values = np.asarray(values, dtype=float)
    low, high = values.min(), values.max()
    edges = np.array([low, high]) if low == high else np.linspace(low, high, bins + 1)
    if low == high:
        return [{"bin_start": float(low), "bin_end": float(high), "count": len(values)}]
    counts, _ = np.histogram(values, edges)
    return [
        {"bin_start": float(edges[i]), "bin_end": float(edges[i + 1]), "count": int(counts[i])} for i in range(bins)
    ]


def edges_of(bins):
    return [bins[0]["bin_start"], *(each["bin_end"] for each in bins)]


def shares(values, edges):
    """Of each bin between the edges, the share of the values: below, between, above."""
    values = np.asarray(values, dtype=float)
    counts = np.histogram(values, edges)[0] if edges[0] < edges[-1] else [np.sum(values == edges[0])]
    return np.array([np.sum(values < edges[0]), *counts, np.sum(values > edges[-1])]) / len(values)


#: Values with repeats, gaps and outliers: what makes bins of two samples differ most.
SAMPLES = st.lists(
    st.one_of(
        st.integers(0, 5).map(float), st.floats(-10, 10).map(lambda x: round(x, 3)), st.sampled_from([0.0, 100.0, -1e4])
    ),
    min_size=1,
    max_size=60,
)
