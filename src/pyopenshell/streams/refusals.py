"""What a server answers where no handler is asked: not gRPC, compressed, unknown (grpc/doc/PROTOCOL-HTTP2.md, "Requests").

| the request                                   | the answer                                                           |
|-----------------------------------------------|----------------------------------------------------------------------|
| no POST, or another content type              | HTTP 415, and a line of text for the person whose browser came here  |
| messages compressed (`grpc-encoding`)         | UNIMPLEMENTED, and what is taken instead (grpc/doc/compression.md)   |
| a path that nobody serves                     | UNIMPLEMENTED                                                        |
"""

from __future__ import annotations

from collections.abc import Mapping

from pyopenshell.http2.codes import ErrorCode
from pyopenshell.http2.events import Header
from pyopenshell.streams.contract import StreamClosed
from pyopenshell.streams.grpc_server import RESPONSE, Call
from pyopenshell.wire.status import GrpcStatus, clean, status_fields

_SUFFIXED = (b"application/grpc+", b"application/grpc;")
_WORDS = b"What listens here speaks gRPC (content type application/grpc).\n"
_UNSUPPORTED: list[Header] = [(b":status", b"415"), (b"content-type", b"text/plain")]
_ACCEPTED: Header = (b"grpc-accept-encoding", b"identity")


def is_grpc(fields: Mapping[bytes, bytes]) -> bool:
    """Whether a request is one of gRPC: POST, and a content type of `application/grpc` with or without a suffix."""
    kind = fields.get(b"content-type", b"")
    return fields.get(b":method") == b"POST" and (kind == b"application/grpc" or kind[:17] in _SUFFIXED)


async def not_grpc(call: Call) -> None:
    """HTTP's own answer, 415. Raises StreamClosed: the call is answered."""
    head = dict(call.stream.headers).get(b":method") == b"HEAD"  # RFC 9110 section 9.3.2: the answer has no content
    call.stream.send_headers(_UNSUPPORTED, end_stream=head)
    if not head:
        await call.stream.write(_WORDS)
        await call.stream.end()
    call.stream.reset(ErrorCode.NO_ERROR)
    raise StreamClosed


async def compressed(call: Call) -> None:
    """UNIMPLEMENTED, with the encodings that are taken. Raises StreamClosed: the call is answered."""
    status = status_fields(GrpcStatus.UNIMPLEMENTED, "compressed messages are not taken")
    call.stream.send_headers([*RESPONSE, _ACCEPTED, *status], end_stream=True)
    call.stream.reset(ErrorCode.NO_ERROR)
    raise StreamClosed


async def unknown(call: Call) -> None:
    """UNIMPLEMENTED, naming the path."""
    await call.finish(GrpcStatus.UNIMPLEMENTED, f"unknown call {clean(call.path, 200)}")
