"""Many of everything, and afterwards the processes hold what they held before: descriptors, tasks, relays, memory."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from pyopenshell.model import ExecSpec
from pyopenshell.sdk.client import Client
from pyopenshell.sdk.connection import EXTENSION
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.e2e.openssh import OpenSsh
from tests.e2e.test_deaths import processes
from tests.e2e.test_forward import HASHER, ask, service
from tests.support.waiting import until
from tests.support.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EXECS, CONNECTIONS, LOGINS, CREATES = 60, 40, 6, 3
GATEWAY_PSS_MAX = 63_000_000  # bytes: what the compiled reference takes
GROWTH_MAX = 12_000_000  # bytes of PSS: caches and arenas fill once, a leak goes on


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def pss(pid: int) -> int:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    assert found is not None
    return int(found[1]) * 1000


async def execs(world: World, count: int) -> None:
    async with Client.of(environ=world.environ) as client:
        for number in range(count):
            async with client.exec("web", ExecSpec(("echo", str(number)))) as running:
                pieces = [piece.data async for piece in running]
            assert b"".join(pieces) == b"%d\n" % number


def work(world: World, folder: Path, execs_: int, connections: int, logins: int, creates: int) -> None:
    asyncio.run(execs(world, execs_))
    with service(world, "web", HASHER) as (address, _):
        for number in range(connections):
            assert len(ask(address, bytes([number % 256]) * 100_000)) == 64
    openssh = OpenSsh.of(world, "web", folder)
    for _ in range(logins):
        world.command(openssh.ssh("true")).ok()
    for number in range(creates):
        world.run("sandbox", "create", f"brief-{number}").ok()
        world.run("sandbox", "delete", f"brief-{number}").ok()


async def relays(world: World) -> int:
    async with Client.of(environ=world.environ) as client:
        found = await client.connection.call(
            "ListRelays", ext.ListRelaysRequest(), ext.ListRelaysResponse, service=EXTENSION
        )
        return len(found.relays)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into processes that cannot be dumped")
def test_nothing_is_held_afterwards(own_world: World, tmp_path: Path) -> None:
    world = own_world
    world.run("sandbox", "create", "web").ok()
    work(world, tmp_path, 5, 5, 2, 1)  # whatever is made once is made
    watched = {kind: pid for kind, pid in processes(world, "web").items() if kind != "ssh"}
    before = {kind: descriptors(pid) for kind, pid in watched.items()}
    held = {kind: pss(pid) for kind, pid in watched.items()}

    work(world, tmp_path, EXECS, CONNECTIONS, LOGINS, CREATES)

    async def as_before() -> bool:
        return await relays(world) == 0

    asyncio.run(until(as_before))
    asyncio.run(until(lambda: all(descriptors(pid) <= before[kind] for kind, pid in watched.items())))
    assert processes(world, "web").keys() >= watched.keys()
    for kind, pid in watched.items():
        assert pss(pid) < held[kind] + GROWTH_MAX, kind
    assert pss(watched["gateway"]) < GATEWAY_PSS_MAX
