"""What one end of a connection must make of the frames it gets: RFC 9113 and `Limits` once more, written to be obvious.

The engine reads frames split anywhere, keeps caches, batches, and is fast. This model knows whole frames and is slow. It
tells what the owner must hear (`told`), what the peer must be answered (`answers`), and the verdict on every frame. It
decides nothing that the engine may decide freely (when a window is given back, in which order streams have their turn):
those are judged in `wire.py`, by what came out.

`told` and `answers` are lists of plain tuples. Content is kept in `content`, with `perhaps` after it: what was told of a
frame that broke its content-length depends on how it was split, and either is right.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from hpack import Decoder, HPACKError, OversizedHeaderListError

from pyopenshell.http2 import ErrorCode, Header, Limits, Rate
from tests.support.http2_peer import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HAS_PRIORITY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)

E = ErrorCode
MOST = 2**31 - 1
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
UPDATE = re.compile(rb"[\x20-\x3e]|\x3f[\x80-\xff]*[\x00-\x7f]?", re.DOTALL)
FORBIDDEN = {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}


class Dead(Exception):
    """The whole connection ends with this code."""


class Bad(Exception):
    """One stream ends with this code."""


class Bucket:
    """An allowance while no time passes."""

    def __init__(self, rate: Rate) -> None:
        self.most = self.left = rate.burst
        self.earned = 0

    def spend(self, earned: int = 0) -> None:
        self.left = min(self.most, self.left + earned - self.earned)
        self.earned = earned
        if self.left < 1:
            raise Dead(E.ENHANCE_YOUR_CALM)
        self.left -= 1


@dataclass
class Stream:
    """One live stream."""

    id: int
    window: int  # what the peer may send
    size: int
    send: int  # what we may send
    local: bool = True  # our direction is open
    remote: bool = True  # the peer's is
    got_headers: bool = False
    sent_headers: bool = False
    informational: int = 0
    expected: int = -1
    held: int = 0  # told to the owner and not given back
    ending: bool = False  # the owner ended our direction
    leaving: bool = False
    queued: int = 0  # bytes that the owner queued and that are not in frames
    trailers: list[Header] | None = None


@dataclass
class Model:
    """One end of one connection; `client`: whether this end is the client."""

    client: bool
    limits: Limits
    live: dict[int, Stream] = field(default_factory=dict)
    closed: dict[int, str] = field(default_factory=dict)  # how: ended, us, peer
    newest: int = 0
    stage: str = "running"
    verdict: ErrorCode | None = None  # code of the end
    ends: bool = False  # nothing is left to wait for: the owner's next look at it ends it
    told: list[tuple[object, ...]] = field(default_factory=list)
    answers: list[tuple[object, ...]] = field(default_factory=list)
    content: dict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    perhaps: dict[int, bytes] = field(default_factory=dict)
    flow: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # told to the owner
    silent: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # given back without the owner
    window: int = MOST  # of the connection, for what comes
    send: int = 65_535  # of the connection, for what goes
    frames_out: int = 0  # DATA frames with payload that went
    bytes_out: int = 0

    def __post_init__(self) -> None:
        limits = self.limits
        self.decoder = Decoder(max_header_list_size=limits.max_header_list)
        self.decoder.max_allowed_table_size = limits.header_table
        self.initial, self.max_streams, self.list_max = 65_535, 100, None
        self.table, self.max_frame, self.seen, self.acks = 4_096, 16_384, False, 1
        self.blocks = self.frames_in = 0
        self.why = E.NO_ERROR
        self.settings, self.pings, self.updates = (
            Bucket(limits.settings),
            Bucket(limits.pings),
            Bucket(limits.window_updates),
        )
        self.resets, self.priorities = Bucket(limits.resets), Bucket(limits.priorities)
        self.empty, self.odd = Bucket(limits.empty_data), Bucket(limits.odd_frames)
        self.late = Bucket(limits.late_frames)
        self.pings_sent, self.most = 0, limits.max_concurrent_streams
        self.buffer = b""
        self.checked = False  # the header of the frame in `buffer`
        self.expect: tuple[int, int] | None = (SETTINGS, 0)
        self.block, self.on, self.end, self.loop, self.parts = b"", 0, False, False, -1
        self.tables: list[int] = []  # table sizes that the peer set, for who reads our blocks

    # -- bytes ------------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the peer."""
        self.buffer += data
        try:
            while self.verdict is None and not self.ends and len(self.buffer) >= 9:
                length, kind, flags = int.from_bytes(self.buffer[:3], "big"), self.buffer[3], self.buffer[4]
                stream_id = int.from_bytes(self.buffer[5:9], "big") & MOST
                if not self.checked:
                    self.check_header(length, kind, flags, stream_id)
                    self.checked = True
                if len(self.buffer) < 9 + length:
                    return
                payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
                self.checked = False
                self.frame(kind, flags, stream_id, payload)
                self.look()
        except Dead as fault:
            self.die(fault.args[0])

    @property
    def missing(self) -> int:
        """Bytes that the frame in the buffer still needs."""
        if not self.buffer or self.verdict is not None or self.ends:
            return 0
        if len(self.buffer) < 9:
            return 9 - len(self.buffer)
        return 9 + int.from_bytes(self.buffer[:3], "big") - len(self.buffer)

    def die(self, code: ErrorCode) -> None:
        self.answers.append(("goaway", 0 if self.client else self.newest, code))
        self.over(code)

    def over(self, code: ErrorCode) -> None:
        self.told.append(("terminated", code))
        self.verdict = code
        self.stage = "over"
        self.live.clear()

    def look(self) -> None:
        if self.stage == "draining" and not self.live:
            self.ends = True

    def check_header(self, length: int, kind: int, flags: int, stream_id: int) -> None:
        limits = self.limits
        if length > limits.max_frame:
            raise Dead(E.FRAME_SIZE_ERROR)
        if self.expect is not None:
            if (kind, stream_id) != self.expect or (kind == SETTINGS and flags & ACK):
                raise Dead(E.PROTOCOL_ERROR)
            self.expect = None
        elif kind in (CONTINUATION, PUSH_PROMISE):
            raise Dead(E.PROTOCOL_ERROR)
        if kind in (HEADERS, CONTINUATION) and not flags & END_HEADERS:
            self.expect = (CONTINUATION, stream_id)
        if kind > CONTINUATION:
            return
        on_zero = {SETTINGS: True, PING: True, GOAWAY: True, WINDOW_UPDATE: stream_id == 0}.get(kind, False)
        if on_zero != (stream_id == 0):
            raise Dead(E.PROTOCOL_ERROR)
        exact = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}.get(kind)
        if exact is not None and length != exact:
            raise Dead(E.FRAME_SIZE_ERROR)
        if kind == HEADERS and length > limits.max_header_block + 261:
            raise Dead(E.FRAME_SIZE_ERROR)
        if (kind == SETTINGS and length % 6) or (kind == GOAWAY and length < 8):
            raise Dead(E.FRAME_SIZE_ERROR)
        most = {SETTINGS: limits.max_settings * 6, GOAWAY: limits.max_goaway + 8, CONTINUATION: limits.max_header_block}
        if length > most.get(kind, limits.max_frame):
            raise Dead(E.ENHANCE_YOUR_CALM)

    def frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """One whole frame whose header is sound."""
        try:
            if kind == DATA:
                self.data(flags, stream_id, payload)
            elif kind in (HEADERS, CONTINUATION):
                self.fragment(flags, stream_id, payload)
            elif kind == PRIORITY:
                self.priorities.spend()
                if int.from_bytes(payload[:4], "big") & MOST == stream_id:
                    raise Dead(E.PROTOCOL_ERROR)
            elif kind == RST_STREAM:
                self.rst_stream(stream_id, E(int.from_bytes(payload, "big")))
            elif kind == SETTINGS:
                self.on_settings(flags, payload)
            elif kind == PING:
                self.ping(flags, payload)
            elif kind == GOAWAY:
                self.goaway(payload)
            elif kind == WINDOW_UPDATE:
                self.window_update(stream_id, int.from_bytes(payload, "big") & MOST)
            else:
                self.odd.spend()
        except Bad as fault:
            self.reject(stream_id, fault.args[0])

    # -- streams ----------------------------------------------------------------------------------------------------

    def close(self, stream_id: int, how: str) -> None:
        self.live.pop(stream_id, None)
        self.closed[stream_id] = how
        if len(self.closed) > self.limits.max_closed:
            del self.closed[next(iter(self.closed))]

    def ended(self, stream: Stream) -> None:
        if not stream.local and not stream.remote:
            self.close(stream.id, "ended")

    def how_closed(self, stream_id: int) -> str:
        if stream_id in self.closed:
            return self.closed[stream_id]
        if stream_id % 2 == 0 or stream_id > self.newest:
            return "idle"
        return "us" if self.client else "forgotten"

    def reject(self, stream_id: int, code: ErrorCode) -> None:
        self.resets.spend()
        self.answers.append(("rst", stream_id, code))
        stream = self.live.get(stream_id)
        if stream is None:
            if self.how_closed(stream_id) == "idle":
                self.newest = stream_id
                self.close(stream_id, "us")
            return
        self.close(stream_id, "us")
        if not stream.leaving and (self.client or stream.got_headers):
            self.told.append(("reset", stream_id, code, False))

    # -- content ----------------------------------------------------------------------------------------------------

    def data(self, flags: int, stream_id: int, payload: bytes) -> None:
        content = payload
        if flags & PADDED:
            if not payload:
                raise Dead(E.FRAME_SIZE_ERROR)
            if payload[0] >= len(payload):
                raise Dead(E.PROTOCOL_ERROR)
            content = payload[1 : len(payload) - payload[0]]
        self.frames_in += 1
        self.window -= len(payload)
        stream = self.live.get(stream_id)
        if stream is None:
            verdict = {"idle": Dead(E.PROTOCOL_ERROR), "ended": Dead(E.STREAM_CLOSED), "us": None}
            fault = verdict.get(self.how_closed(stream_id), Bad(E.STREAM_CLOSED))
            if fault is not None:
                raise fault
            self.late.spend()
            return
        if not stream.remote:
            raise Bad(E.STREAM_CLOSED)
        if not stream.got_headers:
            raise Bad(E.PROTOCOL_ERROR)
        stream.window -= len(payload)
        if stream.window < 0:
            raise Bad(E.FLOW_CONTROL_ERROR)
        last = flags & END_STREAM
        if stream.expected >= 0:
            stream.expected -= len(content)
            if stream.expected < 0 or (last and stream.expected):
                self.perhaps[stream_id] = b"" if stream.leaving else content
                raise Bad(E.PROTOCOL_ERROR)
        if stream.leaving:
            self.silent[stream_id] += len(payload)
        elif content or last:
            self.content[stream_id] += content
            self.flow[stream_id] += len(payload)
            stream.held += len(payload)
        else:
            self.silent[stream_id] += len(payload)
        if not content and not last:
            self.empty.spend()
        if last:
            if not stream.leaving:
                self.told.append(("end", stream_id))
            stream.remote = False
            self.ended(stream)

    # -- header sections --------------------------------------------------------------------------------------------

    def fragment(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self.parts < 0:
            self.on, self.end, self.loop = stream_id, bool(flags & END_STREAM), False
            start = pad = 0
            if flags & PADDED:
                if not payload:
                    raise Dead(E.FRAME_SIZE_ERROR)
                start, pad = 1, payload[0]
            if flags & HAS_PRIORITY:
                if len(payload) < start + 5:
                    raise Dead(E.FRAME_SIZE_ERROR)
                self.loop = int.from_bytes(payload[start : start + 4], "big") & MOST == stream_id
                start += 5
            if start + pad > len(payload):
                raise Dead(E.PROTOCOL_ERROR)
            self.block = payload[start : len(payload) - pad]
        else:
            self.block += payload
        self.parts += 1
        if self.parts > self.limits.max_continuations or len(self.block) > self.limits.max_header_block:
            raise Dead(E.ENHANCE_YOUR_CALM)
        if flags & END_HEADERS:
            self.parts = -1
            self.blocks += 1
            self.section(stream_id, self.decode(self.block))

    def decode(self, block: bytes) -> list[Header]:
        try:
            fields = [(bytes(name), bytes(value)) for name, value in self.decoder.decode(block, raw=True)]
        except OversizedHeaderListError:
            raise Dead(E.ENHANCE_YOUR_CALM) from None
        except HPACKError:
            raise Dead(E.COMPRESSION_ERROR) from None
        finally:
            if table_updates(block) > 2:
                raise Dead(E.COMPRESSION_ERROR)
        return fields

    def section(self, stream_id: int, fields: list[Header]) -> None:
        stream = self.live.get(stream_id)
        if stream is None:
            how = self.how_closed(stream_id)
            if how == "idle":
                self.open(stream_id, fields)
            elif how == "ended":
                raise Dead(E.STREAM_CLOSED)
            elif how == "forgotten":
                raise Dead(E.PROTOCOL_ERROR)
            elif how == "peer":
                raise Bad(E.STREAM_CLOSED)
            else:
                self.late.spend()
            return
        if not stream.remote:
            raise Bad(E.STREAM_CLOSED)
        sound(not self.loop)
        if stream.got_headers:
            sound(self.end and sound_fields(fields, set()) and stream.expected <= 0)
            self.tell_headers(stream, fields, True)
            return
        sound(sound_fields(fields, {b":status"}))
        status = dict(fields).get(b":status", b"")
        sound(bool(re.fullmatch(rb"[1-9][0-9][0-9]", status)))
        if status < b"200":
            stream.informational += 1
            sound(not self.end and stream.informational <= self.limits.max_informational)
            return
        self.begin(stream, fields)
        self.tell_headers(stream, fields, False)

    def open(self, stream_id: int, fields: list[Header]) -> None:
        if self.client or stream_id % 2 == 0:
            raise Dead(E.PROTOCOL_ERROR)
        if self.stage not in ("running", "last call") or len(self.live) >= self.most:
            raise Bad(E.REFUSED_STREAM)
        sound(not self.loop and sound_fields(fields, {b":method", b":scheme", b":authority", b":path"}))
        pseudo = {name: value for name, value in fields if name.startswith(b":")}
        method, path = pseudo.get(b":method"), pseudo.get(b":path")
        sound(bool(method))
        if method == b"CONNECT":
            sound(set(pseudo) == {b":method", b":authority"})
        else:
            sound(bool(pseudo.get(b":scheme")) and bool(path))
            assert path is not None
            sound(
                path.startswith(b"/")
                or (path == b"*" and method == b"OPTIONS")
                or pseudo[b":scheme"] not in (b"http", b"https")
            )
        stream = Stream(stream_id, self.limits.initial_window, self.limits.initial_window, self.initial)
        self.begin(stream, fields)
        self.newest = stream_id
        self.live[stream_id] = stream
        self.tell_headers(stream, fields, False)

    def begin(self, stream: Stream, fields: list[Header]) -> None:
        stream.got_headers = True
        lengths = {value for name, value in fields if name == b"content-length"}
        sound(len(lengths) < 2 and all(value.isdigit() for value in lengths))
        stream.expected = int(lengths.pop()) if lengths else -1
        sound(not (self.end and stream.expected > 0))

    def tell_headers(self, stream: Stream, fields: list[Header], trailers: bool) -> None:
        if not stream.leaving:
            self.told.append(("headers", stream.id, fields, self.end, trailers))
        if self.end:
            stream.remote = False
            self.ended(stream)

    # -- the others -------------------------------------------------------------------------------------------------

    def rst_stream(self, stream_id: int, code: ErrorCode) -> None:
        stream = self.live.get(stream_id)
        if stream is None or not self.client:
            self.resets.spend()
        if stream is not None:
            self.close(stream_id, "peer")
            if not stream.leaving:
                self.told.append(("reset", stream_id, code, True))
        elif self.how_closed(stream_id) == "idle":
            raise Dead(E.PROTOCOL_ERROR)

    def on_settings(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            if payload:
                raise Dead(E.FRAME_SIZE_ERROR)
            if self.acks:
                self.acks -= 1
            else:
                self.settings.spend()
            return
        self.settings.spend()
        before, streams = self.initial, self.max_streams
        if not self.seen:
            self.seen, self.max_streams = True, MOST
        for at in range(0, len(payload), 6):
            key, value = int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big")
            if key == 1:
                self.tables.append(value)
            elif key == 2 and value > (0 if self.client else 1):
                raise Dead(E.PROTOCOL_ERROR)
            elif key == 3:
                self.max_streams = value
            elif key == 4:
                if value > MOST:
                    raise Dead(E.FLOW_CONTROL_ERROR)
                self.initial = value
            elif key == 5:
                if not 2**14 <= value < 2**24:
                    raise Dead(E.PROTOCOL_ERROR)
                self.max_frame = value
            elif key == 6:
                self.list_max = value
        if self.client and self.max_streams > streams:
            self.told.append(("streams", self.max_streams))
        for stream in self.live.values():
            stream.send += self.initial - before
            if stream.send > MOST:
                raise Dead(E.FLOW_CONTROL_ERROR)
        self.answers.append(("settings ack",))

    def ping(self, flags: int, payload: bytes) -> None:
        self.pings.spend(self.blocks + self.frames_in + self.frames_out + self.pings_sent)
        if not flags & ACK:
            self.answers.append(("pong", payload))
        elif self.stage == "last call" and payload == b"lastcall":
            self.stage = "draining"
            self.answers.append(("goaway", self.newest, E.NO_ERROR))
        else:
            self.told.append(("pong", payload))

    def goaway(self, payload: bytes) -> None:
        self.odd.spend()
        last, code = int.from_bytes(payload[:4], "big") & MOST, E(int.from_bytes(payload[4:8], "big"))
        self.told.append(("goaway", last, code, payload[8:]))
        if self.client:
            self.why = code
            if self.stage == "running":
                self.stage = "draining"
            for stream_id in [stream_id for stream_id in self.live if stream_id > last]:
                self.close(stream_id, "peer")
                self.told.append(("reset", stream_id, E.REFUSED_STREAM, True))

    def window_update(self, stream_id: int, increment: int) -> None:
        self.updates.spend(self.blocks + self.bytes_out // 1_024)
        stream = self.live.get(stream_id)
        if stream_id == 0:
            if increment == 0:
                raise Dead(E.PROTOCOL_ERROR)
            self.send += increment
            if self.send > MOST:
                raise Dead(E.FLOW_CONTROL_ERROR)
        elif stream is None:
            if self.how_closed(stream_id) == "idle":
                raise Dead(E.PROTOCOL_ERROR)
        elif increment == 0:
            raise Bad(E.PROTOCOL_ERROR)
        elif stream.send + increment > MOST:
            raise Bad(E.FLOW_CONTROL_ERROR)
        else:
            stream.send += increment


def sound(true: bool) -> None:
    """A message is malformed when this is not true."""
    if not true:
        raise Bad(E.PROTOCOL_ERROR)


def sound_fields(fields: list[Header], pseudo: set[bytes]) -> bool:
    """RFC 9113 sections 8.2 and 8.3 for a list of fields of which these pseudo-header fields may be part."""
    names = [name for name, _ in fields]
    first = [name for name in names if name.startswith(b":")]
    if names[: len(first)] != first or len(set(first)) != len(first) or not set(first) <= pseudo:
        return False
    for name, value in fields:
        if not name.startswith(b":") and (not TOKEN.fullmatch(name) or name in FORBIDDEN):
            return False
        if name == b"te" and value.lower() != b"trailers":
            return False
        if re.search(rb"[\r\n\0]", value) or re.search(rb"\A[ \t]|[ \t]\Z", value):
            return False
    return True


def table_updates(block: bytes) -> int:
    """Dynamic table size updates at the front of a block."""
    found = 0
    while update := UPDATE.match(block):
        block = block[update.end() :]
        found += 1
    return found
