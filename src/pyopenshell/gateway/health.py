"""grpc.health.v1: whether this gateway serves, for load balancers and `grpcurl` (grpc/doc/health-checking.md).

The empty name is the gateway as a whole; a service that it has is as healthy as the gateway. Both calls may be made
without authentication: they tell nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection

from pyopenshell.streams.grpc_server import Call, Handler, server_stream, unary
from pyopenshell.wire.grpc.health.v1 import health_pb2 as pb
from pyopenshell.wire.status import GrpcStatus, RemoteError

SERVICE = "grpc.health.v1.Health"


class HealthService:
    """Answers Check and Watch from one flag."""

    def __init__(self, services: Collection[str]) -> None:
        self._services = frozenset(services)
        self._serving = True
        self._changed = asyncio.Event()

    def handlers(self) -> dict[str, Handler]:
        """Paths of this service."""
        return {
            f"/{SERVICE}/Check": unary(pb.HealthCheckRequest, self.check),
            f"/{SERVICE}/Watch": server_stream(pb.HealthCheckRequest, self.watch),
        }

    def stop_serving(self) -> None:
        """From now on the answer is NOT_SERVING; every watcher is told, and its call ends."""
        self._serving = False
        self._changed.set()

    async def check(self, request: pb.HealthCheckRequest, _call: Call) -> pb.HealthCheckResponse:
        """The state of a service. Raises NOT_FOUND for one that is not here."""
        status = self._status(request.service)
        if status == pb.HealthCheckResponse.SERVICE_UNKNOWN:
            raise RemoteError(GrpcStatus.NOT_FOUND, f"service {request.service[:80]!r} is not known")
        return pb.HealthCheckResponse(status=status)

    async def watch(self, request: pb.HealthCheckRequest, _call: Call) -> AsyncIterator[pb.HealthCheckResponse]:
        """The state now and each change of it; an unknown service is a state, not an error."""
        yield pb.HealthCheckResponse(status=self._status(request.service))
        await self._changed.wait()
        yield pb.HealthCheckResponse(status=self._status(request.service))

    def _status(self, service: str) -> pb.HealthCheckResponse.ServingStatus:
        if service and service not in self._services:
            return pb.HealthCheckResponse.SERVICE_UNKNOWN
        return pb.HealthCheckResponse.SERVING if self._serving else pb.HealthCheckResponse.NOT_SERVING
