"""Warming: afterwards a whole connection imports nothing, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading

from pyopenshell.supervisor.ssh_warm import warm

_PROGRAM = """
import sys
from pyopenshell.linux import sealing
from pyopenshell.supervisor import ssh_child, ssh_warm
sealing.warm()
ssh_warm.warm()
sealing.seal_imports()
ssh_warm.warm()
print("sealed")
"""


def test_a_second_connection_imports_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("sealed\n", "")


def test_no_thread_stays() -> None:
    warm()
    assert threading.active_count() == 1
