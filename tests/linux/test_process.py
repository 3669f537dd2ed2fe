"""Who a process is, for ever."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from pyopenshell.linux import process

from .conftest import in_child


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as running:
        yield running
        running.kill()


def test_a_process_has_an_identity_until_it_ends(child: subprocess.Popen[bytes]) -> None:
    who = process.identity(child.pid)
    assert who is not None
    assert process.is_alive(who)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.is_alive(who)  # a zombie is no process any more
    child.wait()
    assert process.identity(child.pid) is None


def test_the_same_pid_at_another_time_is_another_process(child: subprocess.Popen[bytes]) -> None:
    who = process.identity(child.pid)
    assert who is not None
    other = process.Identity(who.pid, who.start_time + 1)
    assert not process.is_alive(other)
    assert process.open_pidfd(other) is None


def test_a_pidfd_becomes_readable_at_the_end(child: subprocess.Popen[bytes]) -> None:
    who = process.identity(child.pid)
    assert who is not None
    fd = process.open_pidfd(who)
    assert fd is not None
    try:
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        assert select.select([fd], [], [], 10)[0]
        child.wait()
        assert process.open_pidfd(who) is None
    finally:
        os.close(fd)


def test_a_name_with_brackets_and_spaces_does_not_move_the_fields() -> None:
    def renamed() -> list[int]:
        before = process.own_start_time()
        process.set_name("a) R 1 (b c")
        who = process.identity(os.getpid())
        return [before, process.own_start_time(), who.start_time if who else -1]

    first, second, third = in_child(renamed)
    assert first == second == third > 0


def test_a_name_is_cut_at_15_bytes() -> None:
    def renamed() -> str:
        process.set_name("openshell-supervisor: x")
        with open("/proc/self/comm") as comm:
            return comm.read()

    assert in_child(renamed) == "openshell-super\n"


def test_memory_is_measured_in_bytes() -> None:
    own = process.memory(os.getpid())
    assert 1 << 20 < own.pss <= own.rss < 1 << 33
    with pytest.raises(OSError):
        process.memory(2**22 + 1)


def test_what_is_not_dumpable_belongs_to_root() -> None:
    def owner() -> list[int]:
        process.set_dumpable(False)
        off = os.stat("/proc/self/environ").st_uid
        process.set_dumpable(True)
        return [off, os.stat("/proc/self/environ").st_uid]

    assert in_child(owner, "user")[0] == 0
    assert in_child(owner, "user")[1] != 0


def test_a_process_that_nobody_looks_into_may_look_at_itself() -> None:
    def look() -> list[int]:
        process.set_dumpable(False)
        before = process.own_sockets()
        left, right = socket.socketpair()
        with left, right:
            return [process.memory(os.getpid()).pss, process.own_sockets() - before]

    pss, sockets = in_child(look, "user")
    assert pss > 0
    assert sockets == 2


def test_a_subreaper_gets_the_orphans_below_it() -> None:
    def adopt() -> bool:
        process.become_subreaper()
        heard, told = os.pipe()
        if os.fork() == 0:
            orphan = os.fork()
            if orphan == 0:
                os.close(told)
                os.read(heard, 1)
                os._exit(7)
            os._exit(0)
        os.wait()
        os.close(told)
        os.close(heard)
        return os.waitstatus_to_exitcode(os.wait()[1]) == 7

    assert in_child(adopt)
