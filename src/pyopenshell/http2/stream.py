"""The books of one live stream. `receiver.py` writes the receive half, `outbox.py` the send half."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pyopenshell.http2.events import Header
from pyopenshell.http2.stream_states import State

#: A stream's window is given back in batches of a quarter of it: the peer never waits for the last quarter, and a reader
#: of single bytes does not cost a frame for each.
WINDOW_BATCHES = 4
#: But at most of this: what waits for its batch is missing on a long line (of 8 MiB, a quarter of the speed), and a frame
#: for every 128 KiB costs nothing measurable.
LARGEST_BATCH = 2**17


class Stream:
    """One stream. Receive side: `window` + `held` + what is not given back yet = `size`, unless `size` just shrank."""

    __slots__ = (
        "ending",
        "expected",
        "headers_received",
        "headers_sent",
        "held",
        "id",
        "informational",
        "leaving",
        "queue",
        "send_window",
        "size",
        "state",
        "trailers",
        "unsent",
        "waits_in",
        "watched",
        "window",
    )

    def __init__(self, stream_id: int, window: int, send_window: int) -> None:
        self.id = stream_id
        self.state = State.OPEN
        # What the peer sends.
        self.size = window  # of the receive window, as the owner wants it
        self.window = window  # what the peer may still send
        self.held = 0  # told in DataReceived and not given back
        self.headers_received = False  # the final ones, not 1xx
        self.informational = 0
        self.expected = -1  # bytes of content still to come by content-length; -1: not said
        # What we send.
        self.send_window = send_window
        self.queue: list[bytes | bytearray | memoryview] = []
        self.unsent = 0  # bytes in `queue`
        self.watched = False  # the owner wants to be told when that is 0
        self.headers_sent = False
        self.ending = False  # END_STREAM goes out after the queue
        self.trailers: Sequence[Header] | None = None  # and these carry it
        self.leaving = False  # RST_STREAM(NO_ERROR) goes out after END_STREAM
        self.waits_in: deque[Stream] | None = None  # the outbox's queue that this stream is in

    def give_back(self, n: int) -> int:
        """`n` bytes of `held` were read. Returns the increment to tell the peer now, or 0."""
        self.held -= n
        return self.due(min(LARGEST_BATCH, max(1, self.size // WINDOW_BATCHES)))

    def due(self, at_least: int) -> int:
        """The increment to tell the peer when it comes to `at_least`, or 0. It is booked as told."""
        increment = self.size - self.window - self.held
        if increment < at_least:
            return 0
        self.window += increment
        return increment

    @property
    def waits_to_end(self) -> bool:
        """Whether END_STREAM is queued and not in a frame yet."""
        return self.ending and self.state is not State.HALF_CLOSED_LOCAL

    def __repr__(self) -> str:
        return (
            f"Stream({self.id}, {self.state.name}, receive window {self.window} of {self.size}, {self.held} held,"
            f" send window {self.send_window}, {self.unsent} unsent{', ending' if self.ending else ''})"
        )
