"""Health, GetGatewayInfo and GetCurrentUser: what the gateway says about itself and about its caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.door import Caller, Rpc
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb


class InfoService:
    """Serves the three. `facts` are those of the driver's probe; `healthy` is asked at every call."""

    def __init__(
        self, version: str, driver: str, facts: Mapping[str, str], healthy: Callable[[], bool] = lambda: True
    ) -> None:
        self._version = version
        self._driver = driver
        self._facts = facts
        self._healthy = healthy

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.HEALTH, pb.HealthRequest, one=self.health),
            Rpc(Action.GET_GATEWAY_INFO, pb.GetGatewayInfoRequest, one=self.gateway),
            Rpc(Action.GET_CURRENT_USER, pb.GetCurrentUserRequest, one=self.user),
        ]

    async def health(self, _request: pb.HealthRequest, _caller: Caller) -> pb.HealthResponse:
        """HEALTHY, or DEGRADED while it stops."""
        return pb.HealthResponse(status=self._status(), version=self._version)

    async def gateway(self, _request: pb.GetGatewayInfoRequest, _caller: Caller) -> pb.GetGatewayInfoResponse:
        """Version and driver."""
        capabilities = pb.ComputeDriverCapabilities(driver_name=self._driver, driver_version=self._version)
        capabilities.resource_capabilities.cpu.limit_supported = self._facts.get("limit_cpu") == "yes"
        capabilities.resource_capabilities.memory.limit_supported = self._facts.get("limit_memory") == "yes"
        return pb.GetGatewayInfoResponse(
            status=self._status(),
            gateway_version=self._version,
            compute_drivers=[pb.ComputeDriverInfo(name=self._driver, capabilities=capabilities)],
        )

    async def user(self, _request: pb.GetCurrentUserRequest, caller: Caller) -> pb.GetCurrentUserResponse:
        """Who the caller is taken for."""
        principal = caller.principal
        return pb.GetCurrentUserResponse(
            subject=principal.subject,
            display_name=principal.subject,
            roles=[principal.role.value],
            scopes=sorted(principal.scopes),
            identity_provider=principal.provider,
        )

    def _status(self) -> pb.ServiceStatus:
        return pb.SERVICE_STATUS_HEALTHY if self._healthy() else pb.SERVICE_STATUS_DEGRADED
