"""The server side of gRPC calls: `Call`, and the handlers' two typed forms (grpc/doc/PROTOCOL-HTTP2.md, "Responses").

A handler is an async function of a `Call`. It returns: status OK. It raises OpenShellError: the status that the table
in wire/status.py has for it. Anything else it raises is our bug: INTERNAL without a word, and the text in the log. When
the peer resets the call, or is lost, the handler's task is cancelled, unless a relay took the call over (`detach`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import Message

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import Header
from pyopenshell.streams.calls import MESSAGE_MAX, MESSAGE_SECONDS, MessageCall
from pyopenshell.streams.contract import Buffer
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.streams.peers import Peer
from pyopenshell.streams.strangers import MESSAGE
from pyopenshell.wire.metadata import Metadata, MetadataItems, encode_metadata
from pyopenshell.wire.status import GrpcStatus, status_fields

M = TypeVar("M", bound=Message)

CONTENT_TYPE = (b"content-type", b"application/grpc")
RESPONSE: tuple[Header, ...] = ((b":status", b"200"), CONTENT_TYPE)


class Call(MessageCall):
    """One RPC, server side. `deadline` is in the event loop's time, None where the client named none."""

    def __init__(
        self, stream: Http2Stream, path: str, metadata: Metadata, peer: Peer, deadline: float | None = None
    ) -> None:
        super().__init__(stream, MESSAGE_MAX if stream.connection.known else MESSAGE)
        self.on_known: Callable[[], None] = lambda: None
        self.path = path
        self.metadata = metadata
        self.peer = peer
        self.deadline = deadline
        self.detached = False
        self._headed = False
        self._finished = False

    def __repr__(self) -> str:
        return f"<Call {self.path} from {self.peer.address} {'finished' if self._finished else 'open'}>"

    async def read(self) -> Buffer | None:
        """The next request message, None after the last. Raises as `read_message`."""
        return await self.read_message()

    async def receive(self, kind: type[M]) -> M | None:
        """As `read`, parsed. Raises INVALID when it does not parse."""
        message = await self.read_message()
        return None if message is None else self.parse(kind, message)

    async def write_raw(self, *buffers: Buffer) -> None:
        """Send framed bytes; the response's headers go before the first."""
        self.start()
        await self.stream.write(*buffers)

    def start(self, metadata: MetadataItems = ()) -> None:
        """Send the response's headers now: the client learns that its call was taken. Idempotent: the first one counts.

        Raises INVALID for `metadata` that cannot travel.
        """
        if not self._headed:
            headers = [*RESPONSE, *encode_metadata(metadata)]
            self._headed = True
            self.stream.send_headers(headers)

    @property
    def finished(self) -> bool:
        """Whether the status was sent."""
        return self._finished

    async def finish(
        self,
        status: GrpcStatus = GrpcStatus.OK,
        message: str = "",
        trailers: MetadataItems = (),
        details: bytes = b"",
    ) -> None:
        """Send the status. Idempotent: the first one counts. What the peer still sends is thrown away.

        `details` is a serialized google.rpc.Status. Raises INVALID for `trailers` that cannot travel.
        """
        self.finish_now(status, message, trailers, details)
        if not self.stream.ended:
            self.stream.reset(ErrorCode.NO_ERROR)

    def finish_now(
        self,
        status: GrpcStatus = GrpcStatus.OK,
        message: str = "",
        trailers: MetadataItems = (),
        details: bytes = b"",
    ) -> None:
        """As `finish`, but the peer's direction stays open and is read on."""
        if self._finished:
            return
        headers: list[Header] = [] if self._headed else [*RESPONSE]
        headers += status_fields(status, message, details)
        headers += encode_metadata(trailers)
        self._finished = True
        if self.stream.broken is None:
            self.stream.send_headers(headers, end_stream=True)

    def abort(self, reason: str = "") -> None:
        """Break the call: an error status (ABORTED, `reason`) where the client can get it now, RST_STREAM otherwise."""
        if not self._finished and self.stream.broken is None and not self.stream.unsent:
            self.finish_now(GrpcStatus.ABORTED, reason)
            self.stream.reset(ErrorCode.NO_ERROR)
        else:
            self._finished = True
            self.stream.reset(ErrorCode.CANCEL)

    def known(self) -> None:
        """Somebody vouched for the caller: this connection is not a stranger's any more."""
        self.limit = MESSAGE_MAX
        self.on_known()

    def admit(self) -> None:
        """The caller may: open the receive window from 64 KiB to its admitted size."""
        self.stream.admit()

    def detach(self) -> None:
        """A relay has the call now: a peer's reset no longer cancels the handler, reading and writing tell of it."""
        self.detached = True


Handler = Callable[[Call], Awaitable[None]]


def unary(request_type: type[M], fn: Callable[[M, Call], Awaitable[Message]]) -> Handler:
    """A handler for one request message and one response message."""

    async def handle(call: Call) -> None:
        await call.send(await fn(await _request(call, request_type), call))

    return handle


def server_stream(request_type: type[M], fn: Callable[[M, Call], AsyncIterator[Message]]) -> Handler:
    """A handler for one request message and a stream of responses; `fn` is an async generator."""

    async def handle(call: Call) -> None:
        responses = fn(await _request(call, request_type), call)
        try:
            async for response in responses:
                await call.send(response)
        finally:
            close = getattr(responses, "aclose", None)
            if close is not None:
                await close()

    return handle


async def _request(call: Call, kind: type[M]) -> M:
    try:
        async with asyncio.timeout(MESSAGE_SECONDS):
            message = await call.read()
    except TimeoutError:
        call.stream.connection.hits.count("message_time")
        raise OpenShellError(Code.DEADLINE, "the request did not come in time") from None
    if message is None:
        raise OpenShellError(Code.INVALID, "the call has no request message")
    return call.parse(kind, message)
