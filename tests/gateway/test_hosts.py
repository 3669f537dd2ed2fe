"""The book of hosts: a restart's memory, places that are kept, drivers of what is not registered, a database that fails."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.hosts import Hosts
from pyopenshell.model import Phase, Placement, SandboxSpec
from pyopenshell.store.hosts import HostRecord
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.fake_driver import FakeDriver

HELLO = ext.HostHello(machine="m1", max_sandboxes=1, facts={"isolation": "range"})
SPEC = SandboxSpec(placement=Placement("lab1"))


class World:
    """A table and a registry in memory."""

    def __init__(self, *kept: HostRecord) -> None:
        self.kept = {record.name: record for record in kept}
        self.records: dict[str, SandboxRecord] = {}
        self.failure: OpenShellError | None = None
        self.local = FakeDriver()
        self.hosts = Hosts(self, self, self.local, interval=5.0, wall=lambda: 1000.0)  # type: ignore[arg-type]

    async def all(self) -> list[HostRecord]:
        return list(self.kept.values())

    async def put(self, record: HostRecord) -> None:
        if self.failure is not None and record.connected:
            raise self.failure
        self.kept[record.name] = record

    async def delete(self, name: str) -> bool:
        return self.kept.pop(name, None) is not None

    def get(self, sandbox_id: str) -> SandboxRecord | None:
        return self.records.get(sandbox_id)

    def on_host(self, name: str) -> list[SandboxRecord]:
        return [record for record in self.records.values() if record.host == name]


async def test_after_a_restart_who_was_connected_is_lost_since_now() -> None:
    world = World(HostRecord("a", 1.0, 2.0, connected=True), HostRecord("b", 1.0, 2.0))
    await world.hosts.load()
    assert [(one.record.connected, one.record.since) for one in world.hosts.all()] == [(False, 1000.0), (False, 2.0)]
    assert world.hosts.away("a") == "host a is not connected since 1970-01-01T00:16:40Z"


async def test_a_place_is_kept_until_the_sandbox_is_in_the_registry() -> None:
    world = World()
    await world.hosts.connect("lab1", HELLO, "192.0.2.1:5")
    with world.hosts.place(SPEC) as name:
        assert name == "lab1"
        with pytest.raises(OpenShellError, match="has its 1 sandboxes"), world.hosts.place(SPEC):
            pass
        world.records["box"] = SandboxRecord("box", "web", 0.0, host="lab1")
    with pytest.raises(OpenShellError, match="has its 1 sandboxes"), world.hosts.place(SPEC):
        pass
    world.records.clear()
    with world.hosts.place(SPEC):
        pass


async def test_what_this_machine_cannot_hold_is_refused_here_too() -> None:
    world = World()
    world.local.refuse = OpenShellError(Code.PRECONDITION, "no cpu limit")
    with pytest.raises(OpenShellError, match="no cpu limit"), world.hosts.place(SandboxSpec()):
        pass


async def test_a_host_that_nobody_knows_is_one_that_is_away() -> None:
    world = World()
    world.records["box"] = SandboxRecord("box", "web", 0.0, host="lost", phase=Phase.UNKNOWN)
    assert world.hosts.away("lost") == world.hosts.why_lost("box") == "host lost is not connected: it is not registered"
    with pytest.raises(OpenShellError, match="it is not registered"):
        await world.hosts.of("box").stop("box")
    assert world.hosts.ids("lost") == (False, ())
    assert world.hosts.of("other") is world.local
    assert world.hosts.why_lost("other") == "its supervisor is not connected"
    with pytest.raises(OpenShellError, match="is not registered"):
        world.hosts.named("lost")


async def test_a_hello_that_cannot_be_kept_is_no_session() -> None:
    world = World()
    world.failure = OpenShellError(Code.EXHAUSTED, "the disk is full")
    with pytest.raises(OpenShellError, match="disk is full"):
        await world.hosts.connect("lab1", HELLO, "")
    assert world.hosts.away("lab1")


async def test_those_who_are_told() -> None:
    world = World()
    back: list[str] = []
    lost: list[str] = []
    exits: list[str] = []
    world.hosts.on_back = lambda record: back.append(record.id)
    world.hosts.on_lost = lost.append
    for name, phase in (("up", Phase.READY), ("away", Phase.UNKNOWN)):
        world.records[name] = SandboxRecord(name, name, 0.0, host="lab1", phase=phase)
    session = await world.hosts.connect("lab1", HELLO, "")
    assert back == ["up", "away"]
    world.hosts.told(lambda sandbox_id, _: exits.append(sandbox_id))
    for driver in (world.local, world.hosts.driver("lab1")):
        assert driver.on_exit is not None
        driver.on_exit("up", "")
    assert exits == ["up", "up"]
    await world.hosts.disconnect(session)
    await world.hosts.disconnect(session)
    assert lost == ["away"]
    assert not world.kept["lab1"].connected
