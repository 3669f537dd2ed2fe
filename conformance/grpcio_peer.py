"""The four kinds of RPC as grpcio plays them, and a channel to the test service (conformance/service.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from conformance.grpc.testing import empty_pb2, messages_pb2
from conformance.service import NAME

LIMIT = 4 << 20  # bytes of one message that the server takes at most
PATIENCE = 20.0  # seconds: a call that never ends is a failure, not a wait
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
