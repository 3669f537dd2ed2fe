"""The end of a direction at the gateway (design, decision 2), with peers of ours and foreign ones in each role."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import Outcome
from pyopenshell.streams import FEATURE_END, Channel, ClientCall, StreamClosed
from pyopenshell.streams.raw_leg import RawLeg
from pyopenshell.wire.data_frames import END_MESSAGE
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.stream_pairs import FORWARD, RELAY, MiniGateway, running


@dataclass
class World:
    """Two plain clients of a gateway, that see every message."""

    gateway: MiniGateway
    near: ClientCall
    far: ClientCall
    channels: list[Channel]

    async def say(self, call: ClientCall, data: bytes) -> None:
        await call.send(pb.TcpForwardFrame(data=data))


@asynccontextmanager
async def world(near_knows: bool = True, far_knows: bool = True) -> AsyncIterator[World]:
    features: dict[bool, tuple[int, ...]] = {True: (FEATURE_END,), False: ()}
    gateway = MiniGateway(features[near_knows], features[far_knows])
    async with running(gateway.handlers) as (_, endpoint):
        channels = [await Channel.connect(endpoint) for _ in range(2)]
        near, far = await channels[0].open(FORWARD), await channels[1].open(RELAY)
        await near.send(pb.TcpForwardFrame(init=pb.TcpForwardInit(sandbox="x")))
        await far.send(pb.RelayFrame(init=pb.RelayInit(channel_id="x")))
        if near_knows:
            first = await near.receive(pb.TcpForwardFrame)
            assert first is not None
            assert list(first.init.features) == [FEATURE_END]
        yield World(gateway, near, far, channels)
        near.cancel()
        far.cancel()
        for channel in channels:
            await channel.close()


async def frames(call: ClientCall) -> list[tuple[str | None, Any]]:
    """Every message until the call ends with OK, data joined."""
    found: list[tuple[str | None, Any]] = []
    while (frame := await call.receive(pb.TcpForwardFrame)) is not None:
        kind = frame.WhichOneof("payload")
        if kind == "data" and found and found[-1][0] == "data":
            found[-1] = ("data", found[-1][1] + frame.data)
        else:
            found.append((kind, getattr(frame, kind) if kind else None))
    return found


@pytest.mark.parametrize("order", ["near first", "far first", "both at once"])
async def test_peers_of_ours_are_told_by_an_end_message(order: str) -> None:
    async with world() as w:
        await w.say(w.near, b"question")
        await w.say(w.far, b"answer")
        if order == "near first":
            await w.near.end()
            assert await w.far.receive(pb.TcpForwardFrame) == pb.TcpForwardFrame(data=b"question")
            assert await w.far.receive(pb.TcpForwardFrame) == pb.TcpForwardFrame(end=True)
            await w.far.end()
            expected_far: list[Any] = []
            expected_near = [("data", b"answer"), ("end", True)]
        elif order == "far first":
            await w.far.end()
            assert await w.near.receive(pb.TcpForwardFrame) == pb.TcpForwardFrame(data=b"answer")
            assert await w.near.receive(pb.TcpForwardFrame) == pb.TcpForwardFrame(end=True)
            await w.near.end()
            expected_near = []
            expected_far = [("data", b"question"), ("end", True)]
        else:
            await asyncio.gather(w.near.end(), w.far.end())
            expected_near = [("data", b"answer"), ("end", True)]
            expected_far = [("data", b"question"), ("end", True)]
        assert await frames(w.near) == expected_near
        assert await frames(w.far) == expected_far
        assert await w.gateway.outcome is Outcome.COMPLETED


async def test_a_foreign_supervisor_is_told_by_the_end_of_its_response() -> None:
    async with world(far_knows=False) as w:
        await w.say(w.near, b"question")
        await w.near.end()
        assert await frames(w.far) == [("data", b"question")]
        await w.say(w.far, b"answer after")
        await w.far.end()
        assert await frames(w.near) == [("data", b"answer after"), ("end", True)]
        assert await w.gateway.outcome is Outcome.COMPLETED


async def test_a_foreign_near_peer_gets_its_trailers_when_it_is_silent() -> None:
    async with world(near_knows=False) as w:
        await w.say(w.far, b"all there is")
        await w.far.end()
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert await frames(w.near) == [("data", b"all there is")]
        assert loop.time() - start >= 0.25
        assert await frames(w.far) == [("end", True)]
        assert await w.gateway.outcome is Outcome.COMPLETED


async def test_a_foreign_near_peer_that_still_uploads_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many times the silence that would end it, with an empty `data` in between, which means nothing."""
    monkeypatch.setattr("pyopenshell.streams.raw_leg.QUIET", 0.05)
    async with world(near_knows=False) as w:
        await w.far.end()
        loop = asyncio.get_running_loop()
        start, sent = loop.time(), 0
        while loop.time() - start < 0.3:
            await w.say(w.near, b"")
            await w.say(w.near, bytes(1000))
            sent += 1000
            frame = await w.far.receive(pb.TcpForwardFrame)
            assert frame is not None
            if frame == pb.TcpForwardFrame(data=b""):
                frame = await w.far.receive(pb.TcpForwardFrame)
            assert frame == pb.TcpForwardFrame(data=bytes(1000))
        await w.near.end()
        assert await frames(w.far) == [("end", True)]
        assert await frames(w.near) == []
        assert w.gateway.tally.far >= sent


async def test_an_upload_of_ours_goes_on_long_after_the_far_end() -> None:
    async with world() as w:
        await w.far.end()
        assert await w.near.receive(pb.TcpForwardFrame) == pb.TcpForwardFrame(end=True)

        async def upload() -> None:
            for _ in range(100):
                await w.say(w.near, bytes(50_000))
                await w.say(w.near, b"")
            await w.near.end()

        uploading = asyncio.create_task(upload())
        (kind, data), end = await frames(w.far)
        await uploading
        assert (kind, len(data), end) == ("data", 5_000_000, ("end", True))
        assert await frames(w.near) == []


@pytest.mark.parametrize("side", ["near", "far"])
@pytest.mark.parametrize("knows", [True, False])
async def test_a_reset_is_never_an_end(side: str, knows: bool) -> None:
    async with world(knows, knows) as w:
        call, other = (w.near, w.far) if side == "near" else (w.far, w.near)
        await w.say(call, b"x")
        assert await other.receive(pb.TcpForwardFrame) == pb.TcpForwardFrame(data=b"x")
        call.cancel()
        with pytest.raises(OpenShellError, match="CANCEL") as caught:
            await other.read()
        assert caught.value.code is Code.BROKEN
        assert await w.gateway.outcome is (Outcome.BROKEN_NEAR if side == "near" else Outcome.BROKEN_FAR)


@pytest.mark.parametrize("side", ["near", "far"])
async def test_a_lost_connection_is_never_an_end(side: str) -> None:
    async with world() as w:
        index, other = (0, w.far) if side == "near" else (1, w.near)
        transport = w.channels[index]._connection.transport
        assert transport is not None
        transport.abort()
        with pytest.raises(OpenShellError) as caught:
            await other.read()
        assert caught.value.code in (Code.BROKEN, Code.UNAVAILABLE)
        assert await w.gateway.outcome is (Outcome.BROKEN_NEAR if side == "near" else Outcome.BROKEN_FAR)


async def test_bytes_that_were_not_delivered_are_told() -> None:
    async with world(near_knows=True) as w:
        writing = asyncio.create_task(w.say(w.near, bytes(900_000)))
        received = w.far.stream
        await received.read()  # the first of it; the rest waits for a window that never opens
        w.far.cancel()
        with pytest.raises(OpenShellError, match=r"\d+ bytes not delivered|reset") as caught:
            await w.near.status()
        assert caught.value.code is Code.BROKEN
        await asyncio.gather(writing, return_exceptions=True)


async def test_what_comes_after_the_near_end_was_assumed_is_not_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    """The far peer had ended, near was silent, so the relay was ended; late bytes are counted, not lost in silence."""
    async with world(near_knows=False) as w:
        original = RawLeg.end

        async def end(self: RawLeg) -> None:
            await original(self)
            if self._near:
                self.call.stream.stop_reading()
                self.call.stream.dropped = 7

        monkeypatch.setattr(RawLeg, "end", end)
        await w.far.end()
        with pytest.raises(OpenShellError, match="7 bytes not delivered") as caught:
            await w.near.status()
        assert caught.value.code is Code.BROKEN


@pytest.mark.parametrize("wire", [b"\x01\0\0\0\1x", b"\0\x7f\xff\xff\xff", b"\0\0\0\0\5ab"])
async def test_broken_message_framing_ends_the_relay(wire: bytes) -> None:
    async with world() as w:
        await w.near.write_raw(wire)
        await w.near.end()
        with pytest.raises(OpenShellError, match="framing"):
            while await w.far.read_raw():
                pass
            w.far.check_status()
        with pytest.raises(OpenShellError, match="framing"):
            await w.near.status()
        assert await w.gateway.outcome is Outcome.BROKEN_NEAR


async def test_the_end_message_is_a_whole_frame() -> None:
    assert pb.RelayFrame.FromString(END_MESSAGE[5:]).end


async def test_a_near_peer_that_reads_nothing_is_reset_by_an_abort() -> None:
    """The status would wait behind bytes that nobody takes, so it cannot be one."""
    async with world() as w:

        async def flood() -> None:
            while True:
                await w.say(w.far, bytes(500_000))

        writing = asyncio.create_task(flood())
        await w.near.stream.read()
        w.far.cancel()
        await w.gateway.outcome
        with pytest.raises(OpenShellError):
            await w.near.status()
        with pytest.raises(StreamClosed):
            await writing
