"""Peers that nobody has vouched for yet: fewer streams, smaller messages, and a time for everything.

A connection is a stranger's until a call on it was let in (`Call.known`). Whoever can reach the port may ask for what is
open to all, so what strangers can hold together is bounded here, and what one can hold is bounded by its streams. A server
without a doorkeeper has no strangers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pyopenshell.errors import Code
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.streams.contract import StreamBroken

if TYPE_CHECKING:
    from pyopenshell.streams.http2 import Http2Connection
    from pyopenshell.streams.http2_stream import Http2Stream

#: Streams that one stranger may have open at once: the least that RFC 9113 section 6.5.2 recommends, which clients count on
#: before they have read our SETTINGS.
STREAMS = 100
#: Calls of all strangers at once. Each holds at most a window of 64 KiB, a message of as much, and an answer.
CALLS = 1_024
#: Largest message, in bytes: what is open to all (health, reflection) needs a name in it.
MESSAGE = 64 * 1024
#: Seconds that a stranger has to take an answer, and one more for every RATE bytes of it (nginx, send_timeout: 60 s).
#: Whoever is known may stop reading for as long as it likes: that is back-pressure.
PATIENCE = 60.0
RATE = 16 * 1024


@contextmanager
def patience(stream: Http2Stream) -> Iterator[None]:
    """As `wait_for`, as long as this lasts."""
    timer = wait_for(stream)
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


def wait_for(stream: Http2Stream) -> asyncio.TimerHandle | None:
    """Something on `stream` waits for its peer: a stranger that lets all of it wait for too long is reset."""
    if stream.connection.known or not stream.unsent:
        return None
    seconds = PATIENCE + stream.unsent / RATE
    return asyncio.get_running_loop().call_later(seconds, _out_of_patience, stream)


def _out_of_patience(stream: Http2Stream) -> None:
    if stream.unsent:
        connection = stream.connection
        connection.hits.count("stalled")
        connection.engine.reset(stream.id, ErrorCode.ENHANCE_YOUR_CALM)
        connection.want_flush()
        stream.fail(StreamBroken(f"{connection.hop} did not take what it asked for", code=Code.DEADLINE))


class Strangers:
    """Counts the calls of strangers. `calls`: how many at once."""

    def __init__(self, calls: int = CALLS) -> None:
        self._most = calls
        self._calls: dict[Http2Connection, int] = {}
        self._total = 0

    def asks(self, connection: Http2Connection) -> bool:
        """Whether a call is open on a connection of a stranger."""
        return connection in self._calls

    @property
    def full(self) -> bool:
        """Whether the next call of a stranger is one too many."""
        return self._total >= self._most

    @contextmanager
    def call(self, connection: Http2Connection) -> Iterator[None]:
        """A call goes on; it is counted until its connection is known."""
        if connection.known:
            yield
            return
        self._total += 1
        self._calls[connection] = self._calls.get(connection, 0) + 1
        try:
            yield
        finally:
            left = self._calls.get(connection)
            if left is not None:
                self._total -= 1
                if left > 1:
                    self._calls[connection] = left - 1
                else:
                    del self._calls[connection]

    def known(self, connection: Http2Connection) -> None:
        """Its calls are those of a stranger no more. Idempotent."""
        self._total -= self._calls.pop(connection, 0)

    def __repr__(self) -> str:
        return f"<Strangers {self._total} of {self._most} calls>"
