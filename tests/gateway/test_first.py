"""Process 1 of a PID namespace: signals are passed on, orphans are waited for, the status is the gateway's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pyopenshell.gateway.first import stand_in_front

PROGRAM = """
import os, select, signal, sys
from pyopenshell.gateway.first import stand_in_front
status = stand_in_front()
if status is not None:
    os._exit(status)
BODY
"""
ORPHAN = """
reading, writing = os.pipe()
if (pid := os.fork()) == 0:
    if (grandchild := os.fork()) == 0:
        os.read(reading, 1)
        os._exit(0)
    os._exit(0)
os.waitpid(pid, 0)
(orphan,) = [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid())]
os.write(writing, b"x")
while os.path.exists(f"/proc/{orphan}"):
    os.sched_yield()
print("reaped", os.getpid() != 1, flush=True)
sys.exit(7)
"""
STOPPED = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
print("up", flush=True)
while True:
    signal.pause()
"""
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"


def command(body: str) -> list[str]:
    mine = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    namespace = ["unshare", *mine, "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*namespace, sys.executable, "-c", PROGRAM.replace("BODY", body)]


@pytest.mark.parametrize(("body", "code", "out"), [(ORPHAN, 7, "reaped True\n"), (KILLED, 128 + 9, "")])
def test_orphans_are_waited_for_and_the_status_is_the_childs(body: str, code: int, out: str) -> None:
    done = subprocess.run(command(body), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, out), done.stderr


def test_signals_that_end_are_passed_on() -> None:
    process = subprocess.Popen(command(STOPPED), stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        (init,) = subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()
        os.kill(int(init), 15)
        assert process.wait(60) == 9


def test_elsewhere_nobody_stands_in_front() -> None:
    assert stand_in_front() is None
