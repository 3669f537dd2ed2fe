"""Questions to supervisors that answer, answer late, or never."""

from __future__ import annotations

import asyncio

from pyopenshell.gateway.usages import Usages
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


class Streams:
    """Control streams: what was put on them."""

    def __init__(self, *, there: bool = True) -> None:
        self.there = there
        self.put: list[tuple[str, pb.GatewayMessage]] = []

    def __call__(self, sandbox_id: str, message: pb.GatewayMessage) -> bool:
        self.put.append((sandbox_id, message))
        return self.there


async def test_all_who_ask_meanwhile_share_one_question() -> None:
    streams = Streams()
    usages = Usages(streams)
    asked = [asyncio.create_task(usages.ask("a")) for _ in range(3)] + [asyncio.create_task(usages.ask("b"))]
    await asyncio.sleep(0)  # each task runs until it waits
    assert [sandbox_id for sandbox_id, _ in streams.put] == ["a", "b"]
    assert all(message.heartbeat.usage for _, message in streams.put)
    usages.told("a", pb.Usage(init_pss=1))
    usages.told("b", pb.Usage(init_pss=2))
    assert [(await each).init_pss for each in asked] == [1, 1, 1, 2]


async def test_without_a_stream_nothing_is_known() -> None:
    assert await Usages(Streams(there=False)).ask("a") == pb.Usage()


async def test_who_is_not_answered_gives_up_and_the_next_asks_again() -> None:
    streams = Streams()
    usages = Usages(streams, timeout=0.0)
    assert await usages.ask("a") == pb.Usage()
    usages.told("a", pb.Usage(init_pss=1))  # too late: nobody asks any more
    assert await usages.ask("a") == pb.Usage()
    assert len(streams.put) == 2


async def test_one_who_goes_away_takes_no_answer_from_another() -> None:
    usages = Usages(Streams())
    gone, stays = asyncio.create_task(usages.ask("a")), asyncio.create_task(usages.ask("a"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    usages.told("a", pb.Usage(init_pss=1))
    assert (await stays).init_pss == 1
