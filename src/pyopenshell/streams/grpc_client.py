"""The client side of gRPC: `Channel` is one warm HTTP/2 connection to a gateway, many calls at once.

A lost connection is not mended here: every open call raises, `closed` is true, and whoever owns the channel connects a
new one, because only the owner knows what may be asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message

from pyopenshell.http2.codes import Role
from pyopenshell.http2.events import Header
from pyopenshell.http2.limits import Limits
from pyopenshell.streams.approach import Approach, Endpoint, clock_words
from pyopenshell.streams.client_call import ClientCall
from pyopenshell.streams.contract import StreamBroken
from pyopenshell.streams.http2 import LIMITS, Http2Connection
from pyopenshell.streams.proxies import Proxy
from pyopenshell.streams.segments import Segments
from pyopenshell.wire.metadata import MetadataItems, encode_metadata, encode_timeout

if TYPE_CHECKING:
    import ssl

__all__ = ["CONNECT_TIMEOUT", "Channel", "Endpoint", "clock_words"]

M = TypeVar("M", bound=Message)

#: Seconds to connect and shake hands.
CONNECT_TIMEOUT = 10.0
#: Seconds that `close` waits for the connection to be gone, before it is cut.
CLOSE_TIMEOUT = 1.0


class Channel:
    """One HTTP/2 connection to a gateway."""

    def __init__(self, connection: Http2Connection, endpoint: Endpoint, name: str, scheme: bytes) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._name = name
        authority = "localhost" if endpoint.unix else str(endpoint)  # a Unix socket has no authority: as grpc does
        self._prelude: list[Header] = [
            (b":method", b"POST"),
            (b":scheme", scheme),
            (b":authority", authority.encode()),
        ]

    def __repr__(self) -> str:
        return f"<Channel {self._endpoint} {self._connection!r}>"

    @classmethod
    async def connect(
        cls,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None = None,
        *,
        timeout: float = CONNECT_TIMEOUT,
        name: str = "the gateway",
        limits: Limits = LIMITS,
        proxy: Proxy | None = None,
        path: Segments | None = None,
    ) -> Channel:
        """Connect and shake hands, by way of `proxy` where there is one; `path` keeps what its owner's connections learned.

        Raises UNAVAILABLE that names the hop, UNAUTHENTICATED for a certificate not trusted.
        """

        def protocol() -> Http2Connection:
            return Http2Connection(Role.CLIENT, hop=name, limits=limits)

        _, connection = await Approach(endpoint, tls, protocol, name=name, proxy=proxy, path=path).connect(timeout)
        if path is not None:
            connection.lost.add_done_callback(lambda _: path.ended(connection.liveness.unanswered))
        return cls(connection, endpoint, name, b"https" if tls is not None else b"http")

    @property
    def closed(self) -> bool:
        """Whether no new call can be opened: the connection is gone, or draining."""
        return not self._connection.usable

    @property
    def established(self) -> bool:
        """Whether the server has said anything of HTTP/2: before, it may be none, or may refuse our certificate."""
        return self._connection.engine.established

    async def wait_closed(self) -> str:
        """Wait until the connection is gone; the reason."""
        return await asyncio.shield(self._connection.lost)

    async def open(self, path: str, *, metadata: MetadataItems = (), timeout: float | None = None) -> ClientCall:
        """Open a call with streams both ways; `timeout` in seconds is for all of it. Raises UNAVAILABLE, INVALID."""
        headers = [
            *self._prelude,
            (b":path", path.encode()),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", b"pyopenshell"),
            *encode_metadata(metadata),
        ]
        if timeout is not None:
            headers.append((b"grpc-timeout", encode_timeout(timeout)))
        return ClientCall(await self._connection.open_stream(headers), self._name, timeout)

    async def unary(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        metadata: MetadataItems = (),
        timeout: float | None = None,
    ) -> M:
        """One request, one response. Raises RemoteError, UNAVAILABLE (lost before any answer), BROKEN, DEADLINE."""
        call = await self.open(path, metadata=metadata, timeout=timeout)
        try:
            await self._ask(call, request)
            response = await call.receive(response_type)
            if response is None:
                raise StreamBroken(f"{self._name} ended the call without an answer")
            await call.status()
            return response
        finally:
            call.cancel()

    async def stream(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        metadata: MetadataItems = (),
        timeout: float | None = None,
    ) -> AsyncGenerator[M, None]:
        """One request, a stream of responses. Close the iterator to cancel. Raises as `unary`."""
        call = await self.open(path, metadata=metadata, timeout=timeout)
        try:
            await self._ask(call, request)
            while (response := await call.receive(response_type)) is not None:
                yield response
        finally:
            call.cancel()

    async def _ask(self, call: ClientCall, request: Message) -> None:
        """Send the only request. A server may answer before it has read all of it: then the answer counts."""
        try:
            await call.send(request)
            await call.end()
        except StreamBroken:
            if not call.stream.ended:
                raise

    async def ping(self) -> float:
        """Round trip of one HTTP/2 PING, in seconds."""
        return await self._connection.ping()

    async def close(self) -> None:
        """Cut every open call (they raise StreamBroken), say GOAWAY and close."""
        connection = self._connection
        if not connection.lost.done():
            connection.finish("we closed the connection")
            await asyncio.wait([connection.lost], timeout=CLOSE_TIMEOUT)
            connection.abort("we closed the connection")
            await asyncio.shield(connection.lost)
