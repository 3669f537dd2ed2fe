"""How often peers ran into each limit, and how often the log says so.

Every limit on a peer has a name. Those of the protocol are the fields of `http2.limits.Limits`, and the error codes of
RFC 9113 in small letters for a rule that was broken; those of time, memory and places are in `SHELL`. One tally for a
process counts them all, for whoever shows it. A flood of connections that are cut must not become a flood of lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.limits import Limits

#: What is limited outside the engine.
SHELL = (
    "connections",  # on one listening socket (accepting.py)
    "peer_connections",  # of one address or uid
    "arrivals",  # of a peer that is let in too seldom (arrivals.py)
    "handshake",  # TLS not shaken within its time, or not at all
    "preface",  # HTTP/2 not begun within its time (liveness.py)
    "keepalive",  # nobody there any more
    "close",  # the last bytes not taken within their time
    "idle",  # a connection without a call, of a stranger or new
    "strangers",  # calls at once of peers that nobody vouched for (strangers.py)
    "stalled",  # such a peer does not take what it asked for
    "message_size",  # a gRPC length prefix over the limit (calls.py)
    "message_time",  # a message that does not come to its end
)
#: Every name there is.
KINDS = (*(field.name for field in fields(Limits)), *(code.name.lower() for code in ErrorCode), *SHELL)

#: Lines about connections that were cut: so many at once, and so many a second for ever.
LINES = 20
LINES_A_SECOND = 1.0


class Hits(Mapping[str, int]):
    """A count for each of `KINDS`."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(KINDS, 0)

    def count(self, kind: str) -> None:
        """One more. Raises KeyError for a kind that has no name."""
        self._counts[kind] += 1

    def take(self, faults: dict[str, int]) -> None:
        """Add what an engine counted, and empty it."""
        while faults:
            kind, n = faults.popitem()
            self._counts[kind] += n

    def __getitem__(self, kind: str) -> int:
        return self._counts[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"<Hits { ({kind: n for kind, n in self._counts.items() if n}) }>"


#: One for a process, as whoever reads it sees a process.
PROCESS = Hits()


class LineRate:
    """Which lines of a kind are logged: LINES at once, LINES_A_SECOND for ever."""

    def __init__(self) -> None:
        self._left = float(LINES)
        self._now = 0.0
        self._hidden = 0

    def may(self, now: float) -> int | None:
        """How many lines were left out before this one; None to leave it out too. `now` in seconds of any steady clock."""
        self._left = min(LINES, self._left + max(0.0, now - self._now) * LINES_A_SECOND)
        self._now = now
        if self._left < 1:
            self._hidden += 1
            return None
        self._left -= 1
        hidden, self._hidden = self._hidden, 0
        return hidden
