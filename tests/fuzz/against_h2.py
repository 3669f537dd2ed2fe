"""The same bytes into our engine and into h2, frame by frame: the same verdict, the same header sections, the same content.

A verdict is: taken, a fault of the stream, or a fault of the connection, with its code. Where the two may rightly differ
is one table, `DIFFERENCES`, each row with the section that allows it; after such a difference their states are no longer
the same, and the comparison ends. Neither owner gives windows back, and ours counts no floods, which h2 does not do
either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from pyopenshell.http2 import (
    Connection,
    ConnectionTerminated,
    DataReceived,
    ErrorCode,
    Header,
    HeadersReceived,
    Limits,
    Rate,
    Role,
    StreamReset,
)
from tests.fuzz.choices import steps
from tests.fuzz.grammar import Peer
from tests.support.http2_peer import (
    ACK,
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PREFACE,
    PUSH_PROMISE,
    REQUEST,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Sent,
    frame,
    settings,
    split,
)

E = ErrorCode
_ALL = Rate(10**9, 0)
LIMITS = Limits(
    max_frame=16_384,
    initial_window=65_535,
    max_concurrent_streams=100,
    max_header_list=2**16,
    max_header_block=2**16,
    max_continuations=64,
    max_informational=10**6,
    max_closed=10**6,
    max_answers=2**30,
    settings=_ALL,
    pings=_ALL,
    window_updates=_ALL,
    resets=_ALL,
    priorities=_ALL,
    empty_data=_ALL,
    odd_frames=_ALL,
    late_frames=_ALL,
)
#: Streams that a client has open when its server begins to speak.
OPENED = 5

TAKEN, STREAM, CONNECTION = "taken", "stream", "connection"


@dataclass(eq=False)
class Outcome:
    """What one engine made of one frame."""

    verdict: str = TAKEN
    code: ErrorCode | None = None
    headers: list[tuple[int, list[Header]]] = field(default_factory=list)
    content: list[tuple[int, bytes]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    reset: list[tuple[int, int]] = field(default_factory=list)  # by the peer
    why: str = ""

    def __eq__(self, verdict: object) -> bool:
        """Whether the verdict is this one, or this one with this code."""
        return verdict in (self.verdict, (self.verdict, self.code))


class Ours:
    """Our engine."""

    def __init__(self, client: bool) -> None:
        self.client = client
        self.engine = Connection(Role.CLIENT if client else Role.SERVER, LIMITS)
        self.engine.take(0)
        if client:
            for _ in range(OPENED):
                self.engine.open_stream(REQUEST)
            self.engine.take(0)

    def feed(self, wire: bytes) -> Outcome:
        out = Outcome()
        for event in self.engine.receive(wire, 0.0):
            match event:
                case HeadersReceived(stream_id, headers, end, _):
                    out.headers.append((stream_id, headers))
                    if end:
                        out.ended.append(stream_id)
                case DataReceived(stream_id, piece, _, end):
                    if piece:
                        out.content.append((stream_id, bytes(piece)))
                    if end:
                        out.ended.append(stream_id)
                case StreamReset(stream_id, code, True):
                    out.reset.append((stream_id, code))
                case ConnectionTerminated(_, reason):
                    out.why = reason
        for sent in split(b"".join(self.engine.take(0))):
            if sent.kind in (RST_STREAM, GOAWAY):
                out.verdict, out.code = STREAM if sent.kind == RST_STREAM else CONNECTION, E(sent.code)
        return out


class Theirs:
    """h2."""

    def __init__(self, client: bool) -> None:
        config = h2.config.H2Configuration(client_side=client, header_encoding=False, normalize_inbound_headers=False)
        self.engine = h2.connection.H2Connection(config)
        self.engine.local_settings = h2.settings.Settings(client=client, initial_values=_settings(client))
        self.engine.initiate_connection()
        self.engine.increment_flow_control_window(2**31 - 1 - 65_535)
        self.engine.data_to_send()
        if client:
            for stream_id in range(1, 2 * OPENED, 2):
                self.engine.send_headers(stream_id, REQUEST)
            self.engine.data_to_send()

    def feed(self, wire: bytes) -> Outcome:
        out = Outcome()
        try:
            events = self.engine.receive_data(wire)
        except h2.exceptions.ProtocolError as error:
            out.verdict, out.code, out.why = CONNECTION, E(error.error_code), f"{type(error).__name__}: {error}"
            return out
        for event in events:
            match event:
                case h2.events.RequestReceived() | h2.events.ResponseReceived() | h2.events.TrailersReceived():
                    fields = [(bytes(name), bytes(value)) for name, value in event.headers]
                    out.headers.append((event.stream_id, fields))
                case h2.events.DataReceived() if event.data:
                    out.content.append((event.stream_id, event.data))
                case h2.events.StreamEnded():
                    out.ended.append(event.stream_id)
                case h2.events.StreamReset() if event.remote_reset:
                    out.reset.append((event.stream_id, E(event.error_code)))
        for sent in split(self.engine.data_to_send() or b""):
            if sent.kind == RST_STREAM:
                out.verdict, out.code = STREAM, E(sent.code)
        return out


def _settings(client: bool) -> dict[int, int]:
    found = {4: 65_535, 5: 16_384, 6: 2**16, 1: 4_096}
    return found | ({2: 0} if client else {3: 100})


def _units(wire: bytes) -> list[bytes]:
    """Frames, each header block with its CONTINUATION frames as one; the last one perhaps not whole."""
    units: list[bytes] = []
    while len(wire) >= 9:
        size = 9 + int.from_bytes(wire[:3], "big")
        units.append(wire[:size])
        wire = wire[size:]
    return units


def compare(program: bytes, client: bool) -> str:
    """Run a program; raises AssertionError where the two differ and may not. Returns the difference it ended with."""
    peer = Peer(client=not client)
    peer.opened += range(1, 2 * OPENED, 2) if client else []
    ours, theirs = Ours(client), Theirs(client)
    hello = settings() + frame(SETTINGS, ACK)
    for one in (ours, theirs):
        assert one.feed((b"" if client else PREFACE) + hello).verdict == TAKEN
    apart: set[int] = set()  # streams that are over for one of the two alone
    for step in steps(program):
        for unit in _units(peer.say(step)):
            stop = _one(ours, theirs, unit, apart)
            if stop:
                return stop
    return ""


def _one(ours: Ours, theirs: Theirs, unit: bytes, apart: set[int]) -> str:
    sent = Sent(unit[3], unit[4], int.from_bytes(unit[5:9], "big") & 2**31 - 1, unit[9:])
    if 9 + int.from_bytes(unit[:3], "big") != len(unit):
        return "cut"
    live = sent.stream_id in ours.engine._streams.live
    mine, other = ours.feed(unit), theirs.feed(unit)
    if sent.stream_id in apart:
        return "apart" if CONNECTION in (mine.verdict, other.verdict) else ""
    if (mine.verdict, mine.code) != (other.verdict, other.code):
        for reason, applies in DIFFERENCES.items():
            if applies(sent, mine, other, live):
                apart.add(sent.stream_id)
                return reason if CONNECTION in (mine.verdict, other.verdict) else ""
        raise AssertionError(f"frame {sent.kind} flags {sent.flags:#x} on {sent.stream_id}: ours {mine}, h2 {other}")
    if mine.verdict == CONNECTION:
        return "over"
    if sent.kind == GOAWAY:
        return "left"
    if mine.verdict == TAKEN:
        same = (mine.headers, mine.content, mine.ended, mine.reset)
        assert same == (other.headers, other.content, other.ended, other.reset), f"ours {mine}, h2 {other}"
    return ""


_MESSAGE = (HEADERS, CONTINUATION, DATA)

#: Where the two may differ: why, and of which frames and outcomes (ours, theirs) that is true.
DIFFERENCES: dict[str, Callable[[Sent, Outcome, Outcome, bool], bool]] = {
    "8.1.1 a malformed message is a fault of its stream; h2 ends the connection": lambda sent, ours, theirs, live: (
        sent.kind in _MESSAGE and ours.verdict == STREAM and theirs == (CONNECTION, E.PROTOCOL_ERROR)
    ),
    "6.9.1 more than the window is a fault of the stream or of the connection": lambda sent, ours, theirs, live: (
        sent.kind == DATA and ours == (STREAM, E.FLOW_CONTROL_ERROR) and theirs == (CONNECTION, E.FLOW_CONTROL_ERROR)
    ),
    "8.3.1 :authority may be missing; h2 insists on it or on host": lambda sent, ours, theirs, live: (
        ours == TAKEN and ":authority or Host" in theirs.why
    ),
    "8.1.1 h2 does not compare content-length with a section that ends the stream": lambda sent, ours, theirs, live: (
        ours == (STREAM, E.PROTOCOL_ERROR) and theirs == TAKEN and sent.stream_id in theirs.ended
    ),
    "5.1 what still comes on a stream that we reset is ignored; h2 resets it again": lambda sent, ours, theirs, live: (
        sent.kind in _MESSAGE and ours == TAKEN and theirs != TAKEN and not live and not ours.headers
    ),
    "6.9 WINDOW_UPDATE by nothing on a stream is its fault alone; h2 ends the connection": lambda sent, ours, theirs, live: (
        sent.kind == WINDOW_UPDATE and sent.stream_id > 0 and not int.from_bytes(sent.payload, "big") & 2**31 - 1
        and ours != CONNECTION and theirs == (CONNECTION, E.PROTOCOL_ERROR)
    ),
    "6.9 the reserved bit of an increment is ignored; h2 takes it for a part of it": lambda sent, ours, theirs, live: (
        sent.kind == WINDOW_UPDATE and sent.payload[:1] >= b"\x80" and theirs == (CONNECTION, E.PROTOCOL_ERROR)
    ),
    "6.2 padding may be all that is in HEADERS; h2 wants a byte more": lambda sent, ours, theirs, live: (
        sent.kind == HEADERS and ours != CONNECTION and "invalid padding" in theirs.why
    ),
    "6.4 RST_STREAM on a stream that was never opened ends the connection": lambda sent, ours, theirs, live: (
        sent.kind == RST_STREAM and ours == (CONNECTION, E.PROTOCOL_ERROR) and theirs == TAKEN
    ),
    "8.3.2 :status is three digits, from 100; h2 does not look": lambda sent, ours, theirs, live: (
        ours == (STREAM, E.PROTOCOL_ERROR) and theirs == TAKEN and any(
            name == b":status" and not (len(value) == 3 and value.isdigit() and value >= b"100")
            for _, fields in theirs.headers for name, value in fields
        )
    ),
    "4.3 a block that cannot be decoded is COMPRESSION_ERROR; h2 says PROTOCOL_ERROR": lambda sent, ours, theirs, live: (
        ours == (CONNECTION, E.COMPRESSION_ERROR) and theirs == (CONNECTION, E.PROTOCOL_ERROR)
    ),
    "7541 4.2 a block has two table size updates at most; h2 does not count": lambda sent, ours, theirs, live: (
        ours == (CONNECTION, E.COMPRESSION_ERROR) and "table size updates" in ours.why
    ),
    "4.2 of two faults of one frame, its size and its place, either may be named": lambda sent, ours, theirs, live: (
        ours == CONNECTION and theirs == CONNECTION and {ours.code, theirs.code} == {E.FRAME_SIZE_ERROR, E.PROTOCOL_ERROR}
    ),
    "6.10 CONTINUATION without HEADERS ends the connection": lambda sent, ours, theirs, live: (
        sent.kind == CONTINUATION and ours == (CONNECTION, E.PROTOCOL_ERROR)
    ),
    "6.9.2 streams that are over have no window; h2 counts theirs": lambda sent, ours, theirs, live: (
        sent.kind == SETTINGS and ours == TAKEN and theirs == (CONNECTION, E.FLOW_CONTROL_ERROR)
    ),
    "5.5 frames of unknown kinds are ignored; h2 reads those of extensions": lambda sent, ours, theirs, live: (
        sent.kind > CONTINUATION and ours == TAKEN
    ),
    "6.5.2 every parameter is checked; h2 looks at the last of a kind": lambda sent, ours, theirs, live: (
        sent.kind == SETTINGS and ours == CONNECTION and theirs == TAKEN
    ),
    "8.4 PUSH_PROMISE ends the connection of a client that disabled push": lambda sent, ours, theirs, live: (
        sent.kind == PUSH_PROMISE and ours == (CONNECTION, E.PROTOCOL_ERROR)
    ),
}  # fmt: skip


def server(program: bytes) -> None:
    """Both as servers."""
    compare(program, client=False)


def client(program: bytes) -> None:
    """Both as clients."""
    compare(program, client=True)
