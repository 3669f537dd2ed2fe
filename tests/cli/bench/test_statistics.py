"""Proof of `cli/bench/statistics.py`."""

from __future__ import annotations

import pytest

from pyopenshell.cli.bench.statistics import median, percentile


@pytest.mark.parametrize(
    ("count", "share", "rank"),
    [(1, 0.95, 1), (15, 0.5, 8), (15, 0.95, 15), (20, 0.95, 19), (100, 0.95, 95), (4, 0.5, 2)],
)
def test_nearest_rank(count: int, share: float, rank: int) -> None:
    assert percentile([float(n) for n in range(count, 0, -1)], share) == rank


def test_median_is_a_sample() -> None:
    assert median([3.0, 1.0, 2.0]) == 2.0


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)
