from __future__ import annotations

import asyncio

import pytest

from pyopenshell.host.ended import Ended
from pyopenshell.streams.contract import StreamBroken
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext


async def test_an_end_is_kept_until_it_was_said() -> None:
    ended, said = Ended(), asyncio.Queue[str]()

    async def lost(_message: ext.HostMessage) -> None:
        raise StreamBroken("lost")

    async def send(message: ext.HostMessage) -> None:
        said.put_nowait(f"{message.ended.sandbox_id} {message.ended.reason}")

    ended.note("a", "it was killed")
    ended.note("b", "it began again")
    ended.forget("b")
    ended.forget("unknown")
    with pytest.raises(StreamBroken):
        await ended.tell(lost)
    telling = asyncio.create_task(ended.tell(send))
    assert await said.get() == "a it was killed"
    ended.note("c", "later")
    assert await said.get() == "c later"
    telling.cancel()
    again = asyncio.create_task(ended.tell(send))
    ended.note("d", "only this")
    assert await said.get() == "d only this"
    again.cancel()
    await asyncio.gather(telling, again, return_exceptions=True)


async def test_an_end_that_comes_while_one_is_said_is_said_too() -> None:
    ended, said = Ended(), asyncio.Queue[str]()

    async def send(message: ext.HostMessage) -> None:
        said.put_nowait(message.ended.reason)
        if message.ended.reason == "first":
            ended.note("a", "second")

    ended.note("a", "first")
    telling = asyncio.create_task(ended.tell(send))
    assert [await said.get(), await said.get()] == ["first", "second"]
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
