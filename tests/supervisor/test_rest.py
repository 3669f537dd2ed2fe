"""Memory is given back after a while in which nothing was wanted, and not sooner."""

from __future__ import annotations

from collections.abc import Callable

from pyopenshell.streams.buffers import SHARED
from pyopenshell.supervisor import rest
from pyopenshell.supervisor.rest import QUIET, Rest


def test_it_is_quiet_when_nothing_is_wanted_a_while_after_an_end() -> None:
    pending: list[tuple[float, Callable[[], None]]] = []
    wanted, given = [True], []
    resting = Rest(lambda seconds, act: pending.append((seconds, act)), lambda: wanted[0], lambda: given.append(1))
    resting.ended()
    resting.ended()
    ((seconds, look),) = pending
    assert seconds == QUIET
    look()
    assert given == [], "the next end will say"
    wanted[0] = False
    resting.ended()
    assert len(pending) == 2
    pending[1][1]()
    assert given == [1]


def test_the_receive_buffer_goes_and_comes_back() -> None:
    SHARED.buffer.room()[:5] = b"bytes"
    kept = SHARED.buffer.filled(5)
    SHARED.buffer.keep(5)
    rest.give_back()
    assert SHARED.buffer._view.nbytes == 0
    assert kept == b"bytes"
    assert len(SHARED.buffer.room()) > 0
