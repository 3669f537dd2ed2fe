"""Limits that cannot be announced are refused."""

from __future__ import annotations

import pytest

from pyopenshell.http2.limits import Limits


@pytest.mark.parametrize(
    ("name", "low", "high"), [("max_frame", 2**14, 2**24 - 1), ("initial_window", 65_535, 2**31 - 1)]
)
def test_bounds(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(Limits(**{name: value}), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValueError, match=f"{name} {value}"):
            Limits(**{name: value})


def test_a_frame_that_we_announce_fits_a_new_streams_window() -> None:
    assert Limits().max_frame <= Limits().initial_window
