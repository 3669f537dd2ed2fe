"""The server side of gRPC calls: `Call`, handlers, and `GrpcServer` that listens (gRPC over HTTP/2, grpc/doc/PROTOCOL-HTTP2.md)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from pyopenshell.streams.contract import Buffer, ByteStream
from pyopenshell.wire.status import GrpcStatus

M = TypeVar("M", bound=Message)
Metadata = Mapping[str, str | bytes]


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as far as the connection itself tells."""

    tls_cert_der: bytes | None = None
    unix_uid: int | None = None
    address: str = ""


class Call:
    """One RPC, server side. Attributes: path, metadata (lower-case; `-bin` values are bytes), peer, deadline (loop time or None)."""

    path: str
    metadata: Metadata
    peer: Peer
    deadline: float | None

    async def read(self) -> Buffer | None:
        """The next request message, None after the last. Raises StreamBroken; OpenShellError for one over the limit."""
        raise NotImplementedError

    async def receive(self, kind: type[M]) -> M | None:
        """As `read`, parsed. Raises INVALID when it does not parse."""
        raise NotImplementedError

    async def write(self, message: Buffer) -> None:
        """Send one response message (its serialized bytes)."""
        raise NotImplementedError

    async def send(self, message: Message) -> None:
        """As `write`, serialized here."""
        raise NotImplementedError

    async def finish(
        self,
        status: GrpcStatus = GrpcStatus.OK,
        message: str = "",
        trailers: Iterable[tuple[str, str | bytes]] = (),
    ) -> None:
        """Send the trailers. Idempotent: the first one counts. A handler that returns has finished with OK."""
        raise NotImplementedError

    def abort(self, reason: str = "") -> None:
        """Break the call: RST_STREAM CANCEL."""
        raise NotImplementedError

    def admit(self) -> None:
        """Open the receive window from 64 KiB to its admitted size (1 MiB, growing): the caller may."""
        raise NotImplementedError

    def raw(self) -> ByteStream:
        """The rest of the call as raw gRPC bytes: see legs.RawLeg."""
        raise NotImplementedError


Handler = Callable[[Call], Awaitable[None]]


def unary(request_type: type[M], fn: Callable[[M, Call], Awaitable[Message]]) -> Handler:
    """A handler for one request message and one response message."""
    raise NotImplementedError


def server_stream(request_type: type[M], fn: Callable[[M, Call], AsyncIterator[Message]]) -> Handler:
    """A handler for one request message and a stream of responses; `fn` is an async generator."""
    raise NotImplementedError


class GrpcServer:
    """Serves `handlers` (path -> handler) on any number of listening sockets."""

    def __init__(self, handlers: Mapping[str, Handler], *, name: str = "gateway") -> None: ...

    async def serve(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Start to accept on the bound socket `sock` (TCP or Unix); returns at once. May be called for several sockets."""

    async def drain(self, timeout: float) -> None:
        """Stop accepting, GOAWAY, wait for open calls up to `timeout` seconds, then close."""

    async def close(self) -> None:
        """Cancel every call and close every connection and listener."""
