"""Whether the other end of a connection is there: the preface in time, an answer to a question after silence, round trips.

| it has said                    | then                                                                          |
|--------------------------------|-------------------------------------------------------------------------------|
| no preface and SETTINGS        | after PREFACE_TIMEOUT the connection is cut                                   |
| nothing, streams are open      | after KEEPALIVE_IDLE it is asked (PING); no byte in KEEPALIVE_TIMEOUT: cut    |
| nothing, none is open, TCP     | the same: by a client after KEEPALIVE_IDLE, by a server after UNUSED_IDLE     |
| nothing, none is open, Unix    | nobody asks: a kernel that is there tells by itself                           |
| it does not matter: we go      | after CLOSE_TIMEOUT what it has not taken is dropped                          |

The client's questions also keep the way open: a router that translates addresses forgets a connection that is silent.
RFC 5382 (REQ-5) gives it 124 minutes; home routers are far below, and cloud load balancers have 60 s. TCP's own keepalive
begins after two hours (RFC 1122 section 4.2.3.6), and ends at a proxy.

What stays unacknowledged for as long ends the connection too (`USER_TIMEOUT`): behind bytes that are stuck no question
gets out. `unanswered` is what is left of a connection that ended while it was silent (segments.py).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from pyopenshell.http2.codes import Role
from pyopenshell.http2.connection import Connection
from pyopenshell.streams.hits import Hits
from pyopenshell.streams.transports import bound_silence, wake

#: From connected until the peer's first SETTINGS, in seconds. sshd's LoginGraceTime is 120, nginx waits 60 for a header.
PREFACE_TIMEOUT = 10.0
#: Silence after which the peer is asked, and the time it has for the answer: a half-open connection is found within 25 s.
#: grpc: keepalive_time no less than 10 s; ServerAliveInterval of ssh_config(5) is 15 wherever it is advised.
KEEPALIVE_IDLE = 15.0
KEEPALIVE_TIMEOUT = 10.0
#: The same for a client that has no stream open, seen from the server. nginx closes a connection that it keeps for later
#: when anything comes on it, so it must first have had its own time: keepalive_timeout, 60 s.
UNUSED_IDLE = 75.0
#: Bytes that are sent and not acknowledged end the connection after so long, TCP_USER_TIMEOUT of tcp(7) (RFC 5482).
USER_TIMEOUT = KEEPALIVE_IDLE + KEEPALIVE_TIMEOUT
#: A question that waited so long when the connection ended shows that it was silent: three retransmissions (RFC 6298).
SILENT = 5.0
#: For the last bytes (a GOAWAY perhaps) of a connection that is closed, in seconds: as for TLS's own good-bye.
CLOSE_TIMEOUT = 5.0
#: How much longer the shortest round trip is taken to be with each new one. Windows ask once a second at least while
#: they are full: a way that became ten times as long is believed after two minutes.
_FORGETS = 1.02


class Watched(Protocol):
    """What liveness needs of a connection."""

    engine: Connection
    transport: asyncio.Transport | None
    faulty: bool
    hits: Hits

    @property
    def busy(self) -> bool:
        """Whether streams are open."""

    def want_flush(self) -> None:
        """Send what the engine has."""

    def abort(self, reason: str) -> None:
        """Cut the connection."""


class Liveness:
    """Clock and questions of one connection."""

    def __init__(self, connection: Watched) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._asked = 0
        self._waiting: dict[bytes, tuple[float, Callable[[], None]]] = {}
        self.shortest = math.inf  # the shortest round trip of late, in seconds
        self.heard = self._loop.time()
        self.unanswered = False  # it ended while it was silent
        self._idles = math.inf  # seconds of silence without a stream, before it is asked

    def now(self) -> float:
        """The event loop's time, in seconds."""
        return self._loop.time()

    def start(self) -> None:
        """The transport is there."""
        self.heard = self._loop.time()
        if self._connection.transport is not None and bound_silence(self._connection.transport, USER_TIMEOUT):
            self._idles = KEEPALIVE_IDLE if self._connection.engine.role is Role.CLIENT else UNUSED_IDLE
        self._timer = self._loop.call_later(PREFACE_TIMEOUT, self._preface_due)
        self.ask(lambda: None)  # nothing is in front of this one: the round trip of the line itself

    def stop(self) -> None:
        """The transport is gone: nobody will answer."""
        if self._timer is not None:
            self._timer.cancel()
        waiting, self._waiting = self._waiting, {}
        for at, tell in waiting.values():
            self.unanswered |= self._loop.time() - at >= SILENT
            tell()

    def lost(self, error: Exception | None) -> None:
        """The transport is gone, with the `error` of the system where there is one."""
        self.unanswered |= isinstance(error, TimeoutError)  # ETIMEDOUT: what we sent was never acknowledged
        self.stop()

    def closing(self) -> None:
        """The transport is to close once the peer has taken the last bytes."""
        self._timer = self._loop.call_later(CLOSE_TIMEOUT, self._close_due)

    def ask(self, tell: Callable[[], None]) -> None:
        """Send a PING; `tell` is called when it is answered, or when it never will be."""
        self._asked += 1
        payload = self._asked.to_bytes(8, "big")
        self._waiting[payload] = (self._loop.time(), tell)
        self._connection.engine.ping(payload)
        self._connection.want_flush()

    def answered(self, payload: bytes) -> None:
        """A PING came back."""
        asked = self._waiting.pop(payload, None)
        if asked is not None:
            at, tell = asked
            self.shortest = min(self._loop.time() - at, self.shortest * _FORGETS)
            tell()

    async def round_trip(self) -> float:
        """Seconds until a PING came back, or the connection was lost."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        start = self._loop.time()
        self.ask(lambda: wake(waiter))
        await waiter
        return self._loop.time() - start

    def _preface_due(self) -> None:
        if self._connection.engine.established:
            self._idle()
        else:
            self._connection.faulty = True
            self._connection.hits.count("preface")
            self._connection.abort("no HTTP/2 preface in time")

    def _idle(self) -> None:
        """Look again when there may have been silence for long enough; ask if there was."""
        now = self._loop.time()
        rest = (KEEPALIVE_IDLE if self._connection.busy else self._idles) - (now - self.heard)
        if rest > 0:  # a stream may be opened meanwhile, and then it is sooner
            self._timer = self._loop.call_later(min(rest, KEEPALIVE_IDLE), self._idle)
            return
        self.ask(lambda: None)
        self._timer = self._loop.call_later(KEEPALIVE_TIMEOUT, self._answer_due, now)

    def _answer_due(self, asked: float) -> None:
        if self.heard >= asked:
            self._idle()
        else:
            self.unanswered = True
            self._connection.hits.count("keepalive")
            self._connection.abort(f"no answer for {self._loop.time() - self.heard:.0f} s")

    def _close_due(self) -> None:
        self._connection.hits.count("close")
        self._connection.abort("did not take the last bytes")
