"""One client of init: a SEQPACKET connection whose peer may be slow, dead or gone.

Answers that the peer does not take yet wait here with their descriptors, up to `BACKLOG_MAX`; a peer that lets more
pile up is dropped. `lost` is called exactly once, however the connection ends.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence

from pyopenshell.drivers.messages import BadMessageError, Message, close_all, receive_message, send_message
from pyopenshell.supervisor.init_loop import READ, WRITE, Loop

#: Answers that may wait for a slow owner: more than its spawns under way could ever be, and 4 descriptors each stay
#: few.
BACKLOG_MAX = 256


class Connection:
    """Takes the socket over. `owner` may do everything; other connections spawn, signal their own and dial."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        received: Callable[[Connection, Message, list[int]], None],
        lost: Callable[[Connection], None],
        *,
        may_own: bool,
    ) -> None:
        self.may_own = may_own
        self.owner = False
        self.started: set[int] = set()
        self._loop = loop
        self._sock = sock
        self._received = received
        self._lost = lost
        self._waiting: deque[tuple[Message, list[int]]] = deque()
        self.open = True
        sock.setblocking(False)
        loop.watch(sock.fileno(), READ, self._ready)

    def send(self, message: Message, fds: Sequence[int] = (), *, close: bool = True) -> None:
        """Send a message; its descriptors are closed once they are on their way (`close`), also where the peer is gone."""
        mine = list(fds) if close else [os.dup(fd) for fd in fds]
        if not self.open:
            close_all(mine)
            return
        self._waiting.append((message, mine))
        self._flush()

    def drop(self) -> None:
        """End the connection. Idempotent."""
        if not self.open:
            return
        self.open = False
        self._loop.forget(self._sock.fileno())
        self._sock.close()
        for _message, fds in self._waiting:
            close_all(fds)
        self._waiting.clear()
        self._lost(self)

    def _ready(self) -> None:
        if self._waiting:
            self._flush()
        while self.open:
            try:
                got = receive_message(self._sock)
            except BlockingIOError:
                return
            except (BadMessageError, OSError):
                self.drop()
                return
            if got is None:
                self.drop()
                return
            self._received(self, *got)

    def _flush(self) -> None:
        while self._waiting:
            message, fds = self._waiting[0]
            try:
                send_message(self._sock, message, fds)
            except BlockingIOError:
                if len(self._waiting) > BACKLOG_MAX:
                    self.drop()
                else:
                    self._loop.watch(self._sock.fileno(), READ | WRITE, self._ready)
                return
            except OSError:
                self.drop()
                return
            with contextlib.suppress(IndexError):
                self._waiting.popleft()
            close_all(fds)
        self._loop.watch(self._sock.fileno(), READ, self._ready)
