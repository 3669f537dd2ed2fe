"""Runs the demo as a terminal would, sends it a signal after a while, and says as JSON what is left of it.

    python tests/support/interrupted_demo.py SIGNAL group|one SECONDS [ARGUMENT...]

A process of its own, because it makes itself the reaper of whatever the demo orphans.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
PATIENCE = 40.0  # seconds for processes to end by themselves after SIGKILL


def children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def left_after(seconds: float) -> list[str]:
    """The command lines of processes that still run then; they are ended."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if pid == 0 and time.monotonic() > deadline:
            break
        if pid == 0:
            time.sleep(0.01)
    found = []
    for child in children():
        found.append(Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        os.kill(child, signal.SIGKILL)
    return found


def main(number: signal.Signals, whom: str, seconds: float, arguments: list[str]) -> dict[str, object]:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="openshell-interrupted-") as folder:
        demo = subprocess.Popen(
            [sys.executable, "-m", "tools.demo", *arguments],
            env=os.environ | {"TMPDIR": folder},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            demo.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if whom == "group" else os.kill)(demo.pid, number)
        status = demo.wait()
        killed = number is signal.SIGKILL
        processes = left_after(PATIENCE if killed else 0.0)
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if folder in line]
        # Nobody is left who could remove files after SIGKILL.
        files = [] if killed else [str(path) for path in Path(folder).iterdir()]
        assert demo.stderr is not None
        said = demo.stderr.read().decode()
    return {"status": status, "processes": processes, "mounts": mounts, "files": files, "said": said}


if __name__ == "__main__":
    print(json.dumps(main(signal.Signals[sys.argv[1]], sys.argv[2], float(sys.argv[3]), sys.argv[4:])))
