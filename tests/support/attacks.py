"""Attacks on a server of ours, byte by byte: what is sent, and how it has to end. For tests/streams/hostile and
bench/hostile.py.

An attack is told a client that has said hello (or, where it is `mute`, only connected) and does its worst, a bounded
number of times. It returns how that ended for it: `GOAWAY CODE`, `RST_STREAM CODE`, `status N`, `cut`, or `held`
where it is legal to go on and only has to stay bounded.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pyopenshell.http2 import ErrorCode
from tests.support.http2_peer import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    HEADERS,
    PADDED,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    data,
    frame,
    ping,
    rst_stream,
    settings,
    window_update,
)
from tests.support.raw_client import RawClient

MANY = 200_000  # frames of a flood: far more than any limit
IDS = 2**31
CALM = "GOAWAY ENHANCE_YOUR_CALM"
PROTOCOL = "GOAWAY PROTOCOL_ERROR"


@dataclass(frozen=True)
class Attack:
    """`kind`: the limit that has to be counted (streams/hits.py); `memory`: MiB that the server may grow by at its peak."""

    name: str
    ends: str
    kind: str
    run: Callable[[RawClient], Awaitable[str]]
    memory: float = 8
    parameters: tuple[tuple[int, int], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    mute: bool = False
    tls: bool | None = None  # None: with and without
    stays: bool = False  # its connection is the attack: it is kept, not made again


def ended(client: RawClient) -> str:
    """How a connection ended."""
    return "cut" if client.goaway is None else f"GOAWAY {ErrorCode(client.goaway).name}"


def flood(pieces: Callable[[RawClient], Iterable[bytes]]) -> Callable[[RawClient], Awaitable[str]]:
    """At most MANY pieces, until the server closes."""

    async def run(client: RawClient) -> str:
        await client.send(itertools.islice(pieces(client), MANY))
        await client.over.wait()
        return ended(client)

    return run


def again(piece: bytes) -> Callable[[RawClient], Iterable[bytes]]:
    return lambda _: itertools.repeat(piece)


def requests(client: RawClient, path: bytes, end: bool = False) -> Iterator[tuple[int, bytes]]:
    """Requests as cheap as can be: once the fields are in the table, each is a dozen bytes."""
    yield 1, client.headers(1, path, end)
    block = client.headers(3, path, end)
    for stream_id in range(3, IDS, 2):
        yield stream_id, block[:5] + stream_id.to_bytes(4, "big") + block[9:]


def rapid_reset(client: RawClient) -> Iterator[bytes]:
    for stream_id, request in requests(client, b"/never-read"):
        yield request + rst_stream(stream_id)


def made_you_reset(client: RawClient) -> Iterator[bytes]:
    for stream_id, request in requests(client, b"/never-read"):
        yield request + window_update(stream_id, 0)


def too_many_streams(client: RawClient) -> Iterator[bytes]:
    for _, request in requests(client, b"/never-read"):
        yield request


def continuation(size: int) -> Callable[[RawClient], Iterable[bytes]]:
    def pieces(client: RawClient) -> Iterator[bytes]:
        yield frame(HEADERS, 0, 1, b"")
        while True:
            yield frame(CONTINUATION, 0, 1, bytes(size))

    return pieces


def header_list(client: RawClient) -> Iterator[bytes]:
    """One field of a MiB, in frames that are each allowed."""
    block = b"\x00\x01x\x7f" + b"\x81\xfe\x3f" + b"y" * 2**20
    yield frame(HEADERS, 0, 1, block[:16_384])
    for at in range(16_384, len(block), 16_384):
        yield frame(CONTINUATION, END_HEADERS if at + 16_384 > len(block) else 0, 1, block[at : at + 16_384])


def bomb(client: RawClient) -> Iterator[bytes]:
    """A field of 3 KiB in the table, and blocks that name it 16,000 times: 48 MB for 16 KB."""
    yield client.headers(1, b"/never-read", extra=[(b"x", b"y" * 3_000)])
    for stream_id in range(3, IDS, 2):
        yield frame(HEADERS, END_HEADERS, stream_id, b"\xbe" * 16_000)


def on_a_stream(piece: bytes, path: bytes = b"/sink") -> Callable[[RawClient], Iterable[bytes]]:
    return lambda client: itertools.chain([client.headers(1, path)], itertools.repeat(piece))


def resets_of_one(client: RawClient) -> Iterator[bytes]:
    yield client.headers(1, b"/sink") + rst_stream(1)
    yield from itertools.repeat(rst_stream(1))


async def late(client: RawClient) -> str:
    """DATA without end on a stream that the server reset."""
    await client.send([client.headers(1, b"/nowhere")])
    await client.until(RST_STREAM, 1)
    return await flood(again(data(1, b"x")))(client)


def ids(*pieces: Callable[[RawClient], bytes]) -> Callable[[RawClient], Awaitable[str]]:
    """A few frames that must end the connection."""
    return flood(lambda client: [piece(client) for piece in pieces])


def request(stream_id: int, end: bool = False) -> Callable[[RawClient], bytes]:
    return lambda client: client.headers(stream_id, b"/request", end)


async def reused(client: RawClient) -> str:
    """A second request on a stream that both sides have ended."""
    await client.send([client.headers(1, b"/request", end=True)])
    await client.status(1)
    return await flood(lambda _: [client.headers(1, b"/request")])(client)


async def ended_stream(client: RawClient) -> str:
    await client.send([client.headers(1, b"/request", end=True)])
    await client.status(1)
    return await flood(lambda _: [data(1, b"x")])(client)


def one_reset(*pieces: Callable[[RawClient], bytes]) -> Callable[[RawClient], Awaitable[str]]:
    """Frames that must end stream 1 alone."""

    async def run(client: RawClient) -> str:
        await client.send([piece(client) for piece in pieces])
        return f"RST_STREAM {ErrorCode((await client.until(RST_STREAM, 1)).code).name}"

    return run


def status(*pieces: Callable[[RawClient], bytes]) -> Callable[[RawClient], Awaitable[str]]:
    """Frames that get stream 1 a status."""

    async def run(client: RawClient) -> str:
        await client.send([piece(client) for piece in pieces])
        return f"status {await client.status(1)}"

    return run


async def zero_window(client: RawClient) -> str:
    """As many answers as a stranger may ask for, and no window for any: each waits in the server, for a while."""
    await client.send(request for _, request in itertools.islice(requests(client, b"/answer", end=True), 100))
    codes = {(await client.until(RST_STREAM, stream_id)).code for stream_id in range(1, 201, 2)}
    return " ".join(f"RST_STREAM {ErrorCode(code).name}" for code in codes)


async def one_byte_window(client: RawClient) -> str:
    """A window of one byte, opened by one byte for ever: a frame of 10 bytes for each."""
    return await flood(on_a_stream(window_update(1, 1), b"/bulk"))(client)


async def deaf(client: RawClient) -> str:
    """Asks for bulk on every stream with every window open, and never reads a byte."""
    await client.send([PREFACE, settings((4, 2**31 - 1)), window_update(0, 2**30)])
    await client.send(request for _, request in itertools.islice(requests(client, b"/bulk"), 100))
    return "held"


async def deaf_pings(client: RawClient) -> str:
    """PINGs whose answers are not read; each DATA frame pays for one, so no rate stops them."""
    await client.send([PREFACE, settings(), client.headers(1, b"/sink")])
    await client.send(itertools.repeat(data(1, b"x") + ping(), MANY))
    client.listen()
    await client.over.wait()
    return ended(client)


async def silent(client: RawClient) -> str:
    """Says nothing."""
    client.answers = False
    client.listen()
    await client.over.wait()
    return ended(client)


async def slow_preface(client: RawClient) -> str:
    """A byte of the preface when the last one was taken, but for the last."""
    client.answers = False
    client.listen()
    await client.send([PREFACE[:-1]])
    await client.over.wait()
    return ended(client)


def prefix(n: int, body: int = 0) -> Callable[[RawClient], bytes]:
    return lambda _: data(1, b"\0" + n.to_bytes(4, "big") + bytes(body))


async def many_bodies(client: RawClient) -> str:
    """Messages of 4 MiB that lack their last byte, on a thousand streams of a peer that is known."""
    await client.send([client.headers(1, b"/known")])
    await client.more(SETTINGS, 3)  # the greeting, the acknowledgement of ours, and more streams
    piece = bytes(16_384)
    streams = range(3, 2_003, 2)
    await client.send(
        client.headers(stream_id, b"/known") + data(stream_id, b"\0\0\x40\0\0" + piece[5:]) for stream_id in streams
    )
    await client.send(data(stream_id, piece) for _ in range(2) for stream_id in streams)
    return "held"


def dear_headers(client: RawClient) -> Iterator[bytes]:
    """Sound requests that cost as much to decode as they can: new text for each, in Huffman's code."""
    for stream_id in range(1, 401, 2):
        yield client.headers(stream_id, b"/request", True, [(b"x", os.urandom(3_500).hex().encode())])


async def storm(client: RawClient) -> str:
    """Sound requests, as many at once as a stranger may have, again and again."""
    ready = requests(client, b"/request", end=True)
    for answered in range(0, 5_000, 50):
        await client.send(request for _, request in itertools.islice(ready, 50))
        await client.more(HEADERS, answered)
    return "held"


def held(pieces: Callable[[RawClient], Iterable[bytes]], count: int) -> Callable[[RawClient], Awaitable[str]]:
    """What is legal: `count` pieces."""

    async def run(client: RawClient) -> str:
        await client.send(itertools.islice(pieces(client), count))
        return "held"

    return run


QUICK = 0.3  # seconds in place of the product's ten or sixty

ATTACKS = [
    Attack("rapid reset", CALM, "resets", flood(rapid_reset)),
    Attack("made you reset", CALM, "resets", flood(made_you_reset)),
    Attack("too many streams", CALM, "max_concurrent_streams", flood(too_many_streams), memory=12),
    Attack("CONTINUATION, empty", CALM, "max_continuations", flood(continuation(0))),
    Attack("CONTINUATION, full", CALM, "max_header_block", flood(continuation(16_384))),
    Attack("header list of 1 MiB", CALM, "max_header_block", flood(header_list)),
    Attack("HPACK bomb", CALM, "max_header_list", flood(bomb)),
    Attack("SETTINGS flood", CALM, "settings", flood(again(settings((4, 65_535))))),
    Attack("SETTINGS acknowledged", CALM, "settings", flood(again(frame(4, ACK)))),
    Attack("PING flood", CALM, "pings", flood(again(ping()))),
    Attack("PING answers, unasked", CALM, "pings", flood(again(ping(ack=True)))),
    Attack("RST flood", CALM, "resets", flood(resets_of_one)),
    Attack("PRIORITY flood", CALM, "priorities", flood(again(frame(PRIORITY, 0, 1, bytes(5))))),
    Attack("unknown frames", CALM, "odd_frames", flood(again(frame(0xBE, 0, 0, b"x")))),
    Attack("empty DATA flood", CALM, "empty_data", flood(on_a_stream(data(1)))),
    Attack("padding alone", CALM, "empty_data", flood(on_a_stream(data(1, pad=255)))),
    Attack("padding over payload", PROTOCOL, "protocol_error", flood(on_a_stream(frame(0, PADDED, 1, b"\xffx")))),
    Attack("frames on a reset stream", CALM, "late_frames", late),
    Attack("frames on an ended stream", "GOAWAY STREAM_CLOSED", "stream_closed", ended_stream),
    Attack("stream id reused", "GOAWAY STREAM_CLOSED", "stream_closed", reused),
    Attack("stream id even", PROTOCOL, "protocol_error", ids(request(2))),
    Attack("stream id decreasing", PROTOCOL, "protocol_error", ids(request(5), request(3))),
    Attack(
        "window overflow, connection",
        "GOAWAY FLOW_CONTROL_ERROR",
        "flow_control_error",
        ids(lambda _: window_update(0, 2**31 - 1)),
    ),
    Attack(
        "window overflow, stream",
        "RST_STREAM FLOW_CONTROL_ERROR",
        "flow_control_error",
        one_reset(request(1), lambda _: window_update(1, 2**31 - 1)),
    ),
    Attack(
        "more than the window",
        "RST_STREAM FLOW_CONTROL_ERROR",
        "flow_control_error",
        one_reset(lambda c: c.headers(1, b"/never-read"), lambda _: 5 * data(1, bytes(16_384))),
    ),
    Attack("zero window", "RST_STREAM ENHANCE_YOUR_CALM", "stalled", zero_window, 16, ((4, 0),), {"patience": QUICK}),
    Attack("window of 1 byte", CALM, "window_updates", one_byte_window, parameters=((4, 1),)),
    Attack("reads nothing, bulk", "held", "", deaf, 24, mute=True, stays=True),
    Attack("reads nothing, again", "held", "", deaf, 24, mute=True),
    Attack("reads nothing, PINGs", "cut", "max_answers", deaf_pings, options={"close": QUICK}, mute=True, tls=False),
    Attack("slow preface", "cut", "preface", slow_preface, options={"preface": QUICK}, mute=True),
    Attack("silence", "cut", "preface", silent, options={"preface": QUICK}, mute=True, tls=False),
    Attack("half-open TLS", "cut", "handshake", silent, options={"handshake": QUICK}, mute=True, tls=True),
    Attack("gRPC length of 4 GiB", "status 8", "message_size", status(request(1), prefix(2**32 - 1))),
    Attack(
        "message never completed",
        "status 4",
        "message_time",
        status(request(1), prefix(9, 8)),
        8,
        (),
        {"message": QUICK},
    ),
    Attack("bodies never completed", "held", "", many_bodies, 128, stays=True),
    Attack("DATA of 1 byte", "held", "", held(on_a_stream(data(1, b"x")), 50_000)),
    Attack("dear headers", "held", "", held(dear_headers, 200)),
    Attack("storm of calls", "held", "", storm, 16),
]
