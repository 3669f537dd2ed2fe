"""Memory and sockets of a process, read from /proc where there is one (proc_pid_smaps(5), proc_pid_fd(5)).

PSS is the honest sum over processes that share pages: a page shared by N counts 1/N in each.
"""

from __future__ import annotations

import threading
from pathlib import Path

KIB = 1024


def memory(pids: list[int]) -> tuple[float, float]:
    """PSS and RSS of the processes together, in bytes. Raises OSError where /proc does not tell."""
    pss = rss = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name == "Pss":
                pss += int(rest.split()[0]) * KIB
            elif name == "Rss":
                rss += int(rest.split()[0]) * KIB
    return float(pss), float(rss)


def sockets(pid: int) -> int:
    """How many sockets (TCP and Unix) the process holds. Raises OSError where /proc does not tell."""
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += str(entry.readlink()).startswith("socket:")
        except FileNotFoundError:  # closed while it was read
            continue
    return found


class SocketWatcher(threading.Thread):
    """Samples the sockets of one process until stopped; `growth` is the peak less the first count, None where unreadable."""

    def __init__(self, pid: int, every: float) -> None:
        super().__init__(daemon=True)
        self.growth: int | None = None
        self._pid = pid
        self._every = every
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            first = peak = sockets(self._pid)
            while not self._stopped.wait(self._every):
                peak = max(peak, sockets(self._pid))
        except OSError:
            return
        self.growth = peak - first

    def stop(self) -> None:
        """End the sampling and wait for it."""
        self._stopped.set()
        self.join()
