"""A peer made by hand for tests of the HTTP/2 engine: frames are built and taken apart here, without the engine's code."""

from __future__ import annotations

from typing import NamedTuple

from hpack import Decoder, Encoder

from pyopenshell.http2 import Connection, Event, Header, Limits, Role, StreamsAllowed

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

REQUEST: list[Header] = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/test.Service/Method"),
    (b":authority", b"localhost"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
]
RESPONSE: list[Header] = [(b":status", b"200"), (b"content-type", b"application/grpc")]
TRAILERS: list[Header] = [(b"grpc-status", b"0")]


def frame(kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> bytes:
    """Any frame, sound or not."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload


def data(stream_id: int, payload: bytes = b"", end: bool = False, pad: int | None = None) -> bytes:
    """DATA, padded when `pad` says how much."""
    flags = END_STREAM if end else 0
    if pad is None:
        return frame(DATA, flags, stream_id, payload)
    return frame(DATA, flags | PADDED, stream_id, bytes([pad]) + payload + bytes(pad))


def settings(*parameters: tuple[int, int]) -> bytes:
    body = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in parameters)
    return frame(SETTINGS, 0, 0, body)


def window_update(stream_id: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


def rst_stream(stream_id: int, code: int = 8) -> bytes:
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def goaway(last: int, code: int = 0, debug: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + debug)


def ping(payload: bytes = b"12345678", ack: bool = False) -> bytes:
    return frame(PING, ACK if ack else 0, 0, payload)


class Sent(NamedTuple):
    """A frame that the engine sent."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> int:
        """Error code of RST_STREAM or GOAWAY."""
        return int.from_bytes(self.payload[-4:] if self.kind == RST_STREAM else self.payload[4:8], "big")


def split(wire: bytes) -> list[Sent]:
    """Take bytes apart into frames; they must be whole."""
    frames = []
    while wire:
        length = int.from_bytes(wire[:3], "big")
        stream_id = int.from_bytes(wire[5:9], "big")
        frames.append(Sent(wire[3], wire[4], stream_id, wire[9 : 9 + length]))
        assert len(wire) >= 9 + length, "half a frame"
        wire = wire[9 + length :]
    return frames


class HandPeer:
    """The other end of one engine: sends any bytes, reads frames. The handshake is done at once.

    `role` is the engine's.
    """

    def __init__(self, role: Role, limits: Limits | None = None, *parameters: tuple[int, int]) -> None:
        self.engine = Connection(role, limits, now=0.0)
        self.encoder = Encoder()
        self.decoder = Decoder()
        preface = PREFACE if role is Role.SERVER else b""
        events = self.engine.receive(preface + settings(*parameters) + frame(SETTINGS, ACK), 0.0)
        assert all(isinstance(event, StreamsAllowed) for event in events)
        self.greeting = self.wire().removeprefix(PREFACE)

    def feed(self, *frames: bytes, now: float = 0.0) -> list[Event]:
        """Send bytes; return what the engine's owner is told."""
        return self.engine.receive(b"".join(frames), now)

    def wire(self, limit: int = 2**30) -> bytes:
        return b"".join(self.engine.take(limit))

    def sent(self, limit: int = 2**30) -> list[Sent]:
        """What the engine has to say now."""
        return split(self.wire(limit))

    def headers(self, stream_id: int, headers: list[Header], end: bool = False, flags: int = END_HEADERS) -> bytes:
        block = self.encoder.encode(headers)
        return frame(HEADERS, flags | (END_STREAM if end else 0), stream_id, block)

    def request(self, stream_id: int = 1, end: bool = False, extra: list[Header] | None = None) -> bytes:
        return self.headers(stream_id, REQUEST + (extra or []), end)

    def response(self, stream_id: int = 1, end: bool = False, extra: list[Header] | None = None) -> bytes:
        return self.headers(stream_id, RESPONSE + (extra or []), end)


def server(limits: Limits | None = None, *parameters: tuple[int, int]) -> HandPeer:
    """An engine in the server's role, and its client by hand."""
    return HandPeer(Role.SERVER, limits, *parameters)


def client(limits: Limits | None = None, *parameters: tuple[int, int]) -> HandPeer:
    """An engine in the client's role, and its server by hand."""
    return HandPeer(Role.CLIENT, limits, *parameters)
