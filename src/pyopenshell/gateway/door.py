"""The door of each RPC: who calls, and may they? Both are settled before a byte of the request is read.

A service says what it has as `Rpc`s: an action (which is also the RPC's name), its kind, and a function. One `Doorkeeper`
for each listening door makes handlers of them. A sandbox's own question (may this principal touch *that* sandbox?) is asked
again by the function, with `Caller.may`, once it knows the sandbox.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from pyopenshell.audit import entities
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.auth import Authenticator, Door
from pyopenshell.gateway.authorize import Action, authorize
from pyopenshell.gateway.leases import Lease, Leases
from pyopenshell.gateway.trail import Trail
from pyopenshell.model import Principal
from pyopenshell.streams.grpc_server import Call, Handler, server_stream, unary

OPENSHELL = "openshell.v1.OpenShell"
EXTENSION = "pyopenshell.v1.Extension"
ENROLMENT = "pyopenshell.v1.Enrolment"

REMEMBERED = 20.0  # seconds
REMEMBERED_MAX = 4096  # credentials: every supervisor of a large gateway, and its owner
REMEMBERED_PROVIDERS = frozenset({"mtls", "jwt"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and the call itself."""

    principal: Principal
    call: Call
    lease: Lease = field(default_factory=Lease)

    @property
    def address(self) -> str:
        """Where from, as text for the audit."""
        return self.call.peer.address

    def may(self, action: Action, sandbox_id: str = "") -> None:
        """Raise FORBIDDEN unless the caller may do `action` on this sandbox, UNAUTHENTICATED where its token has ended."""
        self.lease.check()
        authorize(self.principal, action, sandbox_id)


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC of a service: exactly one of the three functions is set. `cut`: it ends with the caller's token.

    A call that opens a relay is not cut here: the relay ends with the token, and its outcome is told by that.
    """

    action: Action
    request: type[Message] | None = None
    one: Callable[[Any, Caller], Awaitable[Message]] | None = None
    many: Callable[[Any, Caller], AsyncIterator[Message]] | None = None
    raw: Callable[[Caller], Awaitable[None]] | None = None
    service: str = OPENSHELL
    cut: bool = False

    @property
    def path(self) -> str:
        """The gRPC path."""
        return f"/{self.service}/{self.action.value}"


class Known:
    """Who came with which credential a moment ago: of certificates and signed tokens, whose check costs more than a relay.

    An API token is never remembered: it is looked up faster than it is forgotten. A signed token can only expire, and is
    looked at again after REMEMBERED seconds, less than the clocks of two machines may differ (jwt.LEEWAY). Of an enrolled
    certificate `Leases.check` knows at every call whether it was revoked.
    """

    def __init__(self) -> None:
        self._principals: dict[str | bytes, tuple[Principal, float]] = {}

    def get(self, credential: str | bytes | None, now: float) -> Principal | None:
        """The principal, if this very credential was good less than REMEMBERED seconds ago."""
        found = None if credential is None else self._principals.get(credential)
        return found[0] if found is not None and now < found[1] else None

    def put(self, credential: str | bytes | None, principal: Principal, now: float) -> None:
        """Remember, where that is safe."""
        if credential is None or principal.provider not in REMEMBERED_PROVIDERS:
            return
        if len(self._principals) >= REMEMBERED_MAX:
            self._principals.clear()
        self._principals[credential] = principal, now + REMEMBERED


class Doorkeeper:
    """Makes handlers that let in whom `authenticator` knows at `door`."""

    def __init__(
        self,
        door: Door,
        authenticator: Authenticator,
        trail: Trail,
        leases: Leases,
        *,
        refuse: Callable[[], None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._door = door
        self._authenticator = authenticator
        self._trail = trail
        self._leases = leases
        self._refuse = refuse  # raises while nobody new is let in
        self._wall = wall
        self._known = Known()

    def handlers(self, rpcs: Iterable[Rpc]) -> dict[str, Handler]:
        """Path and handler of each RPC."""
        return {rpc.path: self._handler(rpc) for rpc in rpcs}

    def _handler(self, rpc: Rpc) -> Handler:
        async def handle(call: Call) -> None:
            principal = await self._let_in(call, rpc.action)
            with self._leases.hold(principal) as lease:
                serving = _serve(rpc, Caller(principal, call, lease))
                if rpc.cut:
                    await _until_cut(serving, call, lease)
                else:
                    await serving

        return handle

    async def _let_in(self, call: Call, action: Action) -> Principal:
        if self._door is not Door.FAR:
            self._refuse()
        now = self._wall()
        credential = call.metadata.get("authorization", call.peer.tls_cert_der)
        try:
            principal = self._known.get(credential, now)
            if principal is None:
                principal = await self._authenticator.authenticate(
                    self._door, call.metadata, now, cert_der=call.peer.tls_cert_der, uid=call.peer.unix_uid
                )
                self._known.put(credential, principal, now)
            self._leases.check(principal)
            call.known()
            authorize(principal, action)
        except OpenShellError as error:
            if error.code in (Code.UNAUTHENTICATED, Code.FORBIDDEN):
                self._trail.note(entities.caller_refused, action.value, error.code, error.message, call.peer.address)
            raise
        return principal


async def _serve(rpc: Rpc, caller: Caller) -> None:
    call = caller.call
    if rpc.raw is not None:
        await rpc.raw(caller)
    elif rpc.one is not None and rpc.request is not None:
        one = rpc.one
        await unary(rpc.request, lambda request, _: one(request, caller))(call)
    elif rpc.many is not None and rpc.request is not None:
        many = rpc.many
        await server_stream(rpc.request, lambda request, _: many(request, caller))(call)


async def _until_cut(serving: Awaitable[None], call: Call, lease: Lease) -> None:
    """Serve until the end of the caller's token; a caller that reads nothing is reset, for it would never see a status."""
    try:
        async with lease.cutting():
            await serving
    except OpenShellError:
        if lease.ended is not None and call.stream.unsent:
            call.abort(lease.ended.message)
        raise
