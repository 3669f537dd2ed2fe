"""The gateway as process 1 of a container: what process 1 owes to the others there, done by a parent of the gateway.

Process 1 gets every orphan of its PID namespace and must wait for it (pid_namespaces(7)), and a signal that it has no
handler for does nothing. The gateway waits for its own children alone, so a parent that knows nothing else stands in front
of it: it passes on the signals that end, and waits for everybody. Where the gateway is not process 1, there is none.
"""

from __future__ import annotations

import os
import signal

INIT = 1
PASSED_ON = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
HEARD = PASSED_ON | {signal.SIGCHLD}
EXIT_SIGNAL = 128  # plus its number: how a shell tells of an end by a signal


def stand_in_front() -> int | None:
    """None in the process that is to be the gateway; in process 1, its exit status once it has ended."""
    if os.getpid() != INIT:
        return None
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return None
    while True:
        number = signal.sigwait(HEARD)
        if number != signal.SIGCHLD:
            os.kill(child, number)
        elif (status := _reap(child)) is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else EXIT_SIGNAL - code


def _reap(child: int) -> int | None:
    """Wait for everybody who has ended; the wait status of `child` where it was among them."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            return status
        if pid == 0:
            return None
