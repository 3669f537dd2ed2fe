"""Proof of `cli/bench/memory.py` on this very process."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from pyopenshell.cli.bench import memory


def test_pss_is_at_most_rss() -> None:
    pss, rss = memory.memory([os.getpid()])
    assert 0 < pss <= rss


def test_a_process_that_is_gone_is_an_error() -> None:
    with pytest.raises(OSError):
        memory.memory([2**22 + 1])  # above pid_max of any Linux
    with pytest.raises(OSError):
        memory.sockets(2**22 + 1)


def test_sockets_are_counted() -> None:
    before = memory.sockets(os.getpid())
    left, right = socket.socketpair()
    with left, right:
        assert memory.sockets(os.getpid()) == before + 2


def test_the_watcher_sees_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([5, 9, 7])
    done = threading.Event()

    def counted(_pid: int) -> int:
        found = next(counts, None)
        if found is None:
            done.set()
        return found or 5

    monkeypatch.setattr(memory, "sockets", counted)
    watcher = memory.SocketWatcher(1, 0.0)
    watcher.start()
    assert done.wait(10)
    watcher.stop()
    assert watcher.growth == 4


def test_the_watcher_says_nothing_of_what_it_cannot_read() -> None:
    watcher = memory.SocketWatcher(2**22 + 1, 0.0)
    watcher.start()
    watcher.stop()
    assert watcher.growth is None
