"""pyopenshell.v1.Extension: the control stream of a sandbox host, its own sandbox, and what people do with hosts.

A host speaks for itself alone: its name is that of its certificate, never one that it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pyopenshell.audit import entities, sessions
from pyopenshell.errors import Code, OpenShellError
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.door import EXTENSION, Caller, Rpc
from pyopenshell.gateway.host_session import HostSession
from pyopenshell.gateway.hosts import Host, Hosts
from pyopenshell.gateway.lifecycle import Lifecycle
from pyopenshell.gateway.log_book import LogBook
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.relaying import FIRST_MESSAGE_TIMEOUT, first_message
from pyopenshell.gateway.sandbox_view import new_name, sandbox_message
from pyopenshell.gateway.sandboxes import new_record
from pyopenshell.gateway.trail import Trail
from pyopenshell.model import Phase, SandboxSpec, check_name
from pyopenshell.store.sandboxes import SandboxRecord
from pyopenshell.streams.grpc_server import Call
from pyopenshell.wire.convert import timestamp
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

SUBJECT = "host:"  # of a host's principal, before its name
MISSED_MAX = 3  # intervals of silence that end a session, as of a supervisor's

#: Ends a host's certificate: `revoke(name, caller)`; nothing where there is none.
Revoke = Callable[[str, Caller], Awaitable[None]]


class HostService:
    """Serves hosts, and people who look at them."""

    def __init__(
        self,
        hosts: Hosts,
        registry: Registry,
        lifecycle: Lifecycle,
        board: Board,
        logs: LogBook,
        revoke: Revoke,
        trail: Trail,
        *,
        first_timeout: float = FIRST_MESSAGE_TIMEOUT,
    ) -> None:
        self._hosts = hosts
        self._registry = registry
        self._lifecycle = lifecycle
        self._board = board
        self._logs = logs
        self._revoke = revoke
        self._trail = trail
        self._first_timeout = first_timeout
        self._joining: dict[str, asyncio.Lock] = {}

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.SERVE_HOST, raw=self.serve, service=EXTENSION, cut=True),
            Rpc(Action.JOIN_SANDBOX, ext.JoinSandboxRequest, one=self.join, service=EXTENSION),
            Rpc(Action.LIST_HOSTS, ext.ListHostsRequest, one=self.list, service=EXTENSION),
            Rpc(Action.DRAIN_HOST, ext.DrainHostRequest, one=self.drain, service=EXTENSION),
            Rpc(Action.REMOVE_HOST, ext.RemoveHostRequest, one=self.remove, service=EXTENSION),
            Rpc(Action.PRUNE_HOST, ext.PruneHostRequest, one=self.prune, service=EXTENSION),
        ]

    # --- what hosts call ------------------------------------------------------------------------------------------

    async def serve(self, caller: Caller) -> None:
        """One control stream, from hello to its end."""
        call = caller.call
        message = call.parse(ext.HostMessage, await first_message(call, "hello", self._first_timeout))
        if message.WhichOneof("payload") != "hello":
            raise OpenShellError(Code.INVALID, "the first message of the stream is not hello")
        caller.may(Action.SERVE_HOST)
        name, uid, address = _name(caller), caller.principal.credential, caller.address
        try:
            session = await self._hosts.connect(name, message.hello, address)
        except OpenShellError as error:
            self._trail.note(sessions.session_refused, uid, error.message, address, name=name, kind=sessions.HOST)
            raise
        opened_at, reason = self._trail.wall(), "the connection was lost"
        self._trail.note(sessions.session_opened, uid, name, session.session_id, address, kind=sessions.HOST)
        tasks = (
            asyncio.ensure_future(self._write(call, session)),
            asyncio.ensure_future(self._read(call, session)),
        )
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            reason = "the host ended it"
        except OpenShellError as error:
            reason = error.message
            raise
        finally:
            for task in tasks:
                task.cancel()
            self._trail.note(
                sessions.session_closed,
                uid,
                name,
                session.session_id,
                opened_at=opened_at,
                reason=reason,
                address=address,
                kind=sessions.HOST,
            )
            await self._hosts.disconnect(session)
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, call: Call, session: HostSession) -> None:
        while (message := await session.next()) is not None:
            await call.send(message)
        if session.ended is not None:
            raise session.ended

    async def _read(self, call: Call, session: HostSession) -> None:
        silence = MISSED_MAX * session.interval
        while True:
            try:
                async with asyncio.timeout(silence):
                    message = await call.receive(ext.HostMessage)
            except TimeoutError:
                raise OpenShellError(Code.UNAVAILABLE, f"the host said nothing for {silence:g} s") from None
            if message is None:
                return
            match message.WhichOneof("payload"):
                case "answer":
                    session.answered(message.answer)
                case "ended":
                    self._hosts.named(session.host).driver.ended(message.ended.sandbox_id, message.ended.reason)
                case "hello":
                    raise OpenShellError(Code.INVALID, "hello came a second time")
                case _:  # a heartbeat, or what a newer host says and this gateway need not know
                    continue

    async def join(self, request: ext.JoinSandboxRequest, caller: Caller) -> ext.JoinSandboxResponse:
        """The one sandbox of a joined host: made where there is none. Raises PRECONDITION unless it is here as joined."""
        name = _name(caller)
        async with self._joining.setdefault(name, asyncio.Lock()):
            host = self._hosts.named(name)
            if not host.record.joined or host.driver.session is None:
                raise OpenShellError(Code.PRECONDITION, f"host {name} is not connected as one that joins")
            placed = self._registry.on_host(name)
            record = next((one for one in placed if one.deleted_at is None), None) or await self._make(request, caller)
        return ext.JoinSandboxResponse(sandbox=sandbox_message(record))

    async def _make(self, request: ext.JoinSandboxRequest, caller: Caller) -> SandboxRecord:
        name = check_name(request.name, "sandbox name") if request.name else new_name()
        subject = caller.principal.subject
        record = await self._lifecycle.create(
            new_record(name, SandboxSpec(), subject, self._trail.wall(), host=_name(caller))
        )
        self._trail.note(entities.sandbox_created, caller.principal, record.id, record.name)
        return record

    # --- what people call -----------------------------------------------------------------------------------------

    async def list(self, _request: ext.ListHostsRequest, _caller: Caller) -> ext.ListHostsResponse:
        """Every host, by name."""
        return ext.ListHostsResponse(hosts=[self._message(host) for host in self._hosts.all()])

    async def drain(self, request: ext.DrainHostRequest, _caller: Caller) -> ext.DrainHostResponse:
        """Place nothing new there, or again. Raises NOT_FOUND."""
        host = await self._hosts.drain(request.name, not request.undo)
        return ext.DrainHostResponse(host=self._message(host))

    async def remove(self, request: ext.RemoveHostRequest, caller: Caller) -> ext.RemoveHostResponse:
        """Forget a host and end its certificate. Raises NOT_FOUND; PRECONDITION with sandboxes on it, unless forced."""
        name = request.name
        self._hosts.named(name)
        placed = self._registry.on_host(name)
        if placed and not request.force:
            raise OpenShellError(
                Code.PRECONDITION,
                f"{len(placed)} sandboxes are placed on host {name}: {', '.join(sorted(one.name for one in placed)[:10])}",
                hint="delete them first, or give --force: their records go, their files stay there",
            )
        await self._revoke(name, caller)
        await self._hosts.remove(name)
        for record in placed:
            self._board.forget(record.id, f"its host {name} was removed")
            await self._registry.delete(record.id)
            self._logs.forget(record.id)
            self._trail.note(entities.sandbox_deleted, caller.principal, record.id, record.name)
        return ext.RemoveHostResponse(sandboxes=sorted(record.name for record in placed))

    async def prune(self, request: ext.PruneHostRequest, _caller: Caller) -> ext.PruneHostResponse:
        """Remove the files of sandboxes that are not placed there. Raises NOT_FOUND, UNAVAILABLE, what the host answers."""
        host = self._hosts.named(request.name)
        removed: list[str] = []
        for sandbox_id in host.unknown:
            await host.driver.delete(sandbox_id)
            host.unknown = tuple(one for one in host.unknown if one != sandbox_id)
            removed.append(sandbox_id)
        return ext.PruneHostResponse(sandbox_ids=removed)

    def _message(self, host: Host) -> ext.Host:
        record = host.record
        placed = self._registry.on_host(record.name)
        return ext.Host(
            name=record.name,
            connected=record.connected,
            since=timestamp(record.since),
            address=record.address,
            labels=record.labels,
            facts=record.facts,
            max_sandboxes=record.max_sandboxes,
            sandboxes=len(placed),
            running=sum(one.phase is Phase.READY for one in placed),
            draining=record.draining,
            joined=record.joined,
            unknown_sandbox_ids=host.unknown,
            version=record.version,
        )


def _name(caller: Caller) -> str:
    return caller.principal.subject.removeprefix(SUBJECT)
