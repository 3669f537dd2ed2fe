"""grpc.health.v1 on the wire."""

from __future__ import annotations

import pytest

from pyopenshell.gateway.health import SERVICE
from pyopenshell.wire.grpc.health.v1 import health_pb2 as pb
from pyopenshell.wire.status import GrpcStatus, RemoteError
from tests.support.gateway_kit import Kit


@pytest.mark.parametrize("service", ["", "openshell.v1.OpenShell", "pyopenshell.v1.Extension", SERVICE])
async def test_what_is_here_serves_and_needs_no_credential(kit: Kit, service: str) -> None:
    channel = await kit.connect_tls(cert=False)
    answer = await channel.unary(f"/{SERVICE}/Check", pb.HealthCheckRequest(service=service), pb.HealthCheckResponse)
    assert answer.status == pb.HealthCheckResponse.SERVING


async def test_what_is_not_here(kit: Kit) -> None:
    with pytest.raises(RemoteError) as caught:
        await kit.channel.unary(f"/{SERVICE}/Check", pb.HealthCheckRequest(service="x"), pb.HealthCheckResponse)
    assert caught.value.status is GrpcStatus.NOT_FOUND
    watching = kit.channel.stream(f"/{SERVICE}/Watch", pb.HealthCheckRequest(service="x"), pb.HealthCheckResponse)
    assert (await anext(watching)).status == pb.HealthCheckResponse.SERVICE_UNKNOWN
    await watching.aclose()  # type: ignore[attr-defined]


async def test_watchers_are_told_of_the_stop(kit: Kit) -> None:
    watching = kit.channel.stream(f"/{SERVICE}/Watch", pb.HealthCheckRequest(), pb.HealthCheckResponse)
    assert (await anext(watching)).status == pb.HealthCheckResponse.SERVING
    await kit.gateway.stop()
    assert [answer.status async for answer in watching] == [pb.HealthCheckResponse.NOT_SERVING]
