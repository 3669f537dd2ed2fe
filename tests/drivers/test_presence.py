from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyopenshell.drivers import presence
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.linux import process

#: Locks the file, says so, ends with its standard input; without a grace it would have to be killed.
HOLDER = """
import os, signal, sys
from pyopenshell.drivers import presence
presence.hold(os.open(sys.argv[1], os.O_RDWR))
if sys.argv[2] == "stubborn":
    signal.signal(presence.END_SANDBOX, signal.SIG_IGN)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.touch()
    return path


@pytest.fixture(params=["willing", "stubborn"])
def holder(request: pytest.FixtureRequest, lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLDER, str(lock), request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"held\n"
        yield running
        running.kill()


def test_nobody_holds_what_nobody_locked(lock: Path) -> None:
    assert presence.find(lock) is None
    assert presence.find(lock.with_name("none")) is None


async def test_the_holder_is_found_ended_and_not_found_again(lock: Path, holder: subprocess.Popen[bytes]) -> None:
    held = presence.find(lock)
    assert held is not None
    assert process.Identity(held.pid, held.start_time) == process.identity(holder.pid)
    with lock.open("r+b") as second, pytest.raises(BlockingIOError):
        presence.hold(second.fileno())
    await held.end(grace=0.05)
    assert presence.find(lock) is None
    holder.wait()
    held.kill()
    await held.ended()
    held.release()
    held.release()


async def test_one_that_does_not_end_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "KILL_TIMEOUT", 0.01)
    monkeypatch.setattr(presence.Held, "kill", lambda *_: None)
    myself = presence.Held(os.getpid(), 0, os.pidfd_open(os.getpid()))
    with pytest.raises(OpenShellError, match=f"process {os.getpid()} was killed and is not gone") as caught:
        await myself.end()
    assert caught.value.code is Code.DEADLINE
    myself.release()


def test_a_holder_that_let_go_before_the_second_look_is_not_taken(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([os.getpid(), 0])
    monkeypatch.setattr(presence, "_holder", lambda _fd: next(answers))
    assert presence.find(lock) is None


def test_a_link_is_not_followed(lock: Path) -> None:
    link = lock.with_name("link")
    link.symlink_to(lock)
    with pytest.raises(OSError, match="Too many levels"):
        presence.find(link)
