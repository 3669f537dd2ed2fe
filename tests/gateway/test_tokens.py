"""pyopenshell.v1.Extension on the wire: API tokens, relays, processes; and who may not."""

from __future__ import annotations

import os

import pytest
from google.protobuf.duration_pb2 import Duration

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext
from tests.support.gateway_kit import Kit, files, ssh
from tests.support.waiting import until


async def create(kit: Kit, **fields: object) -> ext.CreateTokenResponse:
    request = ext.CreateTokenRequest(**{"name": "ci", **fields})  # type: ignore[arg-type]
    return await kit.extension("CreateToken", request, ext.CreateTokenResponse)


async def test_create_list_revoke(kit: Kit) -> None:
    made = await create(kit, scopes=["exec"])
    assert made.secret.startswith("ost_")
    assert list(made.token.scopes) == ["exec"]
    life = made.token.expiration_time.seconds - made.token.created_time.seconds
    assert life == 30 * 24 * 3600
    (listed,) = (await kit.extension("ListTokens", ext.ListTokensRequest(), ext.ListTokensResponse)).tokens
    assert listed == made.token
    revoked = await kit.extension("RevokeToken", ext.RevokeTokenRequest(id="ci"), ext.RevokeTokenResponse)
    assert revoked.token.HasField("revoked_time")
    channel = await kit.connect_tls(cert=False)
    with pytest.raises(OpenShellError) as caught:
        await kit.call(
            "Health",
            pb.HealthRequest(),
            pb.HealthResponse,
            channel=channel,
            metadata=[("authorization", f"Bearer {made.secret}")],
        )
    assert caught.value.code is Code.UNAUTHENTICATED


async def test_a_ttl_of_zero_has_no_end(kit: Kit) -> None:
    assert not (await create(kit, ttl=Duration())).token.HasField("expiration_time")
    soon = await create(kit, name="soon", ttl=Duration(seconds=60))
    assert soon.token.expiration_time.seconds - soon.token.created_time.seconds == 60


@pytest.mark.parametrize("fields", [{"scopes": ["everything"]}, {"name": "a/b"}, {"ttl": Duration(seconds=-1)}])
async def test_tokens_that_cannot_be(kit: Kit, fields: dict[str, object]) -> None:
    with pytest.raises(OpenShellError) as caught:
        await create(kit, **fields)
    assert caught.value.code is Code.INVALID


async def test_revoke_of_what_is_not_there(kit: Kit) -> None:
    with pytest.raises(OpenShellError) as caught:
        await kit.extension("RevokeToken", ext.RevokeTokenRequest(id="nobody"), ext.RevokeTokenResponse)
    assert caught.value.code is Code.NOT_FOUND


async def test_a_revoked_token_takes_its_sessions_with_it(kit: Kit) -> None:
    await kit.ready()
    more = {"channel": await kit.connect_tls(cert=False), "metadata": await kit.api_token()}
    request = pb.CreateSshSessionRequest(sandbox="web")
    session = await kit.call("CreateSshSession", request, pb.CreateSshSessionResponse, **more)
    leg = await kit.forward(ssh("web", session.token), **more)
    await leg.init()
    await kit.extension("RevokeToken", ext.RevokeTokenRequest(id="ci"), ext.RevokeTokenResponse)
    with pytest.raises(OpenShellError):
        await leg.read()
    revoke = pb.RevokeSshSessionRequest(token=session.token)
    await kit.call("RevokeSshSession", revoke, pb.RevokeSshSessionResponse)


@pytest.mark.parametrize("end", ["revoked", "expired"])
@pytest.mark.parametrize("follow", ["follow_status", "follow_logs"])
async def test_an_open_watch_ends_with_its_token(kit: Kit, end: str, follow: str) -> None:
    await kit.ready()
    made = await create(kit, **({"ttl": Duration(seconds=1)} if end == "expired" else {}))
    channel = await kit.connect_tls(cert=False)
    metadata = [("authorization", f"Bearer {made.secret}")]
    request = pb.WatchSandboxRequest(sandbox="web", **{follow: True})
    events = channel.stream("/openshell.v1.OpenShell/WatchSandbox", request, pb.SandboxStreamEvent, metadata=metadata)
    assert (await anext(events)).sandbox.metadata.name == "web"
    if end == "revoked":
        await kit.extension("RevokeToken", ext.RevokeTokenRequest(id="ci"), ext.RevokeTokenResponse)
    with pytest.raises(OpenShellError, match="API token") as caught:
        await anext(events)
    assert caught.value.code is Code.UNAUTHENTICATED


async def test_a_stream_that_was_let_in_before_a_revocation_opens_nothing_after_it(kit: Kit) -> None:
    await kit.ready()
    metadata = await kit.api_token()
    call = await (await kit.connect_tls(cert=False)).open("/openshell.v1.OpenShell/ForwardTcp", metadata=metadata)
    await until(lambda: bool(kit.gateway.services.leases._held))
    await kit.extension("RevokeToken", ext.RevokeTokenRequest(id="ci"), ext.RevokeTokenResponse)
    await call.send(pb.TcpForwardFrame(init=files("web")))
    with pytest.raises(OpenShellError, match="was revoked") as caught:
        await call.status()
    assert caught.value.code is Code.UNAUTHENTICATED


@pytest.mark.parametrize("rpc", ["CreateToken", "ListTokens", "RevokeToken", "GetProcesses"])
async def test_a_token_makes_no_tokens(kit: Kit, rpc: str) -> None:
    more = {"channel": await kit.connect_tls(cert=False), "metadata": await kit.api_token()}
    request = getattr(ext, f"{rpc}Request")()
    with pytest.raises(OpenShellError) as caught:
        await kit.extension(rpc, request, getattr(ext, f"{rpc}Response"), **more)
    assert caught.value.code is Code.FORBIDDEN


async def test_processes(kit: Kit) -> None:
    made = await kit.ready()
    supervisor = kit.supervisors[made.metadata.id]
    supervisor.usage = pb.Usage(supervisor_pss=4, supervisor_rss=5, supervisor_sockets=6, init_pss=7, init_rss=8)
    own = await kit.extension("GetProcesses", ext.GetProcessesRequest(), ext.GetProcessesResponse)
    assert [process.kind for process in own.processes] == [ext.Process.KIND_GATEWAY, ext.Process.KIND_ZYGOTE]
    assert own.processes[0].pid == os.getpid()
    assert own.processes[0].start_time > 0
    assert 0 < own.processes[0].pss <= own.processes[0].rss
    inside = await kit.extension("GetProcesses", ext.GetProcessesRequest(sandbox="web"), ext.GetProcessesResponse)
    assert [process.kind for process in inside.processes] == [ext.Process.KIND_SUPERVISOR, ext.Process.KIND_INIT]
    assert [(process.pss, process.rss, process.sockets) for process in inside.processes] == [(4, 5, 6), (7, 8, 0)]
    await supervisor.lose()
    nobody = await kit.extension("GetProcesses", ext.GetProcessesRequest(sandbox="web"), ext.GetProcessesResponse)
    assert [(process.pss, process.rss, process.sockets) for process in nobody.processes] == [(0, 0, 0)] * 2


async def test_relays_of_an_unknown_sandbox(kit: Kit) -> None:
    with pytest.raises(OpenShellError) as caught:
        await kit.extension("ListRelays", ext.ListRelaysRequest(sandbox="nobody"), ext.ListRelaysResponse)
    assert caught.value.code is Code.NOT_FOUND
