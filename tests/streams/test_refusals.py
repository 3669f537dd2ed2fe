"""Requests that reach no handler, as a client sees the answers."""

from __future__ import annotations

import pytest

from pyopenshell.http2.events import Header
from pyopenshell.streams import Channel
from pyopenshell.streams.http2_stream import Http2Stream
from pyopenshell.streams.refusals import is_grpc
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.streams.test_listener import HANDLERS
from tests.support.stream_pairs import running


async def ask_raw(channel: Channel, *fields: Header, method: bytes = b"POST") -> Http2Stream:
    prelude = [(b":method", method), *channel._prelude[1:]]
    return await channel._connection.open_stream([*prelude, (b":path", b"/h"), *fields])


async def test_an_unknown_path_is_unimplemented() -> None:
    async with running(HANDLERS) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        with pytest.raises(RemoteError, match="unknown call /nowhere") as caught:
            await channel.unary("/nowhere", pb.HealthRequest(), pb.HealthResponse)
        assert caught.value.status is GrpcStatus.UNIMPLEMENTED
        await channel.close()


async def test_compression_is_unimplemented_and_what_is_taken_is_told() -> None:
    async with running(HANDLERS) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        stream = await ask_raw(channel, (b"content-type", b"application/grpc+proto"), (b"grpc-encoding", b"gzip"))
        await stream.wait_headers()
        assert dict(stream.headers)[b"grpc-status"] == b"12"
        assert dict(stream.headers)[b"grpc-accept-encoding"] == b"identity"
        assert await stream.read() == b""
        stream.reset()
        await channel.close()


@pytest.mark.parametrize("kind", [b"text/html", b"application/grpcx", b"application/json", None])
async def test_what_is_not_grpc_gets_http_415_and_a_line_for_people(kind: bytes | None) -> None:
    async with running(HANDLERS) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        stream = await ask_raw(channel, *([] if kind is None else [(b"content-type", kind)]), method=b"GET")
        await stream.wait_headers()
        fields = dict(stream.headers)
        text = bytes(await stream.read())
        assert (fields[b":status"], fields[b"content-type"]) == (b"415", b"text/plain")
        assert b"speaks gRPC" in text
        assert await stream.read() == b""
        stream.reset()
        await channel.close()


async def test_an_answer_to_head_has_no_content() -> None:
    async with running(HANDLERS) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        stream = await ask_raw(channel, method=b"HEAD")
        await stream.wait_headers()
        assert await stream.read() == b""
        stream.reset()
        await channel.close()


async def test_one_who_never_reads_the_line_holds_nothing_once_gone() -> None:
    async with running(HANDLERS) as (server, endpoint):
        channel = await Channel.connect(endpoint)
        stream = await ask_raw(channel, method=b"GET")
        await stream.wait_headers()
        await channel.close()
        await server.close()
        assert server.calls == 0


@pytest.mark.parametrize(
    ("method", "kind", "told"),
    [
        (b"POST", b"application/grpc", True),
        (b"POST", b"application/grpc+proto", True),
        (b"POST", b"application/grpc;x=y", True),
        (b"GET", b"application/grpc", False),
        (b"POST", b"application/grpc-web", False),
    ],
)
def test_is_grpc(method: bytes, kind: bytes, told: bool) -> None:
    assert is_grpc({b":method": method, b"content-type": kind}) is told
