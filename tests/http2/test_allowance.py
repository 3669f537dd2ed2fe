"""The token bucket: at the limit and next to it, over time, and what useful work pays for."""

from __future__ import annotations

import pytest

from pyopenshell.http2.allowance import Allowance
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.faults import ConnectionFault
from pyopenshell.http2.limits import Rate

RATE = Rate(burst=3, per_second=2)


def spend(allowance: Allowance, times: int, now: float = 0.0, earned: int = 0) -> None:
    for _ in range(times):
        allowance.spend(now, earned)


def test_the_burst_and_not_one_more() -> None:
    allowance = Allowance("things", RATE, now=0.0)
    spend(allowance, RATE.burst)
    with pytest.raises(ConnectionFault, match=r"too many things \(limit: 3 at once, 2 a second\)") as caught:
        spend(allowance, 1)
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_it_grows_with_time_up_to_the_burst() -> None:
    allowance = Allowance("things", RATE, now=10.0)
    spend(allowance, 3, now=10.0)
    spend(allowance, 1, now=10.5)
    with pytest.raises(ConnectionFault):
        spend(allowance, 1, now=10.9)
    spend(allowance, 3, now=1000.0)
    with pytest.raises(ConnectionFault):
        spend(allowance, 1, now=1000.0)


def test_a_clock_that_steps_back_takes_nothing() -> None:
    allowance = Allowance("things", RATE, now=10.0)
    spend(allowance, 3, now=5.0)
    with pytest.raises(ConnectionFault):
        spend(allowance, 1, now=5.0)


def test_useful_work_pays_once() -> None:
    allowance = Allowance("things", RATE, now=0.0)
    for earned in range(100):
        spend(allowance, 1, earned=earned)
    spend(allowance, 2, earned=99)
    with pytest.raises(ConnectionFault):
        spend(allowance, 1, earned=99)


def test_repr() -> None:
    allowance = Allowance("things", RATE, now=0.0)
    spend(allowance, 1)
    assert repr(allowance) == "Allowance(things: 2 of 3 left)"
