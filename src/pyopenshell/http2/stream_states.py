"""The life of a stream: one table, after RFC 9113 section 5.1 (figure 2), without server push.

A row is a state, a column is something that we send or that the peer sends, a cell is the next state or a verdict.
"Closed" is four states here, because the RFC asks for a different answer to a late frame in each of them:

- ENDED: both directions ended. A further HEADERS or DATA is a fault of the whole connection.
- RESET_BY_US: the peer may not know yet, so what still comes is ignored.
- RESET_BY_PEER: the peer knows, so what still comes is its fault, on that stream.
- FORGOTTEN: an id of the peer's below its newest one that it never used, or whose end is out of our bounded memory.

WINDOW_UPDATE and RST_STREAM may cross the end of a stream on the way, so no kind of closed minds them. PRIORITY is
allowed in every state and means nothing here. Frames of the send side are in the table at the moment when they go on
the wire; what is still queued is not in the state.
"""

from __future__ import annotations

from enum import IntEnum

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.faults import ConnectionFault, StreamFault


class State(IntEnum):
    """Where a stream stands."""

    IDLE = 0
    OPEN = 1
    HALF_CLOSED_LOCAL = 2
    HALF_CLOSED_REMOTE = 3
    ENDED = 4
    RESET_BY_US = 5
    RESET_BY_PEER = 6
    FORGOTTEN = 7


class Act(IntEnum):
    """What happens to a stream. END is the END_STREAM flag, which follows its HEADERS or DATA as an act of its own."""

    SEND_HEADERS = 0
    SEND_DATA = 1
    SEND_END = 2
    SEND_RESET = 3
    RECV_HEADERS = 4
    RECV_DATA = 5
    RECV_END = 6
    RECV_RESET = 7
    RECV_WINDOW = 8


class Verdict(IntEnum):
    """What else a cell can say."""

    MISUSE = 100  # ours to avoid: the caller gets a LocalError
    IGNORE = 101  # nothing happens
    STREAM_CLOSED = 102  # the peer's fault, of the stream
    CONNECTION_CLOSED = 103  # the peer's fault, of the connection: STREAM_CLOSED
    CONNECTION_PROTOCOL = 104  # the peer's fault, of the connection: PROTOCOL_ERROR


Row = tuple[State | Verdict, ...]  # a cell for each `Act`


def _row(*cells: State | Verdict) -> Row:
    return tuple(cell for cell, _ in zip(cells, Act, strict=True))


_open, _loc, _rem = State.OPEN, State.HALF_CLOSED_LOCAL, State.HALF_CLOSED_REMOTE
_end, _us, _peer = State.ENDED, State.RESET_BY_US, State.RESET_BY_PEER
_no, _skip, _late = Verdict.MISUSE, Verdict.IGNORE, Verdict.STREAM_CLOSED
_CONN, _PROT = Verdict.CONNECTION_CLOSED, Verdict.CONNECTION_PROTOCOL

# fmt: off
_ROWS: dict[State, Row] = {
    #                       we send                       the peer sends
    #                       HEADERS DATA   END    RESET   HEADERS DATA   END    RESET  WINDOW_UPDATE
    State.IDLE:        _row(_open,  _no,   _no,   _no,    _open,  _PROT, _PROT, _PROT, _PROT),
    State.OPEN:        _row(_open,  _open, _loc,  _us,    _open,  _open, _rem,  _peer, _open),
    State.HALF_CLOSED_LOCAL:
                       _row(_no,    _no,   _no,   _us,    _loc,   _loc,  _end,  _peer, _loc),
    State.HALF_CLOSED_REMOTE:
                       _row(_rem,   _rem,  _end,  _us,    _late,  _late, _late, _peer, _rem),
    State.ENDED:       _row(_no,    _no,   _no,   _skip,  _CONN,  _CONN, _CONN, _skip, _skip),
    State.RESET_BY_US: _row(_no,    _no,   _no,   _skip,  _skip,  _skip, _skip, _skip, _skip),
    State.RESET_BY_PEER:
                       _row(_no,    _no,   _no,   _skip,  _late,  _late, _late, _skip, _skip),
    State.FORGOTTEN:   _row(_no,    _no,   _no,   _skip,  _PROT,  _late, _late, _skip, _skip),
}
# fmt: on

#: The cells by `State` and `Act` as indexes: hashing two enum members would take longer than the rest of a frame.
TABLE: tuple[Row, ...] = tuple(_ROWS[state] for state in State)
#: States in which a stream is kept; in the others it is over.
LIVE = (State.OPEN, State.HALF_CLOSED_LOCAL, State.HALF_CLOSED_REMOTE)


def step(stream_id: int, state: State, act: Act) -> State | None:
    """The next state, or None when the act is to be ignored.

    Raises StreamFault or ConnectionFault for a fault of the peer, ValueError for one of ours.
    """
    cell = TABLE[state][act]
    if isinstance(cell, State):
        return cell
    if cell is Verdict.IGNORE:
        return None
    what = f"stream {stream_id}, {state.name}: {act.name}"
    if cell is Verdict.STREAM_CLOSED:
        raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, what)
    if cell is Verdict.CONNECTION_CLOSED:
        raise ConnectionFault(ErrorCode.STREAM_CLOSED, what)
    if cell is Verdict.CONNECTION_PROTOCOL:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, what)
    raise ValueError(what)
