"""A whole gateway: its doors, what it leaves behind, restarts with running sandboxes, and what must not start."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.app import Gateway
from pyopenshell.gateway.settings import Settings
from pyopenshell.streams import Channel, Endpoint, client_context
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.gateway.conftest import MakeKit
from tests.support.fake_driver import FakeDriver
from tests.support.fake_supervisor import SERVICE, FakeSupervisor
from tests.support.gateway_kit import Kit, files


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_sockets_have_their_modes_and_go_with_the_gateway(kit: Kit) -> None:
    runtime = kit.settings.runtime
    assert mode(runtime) == 0o700
    assert mode(runtime / "gateway.sock") == 0o600
    assert mode(runtime / "far") == 0o711
    assert mode(runtime / "far" / "supervisor.sock") == 0o666
    await kit.gateway.stop()
    await kit.gateway.stop()
    assert not (runtime / "gateway.sock").exists()
    assert not (runtime / "far" / "supervisor.sock").exists()
    assert kit.driver.closed


async def test_supervisors_are_told_the_far_socket(kit: Kit) -> None:
    sandbox = await kit.ready()
    birth = kit.driver.births[sandbox.metadata.id]
    assert birth.gateway_socket == str(kit.settings.runtime / "far" / "supervisor.sock")
    assert (birth.id_base, birth.lifetime_gateway) == (0, False)


async def test_ranges_and_the_gateways_lifetime_are_told_too(tmp_path: Path) -> None:
    settings = Settings("test", tmp_path / "state", tmp_path / "run", "tester", "1", lifetime_gateway=True)
    kit = Kit(settings)
    kit.driver.facts = {"isolation": "range"}
    await kit.start()
    sandbox = await kit.ready()
    birth = kit.driver.births[sandbox.metadata.id]
    assert birth.id_base >= 0x80000
    assert birth.lifetime_gateway
    await kit.stop()


@pytest.mark.parametrize(
    "rpc", ["ExposeService", "GetService", "ListServices", "DeleteService", "PeerRelay", "NoSuchCall"]
)
async def test_calls_that_are_not_served(kit: Kit, rpc: str) -> None:
    with pytest.raises(RemoteError) as caught:
        await kit.call(rpc, pb.HealthRequest(), pb.HealthResponse)
    assert caught.value.status is GrpcStatus.UNIMPLEMENTED


async def test_requests_that_are_garbage(kit: Kit) -> None:
    call = await kit.channel.open(f"{SERVICE}CreateSandbox")
    await call.write(b"\xff\xff\xff\xff\xff")
    with pytest.raises(RemoteError) as caught:
        await call.status()
    assert caught.value.status is GrpcStatus.INVALID_ARGUMENT


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x16\x03\x01" + b"\xff" * 61])
async def test_garbage_on_the_port_hurts_nobody(kit: Kit, garbage: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", kit.gateway.port)
    writer.write(garbage)
    await writer.drain()
    writer.write_eof()
    try:
        await reader.read()
    except ConnectionResetError:
        pass
    writer.close()
    assert (await kit.call("Health", pb.HealthRequest(), pb.HealthResponse)).status == pb.SERVICE_STATUS_HEALTHY


async def test_a_client_that_trusts_another_authority(kit: Kit, tmp_path: Path) -> None:
    from pyopenshell.gateway.pki import ensure_pki

    other = ensure_pki(tmp_path / "other", owner="tester", now=kit.gateway.trail.wall())
    with pytest.raises(OpenShellError) as caught:
        await Channel.connect(Endpoint("127.0.0.1", kit.gateway.port), client_context(other.ca_cert))
    assert caught.value.code is Code.UNAUTHENTICATED


async def test_running_sandboxes_are_adopted_after_a_restart(kit: Kit) -> None:
    sandbox = await kit.ready(command=["job"])
    before = kit.driver.births[sandbox.metadata.id]
    await kit.restart()
    assert (await kit.get()).status.phase == pb.SANDBOX_PHASE_READY
    supervisor = await FakeSupervisor(before).connect()
    leg = await kit.forward(files("web"))
    await leg.write(b"x")
    assert bytes(await leg.read()) == b"x"
    leg.abort()
    assert ("start", sandbox.metadata.id) in kit.driver.calls
    assert kit.driver.calls.count(("start", sandbox.metadata.id)) == 1
    await supervisor.lose()


async def test_a_sandbox_that_ended_meanwhile_is_an_error(kit: Kit) -> None:
    sandbox = await kit.ready()
    kit.driver.running.clear()
    await kit.restart()
    ended = await kit.until("web", pb.SANDBOX_PHASE_ERROR)
    assert "ended" in ended.status.conditions[0].message
    assert ("adopt", sandbox.metadata.id) in kit.driver.calls


@pytest.mark.parametrize("phase", ["stopping", "deleting"])
async def test_what_was_begun_before_a_restart_is_finished_after_it(kit: Kit, phase: str) -> None:
    await kit.ready()
    begun = asyncio.Event()
    original = kit.driver.stop, kit.driver.delete

    async def never(sandbox_id: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    kit.driver.stop = kit.driver.delete = never  # type: ignore[method-assign]
    if phase == "stopping":
        asking = asyncio.ensure_future(kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse))
    else:
        asking = asyncio.ensure_future(
            kit.call("DeleteSandbox", pb.DeleteSandboxRequest(name="web"), pb.DeleteSandboxResponse)
        )
    await begun.wait()
    await kit.stop()
    await asyncio.gather(asking, return_exceptions=True)
    kit.driver.stop, kit.driver.delete = original  # type: ignore[method-assign]
    await kit.start()
    if phase == "stopping":
        await kit.until("web", pb.SANDBOX_PHASE_STOPPED)
    else:
        with pytest.raises(OpenShellError, match="does not exist"):
            while True:
                await kit.get()


async def test_a_stop_lets_relays_end_and_cuts_those_that_do_not(make_kit: MakeKit) -> None:
    kit = await make_kit(drain_timeout=5.0)
    await kit.ready()
    ending, staying = await kit.forward(files("web")), await kit.forward(files("web"))
    await ending.init()
    await staying.init()
    stopping = asyncio.ensure_future(kit.gateway.stop())
    await ending.write(b"last words")
    assert bytes(await ending.read()) == b"last words"
    await ending.end()
    assert await ending.read() == b""
    await ending.close()
    staying.abort()
    await stopping


async def test_whoever_meets_a_gateway_that_drains_is_told(make_kit: MakeKit) -> None:
    kit = await make_kit(drain_timeout=60.0)
    sandbox = await kit.ready()
    staying = await kit.forward(files("web"))
    await staying.init()
    mark = kit.settings.state / "draining"
    assert not mark.exists()
    stopping = asyncio.ensure_future(kit.gateway.stop())
    await asyncio.sleep(0)
    assert mark.read_text() == f"{os.getpid()}\n"
    for channel in (kit.channel, await kit.connect_tls(), await kit.connect_owner()):
        with pytest.raises(OpenShellError, match=r"the gateway is stopping.*gateway start") as caught:
            await kit.call("ListSandboxes", pb.ListSandboxesRequest(), pb.ListSandboxesResponse, channel=channel)
        assert caught.value.code is Code.UNAVAILABLE
    # Supervisors are served to the end.
    metadata = kit.supervisor(sandbox).metadata
    await kit.call(
        "IssueSandboxToken", pb.IssueSandboxTokenRequest(), pb.IssueSandboxTokenResponse,
        channel=await kit.connect_far(), metadata=metadata,
    )  # fmt: skip
    kit.gateway.hurry()
    await stopping
    staying.abort()
    await kit.start()
    assert not mark.exists()


@pytest.mark.parametrize("hurry", [False, True])
async def test_a_relay_that_a_stop_cuts_is_told_why(make_kit: MakeKit, hurry: bool) -> None:
    kit = await make_kit(drain_timeout=60.0 if hurry else 0.05)
    await kit.ready()
    staying = await kit.forward(files("web"))
    await staying.init()
    stopping = asyncio.ensure_future(kit.gateway.stop())
    if hurry:
        await asyncio.sleep(0)
        kit.gateway.hurry()
    with pytest.raises(OpenShellError, match="the gateway is stopping"):
        while True:
            await staying.read()
    await stopping


async def test_a_second_gateway_on_the_same_state(kit: Kit) -> None:
    with pytest.raises(OpenShellError) as caught:
        await Gateway.start(replace(kit.settings, runtime=kit.settings.runtime / "other"), FakeDriver())
    assert caught.value.code is Code.CONFLICT
    assert str(os.getpid()) in caught.value.message


async def test_a_second_gateway_in_the_same_runtime_directory(kit: Kit, tmp_path: Path) -> None:
    with pytest.raises(OpenShellError) as caught:
        await Gateway.start(replace(kit.settings, state=tmp_path / "other"), FakeDriver())
    assert caught.value.code is Code.CONFLICT
    assert (await kit.call("Health", pb.HealthRequest(), pb.HealthResponse)).status == pb.SERVICE_STATUS_HEALTHY


async def test_a_port_in_use_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings("test", tmp_path / "state", tmp_path / "run", "tester", "1", port=taken.getsockname()[1])
        with pytest.raises(OpenShellError) as caught:
            await Gateway.start(settings, FakeDriver())
    assert caught.value.code is Code.CONFLICT
    gateway = await Gateway.start(replace(settings, port=0), FakeDriver())
    await gateway.stop()


async def test_a_machine_that_forbids_sandboxes(tmp_path: Path) -> None:
    driver = FakeDriver()

    async def probe() -> dict[str, str]:
        raise OpenShellError(Code.PRECONDITION, "unshare: EPERM", hint="sysctl")

    driver.probe = probe  # type: ignore[method-assign]
    settings = Settings("test", tmp_path / "state", tmp_path / "run", "tester", "1")
    with pytest.raises(OpenShellError, match="unshare: EPERM"):
        await Gateway.start(settings, driver)
    assert driver.closed


async def test_an_endpoint_on_ipv6_is_written_in_brackets(tmp_path: Path) -> None:
    settings = Settings("test", tmp_path / "state", tmp_path / "run", "tester", "1", host="::1")
    assert Gateway(settings, FakeDriver()).endpoint == "https://[::1]:0"
