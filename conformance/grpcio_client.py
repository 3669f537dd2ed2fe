"""A grpcio client of the test service (conformance/service.py): plays every case and prints a line for each,
`ok NAME` or `FAIL NAME: why`, with the names of `conformance/go/grpcgo/calls.go`.

    python -m conformance.grpcio_client PORT [CA_FILE]

A process of its own, since that library keeps threads and descriptors for the life of its process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc

from conformance.grpc.testing import messages_pb2
from conformance.grpcio_peer import KINDS, LIMIT, PATIENCE, Items, Kind, Peer
from conformance.service import STATUS_TEXT

#: What is asked for; grpcio sends about one PING a second then, ten times as many as its documents call wise. Each server
#: may call it abuse: ours counts PING frames (http2/limits.py).
EAGER_PING_MS = 200
#: Seconds of a call that must not end before its handler runs, on a busy machine too.
DEADLINE = 2.0
QUIET = 3.0  # seconds without a call: several such pings


def same(got: object, sent: object) -> None:
    assert got == sent, f"got {got!r:.200}, not {sent!r:.200}"


def metadata(peer: Peer, kind: Kind) -> None:
    sent: dict[str, str | bytes] = {
        "echo-text": "plain, with = and ~",
        "echo-empty": "",
        "echo-long": "x" * 4096,
        "echo-bin": bytes(range(256)),
        "echo-none-bin": b"",
        "echo-one-bin": b"\0",
    }
    played = peer.begin(kind, [kind.request(1, 1)], [*sent.items(), ("echo-twice", "a"), ("echo-twice", "b")])
    played.replies()
    sent["echo-twice"] = "a,b"
    for got in (dict(played.call.initial_metadata()), played.trailers()):
        same({key: value for key, value in got.items() if key.startswith("echo-")}, sent)


def body_of(size: int, build: Callable[[int], Any]) -> int:
    """The body that makes a message `size` bytes long when it is serialized."""
    around = 2 * size - build(size).ByteSize()
    return next(body for body in range(around, around + 3) if build(body).ByteSize() == size)


def sizes(peer: Peer, kind: Kind) -> None:
    near = (16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1)
    for size in (0, 1, *near):
        same([kind.body(reply) for reply in peer.begin(kind, [kind.request(size, size)]).replies()], [size])
    for size in (*near, LIMIT - 1, LIMIT):
        peer.begin(kind, [kind.request(body_of(size, kind.request))]).replies()
    if kind.name == "client-stream":
        return  # its reply is a number
    for size in (LIMIT - 1, LIMIT, LIMIT + 1):  # the limit is for what a side takes

        def reply(body: int) -> Any:
            return messages_pb2.SimpleResponse(payload=messages_pb2.Payload(body=bytes(body)))

        replies = peer.begin(kind, [kind.request(1, body_of(size, reply))]).replies()
        same([reply.ByteSize() for reply in replies], [size])


def over_the_limit(peer: Peer, kind: Kind) -> None:
    request = kind.request(body_of(LIMIT + 1, kind.request))
    same(peer.begin(kind, [request]).fails(), grpc.StatusCode.RESOURCE_EXHAUSTED)


def deadline(peer: Peer, kind: Kind) -> None:
    watch = peer.watch("deadline", kind)
    same(peer.held(kind, watch, timeout=DEADLINE).fails(), grpc.StatusCode.DEADLINE_EXCEEDED)
    same(peer.outcome(watch), "cancelled")


def deadline_arrives(peer: Peer, kind: Kind) -> None:
    for seconds in (PATIENCE, 1800.0, 324_000.0):
        played = peer.begin(kind, [kind.request(1, 1)], timeout=seconds)
        played.replies()
        left = int(played.trailers()["conformance-deadline-ms"]) / 1000
        # What the way took is missing; grpc rounds up to three digits. A wrong unit or digit is much more.
        assert seconds - PATIENCE <= left <= seconds * 1.02, f"of {seconds} s arrived {left} s"


def client_cancels(peer: Peer, kind: Kind) -> None:
    watch = peer.watch("cancel", kind)
    played = peer.held(kind, watch)
    played.call.cancel()
    same(played.fails(), grpc.StatusCode.CANCELLED)
    same(peer.outcome(watch), "cancelled")


def server_ends(peer: Peer, kind: Kind, how: str, code: grpc.StatusCode) -> None:
    requests = [kind.request(1, 1)] * (2 if kind.sends_many else 1)
    same(peer.begin(kind, requests, [("conformance-end", how)]).fails(), code)


def server_resets(peer: Peer, kind: Kind) -> None:
    server_ends(peer, kind, "reset", grpc.StatusCode.CANCELLED)


def server_aborts(peer: Peer, kind: Kind) -> None:
    server_ends(peer, kind, "abort", grpc.StatusCode.ABORTED)


def details(peer: Peer, kind: Kind) -> None:
    raw = b"\x08\x09\x12\x01x"  # google.rpc.Status{code: 9, message: "x"}
    asked: Items = [("conformance-status", "9"), ("conformance-details-bin", raw), ("echo-x", "y")]
    played = peer.begin(kind, [kind.request(1, 1)], asked)
    same(played.fails(), grpc.StatusCode.FAILED_PRECONDITION)
    same(played.call.details(), STATUS_TEXT)
    same(played.trailers()["grpc-status-details-bin"], raw)
    same(played.trailers()["echo-x"], "y")


def gzip_offered(peer: Peer, kind: Kind) -> None:
    # grpcio offers gzip and deflate in grpc-accept-encoding by itself, and hides the answer's; the raw checks see it.
    same([kind.body(reply) for reply in peer.begin(kind, [kind.request(1000, 1000)]).replies()], [1000])


def gzip_refused(peer: Peer, kind: Kind) -> None:
    request = kind.request(1000, 1000)
    try:  # in blocking form: grpcio forgets the compression of `stream_unary(...).future`
        answer = peer.method(kind)(
            iter([request]) if kind.sends_many else request, timeout=PATIENCE, compression=grpc.Compression.Gzip
        )
        list(answer if kind.answers_many else ())
    except grpc.RpcError as error:
        same(error.code(), grpc.StatusCode.UNIMPLEMENTED)
    else:
        raise AssertionError("a compressed request was taken")


CASES = (
    metadata,
    sizes,
    over_the_limit,
    deadline,
    deadline_arrives,
    client_cancels,
    server_resets,
    server_aborts,
    details,
    gzip_offered,
    gzip_refused,
)


def kept_alive(port: str, ca: str | None) -> None:
    """One connection, idle and with a call open, pinged far oftener than is usual."""
    peer = Peer(
        port,
        ca,
        ("grpc.keepalive_time_ms", EAGER_PING_MS),
        ("grpc.keepalive_timeout_ms", 5000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    )
    kind = KINDS[0]

    def address() -> str:
        played = peer.begin(kind, [kind.request(1, 1)])
        played.replies()
        return str(played.trailers()["conformance-peer"])

    before = address()
    same(peer.held(kind, peer.watch("keepalive", kind), timeout=QUIET).fails(), grpc.StatusCode.DEADLINE_EXCEEDED)
    time.sleep(QUIET)  # what is tested here is a silence
    same(address(), before)


def plays(port: str, ca: str | None) -> Iterator[tuple[str, Callable[[], None]]]:
    peer = Peer(port, ca)
    for case in CASES:
        for kind in KINDS:
            yield f"{case.__name__.replace('_', '-')}/{kind.name}", partial(case, peer, kind)
    yield "keepalive", partial(kept_alive, port, ca)


def main(port: str, ca: str | None = None) -> int:
    failed = False
    for name, play in plays(port, ca):
        try:
            play()
        except Exception as error:
            failed = True
            print(f"FAIL {name}: {str(error).replace(chr(10), ' ')[:400] or type(error).__name__}", flush=True)
        else:
            print(f"ok {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
