"""CreateSshSession and RevokeSshSession on the wire, and the reaper."""

from __future__ import annotations

import asyncio

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.ssh_sessions import SshSessionService
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.gateway.conftest import MakeKit
from tests.support.gateway_kit import Kit


async def created(kit: Kit, **fields: object) -> pb.CreateSshSessionResponse:
    request = pb.CreateSshSessionRequest(**{"sandbox": "web", **fields})  # type: ignore[arg-type]
    return await kit.call("CreateSshSession", request, pb.CreateSshSessionResponse)


async def revoked(kit: Kit, token: str, **more: object) -> int:
    request = pb.RevokeSshSessionRequest(token=token, allow_missing=bool(more.pop("allow_missing", False)))
    return (await kit.call("RevokeSshSession", request, pb.RevokeSshSessionResponse, **more)).outcome


async def test_a_session_says_where_and_how_to_connect(kit: Kit) -> None:
    sandbox = await kit.ready()
    session = await created(kit)
    assert session.sandbox_id == sandbox.metadata.id
    assert session.token
    assert (session.gateway_scheme, session.gateway_host) == ("https", "127.0.0.1")
    assert session.gateway_port == kit.gateway.port
    assert session.host_key == sandbox.host_key
    assert session.host_key_fingerprint == sandbox.host_key_fingerprint
    life = session.expiration_time.seconds - sandbox.metadata.created_time.seconds
    assert 24 * 3600 - 60 <= life <= 24 * 3600 + 60
    assert session.max_connections == 0


async def test_a_ttl_of_zero_has_no_end(make_kit: MakeKit) -> None:
    kit = await make_kit(session_ttl=0)
    await kit.ready()
    assert not (await created(kit)).HasField("expiration_time")


@pytest.mark.parametrize(("asked", "granted"), [(1, 1), (1000, 1000), (1001, 1000), (2**32 - 1, 1000)])
async def test_connections_are_granted_up_to_the_ceiling(kit: Kit, asked: int, granted: int) -> None:
    await kit.ready()
    assert (await created(kit, max_connections=asked)).max_connections == granted


async def test_sessions_of_what_is_not_there_or_not_ready(kit: Kit) -> None:
    with pytest.raises(OpenShellError) as caught:
        await created(kit)
    assert caught.value.code is Code.NOT_FOUND
    await kit.ready()
    await kit.call("StopSandbox", pb.StopSandboxRequest(name="web"), pb.SandboxResponse)
    with pytest.raises(OpenShellError) as caught:
        await created(kit)
    assert caught.value.code is Code.PRECONDITION


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "localhost.evil"])
async def test_sessions_for_a_target_that_may_not_be_dialled(kit: Kit, host: str) -> None:
    await kit.ready()
    with pytest.raises(OpenShellError) as caught:
        await created(kit, target=pb.SessionTarget(tcp=pb.TcpRelayTarget(host=host, port=80)))
    assert caught.value.code is Code.INVALID


async def test_revoke(kit: Kit) -> None:
    await kit.ready()
    token = (await created(kit)).token
    assert await revoked(kit, token) == pb.DELETION_OUTCOME_COMPLETED


async def test_revoke_of_what_is_not_there(kit: Kit) -> None:
    with pytest.raises(OpenShellError) as caught:
        await revoked(kit, "oss_" + "A" * 43)
    assert caught.value.code is Code.NOT_FOUND
    assert await revoked(kit, "oss_" + "A" * 43, allow_missing=True) == pb.DELETION_OUTCOME_ALREADY_ABSENT


async def test_another_principals_session_is_as_good_as_none(kit: Kit) -> None:
    await kit.ready()
    token = (await created(kit)).token
    other = {"channel": await kit.connect_tls(cert=False), "metadata": await kit.api_token()}
    with pytest.raises(OpenShellError) as caught:
        await revoked(kit, token, **other)
    assert caught.value.code is Code.NOT_FOUND


async def test_sessions_survive_a_restart_of_the_gateway(kit: Kit) -> None:
    await kit.ready()
    token = (await created(kit)).token
    await kit.restart()
    assert await revoked(kit, token) == pb.DELETION_OUTCOME_COMPLETED


class Reaped:
    """Tokens whose reaping fails once, then works, then waits for ever."""

    def __init__(self) -> None:
        self.calls = 0
        self.third = asyncio.Event()

    async def reap(self, now: float) -> int:
        self.calls += 1
        if self.calls == 1:
            raise OpenShellError(Code.EXHAUSTED, "the database's disk is full")
        if self.calls == 3:
            self.third.set()
        return 2


async def test_the_reaper_goes_on_after_a_failure(kit: Kit) -> None:
    tokens = Reaped()
    service = SshSessionService(
        kit.gateway.services.registry, tokens, kit.gateway.services.board, kit.gateway.trail, ("", "", 0)
    )  # type: ignore[arg-type]
    reaping = asyncio.ensure_future(service.reap(0.0))
    await tokens.third.wait()
    reaping.cancel()
    await asyncio.gather(reaping, return_exceptions=True)
