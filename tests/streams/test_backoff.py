from __future__ import annotations

from pyopenshell.streams.backoff import Backoff


def test_waits_double_up_to_the_longest_and_begin_again_after_a_success() -> None:
    backoff = Backoff(0.5, 30.0, lambda: 1.0)
    assert [backoff.wait() for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    backoff.reset()
    assert backoff.wait() == 0.5
    backoff.longest()
    assert backoff.wait() == 30.0


def test_half_of_a_wait_is_chance() -> None:
    assert Backoff(1.0, 2.0, lambda: 0.0).wait() == 0.5
    assert 0.5 <= Backoff(1.0, 2.0).wait() <= 1.0
