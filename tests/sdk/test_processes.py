"""Processes by pid and start time: found, told apart from their successors, ended."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from pyopenshell.sdk import processes
from pyopenshell.sdk.processes import ProcessName, describe, end


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"], stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_is_itself_and_no_other(sleeper: subprocess.Popen[bytes]) -> None:
    name = ProcessName.of(sleeper.pid)
    assert name is not None and name.alive
    assert not ProcessName(sleeper.pid, name.start_time + 1).alive
    assert describe(sleeper.pid) == f"{sleeper.pid} (sleep)"


def test_a_dead_one_is_none(sleeper: subprocess.Popen[bytes]) -> None:
    name = ProcessName.of(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert ProcessName.of(sleeper.pid) is None  # a zombie has ended
    sleeper.wait()
    assert name is not None and not name.alive
    assert not ProcessName(0, 0).alive
    assert end(name, 0.0)


def test_a_polite_end(sleeper: subprocess.Popen[bytes]) -> None:
    name = ProcessName.of(sleeper.pid)
    assert name is not None and end(name, 10.0)
    assert sleeper.wait() == -signal.SIGTERM


def test_an_end_by_force(stubborn: subprocess.Popen[bytes]) -> None:
    name = ProcessName.of(stubborn.pid)
    assert name is not None and not end(name, 0.05)
    assert stubborn.wait() == -signal.SIGKILL


def test_without_pidfd_as_on_other_systems(
    sleeper: subprocess.Popen[bytes], stubborn: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    for process, polite in ((sleeper, True), (stubborn, False)):
        name = ProcessName.of(process.pid)
        assert name is not None and end(name, 0.2) is polite


def test_without_proc_the_pid_has_to_do(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    assert ProcessName.of(os.getpid()) == ProcessName(os.getpid(), 0)
    assert ProcessName(os.getpid(), 0).alive
    assert ProcessName.of(2**22 + 1) is None
    assert describe(7) == "7"


def test_somebody_else_s_process_exists(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(processes, "PROC", tmp_path)
    monkeypatch.setattr(os, "kill", denied)
    assert ProcessName.of(1) == ProcessName(1, 0)
