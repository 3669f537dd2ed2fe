"""The client side of gRPC calls: one warm connection, many calls."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from pyopenshell.streams.contract import Buffer

M = TypeVar("M", bound=Message)
MetadataItems = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gateway listens: `host` and `port`, or `unix` (a path). `server_name` overrides the TLS name."""

    host: str = ""
    port: int = 0
    unix: str = ""
    server_name: str = ""


class ClientCall:
    """One RPC, client side."""

    async def read(self) -> Buffer | None:
        """The next response message; None when the call ended with OK. Another status raises RemoteError with its code."""
        raise NotImplementedError

    async def receive(self, kind: type[M]) -> M | None:
        """As `read`, parsed."""
        raise NotImplementedError

    async def write(self, message: Buffer) -> None:
        """Send one request message (its serialized bytes)."""
        raise NotImplementedError

    async def send(self, message: Message) -> None:
        """As `write`, serialized here."""
        raise NotImplementedError

    async def end(self) -> None:
        """No more requests: END_STREAM."""
        raise NotImplementedError

    def cancel(self, reason: str = "") -> None:
        """RST_STREAM CANCEL; every pending act of ours raises StreamClosed. Idempotent."""
        raise NotImplementedError

    async def status(self) -> None:
        """Wait for the end of the call, reading over what still comes; raise RemoteError where it is not OK."""
        raise NotImplementedError


class Channel:
    """One HTTP/2 connection to a gateway. Lost: every open call raises, `closed` is set, and a new one must be connected."""

    @classmethod
    async def connect(
        cls, endpoint: Endpoint, tls: ssl.SSLContext | None = None, *, timeout: float = 10.0, name: str = "the gateway"
    ) -> Channel:
        """Connect and shake hands. Raises OpenShellError(UNAVAILABLE) that names the hop."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether the connection is gone (or draining: no new call can be opened)."""
        raise NotImplementedError

    async def wait_closed(self) -> str:
        """Wait until the connection is gone; the reason."""
        raise NotImplementedError

    async def unary(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        metadata: MetadataItems = (),
        timeout: float | None = None,
    ) -> M:
        """One request, one response. Raises RemoteError; UNAVAILABLE (lost before any answer), BROKEN (afterwards), DEADLINE."""
        raise NotImplementedError

    def stream(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        metadata: MetadataItems = (),
        timeout: float | None = None,
    ) -> AsyncIterator[M]:
        """One request, a stream of responses. Close the iterator to cancel."""
        raise NotImplementedError

    async def open(self, path: str, *, metadata: MetadataItems = (), timeout: float | None = None) -> ClientCall:
        """Open a call with streams both ways."""
        raise NotImplementedError

    async def ping(self) -> float:
        """Round trip of one HTTP/2 PING, in seconds."""
        raise NotImplementedError

    async def close(self) -> None:
        """GOAWAY and close; open calls raise StreamClosed."""
        raise NotImplementedError
