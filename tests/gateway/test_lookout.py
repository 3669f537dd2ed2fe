"""Looking after sandboxes: again and again until the supervisor is back, once at a time, through failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway import lookout
from pyopenshell.gateway.lookout import Lookout
from pyopenshell.gateway.work import Work
from pyopenshell.model import Phase
from pyopenshell.relay.sessions import Session, Sessions
from pyopenshell.store.sandboxes import SandboxRecord

SESSION = Session("s", "box")


class World:
    """All that a lookout asks: one sandbox, whose driver answers from a list and whose supervisor comes at its end."""

    def __init__(self, *answers: bool | OpenShellError) -> None:
        self.record: SandboxRecord | None = SandboxRecord("box", "web", 0.0, phase=Phase.READY)
        self.answers: Iterator[bool | OpenShellError] = iter(answers)
        self.looks = 0
        self.away_words = ""
        self.ended: list[str] = []
        self.switchboard = self
        self.sessions = Sessions()
        self.work = Work()
        self.lookout = Lookout(self, self, self, self, self.work, self._ended)  # type: ignore[arg-type]

    def get(self, sandbox_id: str) -> SandboxRecord | None:
        return self.record

    def driver(self, host: str) -> World:
        return self

    def away(self, host: str) -> str:
        return self.away_words

    async def of(self, record: SandboxRecord) -> object:
        return record

    async def adopt(self, birth: object) -> bool:
        self.looks += 1
        answer = next(self.answers, None)
        if answer is None:
            self.sessions.accept(SESSION, 0.0)
            return True
        if isinstance(answer, OpenShellError):
            raise answer
        return answer

    async def _ended(self, sandbox_id: str, reason: str) -> None:
        self.ended.append(sandbox_id)
        self.record = None


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "INTERVAL", 0.0)


async def watched(world: World) -> World:
    world.lookout.watch("box")
    world.lookout.watch("box")
    async with asyncio.timeout(10):
        await world.work.idle()
    return world


async def test_until_the_supervisor_is_back() -> None:
    world = await watched(World(True, True))
    assert (world.looks, world.ended) == (3, [])


async def test_a_sandbox_that_runs_no_longer_is_reported_once() -> None:
    world = await watched(World(True, False))
    assert (world.looks, world.ended) == (2, ["box"])


async def test_a_driver_that_fails_is_asked_again() -> None:
    world = await watched(World(OpenShellError(Code.UNAVAILABLE, "the zygote is gone"), True))
    assert (world.looks, world.ended) == (3, [])


async def test_a_sandbox_at_rest_or_gone_is_left_alone() -> None:
    for record in (SandboxRecord("box", "web", 0.0, phase=Phase.STOPPED), None):
        world = World(True)
        world.record = record
        assert (await watched(world)).looks == 0


async def test_it_can_be_watched_again_later() -> None:
    world = await watched(World())
    world.sessions.lost(SESSION, 0.0)
    assert (await watched(world)).looks == 2


async def test_a_sandbox_whose_host_is_away_is_left_alone() -> None:
    world = World(False)
    world.away_words = "host lab1 is not connected since 2026-11-23T22:00:00Z"
    await watched(world)
    assert (world.looks, world.ended) == (0, [])
    world.away_words = ""
    await watched(world)
    assert (world.looks, world.ended) == (1, ["box"])
