"""The event loop of init: descriptors, deadlines and ended children, nothing else; asyncio would cost memory and
imports.

Callbacks must not block. What leaves a callback ends neither the loop nor the sandbox: it is written to the log, and
what is level-triggered comes again.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import selectors
import signal
import time
from collections.abc import Callable

Callback = Callable[[], None]

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Loop:
    """Calls back what was watched. `log` takes one line of text."""

    def __init__(self, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._deadlines: list[tuple[float, int, Callback]] = []
        self._order = itertools.count()
        self._status: int | None = None

    def watch(self, fd: int, events: int, callback: Callback) -> None:
        """Call `callback` while `fd` is ready for one of `events`; replaces what was watched before."""
        try:
            self._selector.modify(fd, events, callback)
        except KeyError:
            self._selector.register(fd, events, callback)

    def forget(self, fd: int) -> None:
        """Watch `fd` no more; before it is closed. Idempotent."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)

    def later(self, seconds: float, callback: Callback) -> None:
        """Call `callback` once, `seconds` from now; it asks itself whether it is still wanted."""
        heapq.heappush(self._deadlines, (self._clock() + seconds, next(self._order), callback))

    def on_child(self, callback: Callback) -> None:
        """Call `callback` after children ended. Every other signal is blocked from now on (PID 1, pid_namespaces(7))."""
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals() - {signal.SIGCHLD})

        def woken() -> None:
            with contextlib.suppress(BlockingIOError):
                os.read(reader, 4096)
            callback()

        self.watch(reader, READ, woken)

    def stop(self, status: int) -> None:
        """Let `run` return `status` after the callback of now."""
        self._status = status

    def run(self) -> int:
        """Serve until `stop`."""
        while self._status is None:
            for key, _events in self._selector.select(self._timeout()):
                self._guarded(key.data)
            now = self._clock()
            while self._deadlines and self._deadlines[0][0] <= now:
                self._guarded(heapq.heappop(self._deadlines)[2])
        self._selector.close()
        return self._status

    def _timeout(self) -> float | None:
        return max(0.0, self._deadlines[0][0] - self._clock()) if self._deadlines else None

    def _guarded(self, callback: Callback) -> None:
        if self._status is not None:
            return
        try:
            callback()
        except Exception as error:
            self._log(f"survived {type(error).__name__}: {error}")
