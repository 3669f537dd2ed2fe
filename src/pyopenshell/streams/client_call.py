"""The client side of one gRPC call (grpc/doc/PROTOCOL-HTTP2.md, "Responses").

A call ends with a status: trailers after the messages, or one block of headers alone. What is lost before any answer is
UNAVAILABLE (asking again may be right), afterwards BROKEN.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from google.protobuf.message import Message

from pyopenshell.errors import Code
from pyopenshell.http2.codes import ErrorCode
from pyopenshell.streams.calls import MESSAGE_MAX, MessageCall
from pyopenshell.streams.contract import Buffer, StreamBroken
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.wire.metadata import Metadata, decode_metadata
from pyopenshell.wire.status import DETAILS, GrpcStatus, RemoteError, decode_details, decode_message, error_of_status

M = TypeVar("M", bound=Message)

#: What an HTTP status without a gRPC status means (grpc/doc/http-grpc-status-mapping.md); the rest is UNKNOWN.
_HTTP_STATUS = {
    b"400": GrpcStatus.INTERNAL,
    b"401": GrpcStatus.UNAUTHENTICATED,
    b"403": GrpcStatus.PERMISSION_DENIED,
    b"404": GrpcStatus.UNIMPLEMENTED,
    b"429": GrpcStatus.UNAVAILABLE,
    b"502": GrpcStatus.UNAVAILABLE,
    b"503": GrpcStatus.UNAVAILABLE,
    b"504": GrpcStatus.UNAVAILABLE,
}


class ClientCall(MessageCall):
    """One RPC, client side: `write`/`send`, `read`/`receive`, `end`, `cancel`, `status`."""

    def __init__(self, stream: Http2Stream, hop: str, timeout: float | None = None) -> None:
        super().__init__(stream, MESSAGE_MAX)
        self._hop = hop
        self._timer: asyncio.TimerHandle | None = None
        self._late = False  # the world ended the call when its deadline had passed already
        if timeout is not None:
            self._timer = asyncio.get_running_loop().call_later(timeout, self._expire)
            stream.on_over = self._over
        stream.admit()

    def __repr__(self) -> str:
        return f"<ClientCall {self.stream!r}>"

    async def read(self) -> Buffer | None:
        """The next response message; None when the call ended with OK. Another status raises RemoteError with its code.

        Raises StreamBroken (UNAVAILABLE before any answer, BROKEN afterwards, DEADLINE), StreamClosed after `cancel`.
        """
        try:
            message = await self.read_message()
        except StreamBroken as error:
            raise self.judged(error) from None
        if message is None:
            self.check_status()
        return message

    async def receive(self, kind: type[M]) -> M | None:
        """As `read`, parsed. Raises INVALID when it does not parse."""
        message = await self.read()
        return None if message is None else self.parse(kind, message)

    async def headers(self) -> Metadata:
        """The metadata of the response's headers, waiting for them."""
        try:
            await self.stream.wait_headers()
        except StreamBroken as error:
            raise self.judged(error) from None
        return decode_metadata(self.stream.headers)

    async def write_raw(self, *buffers: Buffer) -> None:
        """Send framed bytes. Raises what the call ended with, where it ended with an error."""
        try:
            await self.stream.write(*buffers)
        except StreamBroken as error:
            if self.stream.ended:
                self.check_status()
            raise self.judged(error) from None

    async def end(self) -> None:
        """No more requests: END_STREAM. Idempotent; nothing happens when the call has ended already."""
        if self.stream.ended and self.stream.broken is not None:
            return
        try:
            await self.stream.end()
        except StreamBroken as error:
            raise self.judged(error) from None

    def cancel(self, reason: str = "") -> None:
        """RST_STREAM CANCEL; every pending and later act of ours raises StreamClosed with `reason`. Idempotent."""
        self.stop_timer()
        self.stream.reset(ErrorCode.CANCEL, reason)

    async def status(self) -> None:
        """Wait for the end of the call, reading over what still comes; raise RemoteError where it is not OK."""
        try:
            while await self.read_raw():
                pass
        except StreamBroken as error:
            raise self.judged(error) from None
        self.check_status()

    def check_status(self) -> None:
        """After the end of the peer's direction: raise RemoteError unless the call ended with OK."""
        self.stop_timer()
        error = self.error
        if error is not None:
            raise error

    @property
    def error(self) -> RemoteError | None:
        """The status the call ended with, as an error; None for OK."""
        fields = dict(self.stream.trailers or self.stream.headers)
        value = fields.get(b"grpc-status")
        if value is not None:
            status = int(value) if value.isdigit() else int(GrpcStatus.UNKNOWN)
            if status == GrpcStatus.OK:
                return None
            return error_of_status(status, decode_message(fields.get(b"grpc-message", b"")), self._hop)
        http = dict(self.stream.headers).get(b":status", b"")
        words = f"{self._hop} ended the call without a gRPC status (HTTP {http.decode('ascii', 'replace') or 'none'})"
        return error_of_status(_HTTP_STATUS.get(http, GrpcStatus.UNKNOWN), words)

    @property
    def trailers(self) -> Metadata:
        """The metadata that came with the status."""
        return decode_metadata(self.stream.trailers or self.stream.headers)

    @property
    def details(self) -> bytes:
        """The serialized google.rpc.Status that came with the status; empty where none came."""
        return decode_details(dict(self.stream.trailers or self.stream.headers).get(DETAILS, b""))

    def judged(self, error: StreamBroken) -> StreamBroken:
        """The error to raise for a stream that broke."""
        if self._late:
            return self._too_late()
        if error.code is Code.BROKEN and not self.stream.headers:
            return StreamBroken(error.reason, code=Code.UNAVAILABLE, hint=error.hint)
        return error

    def _expire(self) -> None:
        self._timer = None
        self.stream.fail(self._too_late())

    def _over(self) -> None:
        """A server that keeps the deadline itself may reset the call a moment before our timer is looked at."""
        self._late = self._timer is not None and asyncio.get_running_loop().time() >= self._timer.when()
        self.stop_timer()

    def _too_late(self) -> StreamBroken:
        return StreamBroken(f"{self._hop} did not answer in time", code=Code.DEADLINE)

    def stop_timer(self) -> None:
        """The call is over, or given up: its deadline no longer matters."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
