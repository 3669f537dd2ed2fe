"""Sandbox hosts over the wire: sandboxes placed there, lost and back; drained, removed, pruned, joined; hostile ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.model import new_id
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.gateway.conftest import MakeKit
from tests.support.fake_host import FakeHost
from tests.support.gateway_kit import READY, Kit, files

MakeHost = Callable[..., Awaitable[FakeHost]]
UNKNOWN = pb.SANDBOX_PHASE_UNKNOWN


@pytest.fixture
async def make_host() -> AsyncIterator[MakeHost]:
    made: list[FakeHost] = []

    async def make(kit: Kit, name: str = "lab1", **hello: Any) -> FakeHost:
        host = await FakeHost.enrolled(kit, name, **hello)
        made.append(host)
        return await host.connect()

    yield make
    for host in made:
        await host.lose(supervisors=True)


async def hosts(kit: Kit) -> list[ext.Host]:
    return list((await kit.extension("ListHosts", ext.ListHostsRequest(), ext.ListHostsResponse)).hosts)


async def lost(kit: Kit, name: str = "lab1") -> ext.Host:
    """Wait until the gateway knows that this host is lost."""
    async with asyncio.timeout(10):
        while True:
            found = next(host for host in await hosts(kit) if host.name == name)
            if not found.connected:
                return found
            await asyncio.sleep(0)


async def unreachable(kit: Kit, name: str = "web") -> pb.Sandbox:
    """Wait until it is shown that this sandbox's host is lost."""
    async with asyncio.timeout(10):
        while True:
            found = await kit.get(name)
            if found.status.conditions[0].reason == "HostLost":
                return found
            await asyncio.sleep(0)


async def gone(kit: Kit, name: str = "web") -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await kit.get(name)
            except OpenShellError as error:
                assert error.code is Code.NOT_FOUND
                return
            await asyncio.sleep(0)


async def refused(awaitable: Awaitable[object], words: str) -> Code:
    with pytest.raises(OpenShellError, match=words) as caught:
        await awaitable
    return caught.value.code


def delete(kit: Kit, name: str = "web") -> Awaitable[pb.DeleteSandboxResponse]:
    return kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name=name), pb.DeleteSandboxResponse)


def stop(kit: Kit, name: str = "web") -> Awaitable[pb.SandboxResponse]:
    return kit.call("StopSandbox", pb.StopSandboxRequest(name=name), pb.SandboxResponse)


# --- placed there ---------------------------------------------------------------------------------------------------


async def test_a_sandbox_lives_on_a_host(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit, labels={"zone": "a"}, max_sandboxes=3, taken_ids=[ext.IdRange(first=0x80000, count=9)])
    assert host.accepted.name == "lab1"
    sandbox = await kit.ready(command=["job"])
    assert (sandbox.host, sandbox.facts["isolation"]) == ("lab1", "single")
    assert kit.driver.calls == []
    birth = host.births[0]
    assert (birth.name, list(birth.spec.command)) == ("web", ["job"])
    assert birth.id_base >= 0xA0000
    assert birth.token
    leg = await kit.forward(files("web"))
    await leg.write(b"hello")
    assert bytes(await leg.read()) == b"hello"
    await leg.close()
    (shown,) = await hosts(kit)
    assert (shown.connected, shown.sandboxes, shown.running, shown.max_sandboxes) == (True, 1, 1, 3)
    assert (dict(shown.labels), shown.facts["isolation"], shown.version) == ({"zone": "a"}, "range", "1")
    assert shown.address
    assert (await stop(kit)).sandbox.status.phase == pb.SANDBOX_PHASE_STOPPED
    await delete(kit)
    assert [kind for kind, _ in host.driver.calls] == ["start", "stop", "delete"]


async def test_here_is_the_gateways_own_machine(kit: Kit, make_host: MakeHost) -> None:
    await make_host(kit)
    assert not (await kit.ready(placement=pb.Placement(host="here"))).host
    assert [kind for kind, _ in kit.driver.calls] == ["start"]


async def test_a_hosts_places_are_taken_once(kit: Kit, make_host: MakeHost) -> None:
    await make_host(kit, max_sandboxes=1)
    made = await asyncio.gather(kit.create("a"), kit.create("b"), return_exceptions=True)
    (error,) = [one for one in made if isinstance(one, OpenShellError)]
    assert error.code is Code.EXHAUSTED
    assert "lab1 has its 1 sandboxes" in error.message


async def test_what_a_host_refuses_is_told_as_its_word(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    host.says["start"] = ext.HostAnswer(error="precondition", message="no \x1b[31mimage", hint="unpack it")
    await kit.create()
    failed = await kit.until("web", pb.SANDBOX_PHASE_ERROR)
    assert failed.status.conditions[0].message == "host lab1: no \\x1b[31mimage (unpack it)"


async def test_processes_are_asked_of_the_host(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    await kit.ready()
    request = ext.GetProcessesRequest(sandbox="web")
    found = await kit.extension("GetProcesses", request, ext.GetProcessesResponse)
    assert [(one.kind, one.pid) for one in found.processes] == [(3, 12), (4, 13)]
    # A zygote of another machine would be measured by its pid here.
    host.says["processes"] = ext.HostAnswer(processes=[ext.Process(kind=ext.Process.KIND_ZYGOTE, pid=1)])
    assert not (await kit.extension("GetProcesses", request, ext.GetProcessesResponse)).processes


async def test_a_sandbox_that_ends_by_itself(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    sandbox = await kit.ready()
    await host.send(ended=ext.SandboxEnded(sandbox_id=sandbox.metadata.id, reason="init was\nkilled"))
    ended = await kit.until("web", pb.SANDBOX_PHASE_ERROR)
    assert ended.status.conditions[0].message == "init was\\x0akilled"


# --- lost and back --------------------------------------------------------------------------------------------------


async def test_a_lost_host_makes_its_sandboxes_unreachable_and_they_come_back(
    make_kit: MakeKit, make_host: MakeHost
) -> None:
    kit = await make_kit(grace=0.05)
    host = await make_host(kit)
    sandbox = await kit.ready()
    await host.lose(supervisors=True)
    await lost(kit)
    seen = await unreachable(kit)
    (condition,) = seen.status.conditions
    assert seen.status.phase == UNKNOWN
    assert seen.host == "lab1"
    assert condition.message.startswith("host lab1 is not connected since 2")
    assert condition.message.endswith("Z")
    await host.connect()
    await host.until("adopt")
    await kit.supervisor(sandbox).connect()
    back = await kit.until("web", READY)
    assert back.status.conditions[0].message == ""
    assert (await hosts(kit))[0].connected


async def test_a_sandbox_whose_supervisor_is_here_stays_ready_without_the_host(
    make_kit: MakeKit, make_host: MakeHost
) -> None:
    kit = await make_kit(grace=0.05)
    host = await make_host(kit)
    await kit.ready()
    await host.lose()
    await lost(kit)
    assert (await kit.get()).status.phase == READY


@pytest.mark.parametrize(("act", "phase"), [(delete, pb.SANDBOX_PHASE_DELETING), (stop, pb.SANDBOX_PHASE_STOPPING)])
async def test_what_a_lost_host_could_not_be_told_it_is_told_when_it_is_back(
    kit: Kit, make_host: MakeHost, act: Callable[[Kit], Awaitable[object]], phase: int
) -> None:
    host = await make_host(kit)
    await kit.ready()
    await host.lose(supervisors=True)
    await lost(kit)
    assert await refused(act(kit), "host lab1 is not connected since") is Code.UNAVAILABLE
    assert (await kit.get()).status.phase == phase
    await host.connect()
    if phase == pb.SANDBOX_PHASE_DELETING:
        await gone(kit)
    else:
        await kit.until("web", pb.SANDBOX_PHASE_STOPPED)
    assert not host.driver.running


async def test_a_start_that_is_under_way_fails_with_the_host(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    host.held.add("start")
    await kit.create()
    await host.until("start")
    await host.lose()
    failed = await kit.until("web", pb.SANDBOX_PHASE_ERROR)
    assert "host lab1 was lost" in failed.status.conditions[0].message
    await lost(kit)
    await host.connect()
    await host.until("stop")  # it may have begun to run, and is at rest by the record


async def test_a_restart_of_the_gateway(make_kit: MakeKit, make_host: MakeHost) -> None:
    kit = await make_kit(grace=0.05)
    host = await make_host(kit)
    sandbox = await kit.ready()
    supervisor = kit.supervisor(sandbox)
    await kit.restart()
    kit.supervisors[sandbox.metadata.id] = supervisor
    await unreachable(kit)
    assert not (await hosts(kit))[0].connected
    await host.lose()
    await host.connect()
    await host.until("adopt")
    await supervisor.connect()
    await kit.until("web", READY)


async def test_a_sandbox_that_ended_while_its_host_was_away(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    await kit.ready()
    await host.lose(supervisors=True)
    await lost(kit)
    host.driver.running.clear()
    await host.connect()
    await kit.until("web", pb.SANDBOX_PHASE_ERROR)


# --- what people do -------------------------------------------------------------------------------------------------


async def test_a_host_that_drains_takes_nothing_new(kit: Kit, make_host: MakeHost) -> None:
    await make_host(kit)
    await kit.ready()
    request = ext.DrainHostRequest(name="lab1")
    assert (await kit.extension("DrainHost", request, ext.DrainHostResponse)).host.draining
    assert await refused(kit.create("b"), "lab1 is draining") is Code.EXHAUSTED
    assert (await kit.get()).status.phase == READY
    undo = ext.DrainHostRequest(name="lab1", undo=True)
    assert not (await kit.extension("DrainHost", undo, ext.DrainHostResponse)).host.draining
    assert (await kit.create("b")).host == "lab1"


def remove(kit: Kit, force: bool = False, name: str = "lab1") -> Awaitable[ext.RemoveHostResponse]:
    return kit.extension("RemoveHost", ext.RemoveHostRequest(name=name, force=force), ext.RemoveHostResponse)


async def test_a_host_with_sandboxes_is_removed_by_force_alone(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    await kit.ready()
    assert await refused(remove(kit), "1 sandboxes are placed on host lab1: web") is Code.PRECONDITION
    assert list((await remove(kit, force=True)).sandboxes) == ["web"]
    assert await hosts(kit) == []
    await gone(kit)
    assert ("delete", host.births[0].sandbox_id) not in host.driver.calls
    async with asyncio.timeout(10):
        assert isinstance(await host.ended, OpenShellError)
    assert await refused(host.connect(), "revoked|knows") is Code.UNAUTHENTICATED
    assert await refused(remove(kit), "'lab1' is not registered") is Code.NOT_FOUND


async def test_a_host_that_is_away_is_removed_too(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    await host.lose()
    await lost(kit)
    assert list((await remove(kit)).sandboxes) == []


async def test_a_revoked_hosts_stream_is_cut(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    request = ext.RevokePrincipalRequest(name="lab1", role=ext.ENROLLED_ROLE_HOST)
    await kit.extension("RevokePrincipal", request, ext.RevokePrincipalResponse)
    async with asyncio.timeout(10):
        error = await host.ended
    assert isinstance(error, OpenShellError)
    assert error.code is Code.UNAUTHENTICATED
    await lost(kit)
    assert len((await remove(kit)).sandboxes) == 0


async def test_files_that_nobody_knows_are_kept_listed_and_pruned(kit: Kit, make_host: MakeHost) -> None:
    ids = sorted((new_id(), new_id()))
    host = await make_host(kit, sandbox_ids=ids)
    assert list((await hosts(kit))[0].unknown_sandbox_ids) == ids
    assert host.driver.calls == []
    prune = ext.PruneHostRequest(name="lab1")
    assert list((await kit.extension("PruneHost", prune, ext.PruneHostResponse)).sandbox_ids) == ids
    assert host.driver.calls == [("delete", one) for one in ids]
    assert list((await hosts(kit))[0].unknown_sandbox_ids) == []
    assert list((await kit.extension("PruneHost", prune, ext.PruneHostResponse)).sandbox_ids) == []


# --- a host's own sandbox -------------------------------------------------------------------------------------------


async def test_a_joined_host_gets_one_sandbox_and_the_same_again(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit, "laptop", joined=True)
    first, again = await asyncio.gather(host.join("mine"), host.join("other"))
    assert first.sandbox.metadata.id == again.sandbox.metadata.id
    assert (first.sandbox.metadata.name, first.sandbox.host) == ("mine", "laptop")
    await kit.until("mine", READY)
    assert not (await kit.create("web")).host  # it is no capacity
    await delete(kit, "mine")
    assert (await host.join()).sandbox.metadata.name.startswith("sandbox-")


async def test_a_host_that_serves_does_not_join(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    assert await refused(host.join(), "not connected as one that joins") is Code.PRECONDITION


# --- hosts that are not what they should be -------------------------------------------------------------------------


async def test_another_machine_of_the_same_name(kit: Kit, make_host: MakeHost) -> None:
    first = await make_host(kit)
    copy = FakeHost(kit, first.member, "lab1", machine="m2")
    assert await refused(copy.connect(), "connected from another machine") is Code.CONFLICT
    assert (await hosts(kit))[0].connected
    assert not first.ended.done()
    await first.lose()
    await kit.stop()
    lines = (kit.settings.state / "audit.jsonl").read_text().splitlines()
    told = [event["message"] for event in map(json.loads, lines) if "host session" in event["message"]]
    assert told == ["host session opened (lab1)", "host session refused (lab1)", "host session closed (lab1)"]


async def test_a_host_that_comes_again_takes_its_own_place(kit: Kit, make_host: MakeHost) -> None:
    first = await make_host(kit)
    second = await FakeHost(kit, first.member, "lab1").connect()
    async with asyncio.timeout(10):
        assert isinstance(await first.ended, OpenShellError)
    assert (await hosts(kit))[0].connected
    await kit.ready()
    assert second.births
    await second.lose()


@pytest.mark.parametrize(
    ("hello", "words"),
    [
        ({"sandbox_ids": ["../../etc"]}, "no id"),
        ({"sandbox_ids": [new_id()] * 4097}, "more than 4096"),
        ({"labels": {"a b": "c"}}, "label"),
        ({"labels": {f"k{n}": "" for n in range(65)}}, "over the limit of 64"),
        ({"taken_ids": [ext.IdRange(first=2**32 - 1, count=2)]}, "ids over"),
    ],
)
async def test_a_hello_that_is_refused(kit: Kit, hello: dict[str, Any], words: str) -> None:
    host = await FakeHost.enrolled(kit, "lab1", **hello)
    assert await refused(host.connect(), words) is Code.INVALID
    assert await hosts(kit) == []


async def test_what_a_host_says_of_itself_is_bounded_and_cleaned(kit: Kit, make_host: MakeHost) -> None:
    facts = {f"f{n:03}": "x" * 10_000 for n in range(100)} | {"a\x1b]0;": "\u202e"}
    await make_host(kit, facts=facts, version="\x1b[2J", max_sandboxes=2**32 - 1)
    (shown,) = await hosts(kit)
    assert len(shown.facts) == 64
    assert all(len(value) < 300 for value in shown.facts.values())
    assert shown.facts["a\\x1b]0;"] == "\\u202e"
    assert (shown.version, shown.max_sandboxes) == ("\\x1b[2J", 2**31 - 1)


async def test_a_host_speaks_for_its_own_sandboxes_alone(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    sandbox = await kit.ready(placement=pb.Placement(host="here"))
    await host.send(ended=ext.SandboxEnded(sandbox_id=sandbox.metadata.id, reason="gone"))
    await host.send(answer=ext.HostAnswer(order=99, runs=True))
    await kit.ready("b")  # what was said before has been heard
    assert (await kit.get()).status.phase == READY


async def test_a_second_hello_ends_the_stream(kit: Kit, make_host: MakeHost) -> None:
    host = await make_host(kit)
    await host.send(hello=host.hello)
    async with asyncio.timeout(10):
        error = await host.ended
    assert isinstance(error, OpenShellError)
    assert error.code is Code.INVALID


async def test_a_stream_that_does_not_begin_with_hello(kit: Kit) -> None:
    host = await FakeHost.enrolled(kit)
    channel = await host.member.connect(kit)
    call = await channel.open("/pyopenshell.v1.Extension/ServeHost")
    await call.send(ext.HostMessage(heartbeat=ext.HostHeartbeat()))
    assert await refused(call.receive(ext.GatewayOrder), "not hello") is Code.INVALID


async def test_a_host_that_says_nothing_is_lost(make_kit: MakeKit, make_host: MakeHost) -> None:
    kit = await make_kit(heartbeat_interval=0.02)
    host = await make_host(kit)
    host.beats = False
    assert (await lost(kit)).name == "lab1"
    async with asyncio.timeout(10):
        assert "said nothing" in str(await host.ended)


async def test_nobody_else_serves(kit: Kit) -> None:
    call = await kit.channel.open("/pyopenshell.v1.Extension/ServeHost")
    assert await refused(call.receive(ext.GatewayOrder), "ServeHost is not allowed") is Code.FORBIDDEN
