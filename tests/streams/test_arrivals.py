"""The bucket of arrivals: a burst, a rate, a share given back, and memory with a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyopenshell.streams import arrivals
from pyopenshell.streams.arrivals import Arrivals


def test_a_burst_and_then_a_rate() -> None:
    peers = Arrivals(burst=3, rate=2.0)
    assert [peers.may("a", 10.0) for _ in range(4)] == [True, True, True, False]
    assert [peers.may("a", 10.5) for _ in range(2)] == [True, False]
    assert [peers.may("a", 60.0) for _ in range(4)] == [True, True, True, False]


def test_each_peer_has_its_own() -> None:
    peers = Arrivals(burst=1, rate=1.0)
    assert peers.may("a", 0.0)
    assert not peers.may("a", 0.0)
    assert peers.may("b", 0.0)


def test_who_was_let_in_comes_as_often_as_it_likes() -> None:
    peers = Arrivals(burst=1, rate=1.0)
    for _ in range(1000):
        assert peers.may("a", 0.0)
        peers.proved("a")
    assert peers.may("a", 0.0)
    assert not peers.may("a", 0.0)


def test_no_more_is_given_back_than_there_was() -> None:
    peers = Arrivals(burst=2, rate=1.0)
    assert peers.may("a", 0.0)
    for _ in range(9):
        peers.proved("a")
    peers.proved("nobody")
    assert [peers.may("a", 0.0) for _ in range(3)] == [True, True, False]


def test_whoever_came_long_ago_is_forgotten_first() -> None:
    peers = Arrivals(burst=2, rate=1.0)
    for number in range(arrivals.PEERS):
        assert peers.may(f"old {number}", 0.0)
    assert peers.may("new", 100.0)
    assert len(peers) == 1


def test_a_flood_of_addresses_has_a_bound() -> None:
    peers = Arrivals(burst=2, rate=1.0)
    for number in range(arrivals.PEERS + 10):
        assert peers.may(f"peer {number}", 0.0)
    assert len(peers) == arrivals.PEERS


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5), st.floats(0.1, 10))
def test_never_more_than_the_burst_and_the_rate(steps: list[float], burst: int, rate: float) -> None:
    peers = Arrivals(burst, rate)
    now = taken = 0.0
    for step in steps:
        now += step
        taken += peers.may("a", now)
    assert taken <= burst + now * rate + 1e-6
