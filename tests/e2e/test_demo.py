"""`make demo` leaves no process, mount or file behind, however and whenever it ends.

The moments are spread over gateway start, create, exec, ssh, forward and, with the benchmark, its first rows. After SIGKILL
its directory stays on the disk, and nothing else.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
NEVER = 100.0  # seconds: the demo has ended before
BRIEF = "--no-bench"


def demo(number: signal.Signals, whom: str, seconds: float, *arguments: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.support.interrupted_demo", number.name, whom, str(seconds), *arguments]
    found: dict[str, Any] = json.loads(subprocess.run(argv, cwd=ROOT, check=True, capture_output=True).stdout)
    assert found["processes"] == found["mounts"] == found["files"] == [], found
    return found


def test_undisturbed() -> None:
    found = demo(signal.SIGTERM, "one", NEVER, BRIEF)
    assert (found["status"], found["said"]) == (0, "")


@pytest.mark.parametrize("seconds", [0.2, 0.5, 0.8, 1.1, 1.4, 1.7, 2.0, 2.4, 2.8, 3.2])
def test_ctrl_c(seconds: float) -> None:
    found = demo(signal.SIGINT, "group", seconds, BRIEF)
    # 0: it was quicker; -SIGINT: Python itself had not started
    assert found["status"] in (130, 0, -signal.SIGINT), found


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("seconds", [0.5, 1.2, 1.9, 2.6])
def test_told_to_end(number: signal.Signals, status: int, seconds: float) -> None:
    found = demo(number, "one" if number is signal.SIGTERM else "group", seconds, BRIEF)
    assert found["status"] in (status, 0, -number), found


@pytest.mark.parametrize("whom", ["one", "group"])
@pytest.mark.parametrize("seconds", [0.6, 1.2, 1.8, 2.3, 2.8])
def test_killed(whom: str, seconds: float) -> None:
    demo(signal.SIGKILL, whom, seconds, BRIEF)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_in_the_benchmark(number: signal.Signals, status: int) -> None:
    assert demo(number, "group" if number is signal.SIGINT else "one", 7.0)["status"] == status
