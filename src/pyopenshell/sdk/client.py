"""The SDK's front door: one `Client` for one gateway.

    async with Client.of("local") as client:
        await client.sandboxes.create(name="web")
        await client.sandboxes.wait_ready("web")
        done = await client.run("web", ExecSpec(("uname", "-s")))
        async with client.forward("web", TcpTarget("127.0.0.1", 8000)) as forward:
            print(forward.address)

Nothing connects before the first call; all calls share one connection, which is made again after it was lost. Parts are
imported when they are used: a command line that runs one command has no time for the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pyopenshell.model import ExecSpec, Target, TcpTarget
from pyopenshell.sdk import exec as exec_
from pyopenshell.sdk.connection import CONNECT_TIMEOUT, EXTENSION, Connection, proxy_of
from pyopenshell.sdk.gateways import Gateway, Registry
from pyopenshell.sdk.paths import Paths
from pyopenshell.sdk.relays import Relay, check_sandbox, open_relay
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb

if TYPE_CHECKING:
    from pyopenshell.sdk.enrolment import Enrolment
    from pyopenshell.sdk.forward import Closed, Forward
    from pyopenshell.sdk.hosts import Hosts
    from pyopenshell.sdk.sandboxes import Sandboxes
    from pyopenshell.sdk.sessions import Session
    from pyopenshell.sdk.tokens import Tokens
    from pyopenshell.sdk.types import GatewayInfo, Process, User
    from pyopenshell.streams.proxies import Proxy


class Client:
    """Everything one gateway can do for us."""

    def __init__(
        self,
        gateway: Gateway,
        token: str = "",
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        proxy: Proxy | None = None,
    ) -> None:
        self.gateway = gateway
        self.connection = Connection(gateway, token, connect_timeout=connect_timeout, proxy=proxy)

    @cached_property
    def sandboxes(self) -> Sandboxes:
        """Create, look, list, start, stop, delete, logs, watch."""
        from pyopenshell.sdk.sandboxes import Sandboxes

        return Sandboxes(self.connection)

    @cached_property
    def tokens(self) -> Tokens:
        """API tokens of users."""
        from pyopenshell.sdk.tokens import Tokens

        return Tokens(self.connection)

    @cached_property
    def hosts(self) -> Hosts:
        """Machines that run sandboxes for the gateway."""
        from pyopenshell.sdk.hosts import Hosts

        return Hosts(self.connection)

    @cached_property
    def enrolment(self) -> Enrolment:
        """Invitations, and who came by them."""
        from pyopenshell.sdk.enrolment import Enrolment

        return Enrolment(self.connection)

    @classmethod
    def of(cls, name: str = "", *, environ: Mapping[str, str] = os.environ) -> Client:
        """The client of a registered gateway; empty `name` is the active one. OPENSHELL_TOKEN, where set, says who calls.

        HTTPS_PROXY and NO_PROXY are heeded. Raises NOT_FOUND, INVALID for a proxy that cannot be used.
        """
        gateway = Registry(Paths.of(environ)).resolve(name)
        return cls(gateway, environ.get("OPENSHELL_TOKEN", ""), proxy=proxy_of(gateway, environ))

    async def close(self) -> None:
        """Close the connection; what is open breaks."""
        await self.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def exec(self, sandbox: str, spec: ExecSpec) -> AbstractAsyncContextManager[exec_.Execution]:
        """Start a command; see `exec.Execution`. Leaving the block ends it."""
        return exec_.execution(self.connection, check_sandbox(sandbox), spec)

    async def run(self, sandbox: str, spec: ExecSpec, stdin: bytes = b"") -> exec_.Completed:
        """Run a command to its end. Raises the refusal, or BROKEN when its status is not known."""
        return await exec_.run(self.connection, check_sandbox(sandbox), spec, stdin)

    def forward(
        self,
        sandbox: str,
        target: TcpTarget,
        local: tuple[str, int] = ("127.0.0.1", 0),
        on_closed: Callable[[Closed], None] = lambda _: None,
    ) -> AbstractAsyncContextManager[Forward]:
        """Listen on `local` for the time of the block and carry every connection to `target`.

        `on_closed` is told how each one ended.
        """
        from pyopenshell.sdk.forward import forward

        return forward(self.connection, check_sandbox(sandbox), target, local, on_closed)

    def session(self, sandbox: str, target: Target, max_connections: int = 1) -> AbstractAsyncContextManager[Session]:
        """A token for `target` for the time of the block."""
        from pyopenshell.sdk.sessions import session

        return session(self.connection, check_sandbox(sandbox), target, max_connections)

    async def open(self, sandbox: str, target: Target, token: str | None = None) -> Relay:
        """Open one relay: with a session's token, or (None) by who we are, which saves the round trip of making one."""
        return await open_relay(self.connection, check_sandbox(sandbox), target, token)

    async def whoami(self) -> User:
        """Who the gateway takes us for. Raises UNAUTHENTICATED."""
        from pyopenshell.sdk.types import User

        found = await self.connection.call("GetCurrentUser", pb.GetCurrentUserRequest(), pb.GetCurrentUserResponse)
        return User(found.subject, found.display_name, tuple(found.roles), tuple(found.scopes), found.identity_provider)

    async def info(self) -> GatewayInfo:
        """Version and drivers of the gateway."""
        from pyopenshell.sdk.types import GatewayInfo

        found = await self.connection.call("GetGatewayInfo", pb.GetGatewayInfoRequest(), pb.GetGatewayInfoResponse)
        drivers = tuple(driver.name for driver in found.compute_drivers)
        return GatewayInfo(_status(found.status), found.gateway_version, drivers)

    async def processes(self, sandbox: str = "") -> list[Process]:
        """The processes of one sandbox or, without a name, of the gateway itself, on the gateway's machine."""
        from pyopenshell.sdk.types import Process
        from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

        request = ext.GetProcessesRequest(sandbox=sandbox)
        found = await self.connection.call("GetProcesses", request, ext.GetProcessesResponse, service=EXTENSION)
        return [Process.of(process) for process in found.processes]

    async def health(self) -> tuple[str, str]:
        """(`healthy`, version); needs no credentials that the gateway knows."""
        found = await self.connection.call("Health", pb.HealthRequest(), pb.HealthResponse)
        return _status(found.status), found.version


def _status(number: int) -> str:
    names = {value: name for name, value in pb.ServiceStatus.items()}
    return names.get(number, "SERVICE_STATUS_UNSPECIFIED").removeprefix("SERVICE_STATUS_").lower()
