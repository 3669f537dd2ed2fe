"""The control stream against a gateway in this process: hello, orders, ends, loss, refusal, and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pyopenshell.drivers.remote import RemoteGateway
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host.births import birth_of
from pyopenshell.host.ended import Ended
from pyopenshell.host.images import Images
from pyopenshell.host.orders import Orders
from pyopenshell.host.session import BACKOFF_FIRST, BACKOFF_MAX, REFUSED_PAUSE, Companion, Session
from pyopenshell.streams.backoff import Backoff
from pyopenshell.streams.grpc_client import Channel
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.fake_driver import FakeDriver
from tests.support.hosting import HostingGateway, hosted


class Kept:
    """A session that is being kept; its pauses pass at once, and are counted."""

    def __init__(self, gateway: HostingGateway, *companions: Companion) -> None:
        self.driver = FakeDriver()
        self.ended = Ended()
        self.driver.on_exit = self.ended.note
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        self.orders = Orders(
            self.driver,
            lambda message, new: birth_of(message, RemoteGateway("gw", 1, ""), Images(), new=new),
            running=list,
            beginning=self.ended.forget,
        )
        self.session = Session(
            connect=gateway.connect,
            hello=lambda: ext.HostHello(machine="m", max_sandboxes=3),
            orders=self.orders,
            ended=self.ended,
            tell=self.told.put_nowait,
            companions=companions,
            backoff=Backoff(BACKOFF_FIRST, BACKOFF_MAX, lambda: 1.0),
            sleep=self._sleep,
            rand=lambda: 1.0,
        )
        self.task = asyncio.ensure_future(self.session.run())

    async def _sleep(self, seconds: float) -> None:
        self.pauses.put_nowait(seconds)
        await asyncio.sleep(0)

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.orders.close()


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[HostingGateway]:
    async with HostingGateway(tmp_path) as made:
        yield made


@pytest.fixture
async def kept(gateway: HostingGateway) -> AsyncIterator[Kept]:
    made = Kept(gateway)
    yield made
    await made.close()


async def test_orders_are_carried_out_and_ends_are_told(gateway: HostingGateway, kept: Kept) -> None:
    session = await gateway.sessions.get()
    assert (session.hello.machine, session.hello.max_sandboxes) == ("m", 3)
    assert await kept.told.get() == "connected as host 'lab1'"
    birth = hosted()
    assert dict((await session.ask(start=birth)).facts) == kept.driver.facts
    kept.driver.dies(birth.sandbox_id, "it was killed")
    ended = await session.ended.get()
    assert (ended.sandbox_id, ended.reason) == (birth.sandbox_id, "it was killed")
    assert not (await session.ask(adopt=birth)).runs
    await session.call.send(ext.GatewayOrder(heartbeat=ext.HostHeartbeat()))
    await session.call.send(ext.GatewayOrder())
    assert (await session.ask(stop=birth.sandbox_id)).error == ""


async def test_a_lost_gateway_is_found_again_and_told_what_happened(gateway: HostingGateway, kept: Kept) -> None:
    session = await gateway.sessions.get()
    birth = hosted()
    await session.ask(start=birth)
    await gateway.stop()
    assert await kept.pauses.get() == BACKOFF_FIRST
    kept.driver.dies(birth.sandbox_id, "nobody was there")
    assert [await kept.pauses.get() for _ in range(2)] == [BACKOFF_FIRST * 2, BACKOFF_FIRST * 4]
    await gateway.start()
    again = await gateway.sessions.get()
    assert (await again.ended.get()).reason == "nobody was there"
    lines = [kept.told.get_nowait() for _ in range(kept.told.qsize())]
    assert lines[0] == lines[-1] == "connected as host 'lab1'"
    assert len(lines) == len(set(lines[1:])) + 1, "a line is told once until another one is true"
    assert all(line.endswith("sandboxes go on") for line in lines[1:-1])


async def test_an_answer_to_a_lost_stream_is_dropped_and_the_work_done(gateway: HostingGateway, kept: Kept) -> None:
    session = await gateway.sessions.get()
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait(_birth: object) -> None:
        begun.set()
        await go.wait()

    kept.driver.on_start = wait
    birth = hosted()
    await session.order(start=birth)
    await begun.wait()
    session.call.abort()
    again = await gateway.sessions.get()
    await again.order(adopt=birth)
    go.set()
    assert (await again.answers.get()).runs
    assert again.answers.empty()


@pytest.mark.parametrize("code", [Code.UNAUTHENTICATED, Code.CONFLICT])
async def test_a_refusal_is_said_and_asked_again_slowly(tmp_path: Path, code: Code) -> None:
    async with HostingGateway(tmp_path) as gateway:
        gateway.refuse = OpenShellError(code, "this host is not \x1bknown")
        kept = Kept(gateway)
        assert await kept.pauses.get() == REFUSED_PAUSE
        assert (await kept.told.get()) == "refused: the gateway: this host is not \\x1bknown; sandboxes go on".replace(
            "the gateway: ", ""
        )
        gateway.refuse = None
        await gateway.sessions.get()
        assert await kept.told.get() == "connected as host 'lab1'"
        await kept.close()


async def test_heartbeats_go_both_ways_and_silence_is_a_loss(tmp_path: Path) -> None:
    async with HostingGateway(tmp_path, interval=0.05) as gateway:
        kept = Kept(gateway)
        session = await gateway.sessions.get()
        await session.heartbeats.get()
        await kept.pauses.get()
        await kept.told.get()
        assert await kept.told.get() == "not connected: the gateway said nothing for 0.15 s; sandboxes go on"
        await kept.close()


async def test_what_is_no_answer_to_hello_is_told(tmp_path: Path) -> None:
    async with HostingGateway(tmp_path) as gateway:
        gateway.first = ext.GatewayOrder(heartbeat=ext.HostHeartbeat())
        kept = Kept(gateway)
        assert "not an answer to hello" in await kept.told.get()
        await kept.close()


async def test_a_gateway_that_ends_the_session_is_asked_again(gateway: HostingGateway, kept: Kept) -> None:
    session = await gateway.sessions.get()
    await session.call.finish()
    await gateway.sessions.get()
    assert [await kept.told.get(), await kept.told.get()] == [
        "connected as host 'lab1'",
        "the gateway ended the session; sandboxes go on",
    ]


async def test_a_companion_lives_with_the_connection_and_its_error_ends_the_host(gateway: HostingGateway) -> None:
    seen: list[Channel] = []

    async def companion(channel: Channel) -> None:
        seen.append(channel)
        if len(seen) == 2:
            raise OpenShellError(Code.CONFLICT, "the name is taken")

    kept = Kept(gateway, companion)
    session = await gateway.sessions.get()
    assert (await session.ask(stop=hosted().sandbox_id)).error == ""
    session.call.abort()
    with pytest.raises(OpenShellError, match="the name is taken"):
        await kept.task
    await kept.close()
