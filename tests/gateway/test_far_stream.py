"""The supervisor's call as a byte stream, with the real server and the real client at its two ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.gateway.far_stream import FarStream
from pyopenshell.streams import Call, Channel, ClientCall, DataLeg, Endpoint, GrpcServer
from pyopenshell.streams.contract import StreamBroken, StreamClosed
from pyopenshell.wire.data_frames import data_header
from pyopenshell.wire.status import RemoteError


class Ends:
    """Both ends of one call: `far` is what is tested, `call` the supervisor's."""

    def __init__(self, far: FarStream, call: ClientCall) -> None:
        self.far = far
        self.call = call
        self.leg = DataLeg(call)


@pytest.fixture(params=[frozenset({1}), frozenset()], ids=["end", "no features"])
async def ends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ends]:
    made: asyncio.Future[FarStream] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def handle(call: Call) -> None:
        made.set_result(FarStream(call, request.param))
        await done.wait()

    server = GrpcServer({"/x": handle})
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(tmp_path / "s"))
    await server.serve(sock)
    channel = await Channel.connect(Endpoint(unix=str(tmp_path / "s")))
    call = await channel.open("/x")
    yield Ends(await made, call)
    done.set()
    await channel.close()
    await server.close()


async def everything(stream: FarStream | DataLeg) -> bytes:
    data = b""
    while chunk := await stream.read():
        data += bytes(chunk)
    return data


async def test_bytes_both_ways_and_both_ends(ends: Ends) -> None:
    data = bytes(range(256)) * 4000
    reading = asyncio.ensure_future(everything(ends.leg))
    await ends.far.write(data, b"", b"tail")
    await ends.far.end()
    await ends.far.end()
    assert await reading == data + b"tail"
    if ends.far._told:  # a supervisor without the feature was told by the end of its call
        reading = asyncio.ensure_future(everything(ends.far))
        await ends.leg.write(data)
        await ends.leg.end()
        assert await reading == data
        await ends.far.close()
        await ends.leg.close()
    with pytest.raises(StreamClosed):
        await ends.far.write(b"x")


async def test_an_abort_is_never_an_end(ends: Ends) -> None:
    await ends.far.write(b"x")
    ends.far.abort("crash")
    ends.far.abort("crash")
    with pytest.raises(StreamBroken):
        await everything(ends.leg)


async def test_the_supervisors_reset_is_told(ends: Ends) -> None:
    told = asyncio.Event()
    ends.far.on_break(told.set)
    ends.leg.abort()
    await told.wait()
    with pytest.raises(StreamBroken):
        await everything(ends.far)


async def test_an_end_inside_a_message(ends: Ends) -> None:
    await ends.call.write_raw(data_header(100), b"half")
    await ends.call.end()
    with pytest.raises(StreamBroken):
        await everything(ends.far)


async def test_garbage(ends: Ends) -> None:
    await ends.call.write_raw(b"\x01\xff\xff\xff\xff")
    with pytest.raises(StreamBroken):
        await everything(ends.far)


async def test_closing_before_both_have_ended_is_an_abort(ends: Ends) -> None:
    await ends.far.close()
    await ends.far.close()
    with pytest.raises(RemoteError):
        await ends.call.status()
