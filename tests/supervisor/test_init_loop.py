from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pyopenshell.supervisor.init_loop import READ, WRITE, Loop


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_what_is_ready_is_called_until_the_loop_is_stopped(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    loop = Loop(pytest.fail)
    seen: list[bytes] = []

    def ready() -> None:
        seen.append(os.read(reader, 1))
        if len(seen) == 3:
            loop.stop(7)

    loop.watch(reader, READ, ready)
    os.write(writer, b"abcd")
    assert loop.run() == 7
    assert seen == [b"a", b"b", b"c"]


def test_a_watch_is_replaced_and_forgotten(pipe: tuple[int, int]) -> None:
    _reader, writer = pipe
    loop = Loop(pytest.fail)
    loop.watch(writer, WRITE, lambda: pytest.fail("replaced"))
    loop.watch(writer, WRITE, lambda: pytest.fail("forgotten"))
    loop.forget(writer)
    loop.forget(writer)
    loop.later(0.0, lambda: loop.stop(0))
    assert loop.run() == 0


def test_deadlines_come_in_their_order() -> None:
    now = [0.0]
    loop = Loop(pytest.fail, lambda: now[0])
    seen: list[int] = []
    for number, seconds in enumerate((3.0, 1.0, 2.0, 1.0)):
        loop.later(seconds, lambda number=number: seen.append(number))
    loop.later(50.0, lambda: loop.stop(0))
    now[0] = 1000.0
    assert loop.run() == 0
    assert seen == [1, 3, 2, 0]


@pytest.mark.parametrize("error", [OSError(24, "no room"), MemoryError("none"), KeyError("x")])
def test_a_callback_s_failure_is_survived_and_logged(pipe: tuple[int, int], error: Exception) -> None:
    lines: list[str] = []
    loop = Loop(lines.append)
    calls = iter([error, None])

    def ready() -> None:
        failure = next(calls)
        if failure is not None:
            raise failure
        loop.stop(0)

    loop.watch(pipe[1], WRITE, ready)
    assert loop.run() == 0
    assert len(lines) == 1
    assert type(error).__name__ in lines[0]


def test_after_a_stop_nothing_more_is_called(pipe: tuple[int, int]) -> None:
    loop = Loop(pytest.fail)
    loop.later(0.0, lambda: loop.stop(1))
    loop.later(0.0, lambda: pytest.fail("called"))
    assert loop.run() == 1


ENDS = """
import os, signal
from pyopenshell.supervisor.init_loop import Loop
loop = Loop(print)
def ended():
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid:
        print(os.WEXITSTATUS(status), signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        loop.stop(0)
loop.on_child(ended)
if os.fork() == 0:
    os._exit(5)
loop.run()
"""


def test_ended_children_are_told_and_other_signals_wait() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "5 True\n"
