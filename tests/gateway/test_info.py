"""Health, GetGatewayInfo and GetCurrentUser on the wire, through each door."""

from __future__ import annotations

import pytest

from pyopenshell.errors import Code, OpenShellError
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from tests.support.gateway_kit import Kit


async def test_health(kit: Kit) -> None:
    answer = await kit.call("Health", pb.HealthRequest(), pb.HealthResponse)
    assert answer.status == pb.SERVICE_STATUS_HEALTHY
    assert answer.version == "1"


async def test_gateway_info(kit: Kit) -> None:
    answer = await kit.call("GetGatewayInfo", pb.GetGatewayInfoRequest(), pb.GetGatewayInfoResponse)
    assert answer.gateway_version == "1"
    (driver,) = answer.compute_drivers
    assert driver.name == "fake"
    assert not driver.capabilities.resource_capabilities.cpu.limit_supported


async def test_the_limits_that_the_driver_can_hold(kit: Kit) -> None:
    kit.driver.facts |= {"limit_cpu": "no: no cgroup hierarchy is mounted", "limit_memory": "yes"}
    await kit.restart()
    answer = await kit.call("GetGatewayInfo", pb.GetGatewayInfoRequest(), pb.GetGatewayInfoResponse)
    found = answer.compute_drivers[0].capabilities.resource_capabilities
    assert (found.cpu.limit_supported, found.memory.limit_supported) == (False, True)


async def test_the_owner_by_certificate_and_by_socket(kit: Kit) -> None:
    by_certificate = await kit.call("GetCurrentUser", pb.GetCurrentUserRequest(), pb.GetCurrentUserResponse)
    by_socket = await kit.call(
        "GetCurrentUser", pb.GetCurrentUserRequest(), pb.GetCurrentUserResponse, channel=await kit.connect_owner()
    )
    assert by_certificate.subject == by_socket.subject == "tester"
    assert list(by_certificate.roles) == list(by_socket.roles) == ["admin"]
    assert (by_certificate.identity_provider, by_socket.identity_provider) == ("mtls", "unix")


async def test_a_token_and_a_supervisor(kit: Kit) -> None:
    channel = await kit.connect_tls(cert=False)
    metadata = await kit.api_token("exec", "ssh")
    user = await kit.call(
        "GetCurrentUser", pb.GetCurrentUserRequest(), pb.GetCurrentUserResponse, channel=channel, metadata=metadata
    )
    assert list(user.roles) == ["user"]
    assert list(user.scopes) == ["exec", "ssh"]
    supervisor = kit.supervisor(await kit.ready())
    itself = await kit.call(
        "GetCurrentUser",
        pb.GetCurrentUserRequest(),
        pb.GetCurrentUserResponse,
        channel=supervisor.channel,
        metadata=supervisor.metadata,
    )
    assert list(itself.roles) == ["supervisor"]


async def test_no_credential_at_any_door(kit: Kit) -> None:
    for channel in (await kit.connect_tls(cert=False), await kit.connect_far()):
        with pytest.raises(OpenShellError) as caught:
            await kit.call("Health", pb.HealthRequest(), pb.HealthResponse, channel=channel)
        assert caught.value.code is Code.UNAUTHENTICATED
