"""Probes through a real gateway and a real supervisor, and what they say when the sandbox is not there to answer."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.errors import Code
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.probes import Way, echo, measure
from pyopenshell.streams import StreamBroken
from tests.support.world import World

pytestmark = pytest.mark.e2e

SIZE = 16 * 2**20  # bytes: more than every window and buffer on the way


def test_round_trips_and_speeds(world: World, web: str) -> None:
    async def probe() -> None:
        async with Client.of(environ=world.environ) as client:
            async with echo(client.connection, web) as link:
                assert all([await link.once() > 0 for _ in range(20)])
            for way in Way:
                assert (await measure(client.connection, web, way, size=SIZE)).size == SIZE

    asyncio.run(probe())


def test_a_sandbox_that_is_stopped_and_one_that_is_missing(own_world: World) -> None:
    own_world.run("sandbox", "create", "web").ok()
    own_world.run("sandbox", "stop", "web").ok()

    async def refused(name: str) -> StreamBroken:
        async with Client.of(environ=own_world.environ) as client:
            with pytest.raises(StreamBroken) as error:
                async with echo(client.connection, name):
                    pass
            return error.value

    stopped = asyncio.run(refused("web"))
    assert stopped.code is Code.PRECONDITION and "Stopped" in stopped.reason
    assert asyncio.run(refused("nosuch")).code is Code.NOT_FOUND
