"""Windows grow to what a line of known rate and delay needs, and no further."""

from __future__ import annotations

import pytest

from pyopenshell.http2.bdp import WindowGrowth

KIB, MIB = 2**10, 2**20
LEAST, MOST = MIB, 8 * MIB


def run(growth: WindowGrowth, rate: float, delay: float, seconds: float = 60.0, reader: float = 1e12) -> int:
    """A line that takes `rate` bytes a second and `delay` seconds there and back. Returns how many PINGs were sent."""
    now, pings = 0.0, 0
    while now < seconds:
        if growth.taken(1, now):
            pings += 1
            trip = max(delay, growth.window / rate)  # what does not fit on the line waits in front of it
            now += trip
            growth.taken(int(min(growth.window, rate * trip, reader * trip)), now)
            growth.answered(now, delay)
        else:
            now += 0.001
    return pings


@pytest.mark.parametrize("delay", [0.0001, 0.010, 0.060, 0.200])
def test_the_line_is_filled_as_far_as_the_largest_window_goes(delay: float) -> None:
    rate = 40e6
    growth = WindowGrowth(LEAST, MOST, 0.0)
    run(growth, rate, delay)
    speed = growth.window / max(delay, growth.window / rate)
    assert speed >= min(0.99 * rate, MOST / delay)
    assert growth.window <= max(4 * rate * delay, LEAST), "memory for what is on the way, not for a queue"


def test_a_slow_reader_gets_no_larger_window() -> None:
    growth = WindowGrowth(LEAST, MOST, 0.0)
    run(growth, 40e6, 0.1, reader=5e6)
    assert growth.window == LEAST


def test_a_stopped_reader_gets_no_larger_window() -> None:
    growth = WindowGrowth(LEAST, MOST, 0.0)
    assert growth.taken(1, 0.0)
    assert not growth.answered(0.05)
    assert growth.window == LEAST


@pytest.mark.parametrize(("n", "grows"), [(LEAST * 2 // 3, False), (LEAST * 2 // 3 + 1, True), (LEAST, True)])
def test_at_two_thirds_of_a_window(n: int, grows: bool) -> None:
    growth = WindowGrowth(LEAST, MOST, 0.0)
    growth.taken(1, 0.0)
    growth.taken(n, 0.05)
    assert growth.answered(0.1) is grows
    assert growth.window == (2 * LEAST if grows else LEAST)


def test_it_stops_at_the_most_and_asks_no_more() -> None:
    growth = WindowGrowth(LEAST, 3 * MIB, 0.0)
    assert run(growth, 1e9, 0.2) == 2
    assert growth.window == 3 * MIB


def test_pings_become_rare_when_nothing_changes() -> None:
    assert run(WindowGrowth(LEAST, MOST, 0.0), 40e6, 0.0001) <= 60 + 10


def test_after_shrinking_it_may_grow_again() -> None:
    growth = WindowGrowth(LEAST, MOST, 0.0)
    run(growth, 40e6, 0.06)
    grown = growth.window
    growth.shrink(64 * KIB)
    assert growth.window == 64 * KIB
    growth._next = 0.0
    run(growth, 40e6, 0.06)
    assert growth.window >= grown // 2


def test_an_answer_to_nothing() -> None:
    with pytest.raises(ValueError, match="no PING"):
        WindowGrowth(LEAST, MOST, 0.0).answered(1.0)


def test_repr() -> None:
    growth = WindowGrowth(KIB, MIB, 0.0)
    assert repr(growth) == "WindowGrowth(1024 of at most 1048576, best 0 B/s)"
    growth.taken(1, 0.0)
    assert repr(growth) == "WindowGrowth(1024 of at most 1048576, best 0 B/s, waits for a PING)"
