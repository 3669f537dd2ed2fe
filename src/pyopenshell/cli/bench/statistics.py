"""Percentiles as the table prints them: nearest rank, so that a p95 is a time that really happened."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(samples: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest sample that `share` (0 < share <= 1) of all are at or below."""
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(samples: Sequence[float]) -> float:
    """The nearest-rank median."""
    return percentile(samples, 0.5)
