"""Every state x every act, spelled out here by the words of RFC 9113 section 5.1, not by the table itself."""

from __future__ import annotations

import pytest

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.faults import ConnectionFault, StreamFault
from pyopenshell.http2.stream_states import LIVE, TABLE, Act, State, step

S, A = State, Act
SENDS = (A.SEND_HEADERS, A.SEND_DATA, A.SEND_END)
CONTENT = (A.RECV_HEADERS, A.RECV_DATA, A.RECV_END)
CROSSING = (A.RECV_RESET, A.RECV_WINDOW)

ALLOWED: dict[tuple[State, Act], State | None] = {
    # "idle: sending a HEADERS frame, or receiving one, makes it open"
    (S.IDLE, A.SEND_HEADERS): S.OPEN,
    (S.IDLE, A.RECV_HEADERS): S.OPEN,
    # "open: either peer can send frames of any type"
    **{(S.OPEN, act): S.OPEN for act in (A.SEND_HEADERS, A.SEND_DATA, A.RECV_HEADERS, A.RECV_DATA, A.RECV_WINDOW)},
    (S.OPEN, A.SEND_END): S.HALF_CLOSED_LOCAL,
    (S.OPEN, A.RECV_END): S.HALF_CLOSED_REMOTE,
    # "half-closed (local): an endpoint can receive any type of frame"
    **{(S.HALF_CLOSED_LOCAL, act): S.HALF_CLOSED_LOCAL for act in (A.RECV_HEADERS, A.RECV_DATA, A.RECV_WINDOW)},
    (S.HALF_CLOSED_LOCAL, A.RECV_END): S.ENDED,
    # "half-closed (remote): can be used by the endpoint to send frames of any type"
    **{(S.HALF_CLOSED_REMOTE, act): S.HALF_CLOSED_REMOTE for act in (A.SEND_HEADERS, A.SEND_DATA, A.RECV_WINDOW)},
    (S.HALF_CLOSED_REMOTE, A.SEND_END): S.ENDED,
    # "either endpoint can send a RST_STREAM frame from this state, causing it to become closed"
    **{(state, A.SEND_RESET): S.RESET_BY_US for state in LIVE},
    **{(state, A.RECV_RESET): S.RESET_BY_PEER for state in LIVE},
    # "closed": a reset twice is one reset; frames that crossed the end are ignored; after our reset all are
    **{(state, A.SEND_RESET): None for state in State if state not in LIVE and state is not S.IDLE},
    **{(state, act): None for state in (S.ENDED, S.RESET_BY_PEER, S.FORGOTTEN) for act in CROSSING},
    **{(S.RESET_BY_US, act): None for act in CONTENT + CROSSING},
}
FAULTS: dict[tuple[State, Act], tuple[type[Exception], ErrorCode]] = {
    # "idle: receiving any frame other than HEADERS or PRIORITY: connection error PROTOCOL_ERROR"
    **{(S.IDLE, act): (ConnectionFault, ErrorCode.PROTOCOL_ERROR) for act in CONTENT[1:] + CROSSING},
    # "half-closed (remote): ... must respond with a stream error of type STREAM_CLOSED"
    **{(S.HALF_CLOSED_REMOTE, act): (StreamFault, ErrorCode.STREAM_CLOSED) for act in CONTENT},
    # "closed: ... after END_STREAM: connection error STREAM_CLOSED; after RST_STREAM: stream error STREAM_CLOSED"
    **{(S.ENDED, act): (ConnectionFault, ErrorCode.STREAM_CLOSED) for act in CONTENT},
    **{(S.RESET_BY_PEER, act): (StreamFault, ErrorCode.STREAM_CLOSED) for act in CONTENT},
    # section 5.1.1: "an unexpected stream identifier: connection error PROTOCOL_ERROR"
    (S.FORGOTTEN, A.RECV_HEADERS): (ConnectionFault, ErrorCode.PROTOCOL_ERROR),
    **{(S.FORGOTTEN, act): (StreamFault, ErrorCode.STREAM_CLOSED) for act in CONTENT[1:]},
}


def test_the_table_is_complete() -> None:
    assert [*range(len(TABLE))] == [*State]
    assert all([*range(len(row))] == [*Act] for row in TABLE)


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
@pytest.mark.parametrize("act", Act, ids=lambda act: act.name)
def test_every_cell(state: State, act: Act) -> None:
    if (state, act) in ALLOWED:
        assert step(7, state, act) is ALLOWED[state, act]
    elif (state, act) in FAULTS:
        kind, code = FAULTS[state, act]
        with pytest.raises(kind, match=f"stream 7, {state.name}: {act.name}") as caught:
            step(7, state, act)
        assert caught.value.code is code  # type: ignore[attr-defined]
    else:
        assert act in (*SENDS, A.SEND_RESET), "a receive without an answer"
        with pytest.raises(ValueError, match="stream 7"):
            step(7, state, act)
