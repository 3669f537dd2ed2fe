"""The control stream's queue: order, heartbeats in silence, the end after what was said."""

from __future__ import annotations

import asyncio

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.control import Control
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


def close(channel_id: str) -> pb.GatewayMessage:
    return pb.GatewayMessage(relay_close=pb.RelayClose(channel_id=channel_id))


async def test_messages_in_order_then_the_end() -> None:
    control = Control()
    control.put(close("a"))
    control.put(close("b"))
    control.end(OpenShellError(Code.CONFLICT, "superseded"))
    assert await control.next(60) == close("a")
    assert await control.next(60) == close("b")
    assert await control.next(60) is None
    assert control.ended is not None
    assert control.ended.code is Code.CONFLICT


async def test_silence_is_a_heartbeat() -> None:
    message = await Control().next(0)
    assert message is not None
    assert message.WhichOneof("payload") == "heartbeat"


async def test_a_writer_that_waits_is_woken() -> None:
    control = Control()
    waiting = asyncio.ensure_future(control.next(60))
    await asyncio.sleep(0)
    control.put(close("a"))
    assert await waiting == close("a")
    waiting = asyncio.ensure_future(control.next(60))
    await asyncio.sleep(0)
    control.end(OpenShellError(Code.UNAVAILABLE, "stop"))
    assert await waiting is None
