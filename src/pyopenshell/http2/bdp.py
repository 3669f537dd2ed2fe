"""How large a stream's receive window should be: as large as what is on the way in one round trip, and not larger.

A round trip is the time from a PING of ours to its answer. The window doubles when all of this is so:

- The reader took most of a window in one round trip: the window is what holds the stream back, not the reader.
- It took that faster than ever before: the last doubling helped.
- The window is less than twice what the line holds at that speed in the shortest round trip known. A larger one would
  only wait in front of the line, where nothing can overtake it: a longer round trip for everyone on the connection.

Bytes taken count, not bytes received: a stopped reader never gets a larger window. gRPC has the first two conditions
without the reader (https://grpc.io/blog/grpc-go-perf-improvements/, "dynamic flow control window"), BBR the third (its
congestion window is twice the bandwidth-delay product).

The owner calls `taken` where it calls `Connection.give_back`; when that says so, it sends a PING and calls `answered` when
that is back; when that says so, it calls `Connection.set_window`.
"""

from __future__ import annotations

import math

#: Growth needs this much of a window in one round trip: gRPC's two thirds.
_FULL = 2 / 3
#: And this much more bandwidth than before: noise of a steady line stays below it.
_FASTER = 1.1
#: A window of so many times what the line holds is enough: BBR's gain.
_GAIN = 2
#: Seconds from one PING to the next, at least. A local round trip takes 0.1 ms, and a PING each would be a load.
_PAUSE = 0.01
#: Each measurement that changes nothing doubles the pause, up to this: a line does not change often.
_LONGEST_PAUSE = 1.0


class WindowGrowth:
    """The receive window of one stream."""

    __slots__ = ("_asked_at", "_best", "_most", "_next", "_pause", "_taken", "window")

    def __init__(self, window: int, most: int, now: float) -> None:
        """Begin with `window` bytes, never grow over `most`. `now` in seconds of any steady clock."""
        self.window = window
        self._most = most
        self._best = 0.0  # bytes a second
        self._taken = 0  # bytes since the PING
        self._asked_at: float | None = None
        self._pause = _PAUSE
        self._next = now

    def taken(self, n: int, now: float) -> bool:
        """The reader took `n` bytes. Returns whether to send a PING now."""
        if self._asked_at is not None:
            self._taken += n
            return False
        if now < self._next or self.window >= self._most:
            return False
        self._asked_at = now
        self._taken = 0
        return True

    def answered(self, now: float, shortest: float = math.inf) -> bool:
        """The PING is back. Returns whether `window` grew. Raises ValueError when none was asked for.

        `shortest`: the shortest round trip known of this line, in seconds; this one counts too.
        """
        if self._asked_at is None:
            raise ValueError("no PING was asked for")
        trip = max(now - self._asked_at, 1e-6)
        self._asked_at = None
        speed = self._taken / trip
        held = speed * min(trip, shortest)
        grows = self._taken >= self.window * _FULL and speed > self._best * _FASTER and self.window < _GAIN * held
        self._best = max(self._best, speed)
        if grows:
            self.window = min(self._most, max(self.window, self._taken) * 2)
            self._pause = _PAUSE
        else:
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        self._next = now + self._pause
        return grows

    def shrink(self, window: int) -> None:
        """The owner's memory is short: go back to `window` bytes, and grow from there when it helps."""
        self.window = window
        self._best = 0.0

    def __repr__(self) -> str:
        asked = "" if self._asked_at is None else ", waits for a PING"
        return f"WindowGrowth({self.window} of at most {self._most}, best {self._best:.0f} B/s{asked})"
