"""Which streams live, which ended how, and which ids come next (RFC 9113 sections 5.1.1 and 5.1.2)."""

from __future__ import annotations

from pyopenshell.http2.codes import MAX_STREAM_ID, Role
from pyopenshell.http2.faults import Draining
from pyopenshell.http2.limits import Limits
from pyopenshell.http2.stream import Stream
from pyopenshell.http2.stream_states import LIVE, Act, State, step


class Streams:
    """The streams of one connection. Only clients open any: server push is refused."""

    def __init__(self, role: Role, limits: Limits) -> None:
        self.live: dict[int, Stream] = {}
        self.newest = 0  # highest id that the client of this connection used
        self.most = limits.max_concurrent_streams  # live ones that the peer may have
        self._client = role is Role.CLIENT
        self._max_closed = limits.max_closed
        self._closed: dict[int, State] = {}  # oldest first

    def next_id(self) -> int:
        """Client: the id of the next stream of ours. Raises Draining when they are used up."""
        stream_id = self.newest + 2 if self.newest else 1
        if stream_id > MAX_STREAM_ID:
            raise Draining("the stream ids of this connection are used up")
        return stream_id

    def add(self, stream: Stream) -> None:
        """A stream was opened with the next id (client), or with a higher one than all before (server)."""
        self.newest = stream.id
        self.live[stream.id] = stream

    def refuse(self, stream_id: int) -> None:
        """A stream of the peer's ends before it was opened."""
        self.newest = stream_id
        self._remember(stream_id, State.RESET_BY_US)

    def state(self, stream_id: int) -> State:
        """Where any id stands."""
        stream = self.live.get(stream_id)
        if stream is not None:
            return stream.state
        if stream_id in self._closed:
            return self._closed[stream_id]
        if stream_id % 2 == 0 or stream_id > self.newest:
            return State.IDLE  # even ids are the server's, and servers open none
        # A late frame on a stream that we opened is harmless, and the peer cannot know how long we remember.
        return State.RESET_BY_US if self._client else State.FORGOTTEN

    def act(self, stream: Stream, act: Act) -> None:
        """Move a live stream by the table; one that is over is kept no longer. Raises as `step` does."""
        state = step(stream.id, stream.state, act)
        if state is not None and state is not stream.state:
            stream.state = state
            if state not in LIVE:
                del self.live[stream.id]
                self._remember(stream.id, state)

    def _remember(self, stream_id: int, state: State) -> None:
        self._closed[stream_id] = state
        if len(self._closed) > self._max_closed:
            del self._closed[next(iter(self._closed))]

    def __repr__(self) -> str:
        return f"Streams({list(self.live.values())}, newest {self.newest}, {len(self._closed)} ended ones remembered)"
