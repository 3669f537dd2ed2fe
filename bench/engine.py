"""What the HTTP/2 engine costs by itself: no socket, no loop, one process.

    .venv/bin/python -m bench.engine [SECONDS]

Each line is one case, run for SECONDS of CPU time (default 1; of CPU time so that a busy machine does not show): how
often a second, what one costs, and the payload it moves. `in` is `Connection.receive` over bytes made before, windows
given back as a reader would; `out` is `send_data`, `take` and `events`.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from time import process_time

from pyopenshell.http2 import Connection, DataReceived, Event, HeadersReceived, Limits, Role, encode_prefix
from pyopenshell.http2.codes import MAX_WINDOW
from pyopenshell.http2.frame_writer import data_header, window_update

REQUEST = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":path", b"/openshell.v1.OpenShell/ForwardTcp"),
    (b":authority", b"127.0.0.1:8443"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"pyopenshell/0.1"),
    (b"authorization", b"Bearer " + b"t" * 200),
]
RESPONSE = [(b":status", b"200"), (b"content-type", b"application/grpc")]
TRAILERS = [(b"grpc-status", b"0")]

Step = Callable[[], int]  # does some units of work, returns how many


def exchange(client: Connection, server: Connection) -> list[Event]:
    """Pass everything that waits, both ways; return what either was told."""
    events: list[Event] = []
    while client.want_write or server.want_write:
        events += server.receive(b"".join(client.take(2**20)), 0.0)
        events += client.receive(b"".join(server.take(2**20)), 0.0)
    return events


def pair() -> tuple[Connection, Connection]:
    limits = Limits(max_frame=2**20, turn=2**20)
    client, server = Connection(Role.CLIENT, limits), Connection(Role.SERVER, limits)
    exchange(client, server)
    return client, server


def data_in(frame: int, chunk: int, piece: int | None = None) -> Step:
    """Frames of `frame` bytes, received `chunk` bytes at a time."""
    client, server = pair()
    stream_id = client.open_stream(REQUEST)
    exchange(client, server)
    server.set_window(stream_id, MAX_WINDOW)
    count = max(1, chunk // frame)
    wire = memoryview((data_header(frame, stream_id, False) + bytes(frame)) * count)
    pieces = [wire[at : at + (piece or chunk)] for at in range(0, len(wire), piece or chunk)] if piece else [wire]

    def step() -> int:
        for part in pieces:
            for event in server.receive(part, 0.0):
                if type(event) is DataReceived:
                    server.give_back(event.stream_id, event.flow)
        if server.want_write:
            server.take(2**20)
        return count

    return step


def data_out(frame: int) -> Step:
    """Messages that make one frame each, with their gRPC prefix."""
    client, server = pair()
    stream_id = client.open_stream(REQUEST)
    exchange(client, server)
    payload, prefix = bytes(frame - 5), encode_prefix(frame - 5)
    spent = 0
    client.receive(window_update(stream_id, MAX_WINDOW // 2), 0.0)

    def step() -> int:
        nonlocal spent
        if spent > MAX_WINDOW // 4:
            client.receive(window_update(stream_id, spent) + window_update(0, spent), 0.0)
            spent = 0
        client.send_data(stream_id, prefix, payload)
        client.take(2**20)
        client.events()
        spent += frame
        return 1

    return step


def unary(message: bytes) -> Step:
    """A whole call: both ends' work, headers, one message each way, trailers."""
    client, server = pair()
    prefix = encode_prefix(len(message))

    def step() -> int:
        stream_id = client.open_stream(REQUEST)
        client.send_data(stream_id, prefix, message, end_stream=True)
        for event in server.receive(b"".join(client.take(2**20)), 0.0):
            if type(event) is HeadersReceived:
                server.send_headers(stream_id, RESPONSE)
        server.send_data(stream_id, prefix, message)
        server.send_headers(stream_id, TRAILERS, end_stream=True)
        client.receive(b"".join(server.take(2**20)), 0.0)
        client.events()
        server.events()
        return 1

    return step


def open_close() -> Step:
    """A stream opened and ended without content: both ends' work."""
    client, server = pair()

    def step() -> int:
        stream_id = client.open_stream(REQUEST, end_stream=True)
        server.receive(b"".join(client.take(2**20)), 0.0)
        server.send_headers(stream_id, RESPONSE + TRAILERS, end_stream=True)
        client.receive(b"".join(server.take(2**20)), 0.0)
        return 1

    return step


def measure(name: str, step: Step, payload: int, seconds: float) -> None:
    for _ in range(20):
        step()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    units = step()
    kept = tracemalloc.get_traced_memory()[0] - before
    peak = (tracemalloc.get_traced_memory()[1] - before) / units
    tracemalloc.stop()
    units, start = 0, process_time()
    while (spent := process_time() - start) < seconds:
        for _ in range(16):
            units += step()
    rate = units / spent
    moved = f"{rate * payload / 1e6:12,.0f} MB/s" if payload else " " * 17
    print(f"{name:<44}{rate:12,.0f} /s {1e6 / rate:9.2f} us{moved}{peak:10,.0f} B peak each{kept:8,} B kept")


def main(seconds: float) -> None:
    measure("in: DATA 64 B, 256 KiB chunks", data_in(64, 2**18), 64, seconds)
    measure("in: DATA 1 KiB, 256 KiB chunks", data_in(2**10, 2**18), 2**10, seconds)
    for size in (2**14, 2**16, 2**18, 2**20):
        measure(f"in: DATA {size >> 10} KiB, 256 KiB chunks", data_in(size, max(size, 2**18), 2**18), size, seconds)
    measure("in: DATA 64 KiB, 16 KiB chunks", data_in(2**16, 2**16, 2**14), 2**16, seconds)
    for size in (64, 2**10, 2**14, 2**16, 2**18, 2**20):
        measure(f"out: DATA {size if size < 1024 else f'{size >> 10} Ki'}B", data_out(size), size, seconds)
    measure("stream opened and ended, both ends", open_close(), 0, seconds)
    measure("unary call of 100 B, both ends", unary(bytes(100)), 0, seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
