from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.host import agent as module
from pyopenshell.host.agent import Agent, Offer
from pyopenshell.host.state import HostFile, HostState
from pyopenshell.model import new_id
from tests.support.fake_driver import FakeDriver
from tests.support.hosting import HostingGateway, hosted


def made(state: HostState, driver: FakeDriver, offer: Offer, connect: Callable[[], Awaitable[object]]) -> Agent:
    host = HostFile("lab1", "main", ("gw.example:17670",), float("inf"))
    state.save(host)

    class Way(module.Way):
        async def connect(self) -> object:  # type: ignore[override]
            return await connect()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Way", Way)
        return Agent(
            state,
            host,
            driver,
            offer,
            find_proxy=lambda _host, _port: None,
            tell=lambda _line: None,
            show=lambda _line: None,
            taken_ids=lambda: [(100_000, 65_536)],
        )


async def test_an_agent_says_what_it_offers_and_obeys(tmp_path: Path) -> None:
    state, driver = HostState(tmp_path / "host"), FakeDriver()
    there = new_id()
    (state.sandboxes / there).mkdir(parents=True)
    async with HostingGateway(tmp_path) as gateway:
        agent = made(state, driver, Offer(7, {"zone": "lab"}), gateway.connect)
        running = asyncio.ensure_future(agent.run())
        session = await gateway.sessions.get()
        hello = session.hello
        assert (dict(hello.facts), dict(hello.labels), hello.max_sandboxes) == (driver.facts, {"zone": "lab"}, 7)
        assert (list(hello.sandbox_ids), hello.joined, len(hello.machine)) == ([there], False, 64)
        assert [(taken.first, taken.count) for taken in hello.taken_ids] == [(100_000, 65_536)]
        state.credential("ca.crt").parent.mkdir()
        state.credential("ca.crt").write_text("PEM")
        birth = hosted()
        assert (await session.ask(start=birth)).error == ""
        remote = driver.births[birth.sandbox_id].remote
        assert remote is not None
        assert (remote.host, remote.port, remote.ca) == ("gw.example", 17670, "PEM")
        driver.dies(birth.sandbox_id, "it was killed")
        assert (await session.ended.get()).sandbox_id == birth.sandbox_id
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await agent.close()
    assert driver.closed


async def test_a_joined_host_asks_for_its_sandbox(tmp_path: Path) -> None:
    async with HostingGateway(tmp_path) as gateway:
        gateway.join = OpenShellError(Code.CONFLICT, "sandbox 'web' exists")
        offer = Offer(joined=True, sandbox="web")
        agent = made(HostState(tmp_path / "host"), FakeDriver(), offer, gateway.connect)
        with pytest.raises(OpenShellError, match="exists"):
            await agent.run()
        assert gateway.joins == ["web"]
        assert (await gateway.sessions.get()).hello.joined
        await agent.close()


async def test_a_machine_that_can_make_none_is_told_at_once(tmp_path: Path) -> None:
    class Poor(FakeDriver):
        async def probe(self) -> dict[str, str]:
            raise OpenShellError(Code.PRECONDITION, "no user namespaces", hint="sysctl")

    async def never() -> object:
        raise AssertionError("it connected")

    agent = made(HostState(tmp_path / "host"), Poor(), Offer(), never)
    with pytest.raises(OpenShellError, match="no user namespaces"):
        await agent.run()
    await agent.close()
