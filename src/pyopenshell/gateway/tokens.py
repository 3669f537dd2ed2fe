"""pyopenshell.v1.Extension: API tokens, the relays that live now, and the gateway's processes."""

from __future__ import annotations

import contextlib
import os

from pyopenshell.audit import entities
from pyopenshell.gateway.admission import credential_tie
from pyopenshell.gateway.api_tokens import TokenBook, token_subject
from pyopenshell.gateway.authorize import Action
from pyopenshell.gateway.board import Board
from pyopenshell.gateway.door import EXTENSION, Caller, Rpc
from pyopenshell.gateway.hosts import Hosts
from pyopenshell.gateway.leases import Leases
from pyopenshell.gateway.registry import Registry
from pyopenshell.gateway.trail import Trail
from pyopenshell.linux.process import memory, own_start_time
from pyopenshell.relay.outcomes import Cause
from pyopenshell.store.api_tokens import ApiTokenRecord
from pyopenshell.store.ssh_sessions import SshSessions
from pyopenshell.wire.convert import seconds_of_duration, timestamp
from pyopenshell.wire.openshell.v1 import openshell_pb2 as pb
from pyopenshell.wire.pyopenshell.v1 import extension_pb2 as ext

_KINDS = {"zygote": ext.Process.KIND_ZYGOTE, "supervisor": ext.Process.KIND_SUPERVISOR, "init": ext.Process.KIND_INIT}


class ExtensionService:
    """Serves the calls that are ours alone."""

    def __init__(
        self,
        registry: Registry,
        board: Board,
        hosts: Hosts,
        tokens: TokenBook,
        sessions: SshSessions,
        leases: Leases,
        trail: Trail,
    ) -> None:
        self._registry = registry
        self._board = board
        self._hosts = hosts
        self._tokens = tokens
        self._sessions = sessions
        self._leases = leases
        self._trail = trail

    def rpcs(self) -> list[Rpc]:
        """What this service has."""
        return [
            Rpc(Action.CREATE_TOKEN, ext.CreateTokenRequest, one=self.create_token, service=EXTENSION),
            Rpc(Action.LIST_TOKENS, ext.ListTokensRequest, one=self.list_tokens, service=EXTENSION),
            Rpc(Action.REVOKE_TOKEN, ext.RevokeTokenRequest, one=self.revoke_token, service=EXTENSION),
            Rpc(Action.LIST_RELAYS, ext.ListRelaysRequest, one=self.list_relays, service=EXTENSION),
            Rpc(Action.GET_PROCESSES, ext.GetProcessesRequest, one=self.get_processes, service=EXTENSION),
        ]

    async def create_token(self, request: ext.CreateTokenRequest, caller: Caller) -> ext.CreateTokenResponse:
        """A new API token; its secret is in this answer alone."""
        ttl = seconds_of_duration(request.ttl) if request.HasField("ttl") else None
        secret, record = await self._tokens.create(
            caller.principal, request.name, request.scopes, self._trail.wall(), ttl=ttl
        )
        self._trail.note(entities.token_created, caller.principal, record.id, record.name, sorted(record.scopes))
        return ext.CreateTokenResponse(token=_token(record), secret=secret)

    async def list_tokens(self, _request: ext.ListTokensRequest, _caller: Caller) -> ext.ListTokensResponse:
        """All API tokens, newest first."""
        return ext.ListTokensResponse(tokens=[_token(record) for record in await self._tokens.list()])

    async def revoke_token(self, request: ext.RevokeTokenRequest, caller: Caller) -> ext.RevokeTokenResponse:
        """Revoke a token, with every session it made, every relay it opened and every stream. Raises NOT_FOUND."""
        now = self._trail.wall()
        record = await self._tokens.revoke(request.id, now)
        self._leases.revoke(record.id)
        self._board.cut(credential_tie(record.id), Cause.REVOKED)
        for token_hash in await self._sessions.revoke_of(token_subject(record.id), now):
            self._board.cut(token_hash, Cause.REVOKED)
        self._trail.note(entities.token_revoked, caller.principal, record.id, record.name)
        return ext.RevokeTokenResponse(token=_token(record))

    async def list_relays(self, request: ext.ListRelaysRequest, _caller: Caller) -> ext.ListRelaysResponse:
        """The relays that live now, oldest first. Raises NOT_FOUND."""
        sandbox_id = self._registry.resolve(request.sandbox).id if request.sandbox else ""
        age = self._trail.wall() - self._board.now()
        return ext.ListRelaysResponse(
            relays=[
                ext.Relay(
                    channel_id=line.channel_id,
                    sandbox_id=line.relay.request.sandbox_id,
                    sandbox=line.sandbox,
                    target=str(line.relay.request.target),
                    principal=line.relay.request.principal,
                    opened_time=timestamp(line.relay.opened_at + age),
                    bytes_far=line.tally.far,
                    bytes_near=line.tally.near,
                )
                for line in self._board.lines(sandbox_id)
            ]
        )

    async def get_processes(self, request: ext.GetProcessesRequest, _caller: Caller) -> ext.GetProcessesResponse:
        """The processes of one sandbox, wherever it is, or the gateway and its driver's own. Raises NOT_FOUND."""
        sandbox_id, found, usage = "", [], pb.Usage()
        if request.sandbox:
            sandbox_id = self._registry.resolve(request.sandbox).id
            usage = await self._board.usages.ask(sandbox_id)
        else:
            found.append(ext.Process(kind=ext.Process.KIND_GATEWAY, pid=os.getpid(), start_time=own_start_time()))
        for name in await self._hosts.of(sandbox_id).processes(sandbox_id):
            found.append(ext.Process(kind=_KINDS[name.kind], pid=name.pid, start_time=name.start_time))
        for process in found:
            _measure(process, usage)
        return ext.GetProcessesResponse(processes=found)


def _measure(process: ext.Process, usage: pb.Usage) -> None:
    """Fill in what the process takes: read, or as it says of itself where only root might look."""
    match process.kind:
        case ext.Process.KIND_SUPERVISOR:
            process.pss, process.rss, process.sockets = (
                usage.supervisor_pss,
                usage.supervisor_rss,
                usage.supervisor_sockets,
            )
        case ext.Process.KIND_INIT:
            process.pss, process.rss = usage.init_pss, usage.init_rss
        case _:
            with contextlib.suppress(OSError):
                used = memory(process.pid)
                process.pss, process.rss = used.pss, used.rss


def _token(record: ApiTokenRecord) -> ext.Token:
    token = ext.Token(
        id=record.id,
        name=record.name,
        subject=record.subject,
        scopes=sorted(record.scopes),
        created_time=timestamp(record.created_at),
    )
    if record.expires_at is not None:
        token.expiration_time.CopyFrom(timestamp(record.expires_at))
    if record.revoked_at is not None:
        token.revoked_time.CopyFrom(timestamp(record.revoked_at))
    return token
