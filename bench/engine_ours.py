"""The cases of `bench/engine.py`, done by our engine."""

from __future__ import annotations

from bench.engine_cases import MESSAGES, REQUEST, RESPONSE, TRAILERS, Step
from pyopenshell.http2 import Connection, DataReceived, HeadersReceived, Limits, Role, encode_prefix
from pyopenshell.http2.codes import MAX_WINDOW
from pyopenshell.http2.frame_writer import frame_header, window_update

#: More than any case sends before the next `take`.
ALL = 2**24


def pair() -> tuple[Connection, Connection]:
    """A client and a server that have shaken hands."""
    limits = Limits(max_frame=2**20, turn=2**20)
    client, server = Connection(Role.CLIENT, limits), Connection(Role.SERVER, limits)
    while client.want_write or server.want_write:
        server.receive(b"".join(client.take(ALL)), 0.0)
        client.receive(b"".join(server.take(ALL)), 0.0)
    return client, server


def data_in(frame: int, chunk: int) -> Step:
    """Frames of `frame` bytes, received `chunk` bytes at a time, the windows given back as a reader would."""
    client, server = pair()
    stream_id = client.open_stream(REQUEST)
    server.receive(b"".join(client.take(ALL)), 0.0)
    server.set_window(stream_id, MAX_WINDOW)
    count = max(1, chunk // frame)
    wire = memoryview((frame_header(frame << 8, 0, stream_id) + bytes(frame)) * count)
    chunks = [wire[at : at + chunk] for at in range(0, len(wire), chunk)]

    def step() -> tuple[int, object]:
        made = []
        for part in chunks:
            events = server.receive(part, 0.0)
            for event in events:
                if type(event) is DataReceived:
                    server.give_back(event.stream_id, event.flow)
            made.append(events)
        if server.want_write:
            made.append(server.take(ALL))
        return count, made

    return step


def data_out(frame: int, batch: int) -> Step:
    """`batch` gRPC messages that make one frame each when alone, queued and then taken."""
    client, server = pair()
    stream_id = client.open_stream(REQUEST)
    server.receive(b"".join(client.take(ALL)), 0.0)
    payload, prefix = bytes(frame - 5), encode_prefix(frame - 5)
    takes = MESSAGES // batch
    spent = 0
    client.receive(window_update(stream_id, MAX_WINDOW // 2), 0.0)

    def step() -> tuple[int, object]:
        nonlocal spent
        if spent > MAX_WINDOW // 4:
            client.receive(window_update(stream_id, spent) + window_update(0, spent), 0.0)
            spent = 0
        made = []
        for _ in range(takes):
            for _ in range(batch):
                client.send_data(stream_id, prefix, payload)
            made.append(client.take(ALL))
            client.events()
        spent += frame * MESSAGES
        return MESSAGES, made

    return step


def unary(message: bytes) -> Step:
    """A whole call: both ends' work, headers, one message each way, trailers."""
    client, server = pair()
    prefix = encode_prefix(len(message))

    def step() -> tuple[int, object]:
        stream_id = client.open_stream(REQUEST)
        client.send_data(stream_id, prefix, message, end_stream=True)
        asked = server.receive(b"".join(client.take(ALL)), 0.0)
        for event in asked:
            if type(event) is HeadersReceived:
                server.send_headers(stream_id, RESPONSE)
        server.send_data(stream_id, prefix, message)
        server.send_headers(stream_id, TRAILERS, end_stream=True)
        answered = client.receive(b"".join(server.take(ALL)), 0.0)
        client.events()
        server.events()
        return 1, (asked, answered)

    return step


def open_close() -> Step:
    """A stream opened and ended without content: both ends' work."""
    client, server = pair()

    def step() -> tuple[int, object]:
        stream_id = client.open_stream(REQUEST, end_stream=True)
        asked = server.receive(b"".join(client.take(ALL)), 0.0)
        server.send_headers(stream_id, RESPONSE + TRAILERS, end_stream=True)
        return 1, (asked, client.receive(b"".join(server.take(ALL)), 0.0))

    return step
