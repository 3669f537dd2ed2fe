"""A grpcio client of the test service (conformance/service.py): plays every case and prints a line for each,
`ok NAME` or `FAIL NAME: why`, with the names of `conformance/go/grpcgo/calls.go`.

    python -m conformance.grpcio_client PORT [CA_FILE]

A process of its own, since that library keeps threads and descriptors for the life of its process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from conformance.grpc.testing import empty_pb2, messages_pb2
from conformance.service import NAME, STATUS_TEXT

LIMIT = 4 << 20  # bytes of one message that the server takes at most
PATIENCE = 20.0  # seconds: a call that never ends is a failure, not a wait
#: Far below what grpc's documents advise (10 s): each server may call it abuse, ours counts PING frames (http2/limits.py).
EAGER_PING_MS = 200
QUIET = 3.0  # seconds without a call: more than ten such pings

Items = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True)
class Kind:
    """One of the four kinds of RPC, with a method of the test service that is of this kind."""

    name: str
    method: str
    style: str
    request_type: Any
    reply_type: Any

    @property
    def sends_many(self) -> bool:
        return self.style.startswith("stream")

    @property
    def answers_many(self) -> bool:
        return self.style.endswith("stream")

    def request(self, body: int, answer: int = 0) -> Any:
        request = self.request_type()
        request.payload.body = bytes(body)
        if self.name == "unary":
            request.response_size = answer
        elif self.answers_many:
            request.response_parameters.add(size=answer)
        return request

    def body(self, reply: Any) -> int:
        if self.name == "client-stream":
            return int(reply.aggregated_payload_size)
        return len(reply.payload.body)


KINDS = (
    Kind("unary", "UnaryCall", "unary_unary", messages_pb2.SimpleRequest, messages_pb2.SimpleResponse),
    Kind(
        "client-stream",
        "StreamingInputCall",
        "stream_unary",
        messages_pb2.StreamingInputCallRequest,
        messages_pb2.StreamingInputCallResponse,
    ),
    Kind(
        "server-stream",
        "StreamingOutputCall",
        "unary_stream",
        messages_pb2.StreamingOutputCallRequest,
        messages_pb2.StreamingOutputCallResponse,
    ),
    Kind(
        "bidi",
        "FullDuplexCall",
        "stream_stream",
        messages_pb2.StreamingOutputCallRequest,
        messages_pb2.StreamingOutputCallResponse,
    ),
)


class Played:
    """One call, begun: its replies, headers, trailers and status are read from here."""

    def __init__(self, call: Any, many: bool) -> None:
        self.call = call
        self._many = many

    def replies(self) -> list[Any]:
        """Wait for the end. Raises grpc.RpcError for a status other than OK."""
        return list(self.call) if self._many else [self.call.result()]

    def fails(self) -> grpc.StatusCode:
        """Wait for the end, which is no OK."""
        try:
            self.replies()
        except (grpc.RpcError, grpc.FutureCancelledError):
            return self.call.code()
        raise AssertionError("the call ended with OK")

    def trailers(self) -> dict[str, Any]:
        return dict(self.call.trailing_metadata())


class Peer:
    """A channel to the test service."""

    def __init__(self, port: str, ca: str | None, *options: tuple[str, Any]) -> None:
        self.port = port
        address, always = f"localhost:{port}", (("grpc.max_receive_message_length", 2 * LIMIT), *options)
        if ca is None:
            self.channel = grpc.insecure_channel(address, always)
        else:
            self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(Path(ca).read_bytes()), always)

    def method(self, kind: Kind) -> Any:
        make = getattr(self.channel, kind.style)
        return make(f"/{NAME}/{kind.method}", kind.request_type.SerializeToString, kind.reply_type.FromString)

    def begin(self, kind: Kind, requests: list[Any], metadata: Items = (), *, timeout: float = PATIENCE) -> Played:
        method = self.method(kind)
        first: Any = iter(requests) if kind.sends_many else requests[0]
        if kind.style.endswith("unary"):
            method = method.future
        return Played(method(first, timeout=timeout, metadata=metadata), kind.answers_many)

    def ask(self, key: str, watch: str) -> dict[str, Any]:
        """What the service tells of a watched call, in the trailers."""
        method = self.channel.unary_unary(
            f"/{NAME}/EmptyCall", empty_pb2.Empty.SerializeToString, empty_pb2.Empty.FromString
        )
        _, call = method.with_call(empty_pb2.Empty(), timeout=PATIENCE, metadata=[(key, watch)])
        return dict(call.trailing_metadata())

    def outcome(self, watch: str) -> object:
        """How the handler of a watched call ended."""
        return self.ask("conformance-outcome", watch)["conformance-outcome"]

    def held(self, kind: Kind, watch: str, timeout: float = PATIENCE) -> Played:
        """A call that the server holds for ever; its handler runs."""
        asked: Items = [("conformance-end", "hold"), ("conformance-watch", watch)]
        played = self.begin(kind, [kind.request(1, 1)], asked, timeout=timeout)
        self.ask("conformance-begun", watch)
        return played

    def watch(self, what: str, kind: Kind) -> str:
        return f"grpcio-{what}-{kind.name}-{self.port}"


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
    same(peer.held(kind, watch, timeout=1.0).fails(), grpc.StatusCode.DEADLINE_EXCEEDED)
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
