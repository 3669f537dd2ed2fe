"""Memory is given back after a while in which nothing was wanted, and not sooner."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.streams.buffers import SHARED
from pyopenshell.supervisor import rest
from pyopenshell.supervisor.rest import QUIET, Rest


class Clock:
    """`call_later` of an event loop that only remembers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pending: list[tuple[float, object]] = []
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: self)

    def call_later(self, seconds: float, act: object) -> Clock:
        self.pending.append((seconds, act))
        return self

    def cancel(self) -> None:
        self.pending.pop()


def test_only_the_last_idleness_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    resting = Rest()
    resting.busy()
    assert clock.pending == []
    resting.idle()
    resting.idle()
    assert clock.pending == [(QUIET, rest.give_back)]
    resting.busy()
    resting.busy()
    assert clock.pending == []


def test_the_receive_buffer_goes_and_comes_back() -> None:
    SHARED.buffer.room()[:5] = b"bytes"
    kept = SHARED.buffer.filled(5)
    SHARED.buffer.keep(5)
    rest.give_back()
    assert SHARED.buffer._view.nbytes == 0
    assert kept == b"bytes"
    assert len(SHARED.buffer.room()) > 0
