"""DataLeg against a server that plays the gateway, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.streams import Call, Channel, DataLeg, StreamBroken
from pyopenshell.wire.data_frames import CHUNK, END_MESSAGE
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import GrpcStatus
from tests.support.stream_pairs import running

INIT = pb.TcpForwardInit(features=[1], relay_id="r")


@asynccontextmanager
async def leg_to(handler: Callable[[Call], Any]) -> AsyncIterator[DataLeg]:
    async with running({"/f": handler}) as (_, endpoint):
        channel = await Channel.connect(endpoint)
        leg = DataLeg(await channel.open("/f"))
        yield leg
        leg.abort()
        await channel.close()


def frame(**fields: Any) -> bytes:
    return pb.TcpForwardFrame(**fields).SerializeToString()


async def test_the_gateways_init_is_no_payload() -> None:
    async def gateway(call: Call) -> None:
        await call.write(frame(init=INIT))
        await call.write(frame(data=b"first"))
        await call.write(frame(data=b""))
        await call.write(frame(data=b"second"))

    async with leg_to(gateway) as leg:
        init = await leg.init()
        assert init is not None
        assert pb.TcpForwardInit.FromString(init) == INIT
        assert [bytes(await leg.read()) for _ in range(3)] == [b"first", b"second", b""]
    async with leg_to(gateway) as leg:
        assert bytes(await leg.read()) == b"first"  # nobody has to ask for it
    async with leg_to(gateway) as leg:
        told: list[bytes] = []
        leg.on_init = told.append
        assert bytes(await leg.read()) == b"first"
        assert [pb.TcpForwardInit.FromString(init) for init in told] == [INIT]


async def test_who_is_told_of_the_init_may_end_it() -> None:
    async def gateway(call: Call) -> None:
        await call.write(frame(init=INIT))
        await call.write(frame(data=b"first"))

    def refuse(_: bytes) -> None:
        raise StreamBroken("not this one")

    async with leg_to(gateway) as leg:
        leg.on_init = refuse
        with pytest.raises(StreamBroken, match="not this one"):
            await leg.read()


async def test_an_old_peer_has_no_init() -> None:
    async def gateway(call: Call) -> None:
        await call.write(frame(data=b"first"))

    async def nothing(call: Call) -> None:
        return None

    async with leg_to(gateway) as leg:
        assert await leg.init() is None
        assert bytes(await leg.read()) == b"first"
    async with leg_to(nothing) as leg:
        assert await leg.init() is None
        assert await leg.read() == b""


async def test_a_refused_open_is_an_error_with_its_code() -> None:
    async def gateway(call: Call) -> None:
        raise OpenShellError(Code.EXHAUSTED, "3 connections are open")

    async with leg_to(gateway) as leg:
        for use in (leg.init, leg.read):
            with pytest.raises(StreamBroken, match="3 connections") as caught:
                await use()
            assert caught.value.code is Code.EXHAUSTED
    async with leg_to(gateway) as leg:
        with pytest.raises(StreamBroken, match="3 connections") as caught:
            while True:
                await leg.write(bytes(100_000))
        assert caught.value.code is Code.EXHAUSTED


async def test_the_end_in_band_ends_reading_and_not_writing() -> None:
    async def gateway(call: Call) -> None:
        await call.write_raw(END_MESSAGE)
        while await call.read():
            pass

    async with leg_to(gateway) as leg:
        assert await leg.read() == b""
        await leg.write(b"still")
        await leg.end()
        await leg.close()
        assert await leg.read() == b""


async def test_messages_are_no_larger_than_a_chunk() -> None:
    sizes: list[int] = []

    async def gateway(call: Call) -> None:
        while (message := await call.read()) is not None:
            sizes.append(len(pb.TcpForwardFrame.FromString(bytes(message)).data))

    async with leg_to(gateway) as leg:
        await leg.write(b"a", b"b" * 9)
        await leg.write(bytes(CHUNK))
        await leg.write(bytes(CHUNK + 1), b"x")
        await leg.write(b"")
        await leg.end()
        assert await leg.read() == b""
        await leg.close()
    assert sizes == [10, CHUNK, CHUNK, 1, 1]


async def test_close_tells_that_bytes_were_not_delivered() -> None:
    async def gateway(call: Call) -> None:
        await call.write_raw(END_MESSAGE)
        while await call.read():
            pass
        await call.finish(GrpcStatus.ABORTED, "5 bytes not delivered")

    async with leg_to(gateway) as leg:
        assert await leg.read() == b""
        await leg.write(b"12345")
        await leg.end()
        with pytest.raises(StreamBroken, match="5 bytes not delivered"):
            await leg.close()
        await leg.close()


async def test_close_waits_only_so_long_for_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyopenshell.streams.data_leg.STATUS_TIMEOUT", 0.01)

    async def gateway(call: Call) -> None:
        await call.write_raw(END_MESSAGE)
        await asyncio.Event().wait()

    async with leg_to(gateway) as leg:
        assert await leg.read() == b""
        await leg.end()
        with pytest.raises(StreamBroken, match="did not say"):
            await leg.close()


@pytest.mark.parametrize(
    ("wire", "words"),
    [(b"\x01\0\0\0\0", "compressed"), (b"\0\0\0\0\5\x12", "inside a message"), (b"\0\0\0\0\1\x13", "field")],
)
async def test_what_is_no_relay_breaks(wire: bytes, words: str) -> None:
    async def gateway(call: Call) -> None:
        await call.write_raw(wire)

    async with leg_to(gateway) as leg:
        with pytest.raises(StreamBroken, match=words):
            await leg.read()


async def test_a_break_is_told_without_a_reader() -> None:
    reset = asyncio.Event()

    async def gateway(call: Call) -> None:
        call.start()
        await reset.wait()
        call.stream.reset()

    async with leg_to(gateway) as leg:
        told = asyncio.Event()
        leg.on_break(told.set)
        await leg.call.headers()
        reset.set()
        await told.wait()
        assert "broken" in repr(leg)
