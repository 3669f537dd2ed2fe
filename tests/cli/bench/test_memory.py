"""Proof of `cli/bench/memory.py` on a gateway that tells what the test wants."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from pyopenshell.cli.bench import memory
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.sdk.types import Process

GATEWAY = Process("gateway", 1, 1, pss=50_000_000, rss=60_000_000)
ZYGOTE = Process("zygote", 2, 1, pss=11_000_000, rss=29_000_000)
SUPERVISOR = Process("supervisor", 3, 1, pss=14_000_000, rss=30_000_000, sockets=4)
INIT = Process("init", 4, 1, pss=12_000_000, rss=28_000_000)


def telling(*answers: Sequence[Process] | OpenShellError) -> tuple[memory.Connect, threading.Event]:
    """A gateway that gives these answers in turn, the last one for ever; the event says that the last was asked for."""
    left, last = list(answers), threading.Event()

    async def ask() -> Sequence[Process]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if len(left) == 1 and answer is left[0]:
            last.set()
        if isinstance(answer, OpenShellError):
            raise answer
        return answer

    @asynccontextmanager
    async def connect() -> AsyncIterator[memory.Ask]:
        yield ask

    return connect, last


def test_a_supervisor_is_all_that_it_needs() -> None:
    everything = [GATEWAY, ZYGOTE, SUPERVISOR, INIT]
    assert memory.memory(everything, "gateway") == (50.0, 60.0)
    assert memory.memory(everything, "supervisor") == (37.0, 58.0)


@pytest.mark.parametrize("missing", [[ZYGOTE, SUPERVISOR], [ZYGOTE, SUPERVISOR, Process("init", 4, 1)], []])
def test_what_is_not_told_is_no_figure(missing: list[Process]) -> None:
    assert memory.memory(missing, "supervisor") is None


def test_sockets_are_the_supervisors() -> None:
    assert memory.sockets([GATEWAY, SUPERVISOR, INIT]) == 4
    assert memory.sockets([GATEWAY, Process("supervisor", 3, 1)]) is None


def test_a_gateway_that_does_not_tell_is_no_error() -> None:
    assert asyncio.run(memory.look(telling(OpenShellError(Code.FORBIDDEN, "no"))[0])) == []
    assert asyncio.run(memory.look(telling([GATEWAY])[0])) == [GATEWAY]


def test_the_watcher_sees_growth() -> None:
    counts = [[Process("supervisor", 3, 1, sockets=number)] for number in (5, 9, 7, 6)]
    connect, last = telling(*counts)
    watcher = memory.SocketWatcher(connect, 0.0)
    watcher.begin()
    assert last.wait(10)
    watcher.stop()
    assert watcher.growth == 4


@pytest.mark.parametrize("answer", [OpenShellError(Code.UNAVAILABLE, "gone"), [GATEWAY]])
def test_the_watcher_says_nothing_of_what_is_not_told(answer: Sequence[Process] | OpenShellError) -> None:
    watcher = memory.SocketWatcher(telling(answer)[0], 0.0)
    watcher.begin()
    watcher.stop()
    assert watcher.growth is None
